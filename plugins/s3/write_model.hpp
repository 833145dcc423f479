// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "moov.hpp"
#include "part_plan.hpp"

namespace clips::s3 {

// Half of a part's memory. Pages count only once they were written to.
class Chunk {
 public:
  explicit Chunk(std::size_t capacity);
  ~Chunk();
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  std::byte* data() const { return data_; }
  std::size_t capacity() const { return capacity_; }

 private:
  std::byte* data_;
  std::size_t capacity_;
};

// Keeps chunks for their next use. They come back from the I/O thread.
class ChunkPool : public std::enable_shared_from_this<ChunkPool> {
 public:
  // The chunk returns to the pool with its last reference.
  std::shared_ptr<Chunk> get(std::size_t capacity);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Chunk>> free_;
};

// The bytes of one part, in two halves, so that a part can be begun while all others are on their
// way for half the memory of one more; or in one piece, if there is no pool.
class Block {
 public:
  Block(std::size_t capacity, std::shared_ptr<ChunkPool> pool);

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t half() const { return (capacity_ + 1) / 2; }
  // At most up to the capacity, and not behind the end.
  void write(std::size_t at, std::span<const std::byte> data);
  std::vector<std::span<const std::byte>> pieces() const;
  // Of a block in one piece.
  std::span<const std::byte> bytes() const;

 private:
  std::size_t capacity_;
  std::size_t size_ = 0;
  std::shared_ptr<ChunkPool> pool_;
  std::vector<std::shared_ptr<Chunk>> chunks_;
};

enum class Faststart {
  automatic,  // moov comes first where a muxer of ours wrote it last and it can be moved
  required,   // … and an MP4 whose moov cannot be moved is an error
  off,        // moov stays where the muxer put it; all parts are equal
};

struct WriteError {
  enum class Kind {
    rewrite,   // the muxer rewrites bytes that were sent already
    gap,       // it jumps more than a part past the end
    too_long,  // 10 000 parts are full
    moov,      // Faststart::required and the moov cannot be moved; `reason` says why
  };
  Kind kind;
  std::uint64_t position = 0;
  std::string reason;
};

// One object as a muxer writes it, cut into parts. It keeps what may still be rewritten:
//  - the first part, until the end (if a muxer is there that goes back; see set_rewritable()),
//  - the part being filled; in Matroska, whose cluster sizes are written when a cluster closes, all
//    from the start of the cluster on (up to four parts),
//  - a moov behind the media of an MP4, so that it can go before it: see "true fast-start" in
//    docs/elements/s3sink.md.
// A write anywhere else is an error, never appended.
//
// Pure bookkeeping: it sends nothing and never blocks. Not thread-safe.
class WriteModel {
 public:
  struct Options {
    std::uint64_t part_size = std::uint64_t{8} << 20;
    // What a muxer may rewrite until the end is at least so long, unless all parts are equal.
    std::uint64_t head_size = 0;
    Faststart faststart = Faststart::automatic;
    int max_parts = kMaxParts;
  };
  // A whole part, ready to be sent.
  struct Part {
    int number = 0;
    std::vector<std::span<const std::byte>> pieces;
    std::shared_ptr<const void> owner;
    std::uint64_t size() const;
  };

  WriteModel(Options options, std::shared_ptr<ChunkPool> pool);

  // The muxer has asked whether it may seek: the first part stays.
  void set_rewritable() { rewritable_ = true; }

  // Takes bytes at position(), at most up to the end of a part, and says how many. `new_buffer`:
  // `data` begins a buffer of the muxer, and not the rest of one.
  tl::expected<std::size_t, WriteError> write(std::span<const std::byte> data, bool new_buffer);
  tl::expected<void, WriteError> seek(std::uint64_t position);

  // A part that is full and beyond any rewrite. Take it before the next write().
  std::optional<Part> take_part();

  // No more writes; the rest of the parts. Those that were not taken yet and those that come now
  // make up the object; if nothing was taken before there may be a single one (number 1), to be put
  // as a whole, possibly empty. The first part comes last.
  tl::expected<std::vector<Part>, WriteError> finish();

  std::uint64_t position() const { return position_; }
  std::uint64_t size() const { return end_; }
  bool moved_moov() const { return moved_moov_; }
  // How much may be written ahead while all transfers are busy: up to the half of a part.
  std::uint64_t room_ahead() const;
  // Bytes kept back at the moment.
  std::uint64_t retained() const;

 private:
  struct Open {
    int number;
    std::uint64_t offset;
    std::shared_ptr<Block> block;
  };

  tl::expected<void, WriteError> fill_gap();
  std::size_t append_to_held(std::span<const std::byte> data);
  tl::expected<std::size_t, WriteError> write_to_parts(std::span<const std::byte> data);
  tl::expected<void, WriteError> release_held();
  bool starts_moov(std::span<const std::byte> data) const;
  tl::expected<void, std::string> move_moov();
  void seal();
  static Part part_of(int number, std::shared_ptr<Block> block);

  Options options_;
  std::shared_ptr<ChunkPool> pool_;
  PartPlan plan_;
  bool rewritable_ = false;
  bool rewrote_head_ = false;
  bool moved_moov_ = false;
  std::uint64_t position_ = 0;
  std::uint64_t end_ = 0;
  std::shared_ptr<Block> head_;  // part 1, while it is retained
  std::deque<Open> open_;        // parts after it that are not sealed, in order
  std::deque<Part> ready_;
  int next_number_ = 1;
  bool any_taken_ = false;
  // What is from here on may be rewritten: the cluster, or nothing but the part being filled.
  std::uint64_t cluster_at_ = ~std::uint64_t{0};
  std::optional<std::uint64_t> held_at_;
  std::vector<std::byte> held_;
  std::uint64_t insert_at_ = 0;
  std::shared_ptr<std::vector<std::byte>> inserted_;  // the moved moov
};

}  // namespace clips::s3
