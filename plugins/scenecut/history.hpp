// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace clips::scenecut {

// The last pictures of the stream, and how each differs from the one before it.
class History {
 public:
  static constexpr std::int64_t kCapacity = 128;

  History() : pictures_(kCapacity), steps_(kCapacity) {}

  void push(const Thumbnail& thumbnail);
  // Index of the newest frame, -1 before the first.
  std::int64_t last() const noexcept { return last_; }
  // Index of the oldest frame that is still here.
  std::int64_t oldest() const noexcept { return std::max<std::int64_t>(0, last_ - kCapacity + 1); }

  // Any index; one outside the stream gets the nearest frame.
  const Picture& at(std::int64_t frame) const { return pictures_[slot(clamped(frame, oldest()))]; }

  // From the frame before to `frame`. The first frame has no step: it and all outside the stream
  // get the nearest one.
  float luma_step(std::int64_t frame) const { return step(frame).luma; }
  float histogram_step(std::int64_t frame) const { return step(frame).histogram; }
  float vector_step(std::int64_t frame) const { return step(frame).vector; }
  // The costly ones are computed when first asked for.
  float shifted_step(std::int64_t frame);
  float structure_step(std::int64_t frame);
  const BlockMatch& match_step(std::int64_t frame);

 private:
  struct Step {
    float luma = 0;
    float histogram = 0;
    float vector = 0;
    float shifted = -1;
    float structure = -1;
    BlockMatch match{-1, 0, 0, 0};
  };
  static std::size_t slot(std::int64_t frame) {
    return static_cast<std::size_t>(frame % kCapacity);
  }
  std::int64_t clamped(std::int64_t frame, std::int64_t low) const {
    return std::clamp(frame, std::min(low, last_), last_);
  }
  const Step& step(std::int64_t frame) const {
    return steps_[slot(clamped(frame, std::max<std::int64_t>(1, oldest() + 1)))];
  }

  std::vector<Picture> pictures_;
  std::vector<Step> steps_;
  std::int64_t last_ = -1;
};

}  // namespace clips::scenecut
