// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "history.hpp"

namespace clips::scenecut {

// What is measured of a frame that may be the first of a new shot. kCutFeatureNames has the names
// in order; docs/scenecut-adaptive.md says what each is for.
inline constexpr std::array<std::string_view, 54> kCutFeatureNames = {
    "shift-contrast",
    "changed-lag3",
    "chroma-contrast",
    "histogram-contrast",
    "busy-blocks",
    "chroma-lag3",
    "returns",
    "common-texture",
    "shift-lag3",
    "darkness",
    "busy-luma",
    "residual-contrast",
    "still",
    "mostly-still",
    "luma-contrast",
    "luma-least",
    "changed",
    "changed-quarter",
    "changed-third",
    "one-way",
    "brightness-step",
    "block-correlation",
    "cross-within",
    "changed-before",
    "changed-after",
    "histogram-cross",
    "return-best",
    "return-gap",
    "luma-before",
    "luma-after",
    "texture-ratio",
    "texture-least",
    "block-correlation-lag3",
    "shift",
    "histogram",
    "chroma-least",
    "still-lag3",
    "shift-cross",
    "return-changed",
    "edge",
    "structure",
    "structure-contrast",
    "structure-cross",
    "structure-lag3",
    "structure-within",
    "structure-return",
    "flat-structure",
    "chroma-mean-step",
    "luma-cross",
    "changed-cross",
    "luma-wide",
    "luma-wide-second",
    "repeated",
    "structure-wide",
};
using CutFeatures = std::array<float, kCutFeatureNames.size()>;

// Frames after a candidate that its features use.
inline constexpr std::int64_t kCutContext = 12;

// Whether the step to `frame` stands out enough to be worth measuring.
bool is_cut_candidate(const History& history, std::int64_t frame);
CutFeatures cut_features(History& history, std::int64_t frame);

}  // namespace clips::scenecut
