// SPDX-License-Identifier: LGPL-2.1-or-later
// The movie boxes whose edit lists mp4priming corrects: a box stays a box, and a refused one as it
// is.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "movie_edits.hpp"

using namespace clips::media;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> before(data, data + size);
  for (const std::uint32_t samples : {0u, 1024u, 0xffffffffu}) {
    std::vector<std::uint8_t> bytes = before;
    const auto changed = correct_edits(bytes, samples);
    if (changed ? !is_movie_box(bytes) : bytes != before) std::abort();
    if (changed && *changed == 0 && bytes != before) std::abort();
  }
  return 0;
}
