// SPDX-License-Identifier: LGPL-2.1-or-later
#include "rangeselector.hpp"

#include <algorithm>
#include <utility>

namespace clips::cut {

namespace {

constexpr int64_t kMillisecond = 1'000'000;
// Sound begins a little before the key frame it is needed for.
constexpr int64_t kSoundMargin = 200 * kMillisecond;
constexpr int64_t kHiddenShift = 1'000 * kMillisecond;
// How often sound that begins late is looked for further back; it may be its track's beginning.
constexpr int kSoundTries = 3;
// A track that is silent for so long beside pictures is taken for absent there.
constexpr int64_t kPatience = 10'000 * kMillisecond;

int64_t signed_ns(uint64_t ns) {
  return static_cast<int64_t>(
      std::min<uint64_t>(ns, static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 4)));
}

}  // namespace

void DecodeOrder::add(const StreamPacket& packet) {
  if (packet.dts) last_dts_ = std::max(last_dts_.value_or(*packet.dts), *packet.dts);
  newest_.insert(packet.pts);
  if (newest_.size() > kReorder + 1) newest_.erase(newest_.begin());
}

int64_t DecodeOrder::complete_to() const {
  if (ended_) return std::numeric_limits<int64_t>::max();
  // A later packet is not shown before it is decoded.
  if (last_dts_) return *last_dts_;
  return newest_.size() > kReorder ? *newest_.begin() : std::numeric_limits<int64_t>::min();
}

int64_t DecodeOrder::last_gap() const {
  return newest_.size() > 1 ? *newest_.rbegin() - *std::next(newest_.rbegin()) : 0;
}

void FrameCounter::add(const StreamPacket& packet) {
  order_.add(packet);
  // What lies before time 0 is cut off by the source's own edit list.
  if (packet.pts >= 0) times_.insert(packet.pts);
}

bool FrameCounter::complete() const {
  if (order_.ended()) return true;
  return times_.size() > static_cast<uint64_t>(wanted_) &&
         *std::next(times_.begin(), static_cast<ptrdiff_t>(wanted_)) < order_.complete_to();
}

std::optional<int64_t> FrameCounter::time_of(int64_t frame) const {
  if (frame < 0 || static_cast<uint64_t>(frame) >= times_.size()) return std::nullopt;
  return *std::next(times_.begin(), static_cast<ptrdiff_t>(frame));
}

size_t RangeSelector::add_track(TrackKind kind) {
  TrackState track;
  track.kind = kind;
  tracks_.push_back(std::move(track));
  return tracks_.size() - 1;
}

std::optional<int64_t> RangeSelector::first_seek() const {
  if (settings_.request.start == 0) return std::nullopt;
  // A key frame exactly at a start that was rounded down is meant, not the one before it.
  const int64_t tolerance = signed_ns(settings_.request.tolerance);
  return std::max<int64_t>(
      0, tolerance > kMillisecond ? low() : signed_ns(settings_.request.start) + tolerance);
}

void RangeSelector::restart(int64_t target) {
  target_ = target;
  begun_ = false;
  first_pts_ = end_pts_ = kNever;
  for (TrackState& track : tracks_) {
    TrackState fresh;
    fresh.kind = track.kind;
    fresh.preroll = track.preroll;
    track = std::move(fresh);
  }
}

int64_t RangeSelector::low() const {
  return signed_ns(settings_.request.start) - signed_ns(settings_.request.tolerance);
}

int64_t RangeSelector::high() const {
  if (!settings_.request.stop) return kNever;
  return signed_ns(*settings_.request.stop) - signed_ns(settings_.request.tolerance);
}

const RangeSelector::TrackState* RangeSelector::ruler() const {
  for (const TrackState& track : tracks_)
    if (track.kind == TrackKind::Video) return &track;
  return nullptr;
}

RangeSelector::TrackState* RangeSelector::ruler() {
  return const_cast<TrackState*>(std::as_const(*this).ruler());
}

void RangeSelector::add(size_t index, StreamPacket packet) {
  TrackState& track = tracks_[index];
  if (dead_ || track.finished) return;
  track.any = true;
  track.order.add(packet);
  track.reorders |= packet.dts && *packet.dts != packet.pts;
  if (packet.pts < track.floor) return;
  const int64_t lasts = packet.duration > 0 ? packet.duration : track.order.last_gap();
  track.shown_to = std::max(track.shown_to, packet.pts + lasts);
  if (&track == ruler()) {
    if (packet.pts >= low() && packet.pts >= 0) first_pts_ = std::min(first_pts_, packet.pts);
    if (packet.pts >= high()) end_pts_ = std::min(end_pts_, packet.pts);
  }
  if (track.trimmed && track.own_dts) track.undated.insert(packet.pts);
  track.held.push_back(std::move(packet));
}

