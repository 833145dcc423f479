// SPDX-License-Identifier: LGPL-2.1-or-later
#include "media.hpp"

namespace clips::cut {

namespace {

constexpr uint64_t kGap = 4 << 10;

}  // namespace

Result<ByteView> Blocks::get(uint64_t offset, size_t length, uint64_t more) {
  if (offset >= size_) return ByteView();
  length = static_cast<size_t>(std::min<uint64_t>(length, size_ - offset));
  if (!last_.holds(offset, length)) {
    // Streams lie between each other: the next packet may begin in front of the last one's end.
    std::swap(last_, before_);
    if (!last_.holds(offset, length)) {
      // What follows a block takes its last bytes along: streams that lie between each other come
      // back, and packets stand across the end.
      const uint64_t end = before_.offset + before_.bytes.size();
      const uint64_t tail = end - std::min<uint64_t>(before_.bytes.size(), kGap);
      const uint64_t begin = offset >= tail && offset <= end + kGap ? tail : offset;
      const auto take = static_cast<size_t>(
          std::min<uint64_t>(std::max<uint64_t>(offset - begin + length, block_), size_ - begin));
      more = std::max(more, ahead_);
      const size_t have = before_.reaches(begin);
      Bytes block(before_.bytes.end() - static_cast<ptrdiff_t>(have), before_.bytes.end());
      auto bytes = source_.read(begin + have, take - have, more > take ? more - take : 0);
      if (!bytes) return tl::make_unexpected(bytes.error());
      block.insert(block.end(), bytes->begin(), bytes->end());
      last_ = {begin, std::move(block)};
    }
  }
  const auto at = static_cast<size_t>(offset - last_.offset);
  const size_t there = last_.bytes.size() > at ? last_.bytes.size() - at : 0;
  return ByteView(last_.bytes).subspan(std::min(at, last_.bytes.size()), std::min(length, there));
}

size_t PacketMap::at_or_before(uint64_t offset) const {
  const auto after =
      std::upper_bound(places_.begin(), places_.end(), offset,
                       [](uint64_t value, const Place& place) { return value < place.at; });
  return after == places_.begin() ? 0 : static_cast<size_t>(after - places_.begin()) - 1;
}

Result<Bytes> MediaView::read(uint64_t offset, size_t length, uint64_t more) {
  if (offset >= size()) return fail(Fault::Truncated, "The source is truncated.", "past its end");
  length = static_cast<size_t>(std::min<uint64_t>(length, size() - offset));
  Bytes bytes;
  bytes.reserve(length);
  const PacketMap::Place& last = map_->place(map_->at_or_before(offset + length + more - 1));
  for (size_t i = map_->at_or_before(offset); bytes.size() < length; ++i) {
    const PacketMap::Place& place = map_->place(i);
    if (i != current_) {
      current_ = SIZE_MAX;
      const uint64_t ahead = last.source > place.source ? last.source - place.source : 0;
      auto packet = map_->fetch(blocks_, place, ahead + last.length);
      if (!packet) return packet;
      if (packet->size() != map_->end_of(i) - place.at)
        return fail(Fault::Truncated, "The source changed while it was read.",
                    "a packet is not as long as it was");
      packet_ = std::move(*packet);
      current_ = i;
    }
    const auto skip = static_cast<size_t>(offset + bytes.size() - place.at);
    const size_t take = std::min(packet_.size() - skip, length - bytes.size());
    bytes.insert(bytes.end(), packet_.begin() + static_cast<ptrdiff_t>(skip),
                 packet_.begin() + static_cast<ptrdiff_t>(skip + take));
  }
  return bytes;
}

}  // namespace clips::cut
