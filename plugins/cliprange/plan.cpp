// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan.hpp"

#include "sampleentry.hpp"

namespace clips::cut {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// No reordering reaches further: the largest picture buffer is 16 frames, twice that in fields.
constexpr uint64_t kReorderWindow = 64;

int64_t checked_ns(uint64_t ns) {
  return static_cast<int64_t>(std::min<uint64_t>(ns, uint64_t{1} << 62));
}

// Pictures with a timestamp in [begin, end) are shown; the rest is hidden by the edit list.
struct Shown {
  int64_t begin, end;
};

Shown shown(const Movie& movie, const Track& track) {
  if (!track.media_length) return {track.media_start, kNever};
  // The edit's length is rounded to the movie's tick. Half a picture, or that tick where it is
  // shorter, keeps a picture out that the rounding alone let in.
  const auto count = static_cast<int64_t>(track.samples.count());
  int64_t total = 0;
  if (count > 0) {
    const Sample last = track.samples.at(track.samples.count() - 1);
    total = last.dts + last.duration - track.samples.at(0).dts;
  }
  const int64_t half = count > 0 ? total / (2 * count) : 0;
  const auto tick = static_cast<int64_t>(ceil_div(Wide{track.timescale}, Wide{movie.timescale}));
  return {track.media_start, track.media_start + *track.media_length - std::min(half, tick)};
}

tl::unexpected<Error> bad_edits(const Track& track) {
  return fail(Fault::Unsupported,
              "The source has an edit list that cannot be cut: " + track.edit_fault +
                  ". Re-encode or remux the source first.",
              "track " + std::to_string(track.id));
}

tl::unexpected<Error> past_the_end(const std::string& start, const std::string& end) {
  return fail(Fault::Range, "The range starts at " + start + ", but the source ends at " + end +
                                ". Give a start inside the source.");
}

}  // namespace

std::string seconds(uint64_t ns) {
  const uint64_t us = ns / 1000;
  std::string fraction = std::to_string(us % 1'000'000);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::to_string(us / 1'000'000) + "." + fraction + " s";
}

