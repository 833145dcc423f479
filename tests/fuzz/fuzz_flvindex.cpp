// SPDX-License-Identifier: LGPL-2.1-or-later
// A Flash Video file of any bytes is an error, or a movie that can be cut: read whole, and its
// header.
#include "cliprange/flvindex.hpp"
#include "cut_movie.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clips::cut;
  MemoryReader reader(Bytes(data, data + size));
  cut_movie(read_flv(reader), reader);
  Wish wish;
  wish.header_above = 0;
  cut_movie(read_flv(reader, wish), reader);
  return 0;
}
