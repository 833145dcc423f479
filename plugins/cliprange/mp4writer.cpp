// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mp4writer.hpp"

#include <limits>
#include <numeric>

namespace clips::cut {

namespace {

// A chunk ends here so that players need not buffer more.
constexpr uint64_t kChunkBytes = 1 << 20;

}  // namespace

uint32_t MovieWriter::movie_timescale() const {
  // The least clock on which every track's edits are whole numbers.
  uint64_t scale = 1;
  for (const OutputTrack& track : tracks_) {
    scale = std::lcm(scale, uint64_t{track.timescale});
    if (scale > 0x7fffffff) return std::max(tracks_[0].timescale, 1000u);
  }
  return static_cast<uint32_t>(scale);
}

void MovieWriter::interleave() {
  uint64_t offset = 0;
  uint64_t chunk_bytes = 0;
  int64_t chunk_time = 0;
  for (const Item& item : in_order()) {
    const auto& piece = *item.piece;
    if (!chunks_.empty() && chunks_.back().track == item.track &&
        chunk_bytes + piece.bytes <= kChunkBytes && item.time - chunk_time < 500'000) {
      chunks_.back().samples += piece.samples;
      chunk_bytes += piece.bytes;
    } else {
      chunks_.push_back({item.track, piece.samples, offset});
      chunk_bytes = piece.bytes;
      chunk_time = item.time;
    }
    add_run(piece.store, piece.offset, piece.bytes);
    offset += piece.bytes;
  }
  media_size_ = offset;
}

// Everything is later by what has to be decoded ahead of the presentation in any track, so that no
// time is negative; the edit lists take that away again.
std::vector<MovieWriter::Shift> MovieWriter::shifts() const {
  int64_t ahead = 0;  // ns
  for (const OutputTrack& track : tracks_)
    ahead = std::max(
        ahead, static_cast<int64_t>(round_div(Wide{track.media_start - track.delay} * 1'000'000'000,
                                              track.timescale)));
  std::vector<Shift> shifts;
  for (const OutputTrack& track : tracks_) {
    const int64_t edit =
        static_cast<int64_t>(floor_div(Wide{ahead} * track.timescale + 999'999'999, 1'000'000'000));
    shifts.push_back({std::max<int64_t>(edit + track.delay - track.media_start, 0), edit});
  }
  return shifts;
}

void MovieWriter::finish_fragments() {
  const std::vector<Shift> shift = shifts();
  // The rows of each piece's packets: duration, size, flags, composition offset.
  struct Table {
    Bytes rows;
    uint32_t samples = 0;
    int64_t dts = 0;
    uint64_t bytes = 0;
  };
  std::vector<std::vector<Table>> tables(tracks_.size());
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const TrackBuilder& packets = tracks_[i].packets;
    const bool video = tracks_[i].source->kind == TrackKind::Video;
    size_t piece = 0;
    uint32_t within = 0;
    packets.each([&](const TrackBuilder::Packet& packet) {
      if (tables[i].size() == piece) {
        tables[i].emplace_back();
        tables[i].back().dts = packet.dts - packets.first_dts() + shift[i].media;
      }
      Table& table = tables[i].back();
      ByteWriter row;
      row.u32(static_cast<uint32_t>(packet.duration));
      row.u32(packet.size);
      // ISO/IEC 14496-12, 8.8.3.1: depends on no other, or on others and is no sync sample.
      row.u32(!video || packet.sync ? 0x02000000 : 0x01010000);
      row.u32(static_cast<uint32_t>(static_cast<int32_t>(packet.pts - packet.dts)));
      table.rows.insert(table.rows.end(), row.out.begin(), row.out.end());
      ++table.samples;
      table.bytes += packet.size;
      if (++within == packets.pieces()[piece].samples) {
        ++piece;
        within = 0;
      }
    });
  }

  ByteWriter w;
  const size_t mark = w.box(fourcc("ftyp"));
  w.text("iso6");
  w.u32(0x200);
  w.text("iso6iso2mp41");
  w.end(mark);
  head_ = std::move(w.out);
  const Bytes index = moov(0, false);
  head_.insert(head_.end(), index.begin(), index.end());

  const std::vector<Item> items = in_order();
  const auto microseconds = static_cast<int64_t>(fragment_duration_ / 1000);
  std::vector<size_t> next(tracks_.size(), 0);  // piece
  uint32_t number = 0;
  for (size_t first = 0; first < items.size();) {
    size_t last = first;
    while (last < items.size() && items[last].time - items[first].time < microseconds) ++last;
    ByteWriter moof;
    const size_t box = moof.box(fourcc("moof"));
    const size_t mfhd = moof.full_box(fourcc("mfhd"), 0, 0);
    moof.u32(++number);
    moof.end(mfhd);
    struct Patch {
      size_t at;        // of a data offset in the moof
      uint64_t offset;  // in the media
    };
    std::vector<Patch> patches;
    for (size_t track = 0; track < tracks_.size(); ++track) {
      size_t traf = 0;
      uint64_t offset = 0;
      for (size_t i = first; i < last; ++i) {
        if (items[i].track == track) {
          const Table& table = tables[track][next[track]++];
          if (traf == 0) {
            traf = moof.box(fourcc("traf"));
            // Offsets count from the moof.
            const size_t tfhd = moof.full_box(fourcc("tfhd"), 0, 0x020000);
            moof.u32(static_cast<uint32_t>(track + 1));
            moof.end(tfhd);
            const size_t tfdt = moof.full_box(fourcc("tfdt"), 1, 0);
            moof.u64(static_cast<uint64_t>(table.dts));
            moof.end(tfdt);
          }
          // Data offset; and of each packet duration, size, flags, composition offset (signed).
          const size_t trun = moof.full_box(fourcc("trun"), 1, 0x000f01);
          moof.u32(table.samples);
          patches.push_back({moof.out.size(), offset});
          moof.u32(0);
          moof.raw(table.rows);
          moof.end(trun);
        }
        offset += items[i].piece->bytes;
      }
      if (traf != 0) moof.end(traf);
    }
    moof.end(box);
    uint64_t media = 0;
    for (size_t i = first; i < last; ++i) media += items[i].piece->bytes;
    const size_t header = media + 8 > 0xffffffff ? 16 : 8;
    for (const Patch& patch : patches)
      moof.put32(patch.at, static_cast<uint32_t>(moof.out.size() + header + patch.offset));
    if (header == 16) {
      moof.u32(1);
      moof.text("mdat");
      moof.u64(media + 16);
    } else {
      moof.u32(static_cast<uint32_t>(media + 8));
      moof.text("mdat");
    }
    add_run(Store::Written, written_.size(), moof.out.size());
    written_.insert(written_.end(), moof.out.begin(), moof.out.end());
    for (size_t i = first; i < last; ++i)
      add_run(items[i].piece->store, items[i].piece->offset, items[i].piece->bytes);
    total_ += moof.out.size() + media;
    first = last;
  }
  total_ += head_.size();
}

Result<bool> MovieWriter::finish() {
  if (fragmented()) {
    finish_fragments();
    return true;
  }
  interleave();
  ByteWriter w;
  const size_t mark = w.box(fourcc("ftyp"));
  if (container_ == Container::Mov) {
    w.text("qt  ");
    w.u32(0x20050300);
    w.text("qt  ");
  } else {
    w.text("isom");
    w.u32(0x200);
    w.text("isomiso2mp41");
  }
  w.end(mark);

  bool wide = false;
  const auto lay_out = [&] {
    const uint64_t size = moov(0, wide).size();
    const uint64_t header = media_size_ + 8 > 0xffffffff ? 16 : 8;
    const uint64_t media_offset = w.out.size() + (moov_first_ ? size : 0) + header;
    total_ = w.out.size() + size + header + media_size_;
    return media_offset;
  };
  uint64_t media_offset = lay_out();
  if (media_offset + media_size_ > 0xffffffff) {
    wide = true;
    media_offset = lay_out();
  }
  const Bytes index = moov(media_offset, wide);
  head_ = w.out;
  if (moov_first_)
    head_.insert(head_.end(), index.begin(), index.end());
  else
    tail_ = index;
  ByteWriter media;
  if (media_size_ + 8 > 0xffffffff) {
    media.u32(1);
    media.text("mdat");
    media.u64(media_size_ + 16);
  } else {
    media.u32(static_cast<uint32_t>(media_size_ + 8));
    media.text("mdat");
  }
  head_.insert(head_.end(), media.out.begin(), media.out.end());
  return true;
}

Bytes MovieWriter::moov(uint64_t media_offset, bool wide) const {
  const uint32_t scale = movie_timescale();
  uint64_t longest = 0;
  for (const OutputTrack& track : tracks_)
    longest = std::max(longest, static_cast<uint64_t>(round_div(
                                    Wide{track.delay + track.length} * scale, track.timescale)));
  const bool long_movie = longest > 0xffffffff;
  const uint64_t in_tables = fragmented() ? 0 : longest;
  ByteWriter w;
  const size_t mark = w.box(fourcc("moov"));
  const size_t mvhd = w.full_box(fourcc("mvhd"), long_movie, 0);
  w.zeros(long_movie ? 16 : 8);  // no dates: the same request gives the same bytes
  w.u32(scale);
  if (long_movie)
    w.u64(in_tables);
  else
    w.u32(static_cast<uint32_t>(in_tables));
  w.u32(0x10000);
  w.u16(0x100);
  w.zeros(10);
  static constexpr uint32_t kUnity[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
  for (const uint32_t v : kUnity) w.u32(v);
  w.zeros(24);
  w.u32(static_cast<uint32_t>(tracks_.size() + 1));
  w.end(mvhd);
  for (size_t i = 0; i < tracks_.size(); ++i) trak(w, i, scale, media_offset, wide);
  if (fragmented()) {
    const size_t mvex = w.box(fourcc("mvex"));
    const size_t mehd = w.full_box(fourcc("mehd"), 1, 0);
    w.u64(longest);
    w.end(mehd);
    for (size_t i = 0; i < tracks_.size(); ++i) {
      const size_t trex = w.full_box(fourcc("trex"), 0, 0);
      w.u32(static_cast<uint32_t>(i + 1));
      w.u32(1);  // sample description
      w.zeros(12);
      w.end(trex);
    }
    w.end(mvex);
  }
  w.end(mark);
  return std::move(w.out);
}

void MovieWriter::trak(ByteWriter& w, size_t index, uint32_t scale, uint64_t media_offset,
                       bool wide) const {
  const OutputTrack& track = tracks_[index];
  const TrackBuilder& p = track.packets;
  const Track& source = *track.source;
  const auto in_movie = [&](int64_t ticks) {
    return static_cast<uint64_t>(round_div(Wide{ticks} * scale, track.timescale));
  };
  const uint64_t total = in_movie(track.delay + track.length);
  const bool long_track = total > 0xffffffff;
  const uint64_t in_tables = fragmented() ? 0 : total;

  const size_t mark = w.box(fourcc("trak"));
  const size_t tkhd = w.full_box(fourcc("tkhd"), long_track, source.flags);
  w.zeros(long_track ? 16 : 8);
  w.u32(static_cast<uint32_t>(index + 1));
  w.u32(0);
  if (long_track)
    w.u64(in_tables);
  else
    w.u32(static_cast<uint32_t>(in_tables));
  w.zeros(8);
  w.u16(source.layer);
  w.u16(source.group);
  w.u16(source.volume);
  w.u16(0);
  w.raw(source.matrix);
  w.u32(source.width);
  w.u32(source.height);
  w.end(tkhd);

  const size_t edts = w.box(fourcc("edts"));
  const size_t elst = w.full_box(fourcc("elst"), long_track, 0);
  const auto edit = [&](uint64_t length, int64_t start) {
    if (long_track) {
      w.u64(length);
      w.u64(static_cast<uint64_t>(start));
    } else {
      w.u32(static_cast<uint32_t>(length));
      w.u32(static_cast<uint32_t>(start));
    }
    w.u32(0x10000);
  };
  if (fragmented()) {
    w.u32(1);
    edit(total, shifts()[index].edit);
  } else {
    w.u32(track.delay > 0 ? 2 : 1);
    const uint64_t pause = in_movie(track.delay);
    if (track.delay > 0) edit(pause, -1);
    edit(total - pause, track.media_start);
  }
  w.end(elst);
  w.end(edts);

  const size_t mdia = w.box(fourcc("mdia"));
  const auto media_duration = static_cast<uint64_t>(fragmented() ? 0 : p.duration_);
  const bool long_media = media_duration > 0xffffffff;
  const size_t mdhd = w.full_box(fourcc("mdhd"), long_media, 0);
  w.zeros(long_media ? 16 : 8);
  w.u32(track.timescale);
  if (long_media)
    w.u64(media_duration);
  else
    w.u32(static_cast<uint32_t>(media_duration));
  w.u16(source.language);
  w.u16(0);
  w.end(mdhd);
  const size_t hdlr = w.full_box(fourcc("hdlr"), 0, 0);
  w.u32(container_ == Container::Mov ? fourcc("mhlr") : 0);
  w.u32(source.handler);
  w.zeros(12);
  if (source.handler_name.empty())
    w.u8(0);
  else
    w.raw(source.handler_name);
  w.end(hdlr);

  const size_t minf = w.box(fourcc("minf"));
  w.raw(source.media_header);
  if (container_ == Container::Mov) {
    const size_t data = w.full_box(fourcc("hdlr"), 0, 0);
    w.text("dhlrurl ");
    w.zeros(12);
    w.u8(0);
    w.end(data);
  }
  const size_t dinf = w.box(fourcc("dinf"));
  const size_t dref = w.full_box(fourcc("dref"), 0, 0);
  w.u32(1);
  const size_t url = w.full_box(fourcc("url "), 0, 1);
  w.end(url);
  w.end(dref);
  w.end(dinf);

  const size_t stbl = w.box(fourcc("stbl"));
  const size_t stsd = w.full_box(fourcc("stsd"), 0, 0);
  w.u32(1);
  w.raw(track.description);
  w.end(stsd);

  if (fragmented())
    no_tables(w);
  else
    sample_tables(w, index, media_offset, wide);
  w.end(stbl);
  w.end(minf);
  w.end(mdia);
  w.end(mark);
}

// A fragmented movie has the mandatory ones, empty.
void MovieWriter::no_tables(ByteWriter& w) const {
  for (const uint32_t name : {fourcc("stts"), fourcc("stsc"), fourcc("stco")}) {
    const size_t table = w.full_box(name, 0, 0);
    w.u32(0);
    w.end(table);
  }
  const size_t stsz = w.full_box(fourcc("stsz"), 0, 0);
  w.zeros(8);
  w.end(stsz);
}

void MovieWriter::sample_tables(ByteWriter& w, size_t index, uint64_t media_offset,
                                bool wide) const {
  const TrackBuilder& p = tracks_[index].packets;
  const Track& source = *tracks_[index].source;
  const size_t stts = w.full_box(fourcc("stts"), 0, 0);
  w.u32(static_cast<uint32_t>(p.stts_.size()));
  for (const auto& entry : p.stts_) {
    w.u32(entry.count);
    w.u32(static_cast<uint32_t>(entry.value));
  }
  w.end(stts);
  if (p.shifted_) {
    const size_t ctts = w.full_box(fourcc("ctts"), p.negative_, 0);
    w.u32(static_cast<uint32_t>(p.ctts_.size()));
    for (const auto& entry : p.ctts_) {
      w.u32(entry.count);
      w.u32(static_cast<uint32_t>(static_cast<int32_t>(entry.value)));
    }
    w.end(ctts);
  }
  if (source.kind == TrackKind::Video && p.sync_.size() != p.count_) {
    const size_t stss = w.full_box(fourcc("stss"), 0, 0);
    w.u32(static_cast<uint32_t>(p.sync_.size()));
    for (const uint32_t number : p.sync_) w.u32(number);
    w.end(stss);
  }

  const size_t stsc = w.full_box(fourcc("stsc"), 0, 0);
  const size_t stsc_count = w.out.size();
  w.u32(0);
  uint32_t runs = 0, chunk_number = 0, previous = 0;
  for (const Chunk& chunk : chunks_) {
    if (chunk.track != index) continue;
    ++chunk_number;
    if (chunk.samples == previous) continue;
    previous = chunk.samples;
    ++runs;
    w.u32(chunk_number);
    w.u32(chunk.samples);
    w.u32(1);
  }
  w.put32(stsc_count, runs);
  w.end(stsc);

  const size_t stsz = w.full_box(fourcc("stsz"), 0, 0);
  w.u32(p.constant_size_);
  w.u32(static_cast<uint32_t>(p.count_));
  for (const uint32_t size : p.sizes_) w.u32(size);
  w.end(stsz);

  const size_t stco = w.full_box(wide ? fourcc("co64") : fourcc("stco"), 0, 0);
  w.u32(chunk_number);
  for (const Chunk& chunk : chunks_) {
    if (chunk.track != index) continue;
    if (wide)
      w.u64(media_offset + chunk.offset);
    else
      w.u32(static_cast<uint32_t>(media_offset + chunk.offset));
  }
  w.end(stco);
}

}  // namespace clips::cut