Result<PictureRange> find_pictures(const Movie& movie, const Track& video, const Request& request) {
  if (!video.edit_fault.empty()) return bad_edits(video);
  if (video.samples.count() == 0)
    return fail(Fault::Range, "The source's video track holds no pictures.");
  const Shown visible = shown(movie, video);

  int64_t low = visible.begin, high = kNever;
  if (request.start_frame >= 0 || request.stop_frame >= 0) {
    std::vector<int64_t> times;
    times.reserve(video.samples.count());
    video.samples.each_time([&](uint64_t, int64_t, int64_t pts, bool) {
      if (pts >= visible.begin && pts < visible.end) times.push_back(pts);
    });
    std::sort(times.begin(), times.end());
    if (request.start_frame >= 0) {
      if (static_cast<uint64_t>(request.start_frame) >= times.size())
        return past_the_end("frame " + std::to_string(request.start_frame),
                            "frame " + std::to_string(times.size()));
      low = times[static_cast<size_t>(request.start_frame)];
    }
    if (request.stop_frame >= 0 && static_cast<uint64_t>(request.stop_frame) < times.size())
      high = times[static_cast<size_t>(request.stop_frame)];
  }
  const int64_t tolerance = checked_ns(request.tolerance);
  if (request.start_frame < 0)
    low = std::max(low, media_time_at(movie, video, checked_ns(request.start) - tolerance));
  if (request.stop_frame < 0 && request.stop)
    high = media_time_at(movie, video, checked_ns(*request.stop) - tolerance);
  if (high <= low && request.stop && request.start_frame < 0 && request.stop_frame < 0 &&
      *request.stop <= request.start)
    return fail(Fault::Settings, "The range is empty: start (" + seconds(request.start) +
                                     ") is not before stop (" + seconds(*request.stop) + ").");
  if (request.start_frame >= 0 && request.stop_frame >= 0 &&
      request.stop_frame <= request.start_frame)
    return fail(Fault::Settings,
                "The range is empty: start-frame (" + std::to_string(request.start_frame) +
                    ") is not before stop-frame (" + std::to_string(request.stop_frame) + ").");

  PictureRange range;
  range.first_pts = kNever;
  range.end_pts = kNever;
  int64_t newest = std::numeric_limits<int64_t>::min();
  uint64_t newest_index = 0;
  video.samples.each_time([&](uint64_t index, int64_t, int64_t pts, bool) {
    if (pts < visible.begin || pts >= visible.end) return;
    ++range.total;
    if (pts > newest) {
      newest = pts;
      newest_index = index;
    }
    if (pts < low) {
      ++range.first_frame;
    } else if (pts >= high) {
      range.end_pts = std::min(range.end_pts, pts);
    } else {
      ++range.frames;
      range.last_index = index;
      if (pts < range.first_pts) {
        range.first_pts = pts;
        range.first_index = index;
      }
    }
  });
  if (range.total == 0)
    return fail(Fault::Range, "The source's edit list shows no picture at all.");
  const int64_t end_of_all = newest + video.samples.at(newest_index).duration;
  if (range.frames == 0) {
    if (low > newest)
      return past_the_end(request.start_frame >= 0 ? "frame " + std::to_string(request.start_frame)
                                                   : seconds(request.start),
                          seconds(static_cast<uint64_t>(
                              std::max<int64_t>(0, stream_time(movie, video, end_of_all)))));
    return fail(Fault::Range, "There is no picture in the range: it lies between two frames.");
  }
  if (range.end_pts == kNever) {
    range.at_end = true;
    range.end_pts = end_of_all;
    if (video.media_length)
      range.end_pts = std::min(range.end_pts, video.media_start + *video.media_length);
    range.end_pts = std::max(range.end_pts, newest + 1);
    const int64_t end_ns = stream_time(movie, video, end_of_all);
    range.stop_past_end =
        (request.stop_frame >= 0 && static_cast<uint64_t>(request.stop_frame) > range.total) ||
        (request.stop_frame < 0 && request.stop && checked_ns(*request.stop) - tolerance > end_ns);
  }

  bool found = false;
  video.samples.each_time([&](uint64_t index, int64_t, int64_t pts, bool sync) {
    // In a damaged source a key frame may be shown before what it is decoded behind.
    if (!sync || index > range.first_index || pts > range.first_pts ||
        (found && pts <= range.key_pts))
      return;
    if (request.key_before && pts >= *request.key_before) return;
    found = true;
    range.key_index = index;
    range.key_pts = pts;
  });
  if (!found)
    return fail(Fault::NoKeyFrame,
                "There is no key frame at or before the start, so nothing can be decoded there.");
  const int64_t lead_in =
      stream_time(movie, video, range.first_pts) - stream_time(movie, video, range.key_pts);
  if (request.max_lead_in && lead_in > checked_ns(*request.max_lead_in))
    return fail(Fault::NoKeyFrame, "The last key frame before the start is " +
                                       seconds(static_cast<uint64_t>(lead_in)) +
                                       " earlier, which is more than max-lead-in allows.");
  video.samples.each(range.key_index, range.last_index + 1, [&](uint64_t, const Sample& s) {
    range.lead += s.pts >= range.key_pts && s.pts < range.first_pts;
    return true;
  });
  return range;
}

Result<PictureRange> snap_to_key(const Movie& movie, const Track& video, const Request& request,
                                 const PictureRange& wanted) {
  PictureRange range = wanted;
  int64_t after = kNever;
  uint64_t after_index = 0;
  if (request.snap != Snap::Before) {
    video.samples.each_time([&](uint64_t index, int64_t, int64_t pts, bool sync) {
      if (!sync || pts < wanted.first_pts || pts >= wanted.end_pts || pts >= after) return;
      after = pts;
      after_index = index;
    });
    if (after == kNever && request.snap == Snap::After)
      return fail(Fault::NoKeyFrame,
                  "There is no key frame in the range to start at. Use snap=before.");
  }
  const bool forward =
      after != kNever &&
      (request.snap == Snap::After || after - wanted.first_pts < wanted.first_pts - wanted.key_pts);
  if (forward) {
    range.key_pts = after;
    range.key_index = after_index;
  }
  const Shown visible = shown(movie, video);
  range.lead = 0;
  range.frames = 0;
  range.first_frame = 0;
  range.first_pts = kNever;
  video.samples.each_time([&](uint64_t index, int64_t, int64_t pts, bool) {
    if (pts < visible.begin || pts >= visible.end) return;
    if (pts < range.key_pts) {
      ++range.first_frame;
    } else if (pts < wanted.end_pts) {
      ++range.frames;
      range.lead += pts < wanted.first_pts;
      if (pts < range.first_pts) {
        range.first_pts = pts;
        range.first_index = index;
      }
    }
  });
  return range;
}

