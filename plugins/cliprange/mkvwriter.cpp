// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mkvwriter.hpp"

#include <bit>

#include "nal.hpp"
#include "sampleentry.hpp"

namespace clips::cut {

namespace {

// A tenth of a millisecond: fine enough for any picture rate, and 3 s from a cluster's own time fit
// into 16 bits.
constexpr int64_t kTick = 100'000;  // ns
constexpr int64_t kLongestCluster = 2'000'000'000 / kTick;
constexpr int64_t kFarthestBlock = 32'000;
constexpr int64_t kCueDistance = 1'000'000'000 / kTick;  // where there are no pictures
constexpr Wide kSecond = 1'000'000'000;
constexpr uint32_t kProresHeader = 8;  // a box header that Matroska leaves out

void id(ByteWriter& w, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    if (value >> shift) w.u8(value >> shift);
}

// A size of the given number of bytes; 0: of as many as it needs.
void size(ByteWriter& w, uint64_t value, int bytes = 0) {
  if (bytes == 0)
    for (bytes = 1; value >= (uint64_t{1} << (7 * bytes)) - 1; ++bytes) {
    }
  for (int i = bytes - 1; i >= 0; --i) {
    const auto byte = static_cast<uint32_t>(value >> (8 * i)) & 0xffu;
    w.u8(i == bytes - 1 ? byte | 1u << (8 - bytes) : byte);
  }
}

void element(ByteWriter& w, uint32_t name, ByteView payload) {
  id(w, name);
  size(w, payload.size());
  w.raw(payload);
}

void number(ByteWriter& w, uint32_t name, uint64_t value) {
  const int bytes = std::max(1, (static_cast<int>(std::bit_width(value)) + 7) / 8);
  id(w, name);
  size(w, static_cast<uint64_t>(bytes));
  for (int i = bytes - 1; i >= 0; --i) w.u8(static_cast<uint32_t>(value >> (8 * i)));
}

void real(ByteWriter& w, uint32_t name, double value) {
  id(w, name);
  size(w, 8);
  w.u64(std::bit_cast<uint64_t>(value));
}

void text(ByteWriter& w, uint32_t name, std::string_view value) {
  id(w, name);
  size(w, value.size());
  w.text(value);
}

struct Codec {
  const char* id = nullptr;
  Bytes config;
  bool prores = false;
  uint32_t pcm_frame = 0;      // bytes of one moment of all channels; 0: not PCM
  uint64_t seek_pre_roll = 0;  // ns
};

Bytes copy_of(const std::optional<ByteView>& view) {
  return view ? Bytes(view->begin(), view->end()) : Bytes();
}

// Ogg's header of Opus, from a dOps: its numbers the other way round. The decoder itself drops
// `skip` samples.
Bytes opus_head(ByteView box, uint64_t skip) {
  ByteWriter w;
  if (box.size() < 11) return {};
  w.text("OpusHead");
  w.u8(1);
  w.u8(box[1]);
  w.u8(skip & 255u);
  w.u8(skip >> 8 & 255u);
  for (size_t i = 8; i-- > 4;) w.u8(box[i]);
  w.u8(box[9]);
  w.u8(box[8]);
  w.raw(box.subspan(10));
  return std::move(w.out);
}

Codec codec_of(uint32_t code, ByteView entry, uint64_t skip) {
  Codec c;
  switch (code) {
    case fourcc("avc1"):
    case fourcc("avc3"):
      c.id = "V_MPEG4/ISO/AVC";
      c.config = copy_of(visual_entry_box(entry, fourcc("avcC")));
      return c;
    case fourcc("hvc1"):
    case fourcc("hev1"):
      c.id = "V_MPEGH/ISO/HEVC";
      c.config = copy_of(visual_entry_box(entry, fourcc("hvcC")));
      return c;
    case fourcc("av01"):
      c.id = "V_AV1";
      c.config = copy_of(visual_entry_box(entry, fourcc("av1C")));
      return c;
    case fourcc("vp08"):
      c.id = "V_VP8";
      return c;
    case fourcc("vp09"):
      c.id = "V_VP9";
      return c;
    case fourcc("jpeg"):
    case fourcc("mjpa"):
      c.id = "V_MJPEG";
      return c;
    case fourcc("apco"):
    case fourcc("apcs"):
    case fourcc("apcn"):
    case fourcc("apch"):
    case fourcc("ap4h"):
    case fourcc("ap4x"): {
      c.id = "V_PRORES";
      ByteWriter w;
      w.u32(code);
      c.config = std::move(w.out);
      c.prores = true;
      return c;
    }
    case fourcc("mp4a"): {
      const auto box = sound_entry_box(entry, fourcc("esds"));
      const auto is = box ? read_esds(*box) : std::nullopt;
      if (!is) return c;
      c.config = is->specific;
      if (is->object_type == 0x40 || (is->object_type >= 0x66 && is->object_type <= 0x68))
        c.id = "A_AAC";
      if (is->object_type == 0x69 || is->object_type == 0x6b) c.id = "A_MPEG/L3";
      if (is->object_type == 0xdd) c.id = "A_VORBIS";
      return c;
    }
    case fourcc(".mp3"):
      c.id = "A_MPEG/L3";
      return c;
    case fourcc("Opus"): {
      const auto box = sound_entry_box(entry, fourcc("dOps"));
      if (box) c.config = opus_head(*box, skip);
      if (!c.config.empty()) c.id = "A_OPUS";
      c.seek_pre_roll = 80'000'000;
      return c;
    }
    case fourcc("ac-3"):
      c.id = "A_AC3";
      return c;
    case fourcc("ec-3"):
      c.id = "A_EAC3";
      return c;
    case fourcc("fLaC"): {
      const auto box = sound_entry_box(entry, fourcc("dfLa"));
      if (!box || box->size() < 4) return c;
      c.id = "A_FLAC";
      ByteWriter w;
      w.text("fLaC");
      w.raw(box->subspan(4));
      c.config = std::move(w.out);
      return c;
    }
    case fourcc("sowt"):
    case fourcc("twos"): {
      const Sound is = sound_of(entry);
      // QuickTime's second version describes itself in other fields.
      if (is.bits != 16 || is.channels == 0 || is.rate == 0) return c;
      c.id = code == fourcc("sowt") ? "A_PCM/INT/LIT" : "A_PCM/INT/BIG";
      c.pcm_frame = is.channels * 2;
      return c;
    }
    default:
      return c;
  }
}

int64_t to_ticks(int64_t value, uint32_t scale) {
  return static_cast<int64_t>(round_div(Wide{value} * kSecond, Wide{scale} * kTick));
}

int64_t to_ns(int64_t value, uint32_t scale) {
  return static_cast<int64_t>(round_div(Wide{value} * kSecond, Wide{scale}));
}

}  // namespace

std::string MkvWriter::why_not(const Track& track) const {
  if (track.kind == TrackKind::Text) return "MP4's text is not converted to Matroska's";
  if (!codec_of(track.codec, track.descriptions[0], 0).id)
    return "this codec is not written to Matroska";
  return {};
}

// A list of all blocks in the order of the file.
Result<bool> MkvWriter::gather() {
  struct Cursor {
    std::vector<Block> blocks;
    std::vector<uint64_t> first;  // of each block, counted in packets
    uint64_t packets = 0;         // of the pieces so far
    size_t next = 0;
  };
  std::vector<Cursor> cursors(tracks_.size());
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const OutputTrack& track = tracks_[i];
    const bool picture = track.source->kind == TrackKind::Video;
    const Codec codec = codec_of(be32(track.description.data() + 4), track.description, 0);
    const int64_t zero = track.packets.first_dts();
    // Sound begins with what is not heard, which CodecDelay takes off its times. Pictures are all
    // shown, the first one at 0.
    const int64_t shift = track.delay - zero - (picture ? track.media_start : 0);
    const int64_t shown_end = zero + track.media_start + track.length;
    Cursor& c = cursors[i];
    int64_t behind = 0;
    uint64_t count = 0;
    std::optional<Error> error;
    track.packets.each([&](const TrackBuilder::Packet& p) {
      const uint64_t packet = count++;
      behind = p.pts + p.duration;
      // PCM is stored by the sample; blocks of 40 ms.
      if (codec.pcm_frame && !c.blocks.empty()) {
        Block& last = c.blocks.back();
        if (last.store == p.store && last.offset + last.size == p.offset &&
            last.size + p.size <= track.timescale / 25 * codec.pcm_frame) {
          last.size += p.size;
          return;
        }
      }
      Block b{};
      b.track = static_cast<uint32_t>(i);
      b.store = p.store;
      b.offset = p.offset;
      b.size = p.size;
      b.time = to_ticks(p.pts + shift, track.timescale);
      b.key = p.sync;
      if (codec.prores && b.size > kProresHeader) {
        b.offset += kProresHeader;
        b.size -= kProresHeader;
      }
      if (b.time < 0 || (picture && p.pts + p.duration <= zero + track.media_start))
        error = Error{Fault::Unsupported,
                      "Matroska cannot hide pictures, as the mode needs. Use mode=smart, exact or "
                      "copy, or an MP4.",
                      "a picture in front of the clip's first"};
      c.blocks.push_back(b);
      c.first.push_back(packet);
    });
    if (error) return tl::make_unexpected(*error);
    if (!picture && !c.blocks.empty() && behind > shown_end)
      c.blocks.back().discard = static_cast<uint64_t>(to_ns(behind - shown_end, track.timescale));
    end_ = std::max(end_, to_ns(track.delay + track.length, track.timescale));
  }
  // Pieces are stretches of packets; PCM's blocks may span several.
  for (const Item& item : in_order()) {
    Cursor& c = cursors[item.track];
    c.packets += item.piece->samples;
    while (c.next < c.blocks.size() && c.first[c.next] < c.packets)
      blocks_.push_back(c.blocks[c.next++]);
  }
  return true;
}