void RangeSelector::end(size_t index) {
  tracks_[index].order.end();
}

RangeSelector::Step RangeSelector::failed(Fault fault, std::string message, std::string details) {
  dead_ = true;
  error_ = Error{fault, std::move(message), std::move(details)};
  return Step::Failed;
}

// Further to the front of the source.
RangeSelector::Step RangeSelector::step_back() {
  target_ = std::max<int64_t>(0, target_ - back_);
  back_ *= 2;
  return Step::Seek;
}

std::optional<size_t> RangeSelector::key_of(const TrackState& track, int64_t time) const {
  std::optional<size_t> found;
  for (size_t i = 0; i < track.held.size(); ++i)
    if (track.held[i].key && track.held[i].pts <= time) found = i;
  return found;
}

// Whether every sound track has shown where it begins; `late` if one begins behind `from`.
bool RangeSelector::sound_is_there(int64_t from, bool& late) const {
  const TrackState* pictures = ruler();
  for (const TrackState& track : tracks_) {
    if (track.kind != TrackKind::Audio) continue;
    if (track.held.empty()) {
      if (track.order.ended() || (pictures && !pictures->held.empty() &&
                                  pictures->shown_to - pictures->held.front().pts > kPatience))
        continue;
      return false;
    }
    late |= track.held.front().pts > from - track.preroll;
  }
  return true;
}

RangeSelector::Step RangeSelector::seek_for_sound(int64_t from) {
  int64_t longest = 0;
  for (const TrackState& track : tracks_) longest = std::max(longest, track.preroll);
  const int64_t margin = kSoundMargin << (3 * sound_tries_++);
  target_ = std::max<int64_t>(0, std::min(target_, from - longest - margin));
  return Step::Seek;
}

RangeSelector::Step RangeSelector::begin(int64_t zero, int64_t key_frame, uint64_t lead) {
  begun_ = true;
  beginning_.zero = zero;
  beginning_.key_frame = key_frame;
  beginning_.lead = lead;
  if (settings_.request.stop) {
    beginning_.picture_length = std::max<int64_t>(1, high() - zero);
    beginning_.sound_length = signed_ns(*settings_.request.stop) - zero;
  }
  return Step::Begin;
}

RangeSelector::Step RangeSelector::step() {
  if (dead_ || begun_) return Step::Wait;
  const Request& request = settings_.request;
  if (request.stop && *request.stop <= request.start)
    return failed(Fault::Settings, "The range is empty: start (" + seconds(request.start) +
                                       ") is not before stop (" + seconds(*request.stop) + ").");
  const TrackState* pictures = ruler();
  if (!pictures) return begin_without_picture();
  if (!pictures->any) {
    if (!pictures->order.ended()) return Step::Wait;
    if (target_ > 0) return step_back();
    return failed(Fault::Range, "The source delivered no picture, although it accepted to be read.",
                  "no data after a seek that was accepted");
  }
  if (first_pts_ == kNever) {
    if (!pictures->order.ended()) return Step::Wait;
    return failed(Fault::Range,
                  "The range starts at " + seconds(request.start) + ", but the source ends at " +
                      seconds(static_cast<uint64_t>(std::max<int64_t>(0, pictures->shown_to))) +
                      ". Give a start inside the source.");
  }
  if (pictures->order.complete_to() < first_pts_) return Step::Wait;
  const auto& held = pictures->held;
  const auto landed =
      std::find_if(held.begin(), held.end(), [](const StreamPacket& p) { return p.key; });
  auto key = key_of(*pictures, first_pts_);
  // A source that lands behind the place that was asked for may have left out pictures that belong.
  if (target_ > 0 &&
      (landed == held.end() || !key || landed->pts > std::max(low(), target_ + kMillisecond)))
    return step_back();
  if (first_pts_ >= high())
    return failed(Fault::Range, "There is no picture in the range: it lies between two frames.");
  if (!key)
    return failed(Fault::NoKeyFrame,
                  "There is no key frame at or before the start, so nothing can be decoded there.");
  if (!settings_.hide && request.snap != Snap::Before && held[*key].pts < first_pts_) {
    std::optional<size_t> next;
    for (size_t i = *key + 1; i < held.size() && !next; ++i)
      if (held[i].key && held[i].pts > first_pts_) next = i;
    if (!next && !pictures->order.ended() && pictures->order.complete_to() < high())
      return Step::Wait;
    if (next && held[*next].pts >= high()) next.reset();
    const int64_t wanted = std::max<int64_t>(0, signed_ns(request.start));
    if (next && (request.snap == Snap::After || held[*next].pts - wanted < wanted - held[*key].pts))
      key = next;
    else if (request.snap == Snap::After)
      return failed(Fault::NoKeyFrame,
                    "There is no key frame in the range to start at. Use snap=before.");
  }
  const int64_t key_pts = held[*key].pts;
  if (request.max_lead_in && first_pts_ - key_pts > signed_ns(*request.max_lead_in))
    return failed(Fault::NoKeyFrame, "The last key frame before the start is " +
                                         seconds(static_cast<uint64_t>(first_pts_ - key_pts)) +
                                         " earlier, which is more than max-lead-in allows.");
  const int64_t zero = settings_.hide ? first_pts_ : key_pts;
  bool late = false;
  if (!sound_is_there(zero, late)) return Step::Wait;
  if (late && sound_tries_ < kSoundTries && target_ > 0) return seek_for_sound(zero);
  uint64_t lead = 0;
  for (size_t i = *key; i < held.size(); ++i)
    lead += held[i].pts >= key_pts && held[i].pts < first_pts_;
  return begin(zero, key_pts, lead);
}

