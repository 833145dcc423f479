// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "history.hpp"
#include "model.hpp"

namespace clips::scenecut {

// What is measured of a stretch that may be a dissolve or a fade. docs/scenecut-adaptive.md says
// what each is for.
inline constexpr std::array<std::string_view, 34> kGradualFeatureNames = {"length",
                                                                          "distance",
                                                                          "distance-relative",
                                                                          "residual-middle",
                                                                          "residual-sides",
                                                                          "alpha-error",
                                                                          "still-ends-worst",
                                                                          "still-ends-best",
                                                                          "largest-step",
                                                                          "path",
                                                                          "deviation-dip",
                                                                          "step-share",
                                                                          "darkness",
                                                                          "histogram",
                                                                          "still-before",
                                                                          "still-after",
                                                                          "eighths-error",
                                                                          "eighths-residual",
                                                                          "step-evenness",
                                                                          "flatness-before",
                                                                          "flatness-after",
                                                                          "brightness-step",
                                                                          "outside-before",
                                                                          "outside-after",
                                                                          "shift",
                                                                          "block-correlation",
                                                                          "changed",
                                                                          "structure",
                                                                          "motion-before",
                                                                          "motion-after",
                                                                          "structure-middle",
                                                                          "return-before",
                                                                          "return-structure",
                                                                          "return-after"};
using GradualFeatures = std::array<float, kGradualFeatureNames.size()>;

// The last frame of the old scene alone and the first of the new scene alone.
struct Window {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

// Frames between the two ends of a window, one more than the frames that mix both scenes. Longer
// transitions are rare and found by a part of theirs; slow camera moves of that length are not.
inline constexpr std::array<int, 21> kWindowLengths = {4,  5,  6,  7,  8,  9,  10, 11, 12, 14, 16,
                                                       18, 20, 24, 28, 32, 36, 40, 48, 56, 64};
inline constexpr std::int64_t kLongestWindow = kWindowLengths.back();
// Frames after a window that its features use.
inline constexpr std::int64_t kGradualContext = 6;

struct GradualCandidate {
  Window window;
  GradualFeatures features;
};

// The features before this one cost little; the gate looks at them alone.
inline constexpr std::size_t kCheapGradualFeatures = 22;

// The windows that end at `after`, pass for a linear blend of their ends and get through the gate.
void find_gradual(History& history, std::int64_t after, const Ensemble& gate,
                  std::vector<GradualCandidate>& out);

}  // namespace clips::scenecut