void MkvWriter::gather_clusters() {
  bool pictures = false;
  for (const OutputTrack& track : tracks_) pictures |= track.source->kind == TrackKind::Video;
  int64_t cued = INT64_MIN / 2;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Block& b = blocks_[i];
    const bool picture = tracks_[b.track].source->kind == TrackKind::Video;
    const bool cue = picture ? b.key : !pictures && b.time - cued >= kCueDistance;
    const int64_t apart = clusters_.empty() ? 0 : b.time - clusters_.back().time;
    if (clusters_.empty() || apart >= kLongestCluster || apart < -kFarthestBlock ||
        (cue && apart >= kCueDistance)) {
      clusters_.push_back({i, i, b.time, 0, 0});
    }
    Cluster& c = clusters_.back();
    c.end = i + 1;
    if (cue) {
      cues_.push_back({clusters_.size() - 1, b.track, b.time});
      cued = b.time;
    }
    ByteWriter w;
    const uint64_t payload = uint64_t{b.size} + 4;  // track, time, flags
    if (b.discard) {
      ByteWriter discard;
      number(discard, 0x75a2, b.discard);
      // A leading 1 bit would make it negative.
      if (discard.out[3] & 0x80u) {
        discard.out[2] = static_cast<uint8_t>(discard.out[2] + 1);
        discard.out.insert(discard.out.begin() + 3, 0);
      }
      ByteWriter block;
      id(block, 0xa1);
      size(block, payload);
      id(w, 0xa0);
      size(w, block.out.size() + payload + discard.out.size());
      w.raw(discard.out);
      w.raw(block.out);
    } else {
      id(w, 0xa3);
      size(w, payload);
    }
    w.u8(0x80u | (b.track + 1));
    w.u16(static_cast<uint32_t>(b.time - c.time));
    w.u8(b.discard ? 0 : b.key ? 0x80 : 0);
    b.header = w.out.size();
    b.bytes = b.header + b.size;
    c.bytes += b.bytes;
    written_.insert(written_.end(), w.out.begin(), w.out.end());
  }
}

