// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "detector.hpp"

namespace clips::scenecut {

// A boundary with the time of its frame, in nanoseconds of the stream.
struct TimedBoundary {
  Boundary boundary;
  std::uint64_t time = 0;
  bool operator==(const TimedBoundary&) const = default;
};

// Drops boundaries so that every clip between those that are left, the first and the last one
// included, lasts at least `minimum` ns. Clips still tile the stream because a clip only ever
// merges with its neighbour. Of two boundaries closer than the minimum the one with the higher
// score stays, on a tie the earlier one; a boundary closer than the minimum to the start or the
// end of the stream goes.
class MinDuration {
 public:
  // Times count from `start`, the time of the stream's first frame.
  explicit MinDuration(std::uint64_t minimum, std::uint64_t start = 0);

  // Boundaries in order of time.
  void push(const TimedBoundary& boundary);
  // All boundaries before `time` have been pushed: lets out those that nothing later can displace.
  void advance(std::uint64_t time);
  // The stream ends at `end` (the end of its last frame).
  void finish(std::uint64_t end);
  std::vector<TimedBoundary> take();

 private:
  std::uint64_t minimum_;
  std::uint64_t previous_;  // time of the last boundary that was let out, or the start
  std::optional<TimedBoundary> held_;
  std::vector<TimedBoundary> out_;
};

}  // namespace clips::scenecut
