// SPDX-License-Identifier: LGPL-2.1-or-later
#include "write_model.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

namespace clips::s3 {
namespace {

using Bytes = std::span<const std::byte>;

// Far more than the moov of any recording (about 550 bytes a second and track), and a bound for
// what a stream that merely looks like one can make us keep.
constexpr std::size_t kMaxHeld = std::size_t{128} << 20;

bool begins_with(Bytes bytes, const char* text, std::size_t offset = 0) {
  const std::size_t length = std::strlen(text);
  return bytes.size() >= offset + length && std::memcmp(bytes.data() + offset, text, length) == 0;
}

bool is_matroska(Bytes head) {
  return begins_with(head, "\x1a\x45\xdf\xa3");
}

// matroskamux sends the header of a cluster as a buffer, and writes its size there at its end.
bool begins_cluster(Bytes data) {
  return begins_with(data, "\x1f\x43\xb6\x75");
}

// A cluster that is longer than both is not kept whole.
constexpr std::uint64_t kMaxClusterParts = 4;
constexpr std::uint64_t kMaxClusterBytes = std::uint64_t{32} << 20;

// Chunks that wait for their next use.
constexpr std::size_t kMostFree = 4;

// Formats whose muxers go back to the header without asking first; flacenc asks, but at the end.
bool is_rewritten_unasked(Bytes head) {
  return begins_with(head, "RIFF") || begins_with(head, "FORM") || begins_with(head, "fLaC");
}

}  // namespace

Chunk::Chunk(std::size_t capacity) : capacity_(capacity) {
  void* memory =
      mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(memory);
}

Chunk::~Chunk() {
  munmap(data_, capacity_);
}

std::shared_ptr<Chunk> ChunkPool::get(std::size_t capacity) {
  std::unique_ptr<Chunk> chunk;
  {
    const std::lock_guard lock(mutex_);
    // After the parts have grown the smaller ones are of no use any more.
    std::erase_if(free_, [&](const auto& kept) { return kept->capacity() != capacity; });
    if (!free_.empty()) {
      chunk = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (!chunk) chunk = std::make_unique<Chunk>(capacity);
  return {chunk.release(), [pool = weak_from_this()](Chunk* used) {
            std::unique_ptr<Chunk> back(used);
            if (const auto alive = pool.lock()) {
              const std::lock_guard lock(alive->mutex_);
              if (alive->free_.size() < kMostFree) alive->free_.push_back(std::move(back));
            }
          }};
}

Block::Block(std::size_t capacity, std::shared_ptr<ChunkPool> pool)
    : capacity_(capacity), pool_(std::move(pool)) {
  if (!pool_) chunks_.push_back(std::make_shared<Chunk>(capacity));
}

void Block::write(std::size_t at, Bytes data) {
  size_ = std::max(size_, at + data.size());
  while (!data.empty()) {
    const std::size_t index = pool_ ? at / half() : 0;
    if (index == chunks_.size()) chunks_.push_back(pool_->get(half()));
    const Chunk& chunk = *chunks_[index];
    const std::size_t inside = at - index * half();
    const std::size_t taken = std::min(data.size(), chunk.capacity() - inside);
    std::memcpy(chunk.data() + inside, data.data(), taken);
    at += taken;
    data = data.subspan(taken);
  }
}

std::vector<Bytes> Block::pieces() const {
  std::vector<Bytes> all;
  std::size_t left = size_;
  for (const auto& chunk : chunks_) {
    const std::size_t used = std::min(left, chunk->capacity());
    all.emplace_back(chunk->data(), used);
    left -= used;
  }
  return all;
}

Bytes Block::bytes() const {
  return {chunks_.front()->data(), size_};
}

std::uint64_t WriteModel::Part::size() const {
  std::uint64_t total = 0;
  for (const auto piece : pieces) total += piece.size();
  return total;
}

WriteModel::WriteModel(Options options, std::shared_ptr<ChunkPool> pool)
    : options_(options),
      pool_(std::move(pool)),
      plan_(options.part_size, options.faststart == Faststart::off, options.max_parts) {}

std::uint64_t WriteModel::retained() const {
  std::uint64_t total = held_.size() + (head_ ? head_->size() : 0);
  for (const Open& open : open_) total += open.block->size();
  return total;
}

tl::expected<void, WriteError> WriteModel::seek(std::uint64_t position) {
  // What is skipped reads as zeros, as in a file; a jump far ahead is no muxer's.
  if (position > end_ && position - end_ > plan_.size(1))
    return tl::unexpected(WriteError{WriteError::Kind::gap, position, {}});
  position_ = position;
  return {};
}

std::uint64_t WriteModel::room_ahead() const {
  const Block* block = !open_.empty() ? open_.back().block.get() : head_.get();
  // Between two parts: the next one is empty.
  if (!block || block->size() == block->capacity()) return plan_.size(next_number_) / 2;
  return block->half() - std::min(block->half(), block->size());
}

bool WriteModel::starts_moov(Bytes data) const {
  if (options_.faststart == Faststart::off || !rewritable_ || !head_) return false;
  const auto box = read_box(data, 0);
  return box && box->type == box_type("moov") && box->size != 0 && box->size <= data.size() &&
         find_media(head_->bytes()).has_value();
}

tl::expected<std::size_t, WriteError> WriteModel::write(Bytes data, bool new_buffer) {
  if (data.empty()) return std::size_t{0};
  if (position_ > end_ && !held_at_) {
    if (auto done = fill_gap(); !done) return tl::unexpected(done.error());
  }
  if (!held_at_ && new_buffer && position_ == end_ && starts_moov(data)) held_at_ = end_;
  if (held_at_ && position_ >= *held_at_) {
    if (held_.size() + data.size() <= kMaxHeld) return append_to_held(data);
    if (auto done = release_held(); !done) return tl::unexpected(done.error());
    return std::size_t{0};
  }
  if (new_buffer && position_ == end_ && head_ && begins_cluster(data) &&
      is_matroska(head_->bytes()))
    cluster_at_ = position_;
  if (held_at_) data = data.first(std::min<std::uint64_t>(data.size(), *held_at_ - position_));
  return write_to_parts(data);
}

tl::expected<void, WriteError> WriteModel::fill_gap() {
  static constexpr std::array<std::byte, 4096> zeros{};
  const std::uint64_t resume_at = std::exchange(position_, end_);
  while (position_ < resume_at) {
    const auto size = std::min<std::uint64_t>(zeros.size(), resume_at - position_);
    if (auto done = write_to_parts(Bytes(zeros).first(size)); !done)
      return tl::unexpected(done.error());
  }
  return {};
}

std::size_t WriteModel::append_to_held(Bytes data) {
  const std::uint64_t at = position_ - *held_at_;
  if (at + data.size() > held_.size()) held_.resize(at + data.size());
  std::copy(data.begin(), data.end(), held_.begin() + static_cast<std::ptrdiff_t>(at));
  position_ += data.size();
  end_ = std::max(end_, position_);
  return data.size();
}

tl::expected<std::size_t, WriteError> WriteModel::write_to_parts(Bytes data) {
  // Inside of the head, a rewrite ends at its end; the caller comes back with the rest.
  if (head_ && position_ < head_->capacity()) {
    if (position_ < head_->size()) rewrote_head_ = true;
    const auto room = head_->capacity() - position_;
    data = data.first(std::min<std::uint64_t>(data.size(), room));
    head_->write(position_, data);
    position_ += data.size();
    end_ = std::max(end_, position_);
    if (head_->size() == head_->capacity()) seal();
    return data.size();
  }
  for (Open& open : open_) {
    if (position_ < open.offset || position_ >= open.offset + open.block->capacity()) continue;
    const std::uint64_t at = position_ - open.offset;
    const auto room = open.block->capacity() - at;
    data = data.first(std::min<std::uint64_t>(data.size(), room));
    open.block->write(at, data);
    position_ += data.size();
    end_ = std::max(end_, position_);
    seal();
    return data.size();
  }
  if (position_ < end_) return tl::unexpected(WriteError{WriteError::Kind::rewrite, position_, {}});

  if (plan_.size(next_number_) == 0)
    return tl::unexpected(WriteError{WriteError::Kind::too_long, position_, {}});
  std::uint64_t size = plan_.size(next_number_);
  if (next_number_ == 1) {
    if (rewritable_ && options_.faststart != Faststart::off)
      size = std::max(size, options_.head_size);
    head_ = std::make_shared<Block>(size, nullptr);
  } else {
    open_.push_back({next_number_, position_, std::make_shared<Block>(size, pool_)});
  }
  next_number_++;
  return write_to_parts(data);
}

WriteModel::Part WriteModel::part_of(int number, std::shared_ptr<Block> block) {
  return {number, block->pieces(), block};
}

// Hands on what is full and will not be rewritten.
void WriteModel::seal() {
  if (head_ && head_->size() == head_->capacity() && !rewritable_ &&
      !is_rewritten_unasked(head_->bytes()))
    ready_.push_back(part_of(1, std::exchange(head_, nullptr)));
  const std::uint64_t most =
      std::max(kMaxClusterParts, kMaxClusterBytes / plan_.size(next_number_ - 1) + 1);
  const auto sealed = [&](const Open& open) {
    const auto end = open.offset + open.block->capacity();
    return open.block->size() == open.block->capacity() &&
           (end <= cluster_at_ || open_.size() > most);
  };
  while (!open_.empty() && sealed(open_.front())) {
    ready_.push_back(part_of(open_.front().number, std::move(open_.front().block)));
    open_.pop_front();
  }
}

std::optional<WriteModel::Part> WriteModel::take_part() {
  if (ready_.empty()) return std::nullopt;
  Part part = std::move(ready_.front());
  ready_.pop_front();
  any_taken_ = true;
  return part;
}

// What looked like the end of an MP4 is data like any other.
tl::expected<void, WriteError> WriteModel::release_held() {
  const std::uint64_t resume_at = position_;
  const std::vector<std::byte> data = std::exchange(held_, {});
  position_ = end_ = *std::exchange(held_at_, std::nullopt);
  Bytes rest(data);
  while (!rest.empty()) {
    const auto taken = write_to_parts(rest);
    if (!taken) return tl::unexpected(taken.error());
    rest = rest.subspan(*taken);
  }
  position_ = resume_at;
  return {};
}

tl::expected<void, std::string> WriteModel::move_moov() {
  // What the muxer wrote over its placeholder confirms where the media ends; a stream that only
  // happens to hold the word fails here.
  const auto media = find_media(head_->bytes());
  if (!media || !rewrote_head_ || media->mdat.size == 0 ||
      media->mdat.offset + media->mdat.size != *held_at_)
    return tl::unexpected(std::string("its media does not end where moov begins"));
  auto moved = relocate_moov(held_, media->mdat.offset + media->mdat.header_size, *held_at_);
  if (!moved) return tl::unexpected(moved.error());
  end_ += moved->size() - held_.size();
  insert_at_ = media->insert_at;
  inserted_ = std::make_shared<std::vector<std::byte>>(std::move(*moved));
  held_ = {};
  held_at_.reset();
  moved_moov_ = true;
  return {};
}

tl::expected<std::vector<WriteModel::Part>, WriteError> WriteModel::finish() {
  if (held_at_) {
    if (const auto moved = move_moov(); !moved) {
      if (options_.faststart == Faststart::required)
        return tl::unexpected(WriteError{WriteError::Kind::moov, *held_at_, moved.error()});
      if (auto done = release_held(); !done) return tl::unexpected(done.error());
    }
  } else if (options_.faststart == Faststart::required && head_ && find_media(head_->bytes())) {
    return tl::unexpected(WriteError{WriteError::Kind::moov, end_,
                                     "no moov box was written behind its media by a muxer"});
  }

  std::vector<Part> parts(std::make_move_iterator(ready_.begin()),
                          std::make_move_iterator(ready_.end()));
  ready_.clear();
  for (Open& open : open_) parts.push_back(part_of(open.number, std::move(open.block)));
  open_.clear();
  if (head_) {
    Part first = part_of(1, head_);
    if (inserted_) {
      const Bytes head = head_->bytes();
      first.pieces = {head.first(insert_at_), Bytes(*inserted_), head.subspan(insert_at_)};
      first.owner = std::make_shared<
          std::pair<std::shared_ptr<Block>, std::shared_ptr<std::vector<std::byte>>>>(head_,
                                                                                      inserted_);
    }
    parts.push_back(std::move(first));
    head_.reset();
  } else if (!any_taken_ && parts.empty()) {
    parts.push_back({1, {}, nullptr});
  }
  return parts;
}

}  // namespace clips::s3
