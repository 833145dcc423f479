// SPDX-License-Identifier: LGPL-2.1-or-later
#include "matroskatracks.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "ebml.hpp"

namespace clips {

namespace {

using ebml::Bytes;

// Element identifiers of RFC 9559.
constexpr std::uint64_t id_ebml = 0x1a45dfa3, id_segment = 0x18538067, id_tracks = 0x1654ae6b,
                        id_cluster = 0x1f43b675, id_track_entry = 0xae, id_track_number = 0xd7,
                        id_track_type = 0x83, id_codec = 0x86, id_codec_delay = 0x56aa;
constexpr std::uint64_t sound = 2;
// Fonts and pictures are no part of Tracks: more than this is not made by any writer.
constexpr std::uint64_t max_tracks_size = 16 << 20;
// A delay beyond this is damage: no encoder looks that far ahead.
constexpr std::uint64_t max_delay_ns = 1000000000;

// Calls `each` for the elements of a body, up to the first that is not whole.
template <typename Each>
void for_each_element(Bytes body, Each each) {
  while (const auto head = ebml::head(body)) {
    const Bytes rest = body.subspan(head->length);
    if (head->unknown_size || head->size > rest.size()) return;
    const auto size = static_cast<std::size_t>(head->size);
    each(head->id, rest.first(size));
    body = rest.subspan(size);
  }
}

std::string_view text(Bytes body) {
  return {reinterpret_cast<const char*>(body.data()), body.size()};
}

}  // namespace

std::uint64_t MatroskaTracks::delay(std::uint64_t number) const {
  const auto found = delays_.find(number);
  return found == delays_.end() ? 0 : found->second;
}

void MatroskaTracks::want(std::uint64_t offset, std::size_t size, Bytes piece) {
  // The longest head of an element reaches into what is behind a shorter one.
  const auto known = piece.subspan(
      static_cast<std::size_t>(std::min<std::uint64_t>(offset - offset_, piece.size())));
  const auto kept = known.first(std::min(known.size(), size));
  seen_.assign(kept.begin(), kept.end());
  offset_ = offset;
  size_ = size;
}

void MatroskaTracks::feed(std::uint64_t offset, Bytes bytes) {
  // One piece may hold several heads.
  while (!done()) {
    if (seen_.size() < size_) {
      const std::uint64_t next = offset_ + seen_.size();
      if (next < offset || next - offset >= bytes.size()) return;
      const Bytes rest = bytes.subspan(static_cast<std::size_t>(next - offset));
      const Bytes part = rest.first(std::min(rest.size(), size_ - seen_.size()));
      seen_.insert(seen_.end(), part.begin(), part.end());
      if (seen_.size() < size_) return;
    }
    step(std::exchange(seen_, {}));
  }
}

void MatroskaTracks::step(Bytes piece) {
  const State state = std::exchange(state_, State::done);
  if (state == State::tracks) return read_tracks(piece);
  const auto head = ebml::head(piece);
  if (!head || head->length > std::numeric_limits<std::uint64_t>::max() - offset_) return;
  const std::uint64_t body = offset_ + head->length;
  if (state == State::segment && head->id == id_segment) {
    state_ = State::child;
    return want(body, ebml::max_head, piece);
  }
  if (state == State::header && head->id != id_ebml) return;
  if (head->id == id_cluster || head->unknown_size ||
      head->size > std::numeric_limits<std::uint64_t>::max() - body)
    return;
  if (state == State::child && head->id == id_tracks) {
    if (head->size == 0 || head->size > max_tracks_size) return;
    state_ = State::tracks;
    return want(body, static_cast<std::size_t>(head->size), piece);
  }
  state_ = state == State::header ? State::segment : state;
  want(body + head->size, ebml::max_head, piece);
}

void MatroskaTracks::read_tracks(Bytes body) {
  for_each_element(body, [&](std::uint64_t id, Bytes entry) {
    if (id != id_track_entry) return;
    std::uint64_t number = 0, type = 0, delay = 0;
    std::string_view codec;
    for_each_element(entry, [&](std::uint64_t field, Bytes value) {
      if (field == id_track_number) number = ebml::big_endian(value);
      if (field == id_track_type) type = ebml::big_endian(value);
      if (field == id_codec_delay) delay = ebml::big_endian(value);
      if (field == id_codec) codec = text(value);
    });
    if (type == sound && codec != "A_OPUS" && delay <= max_delay_ns) delays_[number] = delay;
  });
}

}  // namespace clips
