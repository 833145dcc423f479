// SPDX-License-Identifier: LGPL-2.1-or-later
// The detector's core on a pipe, for fitting and scoring: see README.md beside this file.
//   thumbnails FORMAT WIDTH HEIGHT   raw frames -> thumbnails of 3456 bytes
//   cut-candidates                   thumbnails -> frame and features of each, as floats
//   gradual-candidates               thumbnails -> first and last frame and features, as floats
//   detect THRESHOLD [MODEL]         thumbnails -> boundaries, one a line
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cuts.hpp"
#include "detector.hpp"
#include "gradual.hpp"
#include "model.hpp"

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

// Windows that may be gradual transitions: first and last frame, then features.
int gradual_candidates() {
  History history;
  Thumbnail t;
  std::int64_t next = 1;
  std::vector<GradualCandidate> found;
  const auto measure = [&] {
    found.clear();
    find_gradual(history, next++, Ensemble{}, found);
    for (const GradualCandidate& candidate : found) {
      const float ends[] = {static_cast<float>(candidate.window.before),
                            static_cast<float>(candidate.window.after)};
      std::fwrite(ends, sizeof ends, 1, stdout);
      std::fwrite(candidate.features.data(), sizeof(float), candidate.features.size(), stdout);
    }
  };
  while (read_thumbnail(t)) {
    history.push(t);
    if (history.last() - next >= kGradualContext) measure();
  }
  while (next <= history.last()) measure();
  return 0;
}

// A model as fit.py writes it for its folds: for each of the three ensembles bias, scale, offset
// and the number of trees, then seven features, seven thresholds and eight leaves a tree, all as
// text.
class ModelFile {
 public:
  bool read(const char* path) {
    std::FILE* file = std::fopen(path, "r");
    if (!file) return false;
    bool ok = true;
    Ensemble* const ensembles[] = {&model.cut, &model.gradual_gate, &model.gradual};
    for (std::size_t e = 0; e < 3 && ok; ++e) {
      Ensemble& ensemble = *ensembles[e];
      int count = 0;
      ok = std::fscanf(file, "%f %f %f %d", &ensemble.bias, &ensemble.scale, &ensemble.offset,
                       &count) == 4 &&
           count >= 0 && count < 100000;
      if (!ok) break;
      trees_[e].resize(static_cast<std::size_t>(count));
      for (Tree& tree : trees_[e]) {
        for (auto& feature : tree.feature) {
          int value = 0;
          ok = ok && std::fscanf(file, "%d", &value) == 1 && value >= 0 && value < 256;
          feature = static_cast<std::uint8_t>(value);
        }
        for (float& value : tree.threshold) ok = ok && std::fscanf(file, "%f", &value) == 1;
        for (float& value : tree.leaf) ok = ok && std::fscanf(file, "%f", &value) == 1;
      }
      ensemble.trees = trees_[e];
    }
    std::fclose(file);
    return ok;
  }
  BoundaryModel model;

 private:
  std::vector<Tree> trees_[3];
};

// One line a boundary: kind, frame, first and last frame, score.
int detect(double threshold, const BoundaryModel& model) {
  Detector detector({.threshold = threshold}, model);
  Thumbnail t;
  const auto print = [&] {
    for (const Boundary& b : detector.take())
      std::printf("%s %llu %llu %llu %.4f\n", std::string(name_of(b.kind)).c_str(),
                  static_cast<unsigned long long>(b.frame),
                  static_cast<unsigned long long>(b.start_frame),
                  static_cast<unsigned long long>(b.end_frame), b.score);
  };
  while (read_thumbnail(t)) {
    detector.push(t);
    print();
  }
  detector.finish();
  print();
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "thumbnails" && argc == 5)
    return thumbnails(argv[2], static_cast<std::uint32_t>(std::atoi(argv[3])),
                      static_cast<std::uint32_t>(std::atoi(argv[4])));
  if (verb == "cut-candidates" && argc == 2) return cut_candidates();
  if (verb == "gradual-candidates" && argc == 2) return gradual_candidates();
  if (verb == "detect" && argc >= 3) {
    if (argc == 3) return detect(std::atof(argv[2]), default_model());
    ModelFile file;
    if (file.read(argv[3])) return detect(std::atof(argv[2]), file.model);
    std::fprintf(stderr, "cannot read the model %s\n", argv[3]);
    return 1;
  }
  return 2;
}
