// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "movie.hpp"

namespace clips::cut {

// Where the bytes of an output packet are: in the source, or among the pictures that were encoded.
enum class Store : uint8_t { Source, Encoded };

// A stretch of bytes that goes to the output in one piece.
struct Run {
  Store store;
  uint64_t offset;
  uint64_t length;
};

// Gathers the packets of one output track: tables in run-length form, bytes as long stretches, so
// that half an hour costs a few megabytes.
class TrackBuilder {
 public:
  struct Entry {
    uint32_t count;
    int64_t value;
  };
  // A stretch of the track that lies together; never longer than half a second.
  struct Piece {
    Store store;
    uint64_t offset;
    uint64_t bytes;
    uint32_t samples;
    int64_t dts;
    uint64_t order;  // where it stands in the source, to keep the source's interleave
  };

  explicit TrackBuilder(uint32_t timescale = 1) : half_second_(timescale / 2 + 1) {}

  // `order` is the place in the source of the packet, or of the one that it replaces.
  void add(Store store, uint64_t offset, uint32_t size, int64_t dts, int64_t pts, bool sync,
           uint64_t order);
  // The duration of the last packet.
  void finish(int64_t last_duration);

  uint64_t count() const { return count_; }
  int64_t first_dts() const { return first_dts_; }
  int64_t last_dts() const { return last_dts_; }
  int64_t duration() const { return duration_; }
  const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  friend class MovieWriter;
  std::vector<uint32_t> sizes_;
  std::vector<Entry> stts_, ctts_;
  std::vector<uint32_t> sync_;
  std::vector<Piece> pieces_;
  int64_t half_second_ = 1, piece_end_ = 0;
  uint32_t constant_size_ = 0;
  uint64_t count_ = 0;
  int64_t first_dts_ = 0, last_dts_ = 0, duration_ = 0;
  bool shifted_ = false;   // some pts differs from its dts
  bool negative_ = false;  // some pts is before its dts
};

struct OutputTrack {
  const Track* source = nullptr;
  Bytes description;  // sample entry
  uint32_t timescale = 1;
  TrackBuilder packets;
  // Presentation: `delay` ticks of nothing, then the media from `media_start` for `length` ticks.
  int64_t delay = 0;
  int64_t media_start = 0;  // counted from the first packet's dts
  int64_t length = 0;
};

// Writes one MP4 or QuickTime file: everything but the media is known, and made, before the first
// byte of media, so the moov stands in front without a second pass. Output depends on the input
// alone: no clock, no random number.
class MovieWriter {
 public:
  MovieWriter(Container container, bool moov_first);
  void add(OutputTrack track) { tracks_.push_back(std::move(track)); }
  const std::vector<OutputTrack>& tracks() const { return tracks_; }

  // Lays the file out. After that: head(), then the bytes of runs() in order, then tail().
  void finish();
  const Bytes& head() const { return head_; }
  const std::vector<Run>& runs() const { return runs_; }
  const Bytes& tail() const { return tail_; }
  uint64_t total_size() const { return total_; }
  // The end of the source's part that is needed; a source that is shorter is truncated.
  uint64_t source_end() const;

 private:
  struct Chunk {
    uint32_t track;
    uint32_t samples;
    uint64_t offset;  // in the media
  };
  void interleave();
  Bytes moov(uint64_t media_offset, bool wide) const;
  void trak(ByteWriter& w, size_t index, uint32_t movie_scale, uint64_t media_offset,
            bool wide) const;
  uint32_t movie_timescale() const;

  Container container_;
  bool moov_first_;
  std::vector<OutputTrack> tracks_;
  std::vector<Chunk> chunks_;
  std::vector<Run> runs_;
  Bytes head_, tail_;
  uint64_t media_size_ = 0, total_ = 0;
};

}  // namespace clips::cut
