// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>

#include "thumbnail.hpp"

namespace clips::scenecut {

// A thumbnail with what every comparison needs of it, computed once when it comes in. All of it is
// integer arithmetic, so that each SIMD path and each machine gives the same values.
struct Picture {
  static constexpr int kBlockWidth = 8;
  static constexpr int kBlockHeight = 6;
  static constexpr int kBlockColumns = Thumbnail::kWidth / kBlockWidth;
  static constexpr int kBlockRows = Thumbnail::kHeight / kBlockHeight;
  static constexpr int kBlocks = kBlockColumns * kBlockRows;
  // How far blocks are searched for, in pixels of the thumbnail: an eighth of the width, a sixth of
  // the height.
  static constexpr int kSearchX = 8;
  static constexpr int kSearchY = 6;
  static constexpr int kPaddedWidth = Thumbnail::kWidth + 2 * kSearchX;
  static constexpr int kPaddedHeight = Thumbnail::kHeight + 2 * kSearchY;
  // The quarter-size luma for global shifts.
  static constexpr int kSmallWidth = Thumbnail::kWidth / 2;
  static constexpr int kSmallHeight = Thumbnail::kHeight / 2;
  static constexpr int kShiftX = 6;
  static constexpr int kShiftY = 4;
  static constexpr int kSmallPadded = kSmallWidth + 2 * kShiftX;
  // 32x18 luma, then 16x9 of either chroma, doubled: fewer pixels must not weigh less.
  static constexpr int kVector = kSmallWidth * kSmallHeight * 3 / 2;

  explicit Picture(const Thumbnail& thumbnail);
  Picture() = default;

  Thumbnail image;
  // Luma with its edges repeated outward.
  alignas(32) std::array<std::uint8_t, kPaddedWidth * kPaddedHeight> padded;
  alignas(32) std::array<std::int16_t, kVector> vector;
  // Small luma minus its mean, with zeros on either side, and the sums of its squares over all
  // rectangles from the origin.
  alignas(32) std::array<std::int16_t, kSmallPadded * kSmallHeight> centred;
  std::array<std::int32_t, (kSmallWidth + 1) * (kSmallHeight + 1)> energy;
  // The same with the mean and contrast of each pixel's surroundings taken out: what is left is
  // structure, which light, bars and vignettes do not change.
  alignas(32) std::array<std::int16_t, kSmallPadded * kSmallHeight> structure;
  std::array<std::int32_t, (kSmallWidth + 1) * (kSmallHeight + 1)> structure_energy;
  // Histograms whose pixels are shared by the two nearest bins: a small change of brightness moves
  // little.
  std::array<std::uint16_t, 32> luma_histogram;
  std::array<std::uint16_t, 32> chroma_histogram;  // 16 bins of Cb, 16 of Cr
  // Sum of the absolute deviations from the mean in each block.
  std::array<std::uint16_t, kBlocks> texture;
  float mean;
  float deviation;
  float small_variance;  // sum of squared deviations of the luma in `vector`
  float chroma_deviation;
};

// Mean absolute difference of the luma.
float luma_difference(const Picture& a, const Picture& b);
// Mean absolute difference of the chroma.
float chroma_difference(const Picture& a, const Picture& b);
// Half the L1 distance of the histograms, 0 to 2.
float histogram_difference(const Picture& a, const Picture& b);
// Squared distance of the vectors.
float vector_distance(const Picture& a, const Picture& b);
// 1 - normalised correlation of the small lumas, without shift, 0 to 2.
float correlation_distance(const Picture& a, const Picture& b);
// The same at the best global shift of up to +-kShiftX, +-kShiftY.
float shifted_correlation_distance(const Picture& a, const Picture& b);

// Both again on `structure`.
float structure_distance(const Picture& a, const Picture& b);
float shifted_structure_distance(const Picture& a, const Picture& b);

// What remains of `b` after each of its blocks has been looked for in `a`.
struct BlockMatch {
  float changed;   // share of blocks without a match, weighted with their texture
  float residual;  // what is left, relative to the texture
  float quarter;   // the least `changed` of the four quarters of the picture
  float third;     // the least `changed` of top, middle and bottom
};
BlockMatch match_blocks(const Picture& a, const Picture& b);

// Whether two pictures show one scene, as before and after an explosion or while somebody walks by:
// few blocks and little structure are new. Over the ends of the labelled real transitions these are
// 0.46 and 0.44 at least, over those of the explosions in tests/scenes 0.30 and 0.59 at most.
bool same_scene(const Picture& a, const Picture& b);

// Correlation of each block of `b` with its place in `a`, within a pixel: brightness and contrast
// do not count.
struct BlockCorrelation {
  float distance;  // 1 - correlation, weighted with the texture both have, 0 to 2
  float common;    // texture that both have, of the texture that either has
};
BlockCorrelation correlate_blocks(const Picture& a, const Picture& b);

// Share of blocks that stand still.
float still_blocks(const Picture& a, const Picture& b);
// |sum of differences| / sum of |differences| of the luma: 1 where all pixels go one way.
float one_way(const Picture& a, const Picture& b);

}  // namespace clips::scenecut
