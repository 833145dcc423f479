// SPDX-License-Identifier: LGPL-2.1-or-later
#include "movie.hpp"

namespace clips::cut {

namespace {
constexpr Wide kSecond = 1'000'000'000;
}

SampleTable::Cursor::Cursor(const SampleTable& table, uint64_t at) : b(table.boxes_), index(at) {
  // Times.
  uint64_t skip = at;
  int64_t dts = 0;
  for (;; ++stts) {
    const uint64_t count = be32(&b.stts[stts * 8]);
    const int64_t delta = be32(&b.stts[stts * 8 + 4]);
    if (skip < count) {
      stts_left = count - skip;
      dts += static_cast<int64_t>(skip) * delta;
      break;
    }
    skip -= count;
    dts += static_cast<int64_t>(count) * delta;
  }
  sample.dts = dts;
  skip = at;
  for (; ctts * 8 < b.ctts.size(); ++ctts) {
    const uint64_t count = be32(&b.ctts[ctts * 8]);
    if (skip < count) {
      ctts_left = count - skip;
      break;
    }
    skip -= count;
  }
  // Key frames: the first entry that is not before this sample.
  size_t low = 0, high = b.stss.size() / 4;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (be32(&b.stss[middle * 4]) < at + 1)
      low = middle + 1;
    else
      high = middle;
  }
  stss = low;
  // Place: whole runs of chunks first, then the chunk, then the sizes before this sample in it.
  skip = at;
  for (;; ++stsc) {
    const uint64_t first = be32(&b.stsc[stsc * 12]);
    const uint64_t per_chunk = be32(&b.stsc[stsc * 12 + 4]);
    const bool last_run = (stsc + 1) * 12 >= b.stsc.size();
    const uint64_t end =
        last_run ? b.stco.size() / (b.wide_offsets ? 8 : 4) + 1 : be32(&b.stsc[(stsc + 1) * 12]);
    const uint64_t samples = (end - first) * per_chunk;
    if (skip < samples || last_run) {
      chunk = first - 1 + skip / per_chunk;
      skip %= per_chunk;
      chunk_left = per_chunk - skip;
      chunk_end = end - 1;
      break;
    }
    skip -= samples;
  }
  sample.description = be32(&b.stsc[stsc * 12 + 8]);
  uint64_t offset = chunk_offset(chunk);
  if (b.constant_size) {
    offset += skip * b.constant_size;
  } else {
    for (uint64_t i = at - skip; i < at; ++i) offset += size_at(i);
  }
  sample.offset = offset;
  sample.size = size_at(at);
  load_time();
}

uint32_t SampleTable::Cursor::size_at(uint64_t i) const {
  if (b.constant_size) return b.constant_size;
  switch (b.size_bits) {
    case 4:
      return i % 2 ? b.stsz[i / 2] & 15 : b.stsz[i / 2] >> 4;
    case 8:
      return b.stsz[i];
    case 16:
      return be16(&b.stsz[i * 2]);
    default:
      return be32(&b.stsz[i * 4]);
  }
}

uint64_t SampleTable::Cursor::chunk_offset(uint64_t c) const {
  return b.wide_offsets ? be64(&b.stco[c * 8]) : be32(&b.stco[c * 4]);
}

void SampleTable::Cursor::load_time() {
  sample.duration = be32(&b.stts[stts * 8 + 4]);
  sample.pts = sample.dts;
  if (ctts * 8 < b.ctts.size()) sample.pts += static_cast<int32_t>(be32(&b.ctts[ctts * 8 + 4]));
  sample.sync = !b.has_sync;
  if (b.has_sync && stss * 4 < b.stss.size()) sample.sync = be32(&b.stss[stss * 4]) == index + 1;
}

