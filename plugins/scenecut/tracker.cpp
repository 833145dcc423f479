// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tracker.hpp"

#include <algorithm>
#include <utility>

namespace clips::scenecut {

namespace {

// What the adaptive detector takes 0 for.
constexpr double kAdaptiveThreshold = 0.45;

CutKind cut_kind(Kind kind) {
  switch (kind) {
    case Kind::kCut:
      return CutKind::cut;
    case Kind::kDissolve:
      return CutKind::dissolve;
    case Kind::kFade:
      return CutKind::fade;
  }
  return CutKind::cut;
}

std::variant<Detector, HistogramDetector> make_detector(const SceneTracker::Config& config) {
  if (config.parity) return HistogramDetector(*config.parity, config.threshold, config.scores);
  return Detector(Params{config.threshold, config.gradual, config.scores});
}

}  // namespace

SceneTracker::SceneTracker(const Config& config)
    : config_(config), detector_(make_detector(config)) {}

void SceneTracker::Span::add(std::uint64_t time, std::uint64_t duration) {
  if (time == kNoTime || (last != kNoTime && time < last)) usable = false;
  if (!usable) return;
  if (start == kNoTime) start = time;
  // A last frame that does not say how long it is shown lasts as long as the one before it.
  if (duration == kNoTime) duration = last == kNoTime ? 0 : time - last;
  last = time;
  end = time + std::min(duration, kNoTime - 1 - time);
}

void SceneTracker::set_rate(const FrameRate& rate) {
  if (frames_ > 0 && rate != rate_) variable_ = true;
  if (frames_ == 0 || !rate_.known()) rate_ = rate;
}

void SceneTracker::push(const FrameView& frame, bool full_range, const FrameTime& time) {
  stream_time_.add(time.stream_time, time.duration);
  running_time_.add(time.running_time, time.duration);
  // The rate names a frame's time only as long as the nearest frame to that time is this one.
  if (!rate_.known()) {
    variable_ = true;
  } else if (stream_time_.usable) {
    const auto expected = frame_time(rate_, frames_);
    const std::uint64_t actual = time.stream_time - stream_time_.start;
    const std::uint64_t half = 500'000'000ULL * rate_.denominator / rate_.numerator;
    if (!expected || (actual > *expected ? actual - *expected : *expected - actual) >= half)
      variable_ = true;
  }

  std::uint64_t clock = clock_end_;
  if (time.running_time != kNoTime)
    clock = clocks_.empty() ? time.running_time : std::max(time.running_time, clocks_.back());
  const std::uint64_t duration =
      time.duration != kNoTime ? time.duration : frame_time(rate_, 1).value_or(0);
  clock_end_ = clock + std::min(duration, kNoTime - 1 - clock);
  times_.push_back(time);
  clocks_.push_back(clock);
  if (frames_ == 0 && config_.min_duration > 0) min_duration_.emplace(config_.min_duration, clock);
  ++frames_;

  if (auto* detector = std::get_if<Detector>(&detector_))
    detector->push(make_thumbnail(frame));
  else
    std::get<HistogramDetector>(detector_).push(frame, full_range);
  collect();
}

void SceneTracker::finish() {
  if (auto* detector = std::get_if<Detector>(&detector_)) detector->finish();
  collect();
  decided_ = frames_;
  emit();
  if (min_duration_) {
    min_duration_->finish(clock_end_);
    emit();
  }
}

void SceneTracker::collect() {
  std::vector<Boundary> boundaries;
  if (auto* detector = std::get_if<Detector>(&detector_)) {
    boundaries = detector->take();
    decided_ = std::max(decided_, std::min(detector->final_until(), frames_));
  } else {
    boundaries = std::get<HistogramDetector>(detector_).take();
    decided_ = frames_;
  }
  // Hard cuts come before gradual transitions that lie before them: put in order here.
  for (const Boundary& boundary : boundaries) place(boundary);
  emit();
}

void SceneTracker::place(const Boundary& boundary) {
  // Frame 0 starts a scene by itself, and what was told to others cannot change any more.
  if (boundary.frame == 0 || boundary.frame < first_time_ || boundary.frame >= frames_) return;
  const auto next = std::lower_bound(
      pending_.begin(), pending_.end(), boundary.frame,
      [](const Boundary& known, std::uint64_t frame) { return known.frame < frame; });
  if (next != pending_.end() && next->frame == boundary.frame) return;
  pending_.insert(next, boundary);
}

void SceneTracker::emit() {
  std::vector<TimedBoundary> certain;
  std::size_t count = 0;
  for (; count < pending_.size() && pending_[count].frame < decided_; ++count) {
    const Boundary& boundary = pending_[count];
    scene_starts_.push_back(boundary.frame);
    const FrameTime& time = time_of(boundary.frame);
    KnownCut known{{boundary.frame, time.stream_time, cut_kind(boundary.kind), boundary.start_frame,
                    boundary.end_frame, std::clamp(boundary.score, 0.0, 1.0)},
                   time};
    if (boundary.kind == Kind::kCut) {
      known.cut.start_frame = known.cut.end_frame = boundary.frame;
    } else {
      // The detector names the last frame of a transition; ranges here are half-open.
      known.cut.start_frame = std::min(boundary.start_frame, boundary.frame);
      known.cut.end_frame = std::min(std::max(boundary.end_frame + 1, boundary.frame), frames_);
    }
    const std::uint64_t clock = clock_of(boundary.frame);
    waiting_.emplace(boundary.frame, known);
    if (min_duration_)
      min_duration_->push({boundary, clock});
    else
      certain.push_back({boundary, clock});
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  if (min_duration_) {
    if (decided_ > first_time_ && decided_ - first_time_ <= clocks_.size())
      min_duration_->advance(decided_ < frames_ ? clock_of(decided_) : clocks_.back());
    certain = min_duration_->take();
  }
  for (const TimedBoundary& boundary : certain) {
    const auto known = waiting_.find(boundary.boundary.frame);
    if (known == waiting_.end()) continue;
    out_.push_back({cuts_.size(), known->second.cut, known->second.time});
    cuts_.push_back(known->second);
    // What lay before it was too close to something better.
    waiting_.erase(waiting_.begin(), std::next(known));
  }
  // Frames that cannot become boundaries any more need no times; the clock goes on from the last.
  while (first_time_ < decided_ && times_.size() > 1) {
    times_.pop_front();
    clocks_.pop_front();
    ++first_time_;
  }
}

std::vector<Found> SceneTracker::take() {
  return std::exchange(out_, {});
}

std::vector<std::uint64_t> SceneTracker::take_scene_starts() {
  return std::exchange(scene_starts_, {});
}

std::vector<float> SceneTracker::take_scores() {
  return std::visit([](auto& detector) { return detector.take_scores(); }, detector_);
}

std::size_t SceneTracker::lookahead(const Config& config) {
  if (config.parity) return 0;
  return config.gradual ? Detector::kGradualLookahead : Detector::kCutLookahead;
}

CutList SceneTracker::list() const {
  CutList list;
  const bool by_stream_time = stream_time_.usable;
  const Span& span = by_stream_time ? stream_time_ : running_time_;
  list.source.rate = rate_;
  list.source.variable = variable_ || !by_stream_time;
  list.source.frames = frames_;
  list.source.start = span.usable ? span.start : kNoTime;
  list.source.duration = span.usable && span.end != kNoTime ? span.end - span.start : kNoTime;
  list.detector.min_duration = config_.min_duration;
  list.detector.threshold = config_.threshold != 0 ? config_.threshold
                            : config_.parity       ? default_threshold(*config_.parity)
                                                   : kAdaptiveThreshold;
  for (const KnownCut& known : cuts_) {
    Cut cut = known.cut;
    cut.time = !span.usable     ? kNoTime
               : by_stream_time ? known.time.stream_time
                                : known.time.running_time;
    list.cuts.push_back(cut);
  }
  return list;
}

}  // namespace clips::scenecut
