// SPDX-License-Identifier: LGPL-2.1-or-later
// The head of a Matroska file. What is found does not depend on the pieces that it comes in, and no
// delay is longer than an encoder's.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "lib/matroskatracks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  clips::MatroskaTracks whole, pieces;
  whole.feed(0, bytes);
  for (std::size_t at = 0; at < size; at += 5)
    pieces.feed(at, bytes.subspan(at, std::min<std::size_t>(5, size - at)));
  if (whole.done() != pieces.done()) std::abort();
  for (std::uint64_t number = 0; number < 256; ++number)
    if (whole.delay(number) != pieces.delay(number) || whole.delay(number) > 1000000000)
      std::abort();
  return 0;
}
