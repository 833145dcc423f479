// SPDX-License-Identifier: LGPL-2.1-or-later
#include "completeness.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "ebml.hpp"

namespace clips {

namespace {

using ebml::big_endian;
using ebml::Bytes;

// Enough to tell a transport stream by three packets of the longest kind.
constexpr std::size_t detect_size = 3 * 208;
constexpr std::uint64_t no_end = std::numeric_limits<std::uint64_t>::max();

std::uint64_t little_endian(Bytes bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

bool is(Bytes bytes, std::size_t offset, std::string_view text) {
  if (bytes.size() < offset + text.size()) return false;
  return std::equal(
      text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset),
      [](char c, std::byte b) { return std::byte(static_cast<unsigned char>(c)) == b; });
}

bool is_box_type(Bytes type) {
  return std::all_of(type.begin(), type.end(), [](std::byte b) {
    const auto c = std::to_integer<unsigned>(b);
    return c == 0xa9 || (c >= 0x20 && c < 0x7f);
  });
}

bool starts_iso(Bytes head) {
  static constexpr std::array<std::string_view, 10> types = {
      "ftyp", "styp", "moov", "moof", "mdat", "free", "skip", "wide", "pnot", "sidx"};
  return std::any_of(types.begin(), types.end(), [&](auto type) { return is(head, 4, type); });
}

// The packet length of a transport stream: plain, with a time code, with error correction.
std::size_t packet_size(Bytes head) {
  struct Kind {
    std::size_t size, sync;
  };
  for (const Kind kind : {Kind{188, 0}, Kind{192, 4}, Kind{204, 0}}) {
    bool all = true;
    for (std::size_t packet = 0; packet < 3; ++packet) {
      const std::size_t at = packet * kind.size + kind.sync;
      all = all && at < head.size() && head[at] == std::byte{0x47};
    }
    if (all) return kind.size;
  }
  return 0;
}

}  // namespace

ContainerWalk::ContainerWalk(std::optional<std::uint64_t> size) : size_(size) {
  want(0, detect_size);
}

std::optional<ContainerWalk::Range> ContainerWalk::wants() const {
  if (state_ != Completeness::undecided) return std::nullopt;
  return Range{wanted_.offset + seen_.size(), wanted_.size - seen_.size()};
}

void ContainerWalk::want(std::uint64_t offset, std::size_t size, std::uint64_t slack) {
  slack_ = slack;
  if (size_) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, *size_ - offset));
  wanted_ = {offset, size};
  seen_.clear();
}

void ContainerWalk::await_end() {
  wanted_ = {no_end, 1};
  seen_.clear();
}

void ContainerWalk::truncate(std::uint64_t expected) {
  expected_ = expected;
  decide(Completeness::truncated);
}

void ContainerWalk::feed(std::uint64_t offset, Bytes bytes) {
  // One buffer may hold several heads.
  while (const auto range = wants()) {
    if (range->size > 0) {
      if (range->offset < offset || range->offset - offset >= bytes.size()) return;
      const Bytes rest = bytes.subspan(static_cast<std::size_t>(range->offset - offset));
      const Bytes part = rest.first(std::min(rest.size(), range->size));
      seen_.insert(seen_.end(), part.begin(), part.end());
    }
    if (seen_.size() < wanted_.size) return;
    advance();
  }
}

void ContainerWalk::finish(std::uint64_t size) {
  size_ = size;
  if (state_ != Completeness::undecided) return;
  if (wanted_.offset == no_end) return step({});
  if (wanted_.offset > size) {
    return wanted_.offset - size <= slack_ ? decide(Completeness::complete)
                                           : truncate(wanted_.offset);
  }
  // What is still wanted ends with the file; more of it will not come.
  wanted_.size = std::min<std::size_t>(
      wanted_.size,
      static_cast<std::size_t>(std::min<std::uint64_t>(size - wanted_.offset, wanted_.size)));
  while (state_ == Completeness::undecided && seen_.size() >= wanted_.size) advance();
  // The end came before the head that was asked for could be seen: no verdict is possible.
  if (state_ == Completeness::undecided) decide(Completeness::unknown);
}

void ContainerWalk::advance() {
  const std::vector<std::byte> head = std::move(seen_);
  const bool detecting = format_ == Format::detect;
  seen_ = {};
  step(head);
  // The walk begins in bytes that may not be shown again.
  if (detecting) feed(0, head);
}

void ContainerWalk::step(Bytes head) {
  switch (format_) {
    case Format::detect:
      return detect(head);
    case Format::iso:
      return iso_box(head);
    case Format::ebml:
      return ebml_element(head);
    case Format::matroska:
      return matroska_element(head);
    case Format::whole:
      return decide(Completeness::complete);
    case Format::riff:
      return riff_chunk(head);
    case Format::flv:
      return flv_tag(head);
    case Format::transport: {
      // It states no length; all that can be said is that it ends within a packet.
      const std::uint64_t rest = *size_ % packet_;
      return rest ? truncate(*size_ + packet_ - rest) : decide(Completeness::unknown);
    }
  }
}

