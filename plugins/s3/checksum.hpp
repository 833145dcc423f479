// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace clips::s3 {

enum class Checksum { none, crc32c, crc64nvme, sha256 };

// What a store is told about a checksum: `x-amz-checksum-<header>` carries the value, Create names
// the `algorithm`, Complete repeats it for each part in the `element`.
struct ChecksumNames {
  const char* header;
  const char* algorithm;
  const char* element;
};
ChecksumNames checksum_names(Checksum kind);

// Base64 of the big-endian value, as the x-amz-checksum-* headers carry it. `pieces` are taken in a
// row. Empty for Checksum::none.
std::string checksum_of(Checksum kind, std::span<const std::span<const std::byte>> pieces);

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) and CRC-64/NVME (NVM Express Base Specification 2.0,
// section 5.2.1.3.4), each from `crc` on, 0 at first.
std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> data);
std::uint64_t crc64nvme(std::uint64_t crc, std::span<const std::byte> data);

}  // namespace clips::s3
