// SPDX-License-Identifier: LGPL-2.1-or-later
#include "min_duration.hpp"

#include <utility>

namespace clips::scenecut {

MinDuration::MinDuration(std::uint64_t minimum, std::uint64_t start)
    : minimum_(minimum), previous_(start) {}

void MinDuration::push(const TimedBoundary& boundary) {
  advance(boundary.time);
  const auto too_close = [&](std::uint64_t before) {
    return boundary.time <= before ? minimum_ > 0 : boundary.time - before < minimum_;
  };
  if (too_close(previous_)) return;
  if (!held_ || boundary.boundary.score > held_->boundary.score) held_ = boundary;
}

void MinDuration::advance(std::uint64_t time) {
  if (!held_ || time < held_->time || time - held_->time < minimum_) return;
  previous_ = held_->time;
  out_.push_back(*held_);
  held_.reset();
}

void MinDuration::finish(std::uint64_t end) {
  advance(end);
  held_.reset();
}

std::vector<TimedBoundary> MinDuration::take() {
  return std::exchange(out_, {});
}

}  // namespace clips::scenecut
