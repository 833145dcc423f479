// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plan.hpp"
#include "result.hpp"

namespace clips::cut {

// One packet on its way through the filter. Times are nanoseconds: of the source's stream time on
// the way in, of the clip's (its first picture is 0) on the way out.
struct StreamPacket {
  int64_t pts = 0;
  std::optional<int64_t> dts;
  int64_t duration = 0;  // 0: not known
  bool key = true;
  bool hidden = false;            // out: decoded, not shown
  std::shared_ptr<void> payload;  // what the caller wants back
};

// Gives packets of one stream, which come in decode order, decode times where the container has
// none (Matroska), and says how far the pictures are complete.
class DecodeOrder {
 public:
  // No codec lets more pictures than this overtake one.
  static constexpr size_t kReorder = 16;

  void add(const StreamPacket& packet);
  void end() { ended_ = true; }
  // Every picture with a timestamp before this one has been seen.
  int64_t complete_to() const;
  // How long the newest picture but one is shown; 0 if it is not known.
  int64_t last_gap() const;
  bool ended() const { return ended_; }

 private:
  std::multiset<int64_t> newest_;  // the kReorder + 1 largest timestamps
  std::optional<int64_t> last_dts_;
  bool ended_ = false;
};

// Finds the times of pictures that are meant by their number, from the beginning of the source on.
class FrameCounter {
 public:
  FrameCounter(int64_t start_frame, int64_t stop_frame)
      : wanted_(std::max(start_frame, stop_frame)) {}
  void add(const StreamPacket& packet);
  void end() { order_.end(); }
  // Whether enough was seen.
  bool complete() const;
  // The time of a picture; nothing if the source ends before it.
  std::optional<int64_t> time_of(int64_t frame) const;
  uint64_t count() const { return times_.size(); }

 private:
  const int64_t wanted_;
  DecodeOrder order_;
  std::multiset<int64_t> times_;
};

// Which of the packets that a seekable source delivers make the clip [start, stop), and where the
// source has to be read from: plain decisions, no GStreamer. The first video track rules; without
// one, the range itself does.
class RangeSelector {
 public:
  struct Settings {
    Request request;   // its frame numbers are not looked at here: see FrameCounter
    bool hide = true;  // lead and tail are hidden; else the clip starts at its key frame (copy)
  };
  // What is known once the first packet can leave.
  struct Beginning {
    int64_t zero = 0;       // stream time of the clip's time 0
    int64_t key_frame = 0;  // stream time of the key frame used
    uint64_t lead = 0;      // pictures before the first wanted one
    // How long pictures and sound are shown, where stop is set. A picture that a rounded stop means
    // must not peep out, so theirs ends `tolerance` earlier.
    std::optional<int64_t> picture_length, sound_length;
  };
  enum class Step { Wait, Seek, Begin, Failed };

  explicit RangeSelector(const Settings& settings) : settings_(settings) {}

  size_t add_track(TrackKind kind);
  // What a decoder of this sound needs in front to be in step, in nanoseconds.
  void set_preroll(size_t track, int64_t preroll) { tracks_[track].preroll = preroll; }
  // Where to read from first; nothing if the source can be taken from its beginning as it comes.
  std::optional<int64_t> first_seek() const;
  // The source was sent to `target`: what was held is void.
  void restart(int64_t target);

  void add(size_t track, StreamPacket packet);
  // The source has no more for this track.
  void end(size_t track);

  // What to do next; call it after each add() and end() until it says Wait.
  Step step();
  int64_t seek_target() const { return target_; }
  const Beginning& beginning() const { return beginning_; }
  const Error& error() const { return error_; }
  bool begun() const { return begun_; }

  // The next packet of the clip, as far as it is known.
  std::optional<StreamPacket> take(size_t track);
  // Nothing more of this track is in the clip.
  bool finished(size_t track) const { return tracks_[track].finished; }

  // What was cut, for the report: complete once all tracks are finished.
  int64_t actual_stop() const;
  uint64_t frames() const { return frames_; }
  bool stop_past_end() const;
  // The end of the last packet that came, on the source's timeline.
  int64_t latest() const;

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  struct TrackState {
    TrackKind kind = TrackKind::Other;
    int64_t preroll = 0;
    std::deque<StreamPacket> held;
    DecodeOrder order;
    bool any = false;  // something came since the last seek
    bool reorders = false;
    bool trimmed = false, finished = false;
    int64_t floor = std::numeric_limits<int64_t>::min();  // pictures before it cannot be decoded
    // Making decode times.
    bool own_dts = false;
    std::multiset<int64_t> undated;  // timestamps whose turn has not come
    std::optional<int64_t> delay;
    std::optional<int64_t> last_dts;
    int64_t shown_to = 0;  // the end of what is latest in display order
  };

  Step failed(Fault fault, std::string message, std::string details = {});
  Step step_back();
  const TrackState* ruler() const;
  TrackState* ruler();
  int64_t low() const;   // the earliest timestamp that belongs
  int64_t high() const;  // the earliest behind it that no longer belongs
  int64_t end_of_clip() const;
  std::optional<size_t> key_of(const TrackState& track, int64_t time) const;
  bool sound_is_there(int64_t from, bool& late) const;
  Step begin(int64_t zero, int64_t key_frame, uint64_t lead);
  Step begin_without_picture();
  Step seek_for_sound(int64_t from);
  bool trim(TrackState& track);
  std::optional<StreamPacket> take_picture(TrackState& track);
  std::optional<StreamPacket> take_other(TrackState& track);
  StreamPacket hand_out(TrackState& track);
  bool date(TrackState& track);

  const Settings settings_;
  std::vector<TrackState> tracks_;
  int64_t target_ = 0;
  int64_t back_ = 1'000'000'000;
  int sound_tries_ = 0;
  bool begun_ = false, dead_ = false;
  Beginning beginning_;
  Error error_;
  int64_t first_pts_ = kNever;  // the first wanted picture
  int64_t end_pts_ = kNever;    // the first picture that is no longer wanted
  uint64_t frames_ = 0;
};

}  // namespace clips::cut