void MkvWriter::track_entry(ByteWriter& w, size_t index) const {
  const OutputTrack& track = tracks_[index];
  const ByteView entry(track.description);
  const bool is_picture = track.source->kind == TrackKind::Video;
  const Codec codec = codec_of(be32(entry.data() + 4), entry,
                               static_cast<uint64_t>(is_picture ? 0 : track.media_start));
  number(w, 0xd7, index + 1);
  number(w, 0x73c5, index + 1);
  number(w, 0x83, is_picture ? 1 : 2);
  number(w, 0x9c, 0);  // no lacing
  if (!(track.source->flags & 1u)) number(w, 0x88, 0);
  const uint16_t packed = track.source->language;
  std::string language;
  for (int shift = 10; shift >= 0; shift -= 5)
    language += static_cast<char>(0x60 + (packed >> shift & 31));
  text(w, 0x22b59c, language);
  text(w, 0x86, codec.id);
  if (!codec.config.empty()) element(w, 0x63a2, codec.config);
  if (codec.seek_pre_roll) number(w, 0x56bb, codec.seek_pre_roll);
  ByteWriter inner;
  if (is_picture) {
    const Picture is = picture_of(entry);
    number(inner, 0xb0, is.width);
    number(inner, 0xba, is.height);
    if (is.pixel_width != is.pixel_height) {
      number(inner, 0x54b0, uint64_t{is.width} * is.pixel_width / is.pixel_height);
      number(inner, 0x54ba, is.height);
    }
    if (is.colour.known()) {
      ByteWriter colour;
      number(colour, 0x55b1, is.colour.matrix);
      number(colour, 0x55b9, is.colour.full_range ? 2 : 1);
      number(colour, 0x55ba, is.colour.transfer);
      number(colour, 0x55bb, is.colour.primaries);
      element(inner, 0x55b0, colour.out);
    }
    element(w, 0xe0, inner.out);
    return;
  }
  if (track.media_start > 0)
    number(w, 0x56aa, static_cast<uint64_t>(to_ns(track.media_start, track.timescale)));
  const Sound is = sound_of(entry);
  real(inner, 0xb5, is.rate ? is.rate : track.timescale);
  number(inner, 0x9f, std::max(1u, is.channels));
  if (codec.pcm_frame) number(inner, 0x6264, is.bits);
  element(w, 0xe1, inner.out);
}

