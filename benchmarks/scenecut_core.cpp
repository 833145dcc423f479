// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames a second that the adaptive method analyses on one core: thumbnails and decisions, without
// GStreamer. Pictures are textures under a moving camera with a cut every 50 frames; there are
// enough of them that they do not stay in the caches.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "detector.hpp"
#include "thumbnail.hpp"

namespace {
using namespace clips::scenecut;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A texture larger than a picture, smoothed in both directions so that it looks like one.
std::vector<std::uint8_t> texture(std::mt19937& random, std::size_t width, std::size_t height) {
  std::vector<std::uint8_t> out(width * height);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const int left = x ? out[y * width + x - 1] : 128;
      const int above = y ? out[(y - 1) * width + x] : 128;
      const int value = (left + above) / 2 + static_cast<int>(random() % 31) - 15;
      out[y * width + x] = static_cast<std::uint8_t>(std::clamp(value, 16, 235));
    }
  }
  return out;
}

void measure(PixelFormat format, std::uint32_t width, std::uint32_t height) {
  constexpr std::size_t kPictures = 48;
  std::mt19937 random(5);
  FrameView frame{.format = format, .width = width, .height = height};
  const std::size_t bytes = tight_layout(frame, nullptr);
  const std::size_t row = static_cast<std::size_t>(frame.planes[0].stride);
  const std::size_t rows = bytes / row;
  std::vector<std::vector<std::uint8_t>> pictures;
  std::vector<std::uint8_t> world;
  for (std::size_t i = 0; i < kPictures; ++i) {
    if (i % 12 == 0) world = texture(random, row + 64, rows + 64);
    auto& picture = pictures.emplace_back(bytes);
    for (std::size_t y = 0; y < rows; ++y)
      std::copy_n(world.data() + (y + i % 12) * (row + 64) + 2 * (i % 12), row,
                  picture.data() + y * row);
  }
  constexpr int kFrames = 1500;
  double best_all = 1e9, best_thumbnail = 1e9;
  std::size_t boundaries = 0;
  for (int round = 0; round < 3; ++round) {
    Detector detector;
    double thumbnails = 0;
    const double begin = cpu_seconds();
    for (int i = 0; i < kFrames; ++i) {
      // 50 frames to and fro in one scene of twelve pictures, then the next scene.
      const int step = i % 50 % 22;
      const int picture = i / 50 % 4 * 12 + (step < 12 ? step : 22 - step);
      tight_layout(frame, pictures[static_cast<std::size_t>(picture)].data());
      const double before = cpu_seconds();
      const Thumbnail thumbnail = make_thumbnail(frame);
      thumbnails += cpu_seconds() - before;
      detector.push(thumbnail);
    }
    detector.finish();
    best_all = std::min(best_all, cpu_seconds() - begin);
    best_thumbnail = std::min(best_thumbnail, thumbnails);
    boundaries = detector.take().size();
  }
  std::printf("%4ux%-4u %-9s %7.0f frames/s   %6.1f us a frame, thumbnail %6.1f us   (%zu cuts)\n",
              width, height, std::string(name_of(format)).c_str(), kFrames / best_all,
              1e6 * best_all / kFrames, 1e6 * best_thumbnail / kFrames, boundaries);
}

}  // namespace

int main() {
  measure(PixelFormat::I420, 1920, 1080);
  measure(PixelFormat::NV12, 1920, 1080);
  measure(PixelFormat::P010_10LE, 1920, 1080);
  measure(PixelFormat::I420, 1280, 720);
  measure(PixelFormat::I420, 3840, 2160);
}