RangeSelector::Step RangeSelector::begin_without_picture() {
  const int64_t start = signed_ns(settings_.request.start);
  bool sound = false, all_ended = true, any = false;
  int64_t end = 0;
  for (const TrackState& track : tracks_) {
    if (track.kind != TrackKind::Audio) continue;
    sound = true;
    any |= track.any;
    all_ended &= track.order.ended();
    end = std::max(end, track.shown_to);
  }
  if (!sound) {
    // Text alone: there is nothing to be in step with.
    return begin(start, start, 0);
  }
  if (all_ended && !any) {
    if (target_ > 0) return step_back();
    return failed(Fault::Range, "The source delivered no sound, although it accepted to be read.",
                  "no data after a seek that was accepted");
  }
  if (all_ended && end <= start)
    return failed(Fault::Range, "The range starts at " + seconds(settings_.request.start) +
                                    ", but the source ends at " +
                                    seconds(static_cast<uint64_t>(std::max<int64_t>(0, end))) +
                                    ". Give a start inside the source.");
  bool late = false;
  if (!sound_is_there(start, late)) return Step::Wait;
  if (late && target_ > 0) {
    if (sound_tries_ < kSoundTries) return seek_for_sound(start);
    return step_back();
  }
  return begin(start, start, 0);
}

int64_t RangeSelector::end_of_clip() const {
  const TrackState* pictures = ruler();
  if (!pictures) return settings_.request.stop ? signed_ns(*settings_.request.stop) : kNever;
  if (end_pts_ != kNever && pictures->order.complete_to() >= end_pts_) return end_pts_;
  return pictures->order.ended() ? pictures->shown_to : kNever;
}

int64_t RangeSelector::latest() const {
  int64_t end = 0;
  for (const TrackState& track : tracks_)
    if (track.kind != TrackKind::Text) end = std::max(end, track.shown_to);
  return end;
}

int64_t RangeSelector::actual_stop() const {
  return std::min(end_of_clip(), latest());
}

bool RangeSelector::stop_past_end() const {
  return settings_.request.stop && actual_stop() < high();
}

// Drops what the clip does not need at a track's front; false as long as that is not known.
bool RangeSelector::trim(TrackState& track) {
  const int64_t zero = beginning_.zero;
  auto& held = track.held;
  size_t first = 0;
  if (track.kind == TrackKind::Video) {
    if (track.order.complete_to() < zero) return false;
    auto key = key_of(track, zero);
    if (!key) {
      // It begins later than the clip.
      for (size_t i = 0; i < held.size() && !key; ++i)
        if (held[i].key) key = i;
      if (!key && !track.order.ended()) return false;
      if (!key) key = held.size();
    }
    first = *key;
    if (first < held.size()) track.floor = held[first].pts;
  } else if (track.kind == TrackKind::Audio) {
    // The packet that sounds at zero is known by the one behind it, never by its duration.
    while (held.size() > 1 && held[1].pts <= zero - track.preroll) held.pop_front();
    if (!track.order.ended() && (held.empty() || held.back().pts <= zero)) return false;
  } else {
    while (first < held.size() && held[first].pts + held[first].duration <= zero &&
           held[first].pts < zero)
      ++first;
  }
  held.erase(held.begin(), held.begin() + static_cast<ptrdiff_t>(first));
  std::erase_if(held, [&](const StreamPacket& p) { return p.pts < track.floor; });
  track.own_dts = track.kind == TrackKind::Video && !held.empty() && !held.front().dts;
  if (track.own_dts)
    for (const StreamPacket& p : held) track.undated.insert(p.pts);
  track.trimmed = true;
  return true;
}