Bytes MkvWriter::tracks_element() const {
  ByteWriter all;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    ByteWriter w;
    track_entry(w, i);
    element(all, 0xae, w.out);
  }
  ByteWriter w;
  element(w, 0x1654ae6b, all.out);
  return std::move(w.out);
}

// `before`: where the clusters begin, counted from the segment's first byte. Every number has a
// fixed size, so that this can be laid out before that is known.
Bytes MkvWriter::cues_element(uint64_t before) const {
  ByteWriter all;
  const auto fixed = [](ByteWriter& w, uint32_t name, uint64_t value) {
    id(w, name);
    size(w, 8);
    w.u64(value);
  };
  for (const Cue& cue : cues_) {
    ByteWriter where;
    number(where, 0xf7, cue.track + 1);
    fixed(where, 0xf1, before + clusters_[cue.cluster].at);
    ByteWriter point;
    fixed(point, 0xb3, static_cast<uint64_t>(std::max<int64_t>(0, cue.time)));
    element(point, 0xb7, where.out);
    element(all, 0xbb, point.out);
  }
  ByteWriter w;
  if (!cues_.empty()) element(w, 0x1c53bb6b, all.out);
  return std::move(w.out);
}

Result<bool> MkvWriter::finish() {
  const auto gathered = gather();
  if (!gathered) return gathered;
  gather_clusters();

  // Clusters: where each stands, and the bytes in front of its blocks.
  std::vector<Bytes> heads;
  uint64_t media = 0;
  for (Cluster& c : clusters_) {
    ByteWriter time;
    number(time, 0xe7, static_cast<uint64_t>(c.time));
    ByteWriter w;
    id(w, 0x1f43b675);
    size(w, time.out.size() + c.bytes, 8);
    w.raw(time.out);
    c.at = media;
    media += w.out.size() + c.bytes;
    heads.push_back(std::move(w.out));
  }

  ByteWriter info;
  number(info, 0x2ad7b1, kTick);
  text(info, 0x4d80, "gst-plugins-clips");
  text(info, 0x5741, "gst-plugins-clips");
  real(info, 0x4489, static_cast<double>(end_) / kTick);
  ByteWriter info_element;
  element(info_element, 0x1549a966, info.out);
  const Bytes tracks = tracks_element();
  const uint64_t cues_size = cues_element(0).size();

  // Where each stands in the segment, behind a directory of fixed size.
  const auto directory = [&](uint64_t info_at, uint64_t tracks_at, uint64_t cues_at) {
    ByteWriter all;
    const auto seek = [&](uint32_t name, uint64_t at) {
      ByteWriter inner;
      ByteWriter what;
      id(what, name);
      element(inner, 0x53ab, what.out);
      id(inner, 0x53ac);
      size(inner, 8);
      inner.u64(at);
      element(all, 0x4dbb, inner.out);
    };
    seek(0x1549a966, info_at);
    seek(0x1654ae6b, tracks_at);
    if (cues_size) seek(0x1c53bb6b, cues_at);
    ByteWriter w;
    element(w, 0x114d9b74, all.out);
    return std::move(w.out);
  };
  const uint64_t info_at = directory(0, 0, 0).size();
  const uint64_t tracks_at = info_at + info_element.out.size();
  const uint64_t behind = tracks_at + tracks.size();
  const uint64_t clusters_at = behind + (index_first_ ? cues_size : 0);
  const Bytes cues = cues_element(clusters_at);

  ByteWriter header;
  number(header, 0x4286, 1);
  number(header, 0x42f7, 1);
  number(header, 0x42f2, 4);
  number(header, 0x42f3, 8);
  text(header, 0x4282, "matroska");
  number(header, 0x4287, 4);
  number(header, 0x4285, 2);
  ByteWriter w;
  element(w, 0x1a45dfa3, header.out);
  id(w, 0x18538067);
  size(w, behind + cues_size + media, 8);
  w.raw(directory(info_at, tracks_at, index_first_ ? behind : behind + media));
  w.raw(info_element.out);
  w.raw(tracks);
  if (index_first_)
    w.raw(cues);
  else
    tail_ = cues;
  head_ = std::move(w.out);
  total_ = head_.size() + media + tail_.size();

  uint64_t block_headers = 0;
  for (size_t i = 0; i < clusters_.size(); ++i) {
    const uint64_t at = written_.size();
    written_.insert(written_.end(), heads[i].begin(), heads[i].end());
    add_run(Store::Written, at, heads[i].size());
    for (size_t b = clusters_[i].first; b < clusters_[i].end; ++b) {
      const Block& block = blocks_[b];
      add_run(Store::Written, block_headers, block.header);
      block_headers += block.header;
      add_run(block.store, block.offset, block.size);
    }
  }
  blocks_ = {};
  return true;
}

}  // namespace clips::cut
