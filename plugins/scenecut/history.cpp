// SPDX-License-Identifier: LGPL-2.1-or-later
#include "history.hpp"

#include <memory>

namespace clips::scenecut {

void History::push(const Thumbnail& thumbnail) {
  ++last_;
  const std::size_t now = slot(last_);
  std::construct_at(&pictures_[now], thumbnail);  // in place: a picture is large
  steps_[now] = {};
  if (last_ == 0) return;
  const Picture& before = pictures_[slot(last_ - 1)];
  steps_[now].luma = luma_difference(before, pictures_[now]);
  steps_[now].histogram = histogram_difference(before, pictures_[now]);
  steps_[now].vector = vector_distance(before, pictures_[now]);
}

float History::shifted_step(std::int64_t frame) {
  const std::int64_t index = clamped(frame, std::max<std::int64_t>(1, oldest() + 1));
  float& value = steps_[slot(index)].shifted;
  if (value < 0) value = shifted_correlation_distance(at(index - 1), at(index));
  return value;
}

float History::structure_step(std::int64_t frame) {
  const std::int64_t index = clamped(frame, std::max<std::int64_t>(1, oldest() + 1));
  float& value = steps_[slot(index)].structure;
  if (value < 0) value = shifted_structure_distance(at(index - 1), at(index));
  return value;
}

const BlockMatch& History::match_step(std::int64_t frame) {
  const std::int64_t index = clamped(frame, std::max<std::int64_t>(1, oldest() + 1));
  BlockMatch& value = steps_[slot(index)].match;
  if (value.changed < 0) value = match_blocks(at(index - 1), at(index));
  return value;
}

}  // namespace clips::scenecut