void SampleTable::Cursor::load_chunk() {
  ++chunk;
  if (chunk >= chunk_end && (stsc + 1) * 12 < b.stsc.size()) {
    ++stsc;
    const bool last_run = (stsc + 1) * 12 >= b.stsc.size();
    chunk_end =
        last_run ? b.stco.size() / (b.wide_offsets ? 8 : 4) : be32(&b.stsc[(stsc + 1) * 12]) - 1;
    sample.description = be32(&b.stsc[stsc * 12 + 8]);
  }
  chunk_left = be32(&b.stsc[stsc * 12 + 4]);
  sample.offset = chunk_offset(chunk);
}

void SampleTable::Cursor::next() {
  sample.dts += sample.duration;
  ++index;
  if (--stts_left == 0) {
    do {
      ++stts;
      stts_left = be32(&b.stts[stts * 8]);
    } while (stts_left == 0);
  }
  if (ctts * 8 < b.ctts.size() && --ctts_left == 0) {
    do {
      ++ctts;
      ctts_left = ctts * 8 < b.ctts.size() ? be32(&b.ctts[ctts * 8]) : 1;
    } while (ctts_left == 0);
  }
  while (stss * 4 < b.stss.size() && be32(&b.stss[stss * 4]) < index + 1) ++stss;
  sample.offset += sample.size;
  if (--chunk_left == 0) load_chunk();
  sample.size = size_at(index);
  load_time();
}

uint64_t SampleTable::at_or_before(int64_t time) const {
  if (!tables_) {
    const auto after = std::upper_bound(list_.begin(), list_.end(), time,
                                        [](int64_t t, const Sample& s) { return t < s.dts; });
    return after == list_.begin() ? 0 : static_cast<uint64_t>(after - list_.begin()) - 1;
  }
  uint64_t index = 0;
  int64_t dts = 0;
  for (size_t at = 0; at + 8 <= boxes_.stts.size() && index < count_; at += 8) {
    const uint64_t count = be32(&boxes_.stts[at]);
    const int64_t delta = be32(&boxes_.stts[at + 4]);
    const int64_t end = dts + static_cast<int64_t>(count) * delta;
    if (time < end) {
      if (time < dts || delta == 0) break;
      index += static_cast<uint64_t>((time - dts) / delta);
      return std::min(index, count_ - 1);
    }
    dts = end;
    index += count;
  }
  return index == 0 ? 0 : std::min(index, count_) - 1;
}

std::optional<uint64_t> SampleTable::sync_at_or_before(uint64_t index) const {
  if (count_ == 0) return std::nullopt;
  index = std::min(index, count_ - 1);
  if (!tables_) {
    for (uint64_t i = index + 1; i-- > 0;)
      if (list_[i].sync) return i;
    return std::nullopt;
  }
  if (!boxes_.has_sync) return index;
  size_t low = 0, high = boxes_.stss.size() / 4;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (be32(&boxes_.stss[middle * 4]) <= index + 1)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == 0) return std::nullopt;
  const uint32_t number = be32(&boxes_.stss[(low - 1) * 4]);
  if (number == 0) return std::nullopt;
  return number - 1;
}

int64_t media_time_at(const Movie& movie, const Track& track, int64_t ns) {
  const Wide scaled = (Wide{ns} * movie.timescale - Wide{track.delay} * kSecond) * track.timescale;
  return track.media_start + static_cast<int64_t>(ceil_div(scaled, kSecond * movie.timescale));
}

int64_t media_time_across(const Movie& movie, const Track& from, int64_t time, const Track& to) {
  const Wide scaled = ((Wide{time} - from.media_start) * movie.timescale +
                       (Wide{from.delay} - to.delay) * from.timescale) *
                      to.timescale;
  return to.media_start +
         static_cast<int64_t>(round_div(scaled, Wide{from.timescale} * movie.timescale));
}

int64_t stream_time(const Movie& movie, const Track& track, int64_t time) {
  const Wide scaled =
      ((Wide{time} - track.media_start) * movie.timescale + Wide{track.delay} * track.timescale) *
      kSecond;
  return static_cast<int64_t>(round_div(scaled, Wide{track.timescale} * movie.timescale));
}

}  // namespace clips::cut
