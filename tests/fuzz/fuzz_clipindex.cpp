// SPDX-License-Identifier: LGPL-2.1-or-later
// An MP4 index of any bytes is an error, or a movie that can be cut.
#include <cstddef>
#include <cstdint>

#include "cliprange/clean.hpp"
#include "cliprange/cutter.hpp"
#include "cliprange/mp4index.hpp"

namespace {

using namespace clips::cut;

class Reader final : public ByteReader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  Result<Bytes> read(uint64_t offset, size_t length, uint64_t) override {
    if (offset >= bytes_.size()) return fail(Fault::Truncated, "past the end");
    const ByteView part = bytes_.subspan(static_cast<size_t>(offset));
    const ByteView got = part.first(std::min(length, part.size()));
    return Bytes(got.begin(), got.end());
  }

 private:
  ByteView bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Reader reader({data, size});
  auto movie = read_mp4(reader);
  if (!movie) return 0;
  // The index alone may promise billions of samples of constant size; walking them is only slow.
  for (const Track& track : movie->tracks)
    if (track.samples.count() > 1'000'000) return 0;
  (void)why_not_clean(*movie, true);
  const auto shared = std::make_shared<const Movie>(std::move(*movie));
  for (const Mode mode : {Mode::Edit, Mode::Copy, Mode::Whole}) {
    Options options;
    options.request.mode = mode;
    options.request.start = 40'000'000;
    (void)make_clip(shared, reader, options, nullptr);
  }
  return 0;
}
