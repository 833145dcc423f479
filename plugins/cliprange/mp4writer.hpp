// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "clipwriter.hpp"

namespace clips::cut {

// Writes one MP4 or QuickTime file. With a fragment duration (ns) it is a fragmented one, which a
// player can begin with before its end is there: the packets' tables stand in front of each
// fragment's media and count from the presentation's zero, so that players that ignore edit lists
// keep the tracks together as well.
class MovieWriter final : public ClipWriter {
 public:
  MovieWriter(Container container, bool moov_first, uint64_t fragment_duration)
      : container_(container), moov_first_(moov_first), fragment_duration_(fragment_duration) {}
  std::string why_not(const Track&) const override { return {}; }
  // Players begin a fragmented movie where it begins.
  bool hides() const override { return !fragmented(); }
  Result<bool> finish() override;

 private:
  struct Chunk {
    uint32_t track;
    uint32_t samples;
    uint64_t offset;  // in the media
  };
  // Where a track stands on the clock of a fragmented movie, in the track's ticks.
  struct Shift {
    int64_t media;  // decode time of the first packet
    int64_t edit;   // where the presentation begins
  };
  bool fragmented() const { return fragment_duration_ > 0; }
  std::vector<Shift> shifts() const;
  void finish_fragments();
  void interleave();
  Bytes moov(uint64_t media_offset, bool wide) const;
  void trak(ByteWriter& w, size_t index, uint32_t movie_scale, uint64_t media_offset,
            bool wide) const;
  void no_tables(ByteWriter& w) const;
  void sample_tables(ByteWriter& w, size_t index, uint64_t media_offset, bool wide) const;
  uint32_t movie_timescale() const;

  const Container container_;
  const bool moov_first_;
  const uint64_t fragment_duration_;
  std::vector<Chunk> chunks_;
  uint64_t media_size_ = 0;
};

}  // namespace clips::cut
