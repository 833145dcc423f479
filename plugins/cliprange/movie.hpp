// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bytes.hpp"

namespace clips::cut {

// One stored packet of a track. Times are ticks of the track's time scale, on the media's own
// clock (before edit lists).
struct Sample {
  uint64_t offset = 0;  // in the source
  uint32_t size = 0;
  int64_t dts = 0;
  int64_t pts = 0;
  int64_t duration = 0;
  uint32_t description = 1;  // 1-based sample description
  bool sync = false;
};

// The packets of a track. Two forms: the tables of an MP4 `stbl`, walked where they lie (an hour of
// video and sound is 4 MB of tables but 13 MB of Sample), or a list for containers without tables.
class SampleTable {
 public:
  // Views into the bytes of a moov, already checked against their boxes.
  struct Boxes {
    ByteView stts, ctts, stss, stsz, stsc, stco;  // entries only, without counts
    uint32_t constant_size = 0;                   // 0: stsz has one entry a sample
    uint32_t size_bits = 32;                      // 4, 8, 16 (stz2) or 32
    bool has_sync = false;                        // an stss is present
    bool wide_offsets = false;                    // co64
  };

  SampleTable() = default;
  explicit SampleTable(std::vector<Sample> list) : list_(std::move(list)), count_(list_.size()) {}
  SampleTable(Boxes boxes, uint64_t count) : boxes_(boxes), count_(count), tables_(true) {}

  uint64_t count() const { return count_; }
  bool all_sync() const { return tables_ ? !boxes_.has_sync : all_sync_; }
  void set_all_sync(bool all) { all_sync_ = all; }
  uint32_t constant_size() const { return tables_ ? boxes_.constant_size : 0; }

  // Calls visit(index, sample) in decode order for [first, last); it returns false to stop.
  template <typename Visit>
  void each(uint64_t first, uint64_t last, Visit&& visit) const {
    last = std::min(last, count_);
    if (!tables_) {
      for (uint64_t i = first; i < last; ++i)
        if (!visit(i, list_[i])) return;
      return;
    }
    if (first >= last) return;
    Cursor cursor(*this, first);
    for (;;) {
      if (!visit(cursor.index, cursor.sample) || cursor.index + 1 >= last) return;
      cursor.next();
    }
  }
  // Calls visit(index, dts, pts, sync) without touching sizes and offsets: a third of the work.
  template <typename Visit>
  void each_time(Visit&& visit) const;

  Sample at(uint64_t index) const {
    Sample found;
    each(index, index + 1, [&](uint64_t, const Sample& sample) {
      found = sample;
      return false;
    });
    return found;
  }
  // The last sample whose dts is not after `time`; 0 if there is none.
  uint64_t at_or_before(int64_t time) const;
  // The last sync sample at or before `index`, or nothing.
  std::optional<uint64_t> sync_at_or_before(uint64_t index) const;

 private:
  struct Cursor {
    Cursor(const SampleTable& table, uint64_t at);
    void next();

    const Boxes& b;
    uint64_t index;
    Sample sample;

   private:
    uint32_t size_at(uint64_t i) const;
    uint64_t chunk_offset(uint64_t chunk) const;
    void load_time();
    void load_chunk();
    size_t stts = 0, ctts = 0, stss = 0, stsc = 0;  // entries
    uint64_t stts_left = 0, ctts_left = 0;          // samples left in the entry, this one included
    uint64_t chunk = 0, chunk_left = 0, chunk_end = 0;
  };

  Boxes boxes_;
  std::vector<Sample> list_;
  uint64_t count_ = 0;
  bool tables_ = false;
  bool all_sync_ = false;
};

enum class TrackKind { Video, Audio, Text, Other };

struct Track {
  uint32_t id = 0;
  TrackKind kind = TrackKind::Other;
  uint32_t codec = 0;      // four characters of the sample description
  uint32_t timescale = 1;  // ticks a second
  std::vector<Bytes> descriptions;

