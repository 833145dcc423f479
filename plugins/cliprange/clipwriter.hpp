// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "movie.hpp"

namespace clips::cut {

// Where the bytes of an output packet are: in the source, among the pictures that were
// encoded, or among what the writer puts between them.
enum class Store : uint8_t { Source, Encoded, Written };

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

  // Calls visit(packet) for each packet in decode order.
  struct Packet {
    Store store;
    uint64_t offset;
    uint32_t size;
    int64_t dts, pts, duration;
    bool sync;
    uint64_t order;
  };
  template <typename Visit>
  void each(Visit&& visit) const;

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

// Lays a file out: everything but the media is known, and made, before the first byte of media, so
// the index stands in front without a second pass. Output depends on the input alone: no clock, no
// random number.
class ClipWriter {
 public:
  virtual ~ClipWriter() = default;
  void add(OutputTrack track) { tracks_.push_back(std::move(track)); }
  const std::vector<OutputTrack>& tracks() const { return tracks_; }
  // Why a track cannot stand in this container; empty: it can.
  virtual std::string why_not(const Track& track) const = 0;
  // Whether packets can be in the file that are not shown.
  virtual bool hides() const = 0;

  // After that: head(), then the bytes of runs() in order, then tail().
  virtual Result<bool> finish() = 0;
  const Bytes& head() const { return head_; }
  const std::vector<Run>& runs() const { return runs_; }
  const Bytes& written() const { return written_; }  // of Store::Written
  const Bytes& tail() const { return tail_; }
  uint64_t total_size() const { return total_; }
  // The end of the source's part that is needed; a source that is shorter is truncated.
  uint64_t source_end() const;

 protected:
  // The pieces of all tracks in the order in which they are stored: the source's, unless that keeps
  // tracks apart by more than players can bridge.
  struct Item {
    uint32_t track;
    const TrackBuilder::Piece* piece;
    int64_t time;  // microseconds on the clip's clock
  };
  std::vector<Item> in_order() const;
  void add_run(Store store, uint64_t offset, uint64_t length);

  std::vector<OutputTrack> tracks_;
  std::vector<Run> runs_;
  Bytes head_, tail_, written_;
  uint64_t total_ = 0;
};

// `fragment_duration` (ns) makes a fragmented movie; 0 does not.
std::unique_ptr<ClipWriter> make_writer(Container container, bool index_first,
                                        uint64_t fragment_duration);

template <typename Visit>
void TrackBuilder::each(Visit&& visit) const {
  size_t stts = 0, ctts = 0, sync = 0;
  uint32_t stts_left = stts_.empty() ? 0 : stts_[0].count;
  uint32_t ctts_left = ctts_.empty() ? 0 : ctts_[0].count;
  int64_t dts = first_dts_;
  uint64_t index = 0;
  for (const Piece& piece : pieces_) {
    uint64_t within = 0;
    for (uint32_t i = 0; i < piece.samples; ++i, ++index) {
      while (stts_left == 0) stts_left = stts_[++stts].count;
      while (ctts_left == 0) ctts_left = ctts_[++ctts].count;
      const uint32_t size = constant_size_ ? constant_size_ : sizes_[static_cast<size_t>(index)];
      const bool key = sync < sync_.size() && sync_[sync] == index + 1;
      sync += key;
      visit(Packet{piece.store, piece.offset + within, size, dts, dts + ctts_[ctts].value,
                   stts_[stts].value, key, piece.order + within});
      within += size;
      dts += stts_[stts].value;
      --stts_left;
      --ctts_left;
    }
  }
}

}  // namespace clips::cut
