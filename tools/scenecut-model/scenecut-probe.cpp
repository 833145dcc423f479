// SPDX-License-Identifier: LGPL-2.1-or-later
// The detector's core on a pipe, for fitting and scoring: see README.md beside this file.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cuts.hpp"
#include "detector.hpp"

namespace {
using namespace clips::scenecut;

int thumbnails(const char* format_name, std::uint32_t width, std::uint32_t height) {
  const auto format = pixel_format_from_name(format_name);
  if (!format) {
    std::fprintf(stderr, "unknown format %s\n", format_name);
    return 2;
  }
  FrameView frame{.format = *format, .width = width, .height = height};
  const std::size_t bytes = tight_layout(frame, nullptr);
  std::vector<std::uint8_t> picture(bytes);
  tight_layout(frame, picture.data());
  while (std::fread(picture.data(), 1, bytes, stdin) == bytes) {
    const Thumbnail t = make_thumbnail(frame);
    std::fwrite(t.y.data(), 1, t.y.size(), stdout);
    std::fwrite(t.u.data(), 1, t.u.size(), stdout);
    std::fwrite(t.v.data(), 1, t.v.size(), stdout);
  }
  return 0;
}
bool read_thumbnail(Thumbnail& t) {
  return std::fread(t.y.data(), 1, t.y.size(), stdin) == t.y.size() &&
         std::fread(t.u.data(), 1, t.u.size(), stdin) == t.u.size() &&
         std::fread(t.v.data(), 1, t.v.size(), stdin) == t.v.size();
}

// Candidates for a cut: the frame, then its features, as 32-bit floats.
int cut_candidates() {
  History history;
  Thumbnail t;
  std::int64_t next = 1;
  const auto measure = [&] {
    if (is_cut_candidate(history, next)) {
      const auto frame = static_cast<float>(next);
      const CutFeatures features = cut_features(history, next);
      std::fwrite(&frame, sizeof frame, 1, stdout);
      std::fwrite(features.data(), sizeof(float), features.size(), stdout);
    }
    ++next;
  };
  while (read_thumbnail(t)) {
    history.push(t);
    if (history.last() - next >= kCutContext) measure();
  }
  while (next <= history.last()) measure();
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "thumbnails" && argc == 5)
    return thumbnails(argv[2], static_cast<std::uint32_t>(std::atoi(argv[3])),
                      static_cast<std::uint32_t>(std::atoi(argv[4])));
  if (verb == "cut-candidates" && argc == 2) return cut_candidates();
  return 2;
}
