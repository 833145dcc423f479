// SPDX-License-Identifier: LGPL-2.1-or-later
// An AVI file of any bytes is an error, or a movie that can be cut.
#include "cliprange/aviindex.hpp"
#include "cut_movie.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clips::cut;
  MemoryReader reader(Bytes(data, data + size));
  cut_movie(read_avi(reader), reader);
  return 0;
}
