// SPDX-License-Identifier: LGPL-2.1-or-later
#include "packetinfo.hpp"

#include <algorithm>

#include "bits.hpp"

namespace clips::cut {

void place_track(Track& track, const Picture& picture, const std::string& language) {
  ByteWriter matrix;
  for (const uint32_t v : {0x10000u, 0u, 0u, 0u, 0x10000u, 0u, 0u, 0u, 0x40000000u}) matrix.u32(v);
  std::copy(matrix.out.begin(), matrix.out.end(), track.matrix.begin());
  ByteWriter header;
  if (track.kind == TrackKind::Video) {
    track.handler = fourcc("vide");
    const size_t mark = header.full_box(fourcc("vmhd"), 0, 1);
    header.zeros(8);
    header.end(mark);
    const auto width = uint64_t{picture.width} * picture.pixel_width / picture.pixel_height;
    track.width = static_cast<uint32_t>(std::min<uint64_t>(width, 0xffff)) << 16;
    track.height = std::min(picture.height, 0xffffu) << 16;
  } else {
    track.handler = fourcc("soun");
    track.volume = 0x100;
    track.group = 1;
    const size_t mark = header.full_box(fourcc("smhd"), 0, 0);
    header.zeros(4);
    header.end(mark);
  }
  track.media_header = std::move(header.out);
  const bool plain =
      language.size() == 3 &&
      std::all_of(language.begin(), language.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (plain) {
    unsigned packed = 0;
    for (const char c : language) packed = packed << 5 | static_cast<unsigned>(c - 0x60);
    track.language = static_cast<uint16_t>(packed);
  }
}

void set_durations(std::vector<Sample>& packets, int64_t usual) {
  // The two that are shown last.
  const Sample* newest = nullptr;
  int64_t before = INT64_MIN;
  for (const Sample& s : packets) {
    if (!newest || s.pts > newest->pts) {
      if (newest) before = newest->pts;
      newest = &s;
    } else {
      before = std::max(before, s.pts);
    }
  }
  for (size_t i = 0; i < packets.size(); ++i) {
    Sample& s = packets[i];
    int64_t next = i + 1 < packets.size() ? packets[i + 1].dts - s.dts : usual;
    if (&s == newest) next = s.duration > 0 ? s.duration : usual;
    if (next <= 0 && &s == newest && before != INT64_MIN) next = s.pts - before;
    if (next <= 0 && i + 1 == packets.size() && i > 0) next = packets[i - 1].duration;
    s.duration = std::max<int64_t>(1, next);
  }
}

void derive_decode_times(std::vector<Sample>& packets, int64_t usual) {
  std::vector<int64_t> times;
  times.reserve(packets.size());
  for (const Sample& s : packets) times.push_back(s.pts);
  std::sort(times.begin(), times.end());
  int64_t back = 0;
  for (size_t i = 0; i < packets.size(); ++i) back = std::max(back, times[i] - packets[i].pts);
  for (size_t i = 0; i < packets.size(); ++i) packets[i].dts = times[i] - back;
  set_durations(packets, usual);
}

namespace {

unsigned vp_level(uint64_t pixels) {
  static constexpr struct {
    uint64_t pixels;
    unsigned level;
  } kLevels[] = {{36864, 10},  {73728, 11},  {122880, 20},  {245760, 21},
                 {552960, 30}, {983040, 31}, {2228224, 40}, {8912896, 50}};
  for (const auto& step : kLevels)
    if (pixels <= step.pixels) return step.level;
  return 60;
}

}  // namespace

Bytes vp_config(bool vp9, ByteView packet, const Picture& picture) {
  unsigned profile = 0, depth = 8, sampling = 1;
  Colour colour = picture.colour;
  if (vp9) {
    BitReader r(packet);
    r.bits(2);
    profile = r.bit();
    profile |= r.bit() << 1;
    if (profile == 3) r.bit();
    const bool shown_again = r.bit();
    const bool key = !shown_again && r.bit() == 0;
    r.bits(2);
    if (key && r.bits(24) == 0x498342) {
      if (profile >= 2) depth = r.bit() ? 12 : 10;
      const bool rgb = r.bits(3) == 7;
      if (!rgb) colour.full_range |= r.bit() != 0;
      if (profile == 1 || profile == 3) {
        const bool x = !rgb && r.bit(), y = !rgb && r.bit();
        sampling = x ? (y ? 1 : 2) : 3;
      }
    }
  }
  ByteWriter w;
  w.u32(0x01000000);
  w.u8(profile);
  w.u8(vp_level(uint64_t{picture.width} * picture.height));
  w.u8(depth << 4 | sampling << 1 | (colour.full_range ? 1u : 0u));
  w.u8(colour.primaries);
  w.u8(colour.transfer);
  w.u8(colour.matrix);
  w.u16(0);
  return std::move(w.out);
}

int64_t opus_samples(ByteView packet) {
  if (packet.empty()) return 960;
  const unsigned config = packet[0] >> 3;
  unsigned frame = 0;
  if (config < 12)
    frame = 480u << (config & 3u);
  else if (config < 16)
    frame = 480u << (config & 1u);
  else
    frame = 120u << (config & 3u);
  if (config < 12 && (config & 3u) == 3) frame = 2880;
  unsigned count = 2;
  if ((packet[0] & 3u) == 0) count = 1;
  if ((packet[0] & 3u) == 3) count = packet.size() > 1 ? packet[1] & 63u : 1;
  return int64_t{frame} * std::max(1u, count);
}

std::optional<VorbisBlocks> read_vorbis(ByteView headers) {
  if (headers.empty() || headers[0] != 2) return std::nullopt;
  size_t at = 1, sizes[2] = {};
  for (size_t& size : sizes) {
    for (bool more = true; more; ++at) {
      if (at >= headers.size()) return std::nullopt;
      size += headers[at];
      more = headers[at] == 255;
    }
  }
  if (sizes[0] < 30 || sizes[0] + sizes[1] >= headers.size() - at) return std::nullopt;
  const ByteView first = headers.subspan(at, sizes[0]);
  const ByteView setup = headers.subspan(at + sizes[0] + sizes[1]);
  VorbisBlocks is;
  is.size[0] = 1u << (first[28] & 15u);
  is.size[1] = 1u << (first[28] >> 4);

  // The modes stand at the end, behind tables of which only a decoder knows the length. Backwards:
  // a 1 bit, then for each mode 8 bits of mapping, 32 bits of zero and the size of its blocks, and
  // in front of them 6 bits with their number less one. That number tells where they begin.
  Bytes reversed(setup.rbegin(), setup.rend());
  BitReader r(reversed);
  while (!r.bad() && !r.bit()) {
  }
  std::vector<bool> found;
  size_t count = 0;
  while (found.size() < 64) {
    BitReader mode = r;
    if (mode.bits(8) > 63 || mode.bits(16) != 0 || mode.bits(16) != 0) break;
    found.push_back(mode.bit());
    if (mode.bad()) break;
    r = mode;
    BitReader number = r;
    if (number.bits(6) + 1 == found.size()) count = found.size();
  }
  if (count == 0) return std::nullopt;
  is.long_blocks.assign(found.rbegin() + static_cast<ptrdiff_t>(found.size() - count),
                        found.rend());
  while ((1u << is.mode_bits) < count) ++is.mode_bits;
  return is;
}

int64_t VorbisBlocks::samples(ByteView packet, unsigned& before) const {
  if (packet.empty() || (packet[0] & 1u)) return 0;
  const unsigned mode = packet[0] >> 1 & ((1u << mode_bits) - 1u);
  const bool is_long = mode < long_blocks.size() && long_blocks[mode];
  // A long block says what was in front of it.
  if (is_long) before = size[packet[0] >> (1 + mode_bits) & 1u];
  if (before == 0) before = size[is_long];
  const int64_t sum = int64_t{before} + size[is_long];
  before = size[is_long];
  return sum / 4;
}

std::optional<SoundFrame> read_adts(ByteView bytes) {
  static constexpr uint32_t kRates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                        22050, 16000, 12000, 11025, 8000,  7350};
  if (bytes.size() < 7 || bytes[0] != 0xff || (bytes[1] & 0xf6u) != 0xf0) return std::nullopt;
  BitReader r(bytes, 15);
  const bool checked = !r.bit();
  const unsigned profile = r.bits(2), rate = r.bits(4);
  r.bit();
  const unsigned layout = r.bits(3);
  r.bits(4);
  SoundFrame is;
  is.size = r.bits(13);
  r.bits(11);
  const unsigned blocks = r.bits(2) + 1;
  is.header = checked ? 9 : 7;
  if (rate >= std::size(kRates) || is.size < is.header || blocks != 1) return std::nullopt;
  is.rate = kRates[rate];
  is.channels = layout == 7 ? 8 : layout;
  is.samples = 1024;
  const unsigned config = (profile + 1) << 11 | rate << 7 | layout << 3;
  is.config = {static_cast<uint8_t>(config >> 8), static_cast<uint8_t>(config)};
  return is;
}

std::optional<SoundFrame> read_ac3(ByteView bytes) {
  static constexpr uint32_t kRates[] = {48000, 44100, 32000};
  static constexpr unsigned kBitRates[] = {32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
                                           192, 224, 256, 320, 384, 448, 512, 576, 640};
  static constexpr unsigned kChannels[] = {2, 1, 2, 3, 3, 4, 4, 5};
  if (bytes.size() < 8 || be16(bytes.data()) != 0x0b77) return std::nullopt;
  SoundFrame is;
  ByteWriter w;
  if (bytes[5] >> 3 > 10) {
    is.enhanced = true;
    BitReader r(bytes, 16);
    r.bits(5);
    is.size = (r.bits(11) + 1) * size_t{2};
    unsigned code = r.bits(2), blocks = 6;
    if (code == 3) {
      const unsigned half = r.bits(2);
      if (half == 3) return std::nullopt;
      is.rate = kRates[half] / 2;
    } else {
      is.rate = kRates[code];
      const unsigned count = r.bits(2);
      blocks = count == 3 ? 6 : count + 1;
    }
    const unsigned layout = r.bits(3), low = r.bit(), id = r.bits(5);
    is.samples = 256 * int64_t{blocks};
    is.channels = kChannels[layout] + low;
    const auto kilobits =
        static_cast<unsigned>(is.size * 8 * is.rate / static_cast<uint64_t>(is.samples) / 1000);
    w.u16(std::min(kilobits, 0x1fffu) << 3);
    w.u16(code << 14 | id << 9 | layout << 1 | low);
    w.u8(0);
    is.config = std::move(w.out);
    return is;
  }
  BitReader r(bytes, 32);
  const unsigned code = r.bits(2), size = r.bits(6), id = r.bits(5), mode = r.bits(3),
                 layout = r.bits(3);
  if (code == 3 || size / 2 >= std::size(kBitRates)) return std::nullopt;
  if ((layout & 1u) && layout != 1) r.bits(2);
  if (layout & 4u) r.bits(2);
  if (layout == 2) r.bits(2);
  const unsigned low = r.bit();
  is.rate = kRates[code];
  is.samples = 1536;
  is.channels = kChannels[layout] + low;
  const size_t rate = kBitRates[size / 2];
  is.size = code == 0 ? rate * 4 : code == 2 ? rate * 6 : 2 * (rate * 320 / 147 + (size & 1u));
  w.u24(code << 22 | id << 17 | mode << 14 | layout << 11 | low << 10 | size / 2 << 5);
  is.config = std::move(w.out);
  return is;
}

std::optional<SoundFrame> read_mpeg_sound(ByteView bytes) {
  static constexpr uint32_t kRates[] = {44100, 48000, 32000};
  // Kilobits by layer for MPEG-1, then for MPEG-2 (layer 1; layers 2 and 3).
  static constexpr unsigned kBitRates[5][15] = {
      {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
      {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
      {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
      {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
      {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}};
  if (bytes.size() < 4 || bytes[0] != 0xff || (bytes[1] & 0xe0u) != 0xe0) return std::nullopt;
  const unsigned version = bytes[1] >> 3 & 3u, layer = 4 - (bytes[1] >> 1 & 3u);
  const unsigned rate = bytes[2] >> 4, frequency = bytes[2] >> 2 & 3u, padding = bytes[2] >> 1 & 1u;
  if (version == 1 || layer == 4 || rate == 0 || rate == 15 || frequency == 3) return std::nullopt;
  const bool first = version == 3;
  SoundFrame is;
  is.rate = kRates[frequency] >> (first ? 0 : version == 2 ? 1 : 2);
  is.channels = bytes[3] >> 6 == 3 ? 1 : 2;
  const size_t row = first ? layer - 1 : layer == 1 ? 3 : 4;
  const size_t bits = size_t{kBitRates[row][rate]} * 1000;
  if (layer == 1) {
    is.samples = 384;
    is.size = (12 * bits / is.rate + padding) * 4;
  } else {
    is.samples = layer == 3 && !first ? 576 : 1152;
    is.size = static_cast<size_t>(is.samples) / 8 * bits / is.rate + padding;
  }
  return is;
}

}  // namespace clips::cut
