// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "cutlist.hpp"
#include "detector.hpp"
#include "histogram.hpp"
#include "min_duration.hpp"

namespace clips::scenecut {

// When a frame is shown, in the three ways that GStreamer has of saying it; kNoTime where one is
// not known.
struct FrameTime {
  std::uint64_t timestamp = kNoTime;
  std::uint64_t stream_time = kNoTime;
  std::uint64_t running_time = kNoTime;
  std::uint64_t duration = kNoTime;
};

// A boundary that stays: final, in order, and at least the minimum duration from the next.
// `start_frame` and `end_frame` are half-open here.
struct Found {
  std::uint64_t index = 0;  // counts boundaries from 0
  Cut cut;                  // its time is stream time
  FrameTime time;
};

// Joins what the element needs of the detectors: one of them, the times of frames, the minimum
// duration, which frames may leave, and the cut list at the end.
class SceneTracker {
 public:
  struct Config {
    std::optional<Comparison> parity;  // none: the adaptive detector
    double threshold = 0;              // 0: the method's own
    std::uint64_t min_duration = 0;    // ns
    bool gradual = true;
    bool scores = false;  // keep those of all frames for take_scores()
  };

  explicit SceneTracker(const Config& config);

  // The nominal rate, 0/1 when the caps do not know it.
  void set_rate(const FrameRate& rate);
  void push(const FrameView& frame, bool full_range, const FrameTime& time);
  // No frame comes any more.
  void finish();

  // Boundaries that have become certain since the last call.
  std::vector<Found> take();
  // First frames of new scenes, in order, as soon as they are known. The minimum duration is not
  // applied yet: it needs to see the length of the clip that follows, for which no frame can wait.
  std::vector<std::uint64_t> take_scene_starts();

  // The scores of the frames that follow those of the last call, as far as they are certain.
  std::vector<float> take_scores();

  std::uint64_t frames() const { return frames_; }
  std::uint64_t found() const { return cuts_.size(); }
  // Whether a new scene starts is known of every frame below this.
  std::uint64_t decided() const { return decided_; }
  // At most this many frames wait for that.
  static std::size_t lookahead(const Config& config);

  // The list so far, of the frames pushed so far. Times are stream time; running time when stream
  // time goes back, as with joined files. Cuts, frames, rate and times are filled in, and the
  // threshold and minimum duration of the detector.
  CutList list() const;

 private:
  void collect();
  void place(const Boundary& boundary);
  void emit();
  const FrameTime& time_of(std::uint64_t frame) const { return times_.at(frame - first_time_); }
  std::uint64_t clock_of(std::uint64_t frame) const { return clocks_.at(frame - first_time_); }

  struct KnownCut {
    Cut cut;
    FrameTime time;
  };
  // Whether one kind of time can describe the whole video, and where that begins and ends.
  struct Span {
    std::uint64_t start = kNoTime;
    std::uint64_t last = kNoTime;
    std::uint64_t end = kNoTime;  // of the last frame
    bool usable = true;
    void add(std::uint64_t time, std::uint64_t duration);
  };

  Config config_;
  std::variant<Detector, HistogramDetector> detector_;
  std::optional<MinDuration> min_duration_;
  std::map<std::uint64_t, KnownCut> waiting_;  // by frame, for the minimum duration
  std::deque<FrameTime> times_;                // of the frames that can still be boundaries
  std::deque<std::uint64_t> clocks_;           // never goes back, for the minimum duration
  std::uint64_t first_time_ = 0;               // the frame of times_[0]
  std::vector<Boundary> pending_;              // by frame, not below decided_ yet
  std::vector<std::uint64_t> scene_starts_;
  std::vector<Found> out_;
  std::vector<KnownCut> cuts_;
  std::uint64_t frames_ = 0;
  std::uint64_t decided_ = 0;
  std::uint64_t clock_end_ = 0;
  Span stream_time_, running_time_;
  FrameRate rate_;
  bool variable_ = false;  // some frame is not where the rate puts it
};

}  // namespace clips::scenecut
