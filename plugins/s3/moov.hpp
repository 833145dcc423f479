// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace clips::s3 {

// The boxes of ISO/IEC 14496-12 as far as it takes to move `moov` before the media.

struct Box {
  std::uint32_t type = 0;
  std::uint64_t offset = 0;       // of its first byte in what was parsed
  std::uint64_t size = 0;         // with its header; 0: up to the end of the file
  std::uint64_t header_size = 0;  // 8 or 16
};

constexpr std::uint32_t box_type(const char (&name)[5]) {
  std::uint32_t type = 0;
  for (int i = 0; i < 4; i++) type = type << 8 | static_cast<unsigned char>(name[i]);
  return type;
}

// The header at `offset`; nothing when it is not there whole or contradicts itself. The box itself
// may reach past the end of `bytes`.
std::optional<Box> read_box(std::span<const std::byte> bytes, std::uint64_t offset);

// The place of the media in a file whose beginning is `head`: the top-level `mdat`, if no `moov` is
// before it and everything up to its header is in `head`.
struct MediaStart {
  std::uint64_t insert_at = 0;  // behind `ftyp`: where `moov` belongs
  Box mdat;
};
std::optional<MediaStart> find_media(std::span<const std::byte> head);

// `boxes` is a `moov` followed by whole boxes (any number), which stood at `offset`, right behind
// the media [media_begin, media_end). Gives what to put at an offset before the media instead: the
// same boxes, with every chunk offset moved on by the size of the result. A 32-bit table (stco)
// that would overflow becomes a 64-bit one (co64), which the shift takes into account.
//
// Refused (the error says why) is whatever is not understood to the last byte or would break by the
// move: chunks outside of the media, boxes with other absolute offsets (saio, iloc), compressed or
// fragmented movies.
tl::expected<std::vector<std::byte>, std::string> relocate_moov(std::span<const std::byte> boxes,
                                                                std::uint64_t media_begin,
                                                                std::uint64_t media_end);

}  // namespace clips::s3
