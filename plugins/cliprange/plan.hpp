// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <limits>

#include "movie.hpp"

namespace clips::cut {

enum class Mode { Copy, Edit, Smart, Exact, Auto, Whole };
enum class Snap { Before, After, Nearest };

struct Request {
  Mode mode = Mode::Auto;
  Snap snap = Snap::Before;
  uint64_t start = 0;                   // ns of stream time
  std::optional<uint64_t> stop;         // ns of stream time; nothing: the end
  int64_t start_frame = -1;             // display order, 0-based; -1: use start
  int64_t stop_frame = -1;              // -1: use stop
  uint64_t tolerance = 500'000;         // ns
  std::optional<uint64_t> max_lead_in;  // ns
  // Key frames from this media time on are not to be begun at.
  std::optional<int64_t> key_before;
};

// What a request means in pictures: half-open in media time of the video track.
struct PictureRange {
  int64_t first_pts = 0, end_pts = 0;
  uint64_t first_index = 0, last_index = 0;  // decode order; the last wanted picture to be decoded
  uint64_t first_frame = 0, frames = 0;      // display order, 0-based, and how many
  uint64_t total = 0;                        // pictures that the source shows
  bool stop_past_end = false;
  bool at_end = false;  // it goes on to the last picture that there is
  // The key frame that the first picture is decoded from.
  uint64_t key_index = 0;
  int64_t key_pts = 0;
  uint64_t lead = 0;  // pictures from the key frame's own to the one before the first
};

Result<PictureRange> find_pictures(const Movie& movie, const Track& video, const Request& request);

// Moves the range to begin at a key frame, as `snap` says (mode copy).
Result<PictureRange> snap_to_key(const Movie& movie, const Track& video, const Request& request,
                                 const PictureRange& wanted);

// Whether packets of the range, from its key frame on, hold pictures that are not in it.
bool surplus(const Track& video, const PictureRange& range);
// The range with all pictures that such packets hold behind its end, and those between.
PictureRange close_group(const Track& video, const PictureRange& range);

// Sound without picture: the range in media time of the first audio track, in samples of sound.
struct SoundRange {
  int64_t first = 0, end = 0;
  bool stop_past_end = false;
  bool at_end = false;  // it goes on to the last sample that there is
};
Result<SoundRange> find_sound(const Movie& movie, const Track& audio, const Request& request);

// The packets of a track that give its media from `first` to `end`, with what its decoder needs to
// be in step by then.
struct PacketRange {
  uint64_t first_index = 0, end_index = 0;
  int64_t first = 0, end = 0;  // clipped to what the track has
};
std::optional<PacketRange> find_packets(const Track& track, int64_t first, int64_t end);

// How much of a smart cut stays untouched: [copy_first, copy_end) in decode order, which shows
// exactly the pictures [copy_pts, tail_pts). Picture groups that reordering ties to pictures behind
// the range are not in it.
struct SmartRange {
  uint64_t copy_first = 0, copy_end = 0;
  int64_t copy_pts = 0, tail_pts = 0;
  uint64_t head_last = 0;  // up to here the head is decoded
  uint64_t tail_key = 0;   // from here the tail is decoded
};
// `seam` is the decode index of a key frame in the range that nothing refers across.
SmartRange split_at(const Track& video, const PictureRange& range, uint64_t seam);

// "12.500000 s", for sentences.
std::string seconds(uint64_t ns);

}  // namespace clips::cut
