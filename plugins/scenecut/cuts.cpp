// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuts.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace clips::scenecut {
namespace {

float log_of(float value, float floor) {
  return std::log(value + floor);
}

template <std::size_t N>
float median(std::array<float, N> values) {
  static_assert(N % 2 == 0);
  std::sort(values.begin(), values.end());
  return 0.5F * (values[N / 2 - 1] + values[N / 2]);
}

}  // namespace

bool is_cut_candidate(const History& history, std::int64_t frame) {
  std::array<float, 6> luma;
  std::array<float, 6> histogram;
  std::size_t n = 0;
  for (const int k : {-3, -2, -1, 1, 2, 3}) {
    luma[n] = history.luma_step(frame + k);
    histogram[n++] = history.histogram_step(frame + k);
  }
  const float l = history.luma_step(frame);
  const float h = history.histogram_step(frame);
  return (l > 2 || h > 0.04F) &&
         (l > 1.6F * median(luma) + 0.5F || h > 1.6F * median(histogram) + 0.01F);
}

CutFeatures cut_features(History& history, std::int64_t t) {
  const auto at = [&](std::int64_t k) -> const Picture& { return history.at(t + k); };
  // Distance over `lag` frames that ends k frames after the candidate.
  const auto lag = [&](std::int64_t k, int frames, auto distance) {
    return distance(at(k - frames), at(k));
  };
  const auto changed = [](const Picture& a, const Picture& b) {
    return match_blocks(a, b).changed;
  };

  float shift_before = 0, shift_after = 0, histogram_around = 0, residual_around = 0;
  float luma_before = 0, luma_after = 0;
  std::array<float, 8> residuals, lumas;
  for (int k = 1; k <= 4; ++k) {
    const auto i = static_cast<std::size_t>(2 * (k - 1));
    shift_before = std::max(shift_before, history.shifted_step(t - k));
    shift_after = std::max(shift_after, history.shifted_step(t + k));
    histogram_around =
        std::max({histogram_around, history.histogram_step(t - k), history.histogram_step(t + k)});
    residuals[i] = history.match_step(t - k).residual;
    residuals[i + 1] = history.match_step(t + k).residual;
    if (k <= 2) residual_around = std::max({residual_around, residuals[i], residuals[i + 1]});
    lumas[i] = history.luma_step(t - k);
    lumas[i + 1] = history.luma_step(t + k);
    luma_before = std::max(luma_before, lumas[i]);
    luma_after = std::max(luma_after, lumas[i + 1]);
  }
  const Picture& before = at(-1);
  const Picture& now = at(0);
  const float shift = history.shifted_step(t);
  const float histogram = history.histogram_step(t);
  const float luma = history.luma_step(t);
  const BlockMatch match = history.match_step(t);
  const BlockCorrelation correlation = correlate_blocks(before, now);
  const float changed_lag3_before = lag(0, 3, changed);
  const float changed_lag3_after = lag(2, 3, changed);
  const float chroma_least = std::min({lag(0, 1, chroma_difference), lag(0, 2, chroma_difference),
                                       lag(1, 2, chroma_difference), lag(1, 3, chroma_difference)});
  const float luma_least = std::min(
      {luma, lag(0, 2, luma_difference), lag(1, 2, luma_difference), lag(1, 3, luma_difference)});

  // The most similar pair around the candidate: after a flash, a strobe or an insert the picture
  // is what it was.
  float return_best = 9;
  int from = 1, to = 0;
  for (const int i : {1, 2, 3, 4, 6, 8, 12}) {
    for (const int j : {0, 1, 2, 3, 5, 7, 11}) {
      if (t - i < history.oldest() || t + j > history.last()) continue;
      const float d = correlation_distance(at(-i), at(j)) + 2 * histogram_difference(at(-i), at(j));
      if (d < return_best) {
        return_best = d;
        from = i;
        to = j;
      }
    }
  }
  const float return_changed = from == 1 && to == 0 ? match.changed : changed(at(-from), at(to));

  // Nearest pair across the candidate against the widest on either side of it.
  float vector_cross = 1e30F, vector_within = 0;
  float histogram_cross = 9, histogram_within = 0;
  for (int i = 1; i <= 4; ++i)
    for (int j = 0; j < 4; ++j) {
      vector_cross = std::min(vector_cross, vector_distance(at(-i), at(j)));
      histogram_cross = std::min(histogram_cross, histogram_difference(at(-i), at(j)));
    }
  for (const int k : {2, 3, 4}) {
    vector_within = std::max(
        {vector_within, vector_distance(at(-1), at(-k)), vector_distance(at(0), at(k - 1))});
    histogram_within = std::max({histogram_within, histogram_difference(at(-1), at(-k)),
                                 histogram_difference(at(0), at(k - 1))});
  }
  float texture_before = 0, texture_now = 0;
  for (std::size_t b = 0; b < before.texture.size(); ++b) {
    texture_before += static_cast<float>(before.texture[b]);
    texture_now += static_cast<float>(now.texture[b]);
  }
  texture_before = texture_before / (Thumbnail::kWidth * Thumbnail::kHeight) + 0.5F;
  texture_now = texture_now / (Thumbnail::kWidth * Thumbnail::kHeight) + 0.5F;
  // Structure: nearest pair across the candidate, and the widest steps around it.
  const float structure = history.structure_step(t);
  float structure_around = 0;
  for (const int k : {1, 2, 3})
    structure_around =
        std::max({structure_around, history.structure_step(t - k), history.structure_step(t + k)});
  const float structure_cross =
      std::min({structure, lag(0, 2, shifted_structure_distance),
                lag(1, 2, shifted_structure_distance), lag(1, 3, shifted_structure_distance)});
  const float structure_within = std::max(shifted_structure_distance(at(-3), at(-1)),
                                          shifted_structure_distance(at(0), at(2)));
  float structure_return = 9;
  for (const int i : {1, 2, 3, 4, 6, 8, 12})
    for (const int j : {0, 1, 2, 3, 5, 7, 11})
      structure_return = std::min(structure_return, structure_distance(at(-i), at(j)));
  // Held frames: a camera or a converter that repeats pictures moves in jumps.
  std::array<float, 16> wide;
  int repeated = 0;
  for (int k = 1; k <= 8; ++k) {
    wide[static_cast<std::size_t>(2 * k - 2)] = history.luma_step(t - k);
    wide[static_cast<std::size_t>(2 * k - 1)] = history.luma_step(t + k);
  }
  for (const float w : wide) repeated += w < 0.4F;
  std::nth_element(wide.begin(), wide.begin() + 3, wide.end(), std::greater<>());
  std::sort(wide.begin(), wide.begin() + 4, std::greater<>());
  float structure_wide = 0;
  for (const int k : {5, 6, 7, 8})
    for (const int s : {-k, k})
      if (history.luma_step(t + s) > 0.5F * luma)
        structure_wide = std::max(structure_wide, history.structure_step(t + s));
  float luma_cross = 256;
  for (int i = 1; i <= 3; ++i)
    for (int j = 0; j < 3; ++j) luma_cross = std::min(luma_cross, luma_difference(at(-i), at(j)));
  const float still = still_blocks(before, now);

  return {
      log_of(shift, 0.02F) - log_of(std::min(shift_before, shift_after), 0.02F),
      log_of(std::min(changed_lag3_before, changed_lag3_after), 0.04F),
      log_of(chroma_least, 0.6F) -
          log_of(std::min(lag(-1, 2, chroma_difference), lag(2, 2, chroma_difference)), 0.6F),
      log_of(histogram, 0.01F) - log_of(histogram_around, 0.01F),
      log_of(median(residuals), 0.08F),
      log_of(lag(1, 3, chroma_difference), 0.6F) -
          log_of(std::max(lag(-1, 3, chroma_difference), lag(3, 3, chroma_difference)), 0.6F),
      (1 - std::clamp(return_changed / (match.changed + 0.05F), 0.F, 1.F)) *
          std::clamp(1 - correlation.distance, 0.F, 1.F),
      correlation.common,
      log_of(lag(1, 3, shifted_correlation_distance), 0.02F) -
          log_of(std::max(lag(-1, 3, shifted_correlation_distance),
                          lag(3, 3, shifted_correlation_distance)),
                 0.02F),
      log_of(std::min(before.deviation, now.deviation), 2),
      log_of(median(lumas), 1.5F),
      log_of(match.residual, 0.08F) - log_of(residual_around, 0.08F),
      still,
      std::max(0.F, still - 0.55F),
      log_of(luma, 1.5F) - log_of(std::max(luma_before, luma_after), 1.5F),
      log_of(luma_least, 1.5F),
      match.changed,
      match.quarter,
      match.third,
      one_way(before, now),
      std::clamp((now.mean - before.mean) / 64, -1.F, 1.F),
      correlation.distance,
      0.5F * (log_of(vector_cross, 2000) - log_of(vector_within, 2000)),
      log_of(changed(at(-4), at(-1)), 0.04F),
      log_of(changed(at(0), at(3)), 0.04F),
      log_of(histogram_cross, 0.01F) - log_of(histogram_within, 0.01F),
      log_of(return_best, 0.02F),
      std::log(static_cast<float>(from + to)),
      log_of(luma, 1.5F) - log_of(luma_before, 1.5F),
      log_of(luma, 1.5F) - log_of(luma_after, 1.5F),
      std::log(texture_now / texture_before),
      std::log(std::min(texture_now, texture_before)),
      lag(1, 3, correlate_blocks).distance,
      log_of(shift, 0.02F),
      log_of(histogram, 0.01F),
      log_of(chroma_least, 0.6F),
      still_blocks(at(-2), at(1)),
      log_of(std::min({shift, lag(0, 2, shifted_correlation_distance),
                       lag(1, 2, shifted_correlation_distance)}),
             0.02F),
      return_changed,
      t <= 3 || history.last() - t < 3 ? 1.F : 0.F,
      structure,
      log_of(structure, 0.05F) - log_of(structure_around, 0.05F),
      structure_cross,
      shifted_structure_distance(at(-4), at(-1)),
      structure_within,
      structure_return,
      std::log(static_cast<float>(
                   std::min(before.structure_energy.back(), now.structure_energy.back())) +
               1000.F),
      log_of(chroma_difference(before, now), 0.6F) -
          log_of(std::max(chroma_difference(at(-2), at(-1)), chroma_difference(at(0), at(1))),
                 0.6F),
      log_of(luma_cross, 1.5F) -
          log_of(std::max(luma_difference(at(-3), at(-1)), luma_difference(at(0), at(2))), 1.5F),
      std::min(
          {match.changed, changed(at(-2), at(0)), changed(at(-1), at(1)), changed(at(-2), at(1))}),
      log_of(luma, 1.5F) - log_of(wide[0], 1.5F),
      log_of(luma, 1.5F) - log_of(wide[3], 1.5F),
      static_cast<float>(repeated),
      structure_wide,
  };
}

}  // namespace clips::scenecut
