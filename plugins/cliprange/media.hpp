// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "movie.hpp"

namespace clips::cut {

// Reads a source in blocks, for walkers that look at a few bytes here and there on their way
// through it.
class Blocks {
 public:
  // `ahead`: how far it is walked on at least, so that a server is asked rarely.
  explicit Blocks(ByteReader& source, size_t block = 256 << 10, uint64_t ahead = 0)
      : source_(source), block_(block), ahead_(ahead), size_(source.size()) {}
  uint64_t size() const { return size_; }
  // The bytes [offset, offset + length), fewer only where the source ends. Valid until the next
  // call. `more`: how much behind them is likely to be wanted.
  Result<ByteView> get(uint64_t offset, size_t length, uint64_t more = 0);

 private:
  struct Block {
    uint64_t offset = 0;
    Bytes bytes;
    bool holds(uint64_t from, size_t length) const {
      return from >= offset && from + length <= offset + bytes.size();
    }
    // How many of its bytes stand at `from` and behind.
    size_t reaches(uint64_t from) const {
      if (from < offset || from >= offset + bytes.size()) return 0;
      return static_cast<size_t>(offset + bytes.size() - from);
    }
  };
  ByteReader& source_;
  const size_t block_;
  const uint64_t ahead_;
  const uint64_t size_;
  Block last_, before_;
};

// Where packets are that the source does not hold in one piece, as they stand in an MP4: those of a
// transport stream, or those that lack a head which all of their track have in common. Sample::
// offset then counts in the row of all packets as they are read; the places are sorted by it.
class PacketMap {
 public:
  struct Place {
    uint64_t at = 0;        // in the row
    uint64_t source = 0;    // where to look in the source
    uint32_t skip = 0;      // bytes of the stream from there to the packet
    uint32_t length = 0;    // bytes of the stream, before they are rewritten
    uint16_t stream = 0;    // the container's number of the stream
    uint16_t rewriter = 0;  // the map's own
  };
  virtual ~PacketMap() = default;
  void add(Place place, uint32_t size) {
    place.at = size_;
    places_.push_back(place);
    size_ += size;
  }
  uint64_t size() const { return size_; }
  size_t at_or_before(uint64_t offset) const;
  const Place& place(size_t i) const { return places_[i]; }
  uint64_t end_of(size_t i) const { return i + 1 < places_.size() ? places_[i + 1].at : size_; }
  // The whole packet. `more`: as above.
  virtual Result<Bytes> fetch(Blocks& blocks, const Place& place, uint64_t more) const = 0;

 private:
  std::vector<Place> places_;
  uint64_t size_ = 0;
};

// The packets of a movie, read from Sample::offset.
class MediaView final : public ByteReader {
 public:
  MediaView(ByteReader& source, std::shared_ptr<const PacketMap> map)
      : map_(std::move(map)), blocks_(source) {}
  uint64_t size() const override { return map_->size(); }
  Result<Bytes> read(uint64_t offset, size_t length, uint64_t more = 0) override;

 private:
  const std::shared_ptr<const PacketMap> map_;
  Blocks blocks_;
  size_t current_ = SIZE_MAX;  // the packet that was fetched last
  Bytes packet_;
};

}  // namespace clips::cut
