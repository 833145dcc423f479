// SPDX-License-Identifier: LGPL-2.1-or-later
// Pictures of any format, size and stride through the analysis. The first bytes choose them, the
// rest are pixels, repeated to fill the picture. What is checked beside the sanitizers: thumbnails
// do not depend on the stride, boundaries come in order and lie within the stream.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "detector.hpp"
#include "thumbnail.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace clips::scenecut;
  if (size < 10) return 0;
  const auto format =
      static_cast<PixelFormat>(data[0] % (static_cast<unsigned>(PixelFormat::GBR) + 1));
  const std::uint32_t width = 1 + (data[1] | (data[2] & 0x1fU) << 8);
  // At most half a million pixels a picture, so that wide ones are low.
  const std::uint32_t height = std::min(1 + (data[3] | (data[4] & 0x1fU) << 8), 1 + 500000 / width);
  const std::size_t padding = data[5];
  FrameView tight{.format = format, .width = width, .height = height};
  tight.interlaced = data[6] & 1;
  const std::size_t bytes = tight_layout(tight, nullptr);
  data += 7;
  size -= 7;
  std::vector<std::uint8_t> picture(bytes);
  for (std::size_t i = 0; i < bytes; ++i) picture[i] = data[i % size];
  tight_layout(tight, picture.data());
  const Thumbnail thumbnail = make_thumbnail(tight);

  // One plane stored loosely in its own allocation, without padding behind its last row.
  FrameView loose = tight;
  const auto row = static_cast<std::size_t>(tight.planes[0].stride);
  const std::size_t rows = height;
  std::vector<std::uint8_t> plane(rows * (row + padding) - padding, 0xa5);
  for (std::size_t y = 0; y < rows; ++y)
    std::copy_n(picture.data() + y * row, row, plane.data() + y * (row + padding));
  loose.planes[0] = {plane.data(), static_cast<std::ptrdiff_t>(row + padding)};
  if (!(make_thumbnail(loose) == thumbnail)) std::abort();

  Detector detector({.threshold = data[0] / 255.0, .gradual = (data[1] & 1) != 0});
  Thumbnail frame = thumbnail;
  std::uint64_t last = 0;
  const auto check = [&] {
    for (const Boundary& b : detector.take()) {
      if (b.frame <= last || b.frame >= detector.frames() || b.start_frame > b.frame ||
          b.end_frame < b.frame || !(b.score >= 0 && b.score <= 1))
        std::abort();
      last = b.frame;
    }
  };
  for (std::size_t i = 0; i < std::min<std::size_t>(size, 40); ++i) {
    // Each byte: keep the picture, shift it, darken it, or take another part of the input.
    switch (data[i] % 4) {
      case 1:
        std::rotate(frame.y.begin(), frame.y.begin() + 1 + data[i] / 4, frame.y.end());
        break;
      case 2:
        for (auto& value : frame.y) value = static_cast<std::uint8_t>(value * data[i] / 255);
        break;
      case 3:
        for (std::size_t k = 0; k < frame.y.size(); ++k) frame.y[k] = data[(i * 31 + k) % size];
        for (std::size_t k = 0; k < frame.u.size(); ++k) frame.u[k] = data[(i * 17 + k) % size];
        break;
      default:
        break;
    }
    detector.push(frame);
    check();
  }
  detector.finish();
  check();
  return 0;
}
