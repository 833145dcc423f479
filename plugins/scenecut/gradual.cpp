// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gradual.hpp"

#include <algorithm>
#include <cmath>

namespace clips::scenecut {
namespace {

// The gate's probability below which a window is not worth the costly features. From 0.02 to 0.08
// the labelled real set gives the same boundaries, at half the cost of video with much motion.
constexpr float kGate = 0.08F;

// A frame as a point near the line from one picture to another: how far along, and how far off,
// relative to the squared length of the line.
struct Projection {
  float alpha;
  float residual;
};

Projection project(const Picture& from, const Picture& to, float length, const Picture& middle) {
  const float a = vector_distance(from, middle);
  const float b = vector_distance(middle, to);
  const float alpha = (a + length - b) / (2 * length);
  return {alpha, std::max(0.F, (a - alpha * alpha * length) / length)};
}

}  // namespace

void find_gradual(History& history, std::int64_t after, const Ensemble& gate,
                  std::vector<GradualCandidate>& out) {
  float largest = 0;
  float path = 0;
  float squares = 0;
  std::int64_t walked = after;
  for (const int length : kWindowLengths) {
    const std::int64_t before = after - length;
    if (before < history.oldest() + 1) return;
    for (; walked > before; --walked) {
      const float step = history.vector_step(walked);
      largest = std::max(largest, step);
      path += std::sqrt(step);
      squares += step;
    }
    const Picture& a = history.at(before);
    const Picture& b = history.at(after);
    const float distance = vector_distance(a, b);
    const float rms = std::sqrt(distance / Picture::kVector);
    // Ends that look alike, or one step that carries most of the way: not a transition of this
    // length.
    if (rms < 6 || largest > 0.55F * distance) continue;
    const auto middle_at = [&](int k, int of) -> const Picture& {
      return history.at(before + (length * k + of / 2) / of);
    };
    const Projection half = project(a, b, distance, middle_at(2, 4));
    if (half.residual > 0.5F || half.alpha < 0.2F || half.alpha > 0.8F) continue;
    const Projection first = project(a, b, distance, middle_at(1, 4));
    const Projection last = project(a, b, distance, middle_at(3, 4));
    if (first.alpha > half.alpha + 0.1F || half.alpha > last.alpha + 0.1F ||
        std::max(first.residual, last.residual) > 0.6F)
      continue;
    const float outside_before = vector_distance(history.at(before - 3), a) / distance;
    const float outside_after = vector_distance(b, history.at(after + 3)) / distance;
    if (std::min(outside_before, outside_after) > 0.35F) continue;
    float eighths_error = 0, eighths_residual = 0;
    for (const int k : {1, 3, 5, 7}) {
      const Projection p = project(a, b, distance, middle_at(k, 8));
      eighths_error = std::max(eighths_error, std::fabs(p.alpha - static_cast<float>(k) / 8));
      eighths_residual = std::max(eighths_residual, p.residual);
    }
    const Picture& m = middle_at(2, 4);
    const float steps = static_cast<float>(length);
    GradualCandidate found{{before, after}, {}};
    GradualFeatures& f = found.features;
    f = {
        std::log(steps),
        std::log(rms),
        std::log(distance / (a.small_variance + b.small_variance + 1000) + 0.02F),
        half.residual,
        std::max(first.residual, last.residual),
        std::max({std::fabs(first.alpha - 0.25F), std::fabs(half.alpha - 0.5F),
                  std::fabs(last.alpha - 0.75F)}),
        std::log(std::max(outside_before, outside_after) + 0.005F),
        std::log(std::min(outside_before, outside_after) + 0.005F),
        std::log(largest / distance * steps + 0.02F),
        std::log(path / std::sqrt(distance) + 0.3F),
        m.deviation / (0.5F * (a.deviation + b.deviation) + 1),
        largest / distance,
        std::log(std::min(a.deviation, b.deviation) + 1),
        std::log(histogram_difference(a, b) + 0.01F),
        std::log(outside_before + 0.005F),
        std::log(outside_after + 0.005F),
        eighths_error,
        eighths_residual,
        squares / (path * path) * steps,
        std::log(a.deviation + 1),
        std::log(b.deviation + 1),
        std::clamp((b.mean - a.mean) / 64, -2.F, 2.F),
    };
    if (gate.probability(f.data()) < kGate) continue;
    const BlockMatch ends = match_blocks(a, b);
    // After an explosion, a flash or somebody who walks by the picture is what it was.
    float return_before = 9, return_structure = 9, return_after = 9;
    for (const int k : {4, 8, 16, 24}) {
      const Picture& earlier = history.at(before - k);
      return_before = std::min(return_before, correlation_distance(earlier, b));
      return_structure = std::min(return_structure, structure_distance(earlier, b));
    }
    for (const int k : {2, 4, 6})
      return_after = std::min(return_after, correlation_distance(a, history.at(after + k)));
    std::size_t next = kCheapGradualFeatures;
    for (const float value : {
             std::log(vector_distance(history.at(before - 6), history.at(before - 1)) / distance +
                      0.005F),
             std::log(vector_distance(history.at(after + 1), history.at(after + 6)) / distance +
                      0.005F),
             shifted_correlation_distance(a, b),
             correlate_blocks(a, b).distance,
             ends.changed,
             shifted_structure_distance(a, b),
             match_blocks(a, m).changed,
             match_blocks(m, b).changed,
             shifted_structure_distance(a, m) + shifted_structure_distance(m, b),
             std::log(return_before + 0.02F),
             return_structure,
             std::log(return_after + 0.02F),
         })
      f[next++] = value;
    out.push_back(found);
  }
}

}  // namespace clips::scenecut