bool surplus(const Track& video, const PictureRange& range) {
  bool more = false;
  video.samples.each(range.key_index, range.last_index + 1, [&](uint64_t, const Sample& s) {
    more = s.pts >= range.key_pts && (s.pts < range.first_pts || s.pts >= range.end_pts);
    return !more;
  });
  return more;
}

PictureRange close_group(const Track& video, const PictureRange& range) {
  PictureRange closed = range;
  int64_t newest = std::numeric_limits<int64_t>::min();
  int64_t newest_end = newest;
  std::vector<Sample> behind;
  video.samples.each(range.key_index, range.last_index + 1 + kReorderWindow,
                     [&](uint64_t i, const Sample& s) {
                       if (i > range.last_index) {
                         behind.push_back(s);
                       } else if (s.pts > newest) {
                         newest = s.pts;
                         newest_end = s.pts + s.duration;
                       }
                       return true;
                     });
  // Pictures that are still to come in front of one that is in the clip.
  size_t keep = 0;
  for (size_t i = 0; i < behind.size(); ++i) {
    if (behind[i].pts >= newest) continue;
    for (; keep <= i; ++keep)
      if (behind[keep].pts > newest) {
        newest = behind[keep].pts;
        newest_end = newest + behind[keep].duration;
      }
  }
  closed.last_index += keep;
  int64_t next = kNever;
  for (size_t i = keep; i < behind.size(); ++i) next = std::min(next, behind[i].pts);
  if (newest >= range.end_pts) closed.end_pts = next == kNever ? newest_end : next;
  closed.frames = 0;
  video.samples.each(range.key_index, closed.last_index + 1, [&](uint64_t, const Sample& s) {
    closed.frames += s.pts >= range.first_pts && s.pts < closed.end_pts;
    return true;
  });
  return closed;
}

