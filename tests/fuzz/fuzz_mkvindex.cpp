// SPDX-License-Identifier: LGPL-2.1-or-later
// A Matroska file of any bytes is an error, or a movie that can be cut: read whole, around a
// range, and its header.
#include "cliprange/mkvindex.hpp"
#include "cut_movie.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clips::cut;
  MemoryReader reader(Bytes(data, data + size));
  cut_movie(read_mkv(reader), reader);
  Wish wish;
  wish.range = {600'000'000, 700'000'000};
  cut_movie(read_mkv(reader, wish), reader);
  Wish header;
  header.header_above = 0;
  cut_movie(read_mkv(reader, header), reader);
  return 0;
}
