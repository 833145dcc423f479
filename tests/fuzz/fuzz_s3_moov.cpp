// SPDX-License-Identifier: LGPL-2.1-or-later
// The movie boxes that s3sink moves: whatever comes out is as long as it says, and reads again.
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "moov.hpp"

using namespace clips::s3;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto media = find_media(bytes)) {
    if (media->mdat.offset + media->mdat.header_size > size || media->insert_at > size)
      std::abort();
  }
  constexpr std::uint64_t ends[] = {std::uint64_t{1} << 20, std::uint64_t{1} << 32,
                                    std::uint64_t{1} << 50};
  for (const std::uint64_t end : ends) {
    const auto moved = relocate_moov(bytes, 0, end);
    if (!moved) continue;
    if (moved->size() < size) std::abort();
    // A second move has to understand what the first one wrote.
    if (!relocate_moov(*moved, 0, std::numeric_limits<std::uint64_t>::max() / 4)) std::abort();
  }
  return 0;
}