Result<SoundRange> find_sound(const Movie& movie, const Track& audio, const Request& request) {
  if (request.start_frame >= 0 || request.stop_frame >= 0)
    return fail(Fault::Settings,
                "start-frame and stop-frame count pictures, but the source has no video. "
                "Use start and stop.");
  if (!audio.edit_fault.empty()) return bad_edits(audio);
  if (request.stop && *request.stop <= request.start)
    return fail(Fault::Settings, "The range is empty: start (" + seconds(request.start) +
                                     ") is not before stop (" + seconds(*request.stop) + ").");
  if (audio.samples.count() == 0)
    return fail(Fault::Range, "The source's audio track holds no sound.");
  const Sample last = audio.samples.at(audio.samples.count() - 1);
  int64_t end_of_all = last.pts + last.duration;
  if (audio.media_length)
    end_of_all = std::min(end_of_all, audio.media_start + *audio.media_length);
  const auto nearest = [&](uint64_t ns) {
    const Wide scaled =
        (Wide{checked_ns(ns)} * movie.timescale - Wide{audio.delay} * 1'000'000'000) *
        audio.timescale;
    return audio.media_start +
           static_cast<int64_t>(round_div(scaled, Wide{1'000'000'000} * movie.timescale));
  };
  SoundRange range;
  range.first = std::max(nearest(request.start), audio.media_start);
  range.end = end_of_all;
  if (request.stop) {
    range.end = std::min(end_of_all, nearest(*request.stop));
    range.stop_past_end = nearest(*request.stop) > end_of_all;
  }
  range.at_end = range.end == end_of_all;
  if (range.first >= end_of_all)
    return past_the_end(seconds(request.start), seconds(static_cast<uint64_t>(std::max<int64_t>(
                                                    0, stream_time(movie, audio, end_of_all)))));
  if (range.end <= range.first)
    return fail(Fault::Range, "There is no sample of sound in the range.");
  return range;
}

namespace {

// Packets that a decoder must hear before its output is right: the overlap of lapped transforms
// (AAC, AC-3, Vorbis: one packet), the bit reservoir of MP3, and the 80 ms that RFC 7845 section
// 4.6 asks for Opus.
struct PreRoll {
  uint64_t packets;
  uint64_t milliseconds;
};

PreRoll pre_roll(const Track& track) {
  if (track.kind != TrackKind::Audio) return {0, 0};
  switch (track.codec) {
    case fourcc("Opus"):
      return {0, 80};
    case fourcc("mp4a"): {
      const auto box = sound_entry_box(track.descriptions[0], fourcc("esds"));
      const auto is = box ? read_esds(*box) : std::nullopt;
      return {is && (is->object_type == 0x69 || is->object_type == 0x6b) ? 2u : 1u, 0};
    }
    case fourcc("ac-3"):
    case fourcc("ec-3"):
    case fourcc("ac-4"):
    case fourcc("vrbs"):
      return {1, 0};
    case fourcc(".mp3"):
    case 0x6d730055:
      return {2, 0};
    default:
      return {0, 0};
  }
}

}  // namespace

std::optional<PacketRange> find_packets(const Track& track, int64_t first, int64_t end) {
  const uint64_t count = track.samples.count();
  if (count == 0) return std::nullopt;
  const Sample head = track.samples.at(0);
  const Sample last = track.samples.at(count - 1);
  PacketRange range;
  range.first = std::max({first, track.media_start, head.pts});
  range.end = std::min(end, last.pts + last.duration);
  if (track.media_length) range.end = std::min(range.end, track.media_start + *track.media_length);
  if (range.end <= range.first) return std::nullopt;
  range.first_index = track.samples.at_or_before(range.first);
  range.end_index = track.samples.at_or_before(range.end - 1) + 1;
  const PreRoll roll = pre_roll(track);
  range.first_index -= std::min(range.first_index, roll.packets);
  if (roll.milliseconds) {
    const auto ticks = static_cast<int64_t>(roll.milliseconds * track.timescale / 1000);
    range.first_index =
        std::min(range.first_index, track.samples.at_or_before(range.first - ticks));
  }
  return range;
}

SmartRange split_at(const Track& video, const PictureRange& range, uint64_t seam) {
  // The range and what may be reordered into it.
  std::vector<Sample> window;
  video.samples.each(seam, range.last_index + 1 + kReorderWindow, [&](uint64_t, const Sample& s) {
    window.push_back(s);
    return true;
  });
  SmartRange split;
  split.copy_first = seam;
  split.copy_end = seam;
  split.copy_pts = window[0].pts;
  split.tail_pts = window[0].pts;
  split.tail_key = seam;
  split.head_last = seam == 0 ? 0 : seam - 1;
  // Pictures in front of the seam that come behind it in the file (leading pictures) are the
  // head's; they are in nobody's way here.
  const int64_t seam_pts = window[0].pts;
  std::vector<int64_t> next(window.size() + 1, kNever);  // smallest timestamp from here on
  for (size_t i = window.size(); i-- > 0;)
    next[i] = window[i].pts < seam_pts ? next[i + 1] : std::min(next[i + 1], window[i].pts);
  for (size_t i = 1; i < window.size(); ++i)
    if (window[i].pts < seam_pts && window[i].pts >= range.first_pts) split.head_last = seam + i;
  int64_t newest = std::numeric_limits<int64_t>::min();
  for (size_t i = 0; i < window.size(); ++i) {
    if (window[i].pts >= seam_pts) newest = std::max(newest, window[i].pts);
    if (newest >= range.end_pts) break;
    if (newest < next[i + 1]) {
      split.copy_end = seam + i + 1;
      split.tail_pts = std::min(next[i + 1], range.end_pts);
    }
  }
  split.tail_key = video.samples.sync_at_or_before(range.last_index).value_or(seam);
  // Every picture of the tail must come behind its key frame.
  while (split.tail_key > seam && video.samples.at(split.tail_key).pts > split.tail_pts)
    split.tail_key = video.samples.sync_at_or_before(split.tail_key - 1).value_or(seam);
  return split;
}

}  // namespace clips::cut