void ContainerWalk::detect(Bytes head) {
  if (starts_iso(head)) {
    container_ = "MP4";
    format_ = Format::iso;
    return want(0, 16);
  }
  if (is(head, 0, "\x1a\x45\xdf\xa3")) {
    container_ = "Matroska";
    format_ = Format::ebml;
    return want(0, 16);
  }
  if (is(head, 0, "RIFF") && (is(head, 8, "AVI ") || is(head, 8, "WAVE"))) {
    container_ = is(head, 8, "AVI ") ? "AVI" : "WAV";
    format_ = Format::riff;
    return want(0, 8);
  }
  if (is(head, 0, "FLV") && head.size() >= 9) {
    container_ = "FLV";
    format_ = Format::flv;
    // Behind the header stands the size of the tag before the first one: four zero bytes.
    const std::uint64_t first = big_endian(head.subspan(5, 4)) + 4;
    return reaches(first) ? want(first, 11) : truncate(first);
  }
  packet_ = packet_size(head);
  if (packet_ > 0) {
    container_ = "MPEG-TS";
    format_ = Format::transport;
    return size_ ? step({}) : await_end();
  }
  decide(Completeness::unknown);
}

void ContainerWalk::iso_box(Bytes head) {
  const std::uint64_t at = wanted_.offset;
  // The end of the file, reached box by box. A fragment's head without its media is half a
  // fragment.
  if (head.empty()) {
    return last_box_opens_fragment_ ? truncate(at + 8) : decide(Completeness::complete);
  }
  if (head.size() < 8) {
    // QuickTime allows a 32-bit zero behind the last atom.
    const bool zero = head.size() == 4 && std::all_of(head.begin(), head.end(), [](std::byte b) {
                        return b == std::byte{0};
                      });
    return zero ? decide(Completeness::complete) : truncate(at + 8);
  }
  std::uint64_t size = big_endian(head.first(4));
  const Bytes type = head.subspan(4, 4);
  if (!is_box_type(type)) return decide(Completeness::unknown);
  if (size == 0) return decide(Completeness::complete);  // the box reaches to the file's end
  if (size == 1) {
    if (head.size() < 16) return truncate(at + 16);
    size = big_endian(head.subspan(8, 8));
  }
  if (size < 8 || size > no_end - 1 - at) return decide(Completeness::unknown);
  // Padding that is cut off loses nothing.
  const bool padding = is(type, 0, "free") || is(type, 0, "skip");
  if (!reaches(at + size)) {
    return padding ? decide(Completeness::complete) : truncate(at + size);
  }
  last_box_opens_fragment_ = is(type, 0, "moof");
  want(at + size, 16, padding ? no_end : 0);
}

void ContainerWalk::ebml_element(Bytes head) {
  const std::uint64_t at = wanted_.offset;
  const auto element = ebml::head(head);
  if (!element)
    return head.size() < ebml::max_head ? truncate(at + ebml::max_head)
                                        : decide(Completeness::unknown);
  const std::uint64_t body = at + element->length;
  if (element->id == 0x18538067) {  // Segment
    if (element->unknown_size) {
      format_ = Format::matroska;
      return reaches(body) ? want(body, 16) : truncate(body);
    }
    if (element->size > no_end - 1 - body) return decide(Completeness::unknown);
    if (!reaches(body + element->size)) return truncate(body + element->size);
    // A stated segment that is there is whole; what stands behind it is not media.
    format_ = Format::whole;
    return size_ ? step({}) : want(body + element->size, 1);
  }
  if (element->unknown_size || element->size > no_end - 1 - body)
    return decide(Completeness::unknown);
  if (!reaches(body + element->size)) return truncate(body + element->size);
  want(body + element->size, 16);
}

// A segment that was written live states no size, but its clusters do.
void ContainerWalk::matroska_element(Bytes head) {
  const std::uint64_t at = wanted_.offset;
  if (head.empty()) return decide(Completeness::complete);
  const auto element = ebml::head(head);
  if (!element)
    return head.size() < ebml::max_head ? truncate(at + ebml::max_head)
                                        : decide(Completeness::unknown);
  const std::uint64_t body = at + element->length;
  if (element->unknown_size || element->size > no_end - 1 - body)
    return decide(Completeness::unknown);
  if (!reaches(body + element->size)) return truncate(body + element->size);
  want(body + element->size, 16);
}

void ContainerWalk::riff_chunk(Bytes head) {
  const std::uint64_t at = wanted_.offset;
  // OpenDML files are several RIFF chunks in a row; anything else behind them is not ours.
  if (head.empty() || !is(head, 0, "RIFF")) return decide(Completeness::complete);
  if (head.size() < 8) return truncate(at + 8);
  const std::uint64_t size = little_endian(head.subspan(4, 4));
  // A writer that could not seek back leaves no size.
  if (size == 0 || size == 0xffffffff) return decide(Completeness::unknown);
  const std::uint64_t end = at + 8 + size;
  if (!reaches(end)) {
    // Some writers count the eight bytes of the head too, or a padding byte that they left out.
    return *size_ + 9 >= end ? decide(Completeness::complete) : truncate(end);
  }
  want(end + (size & 1 && reaches(end + 1) ? 1 : 0), 8, 9);
}

void ContainerWalk::flv_tag(Bytes head) {
  const std::uint64_t at = wanted_.offset;
  if (head.empty()) return decide(Completeness::complete);
  if (head.size() < 11) return truncate(at + 11);
  const auto type = std::to_integer<unsigned>(head[0]) & 0x1f;
  if (type != 8 && type != 9 && type != 18) return decide(Completeness::unknown);
  const std::uint64_t end = at + 11 + big_endian(head.subspan(1, 3)) + 4;
  // Some writers leave out the size behind the last tag.
  if (!reaches(end)) return *size_ + 4 >= end ? decide(Completeness::complete) : truncate(end);
  want(end, 11, 4);
}

}  // namespace clips