// Gives the first held packet its decode time; false as long as that is not known. The n-th packet
// is decoded when the n-th picture is shown, less what the most overtaken picture needs.
bool RangeSelector::date(TrackState& track) {
  StreamPacket& packet = track.held.front();
  if (!track.own_dts) {
    if (!packet.dts && track.kind == TrackKind::Video)
      packet.dts = track.last_dts ? std::min(packet.pts, *track.last_dts + 1) : packet.pts;
    if (packet.dts) track.last_dts = packet.dts;
    return true;
  }
  if (!track.delay) {
    constexpr size_t kWindow = 2 * DecodeOrder::kReorder + 1;
    if (track.held.size() < kWindow && !track.order.ended()) return false;
    auto shown = track.undated.begin();
    int64_t delay = 0;
    for (size_t i = 0; i < track.held.size() && i < kWindow; ++i, ++shown)
      delay = std::max(delay, *shown - track.held[i].pts);
    track.delay = delay;
  }
  const int64_t shown = *track.undated.begin();
  if (track.order.complete_to() <= shown) return false;
  track.undated.erase(track.undated.begin());
  int64_t dts = shown - *track.delay;
  if (track.last_dts) dts = std::max(dts, *track.last_dts + 1);
  packet.dts = std::min(dts, packet.pts);
  track.last_dts = packet.dts;
  return true;
}

StreamPacket RangeSelector::hand_out(TrackState& track) {
  StreamPacket packet = std::move(track.held.front());
  track.held.pop_front();
  if (track.kind == TrackKind::Video) {
    packet.hidden = settings_.hide && (packet.pts < first_pts_ || packet.pts >= high());
    if (&track == ruler() && !packet.hidden) ++frames_;
  }
  packet.pts -= beginning_.zero;
  if (packet.dts) *packet.dts -= beginning_.zero;
  // A decoder shows what reaches into the segment, if only by the rounding of a duration or by one
  // that a parser made up. All hidden pictures in front move by the same, so their order stays.
  if (packet.hidden && packet.pts < 0) {
    // Without reordering a parser takes the decode time for the better one.
    const bool reorders = track.own_dts ? track.delay.value_or(0) > 0 : track.reorders;
    if (packet.dts && !reorders) *packet.dts -= kHiddenShift;
    packet.pts -= kHiddenShift;
  }
  return packet;
}

std::optional<StreamPacket> RangeSelector::take(size_t index) {
  TrackState& track = tracks_[index];
  if (!begun_ || dead_ || track.finished) return std::nullopt;
  if (!track.trimmed && !trim(track)) return std::nullopt;
  return track.kind == TrackKind::Video ? take_picture(track) : take_other(track);
}

std::optional<StreamPacket> RangeSelector::take_picture(TrackState& track) {
  const auto wanted = [&](const StreamPacket& p) { return p.pts < high(); };
  // What is behind the last wanted packet is never needed.
  if (track.order.complete_to() >= high() || track.order.ended())
    while (!track.held.empty() && !wanted(track.held.back())) track.held.pop_back();
  if (track.held.empty()) {
    track.finished = track.order.ended() || track.order.complete_to() >= high();
    return std::nullopt;
  }
  if (std::none_of(track.held.begin(), track.held.end(), wanted)) return std::nullopt;
  if (!date(track)) return std::nullopt;
  return hand_out(track);
}

std::optional<StreamPacket> RangeSelector::take_other(TrackState& track) {
  const int64_t end = end_of_clip();
  if (track.held.empty()) {
    track.finished = track.order.ended();
    return std::nullopt;
  }
  StreamPacket& front = track.held.front();
  if (front.pts >= end) {
    track.finished = true;
    track.held.clear();
    return std::nullopt;
  }
  if (front.pts >= high() && end == kNever) return std::nullopt;
  if (track.kind == TrackKind::Text && front.pts < beginning_.zero) {
    front.duration = std::max<int64_t>(0, front.duration - (beginning_.zero - front.pts));
    front.pts = beginning_.zero;
    front.dts.reset();
  }
  date(track);
  return hand_out(track);
}

}  // namespace clips::cut
