// SPDX-License-Identifier: LGPL-2.1-or-later
#include "movie_edits.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace clips::media {

namespace {

using Bytes = std::span<uint8_t>;

constexpr uint32_t fourcc(const char (&name)[5]) {
  uint32_t code = 0;
  for (int i = 0; i < 4; i++) code = code << 8 | static_cast<uint8_t>(name[i]);
  return code;
}

uint64_t read(std::span<const uint8_t> from, unsigned bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; i++) value = value << 8 | from[i];
  return value;
}

void write(Bytes to, unsigned bytes, uint64_t value) {
  for (unsigned i = 0; i < bytes; i++) to[i] = static_cast<uint8_t>(value >> 8 * (bytes - 1 - i));
}

// A number of 4 or 8 bytes somewhere in the movie.
struct Field {
  Bytes at;
  uint64_t get() const { return read(at, static_cast<unsigned>(at.size())); }
  void set(uint64_t value) const { write(at, static_cast<unsigned>(at.size()), value); }
};

// The body of the first box of that type directly inside `within`.
std::optional<Bytes> find(Bytes within, uint32_t type) {
  while (within.size() >= 8) {
    const uint64_t size = read(within, 4);
    if (size < 8 || size > within.size()) return std::nullopt;
    if (read(within.subspan(4), 4) == type) return within.subspan(8, size - 8);
    within = within.subspan(size);
  }
  return std::nullopt;
}

std::optional<Bytes> find(Bytes within, std::initializer_list<uint32_t> path) {
  std::optional<Bytes> found = within;
  for (const uint32_t type : path) {
    found = find(*found, type);
    if (!found) return std::nullopt;
  }
  return found;
}

struct Clock {
  uint64_t timescale;
  Field duration;
};

// The time scale and duration of an mvhd or mdhd body.
std::optional<Clock> clock_of(Bytes header) {
  if (header.empty()) return std::nullopt;
  const std::size_t size = header[0] == 1 ? 8 : 4;
  const std::size_t at = 4 + 2 * size;
  if (header.size() < at + 4 + size) return std::nullopt;
  const uint64_t timescale = read(header.subspan(at), 4);
  if (timescale == 0) return std::nullopt;
  return Clock{timescale, {header.subspan(at + 4, size)}};
}

std::optional<Field> track_duration(Bytes header) {
  if (header.empty()) return std::nullopt;
  const std::size_t size = header[0] == 1 ? 8 : 4;
  const std::size_t at = 4 + 2 * size + 8;
  if (header.size() < at + size) return std::nullopt;
  return Field{header.subspan(at, size)};
}

struct Edit {
  Field duration;    // ticks of the movie
  Field media_time;  // ticks of the track; all ones: nothing is shown
  bool empty() const {
    return media_time.get() == (media_time.at.size() == 8 ? ~0ULL : 0xffffffff);
  }
};

std::optional<std::vector<Edit>> edits_of(Bytes list) {
  if (list.size() < 8) return std::nullopt;
  const std::size_t size = list[0] == 1 ? 8 : 4;
  const std::size_t entry = 2 * size + 4;
  const uint64_t count = read(list.subspan(4), 4);
  if (count > (list.size() - 8) / entry) return std::nullopt;
  std::vector<Edit> edits;
  for (std::size_t at = 8; edits.size() < count; at += entry)
    edits.push_back({{list.subspan(at, size)}, {list.subspan(at + size, size)}});
  return edits;
}

// The sample rate of a track whose first description is AAC (or other MPEG-4 sound).
std::optional<uint64_t> aac_sample_rate(Bytes track) {
  const auto handler = find(track, {fourcc("mdia"), fourcc("hdlr")});
  if (!handler || handler->size() < 12 || read(handler->subspan(8), 4) != fourcc("soun"))
    return std::nullopt;
  const auto descriptions =
      find(track, {fourcc("mdia"), fourcc("minf"), fourcc("stbl"), fourcc("stsd")});
  if (!descriptions || descriptions->size() < 8 + 36) return std::nullopt;
  const Bytes first = descriptions->subspan(8);
  if (read(first.subspan(4), 4) != fourcc("mp4a")) return std::nullopt;
  return read(first.subspan(32), 2);  // the whole part of a 16.16 number
}