  // Presentation: media time `media_start` is shown at `delay` (of Movie::timescale) and, where
  // `media_length` is set, only so many media ticks of it.
  int64_t media_start = 0;
  std::optional<int64_t> media_length;
  int64_t delay = 0;
  std::string edit_fault;  // not empty: an edit list that cannot be expressed like that

  // Carried over as they are.
  Bytes media_header;  // vmhd, smhd, gmhd, ...
  std::array<uint8_t, 36> matrix{};
  uint32_t width = 0, height = 0;  // 16.16
  uint32_t flags = 3;
  uint16_t volume = 0, layer = 0, group = 0, language = 0x55c4;
  uint32_t handler = 0;
  Bytes handler_name;

  // What the header of a windowed movie tells of all of it.
  std::vector<uint64_t> key_times;  // stream time of key frames in ns; empty: not told
  double frame_rate = 0;            // 0: not told

  // Not 0: a packet is a row of PCM, of this many bytes a moment. MP4 stores each moment by itself.
  uint32_t moment = 0;
  SampleTable samples;
};

enum class Container { Mp4, Mov, Matroska, MpegTs, Flv, Avi };

class PacketMap;

struct Movie {
  Container container = Container::Mp4;
  bool fragmented = false;
  uint32_t timescale = 1000;  // of Track::delay
  std::vector<Track> tracks;
  std::vector<std::string> notes;  // what was left out, for a warning
  uint64_t source_size = 0;
  // Only packets around a wanted range are in it: pictures cannot be numbered.
  bool windowed = false;
  uint64_t duration = 0;  // of a windowed movie in ns, if its header tells; else 0
  // The source ends in the middle of a packet: what comes last in the index is not its end.
  bool cut_short = false;
  // Places of the source behind which packets are missing, because it is damaged there.
  std::vector<uint64_t> damages;
  std::shared_ptr<const Bytes> storage;  // what the sample tables look into
  // Set where packets do not stand in the source as samples do; source_size then is the map's.
  std::shared_ptr<const PacketMap> packets;

  const Track* video() const {
    for (const Track& track : tracks)
      if (track.kind == TrackKind::Video) return &track;
    return nullptr;
  }
};

// Media time of a track at `ns` of stream time, rounded up: the first timestamp not before it.
int64_t media_time_at(const Movie& movie, const Track& track, int64_t ns);
// The same moment on another track's media clock, rounded to its nearest tick.
int64_t media_time_across(const Movie& movie, const Track& from, int64_t time, const Track& to);
// Stream time in nanoseconds, rounded to the nearest.
int64_t stream_time(const Movie& movie, const Track& track, int64_t time);

// ---

template <typename Visit>
void SampleTable::each_time(Visit&& visit) const {
  if (!tables_) {
    for (uint64_t i = 0; i < count_; ++i) visit(i, list_[i].dts, list_[i].pts, list_[i].sync);
    return;
  }
  const uint8_t* stts = boxes_.stts.data();
  const uint8_t* ctts = boxes_.ctts.data();
  const uint8_t* ctts_end = ctts + boxes_.ctts.size();
  const uint8_t* stss = boxes_.stss.data();
  const uint8_t* stss_end = stss + boxes_.stss.size();
  uint64_t left = 0, ctts_left = 0;
  int64_t dts = 0, delta = 0;
  int32_t shift = 0;
  for (uint64_t i = 0; i < count_; ++i) {
    while (left == 0) {
      left = be32(stts);
      delta = be32(stts + 4);
      stts += 8;
    }
    while (ctts_left == 0) {
      if (ctts == ctts_end) {
        ctts_left = UINT64_MAX;
        shift = 0;
        break;
      }
      ctts_left = be32(ctts);
      shift = static_cast<int32_t>(be32(ctts + 4));
      ctts += 8;
    }
    bool sync = !boxes_.has_sync;
    while (!sync && stss != stss_end && be32(stss) <= i + 1) {
      sync = be32(stss) == i + 1;
      stss += 4;
    }
    visit(i, dts, dts + shift, sync);
    dts += delta;
    --left;
    --ctts_left;
  }
}

}  // namespace clips::cut
