// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace clips::ebml {

// EBML (RFC 8794): what Matroska and WebM files consist of.

using Bytes = std::span<const std::byte>;

inline std::uint64_t big_endian(Bytes bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return value;
}

struct Vint {
  std::uint64_t value;
  std::size_t length;
  bool unknown;  // all value bits set: the size is not stated
};

// A variable-size integer; nothing when `bytes` holds no whole one. Identifiers keep their marker.
inline std::optional<Vint> vint(Bytes bytes, bool keep_marker) {
  if (bytes.empty()) return std::nullopt;
  const auto first = std::to_integer<unsigned>(bytes[0]);
  std::size_t length = 1;
  while (length <= 8 && !(first & 0x80U >> (length - 1))) ++length;
  if (length > 8 || bytes.size() < length) return std::nullopt;
  const std::uint64_t all = big_endian(bytes.first(length));
  const std::uint64_t mask = (std::uint64_t{1} << 7 * length) - 1;
  return Vint{keep_marker ? all : all & mask, length, (all & mask) == mask};
}

// The longest head that an element has: an identifier of 4 bytes and a size of 8.
inline constexpr std::size_t max_head = 12;

struct Head {
  std::uint64_t id;
  std::uint64_t size;  // of the body
  std::size_t length;  // of the head itself
  bool unknown_size;
};

// The head of an element; nothing when `bytes` holds no whole one.
inline std::optional<Head> head(Bytes bytes) {
  const auto id = vint(bytes, true);
  const auto size = id ? vint(bytes.subspan(id->length), false) : std::nullopt;
  if (!size) return std::nullopt;
  return Head{id->value, size->value, id->length + size->length, size->unknown};
}

}  // namespace clips::ebml
