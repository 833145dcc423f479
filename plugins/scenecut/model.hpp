// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace clips::scenecut {

// A decision tree of depth three: at node n the way goes to 2n+1 where the feature is at most the
// threshold, else to 2n+2; the eight leaves follow the seven nodes.
struct Tree {
  std::uint8_t feature[7];
  float threshold[7];
  float leaf[8];
};

// A boosted ensemble: the sum of its trees' leaves is a logit, which `scale` and `offset` turn into
// a calibrated one (Platt).
struct Ensemble {
  std::span<const Tree> trees;
  float bias = 0;
  float scale = 1;
  float offset = 0;

  float raw(const float* features) const {
    float sum = bias;
    for (const Tree& tree : trees) {
      std::size_t node = 0;
      while (node < 7)
        node = 2 * node + (features[tree.feature[node]] <= tree.threshold[node] ? 1 : 2);
      sum += tree.leaf[node - 7];
    }
    return sum;
  }
  float probability(const float* features) const {
    return 1 / (1 + std::exp(-(scale * raw(features) + offset)));
  }
};

struct BoundaryModel {
  Ensemble cut;
  // Few trees on the cheap features first; most windows end there.
  Ensemble gradual_gate;
  Ensemble gradual;
};

// The model that tools/scenecut-model/fit.py fitted; model_data.cpp says on what.
const BoundaryModel& default_model();

}  // namespace clips::scenecut
