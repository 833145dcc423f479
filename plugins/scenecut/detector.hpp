// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "thumbnail.hpp"

namespace clips::scenecut {

struct BoundaryModel;

enum class Kind : std::uint8_t { kCut, kDissolve, kFade };

// "cut", "dissolve" or "fade".
std::string_view name_of(Kind kind) noexcept;

// One shot boundary. Frames are 0-based and count pushed thumbnails.
struct Boundary {
  // First frame of the new scene; inside a gradual transition the first frame in which the new
  // scene carries at least half of the picture, so start_frame <= frame <= end_frame.
  std::uint64_t frame = 0;
  // First and last frame of a gradual transition that show both scenes (or the blank between
  // them). Both equal `frame` for a cut.
  std::uint64_t start_frame = 0;
  std::uint64_t end_frame = 0;
  Kind kind = Kind::kCut;
  // How likely this is a true boundary, 0 to 1, calibrated on labelled video.
  double score = 0;

  bool operator==(const Boundary&) const = default;
};

struct Params {
  // Boundaries with a score below this are not reported. 0 = the default, 0.45.
  double threshold = 0;
  // Report dissolves and fades. Without it only hard cuts are looked for.
  bool gradual = true;
  // Keep the scores of all frames for take_scores().
  bool scores = false;
};

// The adaptive shot-boundary detector: one thumbnail a frame in, boundaries out in order of
// `frame`, each final when it comes out. Memory is constant; the result depends on the thumbnails
// alone.
class Detector {
 public:
  // After a frame is pushed, every hard cut up to this many frames before it has been decided.
  static constexpr std::size_t kCutLookahead = 18;
  // The same for every boundary, gradual ones included.
  static constexpr std::size_t kGradualLookahead = 80;

  explicit Detector(Params params = {});
  // With another model, which must outlive the detector: for fitting.
  Detector(Params params, const BoundaryModel& model);
  ~Detector();
  Detector(Detector&&) noexcept;
  Detector& operator=(Detector&&) noexcept;

  void push(const Thumbnail& thumbnail);
  // The stream ends here: decides what was waiting for more frames. Nothing may be pushed after it
  // but reset().
  void finish();
  // What has become final since the last call.
  std::vector<Boundary> take();
  // With Params::scores: how likely a boundary lies at each frame, 0 to 1, also where the threshold
  // is not met; a transition counts at its middle. The frames that follow those of the last call,
  // as far as nothing can change them any more.
  std::vector<float> take_scores();
  // Back to the state of a new detector with the same parameters; frames count from 0 again.
  void reset();

  std::uint64_t frames() const noexcept;
  // Look-ahead of the chosen parameters: kGradualLookahead with gradual, else kCutLookahead.
  std::size_t lookahead() const noexcept;
  // No hard cut with a frame below this can come out of later calls than the next take().
  std::uint64_t decided_until() const noexcept;
  // The same for every boundary.
  std::uint64_t final_until() const noexcept;

 private:
  class Analysis;
  std::unique_ptr<Analysis> analysis_;
};

}  // namespace clips::scenecut
