// SPDX-License-Identifier: LGPL-2.1-or-later
// A file of the index cache of any bytes is nothing, or an index of that source. Half of the inputs
// get a right checksum, so that what is behind it is reached.
#include <cstddef>
#include <cstdint>

#include "cliprange/indexcache.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clips::cut;
  (void)decode_index({data, size}, "u");
  ByteWriter summed;
  summed.raw({data, size});
  summed.u64(index_checksum({data, size}));
  if (const auto index = decode_index(summed.out, "u"))
    for (const Track& track : index->movie->tracks)
      if (track.samples.count() > 0 && track.samples.count() < 1'000'000) (void)track.samples.at(0);
  return 0;
}