// Where the last picture of a track ends, in ticks of the track from the start of its media; by
// decode times (stts) and their offsets to presentation (ctts).
std::optional<uint64_t> presentation_end(Bytes track) {
  const auto table = find(track, {fourcc("mdia"), fourcc("minf"), fourcc("stbl")});
  const auto times = table ? find(*table, fourcc("stts")) : std::nullopt;
  const auto offsets = table ? find(*table, fourcc("ctts")) : std::nullopt;
  if (!times || !offsets || times->size() < 8 || offsets->size() < 8) return std::nullopt;
  constexpr uint64_t kLongest = uint64_t{1} << 62;
  const bool is_signed = (*offsets)[0] != 0;
  uint64_t time = 0, end = 0, left = 0;
  int64_t offset = 0;
  std::size_t at = 8;
  for (std::size_t i = 8; i + 8 <= times->size(); i += 8) {
    const uint64_t delta = read(times->subspan(i + 4), 4);
    for (uint64_t count = read(times->subspan(i), 4); count > 0;) {
      while (left == 0) {
        if (at + 8 > offsets->size()) return end;
        left = read(offsets->subspan(at), 4);
        const auto value = static_cast<uint32_t>(read(offsets->subspan(at + 4), 4));
        offset = is_signed ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
        at += 8;
      }
      // Of samples with the same offset the last one ends last.
      const uint64_t run = std::min(count, left);
      if (run * delta > kLongest - time) return std::nullopt;
      time += run * delta;
      const int64_t shown = static_cast<int64_t>(time) + offset;
      if (shown > 0) end = std::max(end, static_cast<uint64_t>(shown));
      count -= run;
      left -= run;
    }
  }
  return end;
}

struct Track {
  Field duration;  // ticks of the movie
  std::vector<Edit> edits;
  uint64_t media_length = 0;  // ticks of the track
  uint64_t media_scale = 0;
  std::optional<uint64_t> sample_rate;  // set: AAC
  std::optional<uint64_t> shown_until;  // set: pictures in another order than they are stored

  void set_last_edit(uint64_t ticks) const {
    edits.back().duration.set(ticks);
    uint64_t total = 0;
    for (const Edit& edit : edits) total += edit.duration.get();
    duration.set(total);
  }
};

std::optional<Track> track_of(Bytes box) {
  const auto header = find(box, fourcc("tkhd"));
  const auto media = find(box, {fourcc("mdia"), fourcc("mdhd")});
  if (!header || !media) return std::nullopt;
  const auto duration = track_duration(*header);
  const auto clock = clock_of(*media);
  if (!duration || !clock) return std::nullopt;
  Track track{*duration,
              {},
              clock->duration.get(),
              clock->timescale,
              aac_sample_rate(box),
              presentation_end(box)};
  if (const auto list = find(box, {fourcc("edts"), fourcc("elst")})) {
    auto edits = edits_of(*list);
    if (!edits) return std::nullopt;
    track.edits = std::move(*edits);
  }
  return track;
}

}  // namespace

bool is_movie_box(std::span<const uint8_t> bytes) noexcept {
  return bytes.size() > 8 && read(bytes, 4) == bytes.size() &&
         read(bytes.subspan(4), 4) == fourcc("moov");
}

tl::expected<unsigned, std::string> correct_edits(std::span<uint8_t> movie, uint32_t samples) {
  if (!is_movie_box(movie)) return tl::unexpected(std::string("this is no movie box"));
  const Bytes body = movie.subspan(8);
  const auto header = find(body, fourcc("mvhd"));
  const auto clock = header ? clock_of(*header) : std::nullopt;
  if (!clock) return tl::unexpected(std::string("the movie has no header"));

  std::vector<Track> tracks;
  for (Bytes rest = body; rest.size() >= 8;) {
    const uint64_t size = read(rest, 4);
    if (size < 8 || size > rest.size()) return tl::unexpected(std::string("a box has no size"));
    if (read(rest.subspan(4), 4) == fourcc("trak")) {
      auto track = track_of(rest.subspan(8, size - 8));
      if (!track) return tl::unexpected(std::string("a track has no proper headers"));
      if (track->sample_rate && (track->edits.empty() || track->edits.back().empty()))
        return tl::unexpected(std::string("an AAC track has no edit list to write into"));
      tracks.push_back(std::move(*track));
    }
    rest = rest.subspan(size);
  }

  // Rounded up: a tick too much shows part of the last packet's padding, a tick too few would cut
  // something off.
  const auto movie_ticks = [&](const Track& track, uint64_t until) {
    const uint64_t start = track.edits.back().media_time.get();
    const uint64_t length = until > start ? until - start : 0;
    return (length * clock->timescale + track.media_scale - 1) / track.media_scale;
  };
  unsigned changed = 0;
  uint64_t longest = 0;
  for (const Track& track : tracks) {
    if (samples > 0 && track.sample_rate.value_or(0) > 0) {
      const Edit& shown = track.edits.back();
      shown.media_time.set(shown.media_time.get() +
                           samples * track.media_scale / *track.sample_rate);
      track.set_last_edit(std::min(movie_ticks(track, track.media_length), shown.duration.get()));
      changed++;
    } else if (track.shown_until && !track.edits.empty() && !track.edits.back().empty()) {
      const uint64_t length = movie_ticks(track, *track.shown_until);
      if (length > track.edits.back().duration.get()) {
        track.set_last_edit(length);
        changed++;
      }
    }
    longest = std::max(longest, track.duration.get());
  }
  if (changed) clock->duration.set(longest);
  return changed;
}

}  // namespace clips::media
