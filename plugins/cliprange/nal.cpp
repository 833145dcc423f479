// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nal.hpp"

#include <algorithm>
#include <utility>

#include "bits.hpp"

namespace clips::cut {

bool is_avc(uint32_t code) {
  return code == fourcc("avc1") || code == fourcc("avc3");
}
bool is_hevc(uint32_t code) {
  return code == fourcc("hvc1") || code == fourcc("hev1");
}

std::optional<ByteView> visual_entry_box(ByteView entry, uint32_t type) {
  if (entry.size() < kVisualEntryHeader) return std::nullopt;
  ByteView rest = entry.subspan(kVisualEntryHeader);
  while (rest.size() >= 8) {
    const uint32_t size = be32(rest.data());
    if (size < 8 || size > rest.size()) return std::nullopt;
    if (be32(rest.data() + 4) == type) return rest.subspan(8, size - 8);
    rest = rest.subspan(size);
  }
  return std::nullopt;
}

std::optional<NalFormat> nal_format(uint32_t code, ByteView entry) {
  NalFormat format;
  if (is_avc(code)) {
    const auto box = visual_entry_box(entry, fourcc("avcC"));
    if (!box || box->size() < 7) return std::nullopt;
    format.length_size = ((*box)[4] & 3u) + 1;
    format.config.assign(box->begin(), box->end());
    return format;
  }
  if (is_hevc(code)) {
    const auto box = visual_entry_box(entry, fourcc("hvcC"));
    if (!box || box->size() < 23) return std::nullopt;
    format.codec = NalCodec::Hevc;
    format.length_size = ((*box)[21] & 3u) + 1;
    format.config.assign(box->begin(), box->end());
    return format;
  }
  return std::nullopt;
}

KeyKind key_kind(const NalFormat& format, ByteView packet) {
  KeyKind kind = KeyKind::None;
  each_nal(packet, format.length_size, [&](ByteView nal) {
    if (format.codec == NalCodec::Avc) {
      const unsigned type = nal[0] & 31u;
      if (type == 5) kind = KeyKind::Closed;
      if (type == 1 || type == 2) kind = KeyKind::Open;
      return type == 0 || type > 5;  // up to the first slice
    }
    const unsigned type = (nal[0] >> 1) & 63u;
    if (type >= 16 && type <= 20) kind = KeyKind::Closed;
    if (type == 21) kind = KeyKind::Open;
    return type >= 32;
  });
  return kind;
}

namespace {

// Without the bytes that keep start codes from appearing by chance.
Bytes unescape(ByteView unit) {
  Bytes out;
  out.reserve(unit.size());
  int zeros = 0;
  for (const uint8_t byte : unit) {
    if (zeros >= 2 && byte == 3) {
      zeros = 0;
      continue;
    }
    zeros = byte ? 0 : zeros + 1;
    out.push_back(byte);
  }
  return out;
}

Bytes escape(ByteView raw) {
  Bytes out;
  out.reserve(raw.size() + 8);
  int zeros = 0;
  for (const uint8_t byte : raw) {
    if (zeros >= 2 && byte <= 3) {
      out.push_back(3);
      zeros = 0;
    }
    zeros = byte ? 0 : zeros + 1;
    out.push_back(byte);
  }
  return out;
}

class BitWriter {
 public:
  Bytes out;
  void bit(unsigned v) {
    if (used_ == 0) out.push_back(0);
    out.back() = static_cast<uint8_t>(out.back() | (v & 1u) << (7 - used_));
    used_ = (used_ + 1) % 8;
  }
  void bits(unsigned v, int n) {
    while (n-- > 0) bit(v >> n);
  }
  void ue(unsigned v) {
    int length = 0;
    while ((v + 1) >> (length + 1)) ++length;
    bits(0, length);
    bits(v + 1, length + 1);
  }
  void copy(ByteView from, size_t begin, size_t end) {
    BitReader reader(from, begin);
    while (begin++ < end) bit(reader.bit());
  }

 private:
  int used_ = 0;
};

// The position of a raw unit's closing 1 bit.
size_t trailing_bit(ByteView raw) {
  size_t size = raw.size();
  while (size && raw[size - 1] == 0) --size;
  if (!size) return 0;
  int low = 0;
  while (!((raw[size - 1] >> low) & 1)) ++low;
  return size * 8 - static_cast<size_t>(low) - 1;
}

// Replaces the number coded in [begin, end) bits of a parameter set, and closes the set anew.
Bytes replace_number(ByteView raw, size_t begin, size_t end, unsigned value) {
  BitWriter w;
  w.copy(raw, 0, begin);
  w.ue(value);
  w.copy(raw, end, trailing_bit(raw) + 1);
  return w.out;
}

template <typename Take>
bool take_units(ByteView& rest, unsigned count, Take&& take) {
  for (unsigned i = 0; i < count; ++i) {
    if (rest.size() < 2) return false;
    const size_t size = be16(rest.data());
    if (size == 0 || size > rest.size() - 2) return false;
    take(rest.subspan(2, size));
    rest = rest.subspan(2 + size);
  }
  return true;
}

Bytes copy_of(ByteView v) {
  return {v.begin(), v.end()};
}

constexpr size_t kHevcHeader = 22;  // of an hvcC, in front of the arrays

// Pixel aspects by number: H.264 table E-1, H.265 the same.
constexpr unsigned kAspects[][2] = {{1, 1},   {1, 1},    {12, 11}, {10, 11}, {16, 11}, {40, 33},
                                    {24, 11}, {20, 11},  {32, 11}, {80, 33}, {18, 11}, {15, 11},
                                    {64, 33}, {160, 99}, {4, 3},   {3, 2},   {2, 1}};

// Reads the window that is shown of a coded picture.
void crop(BitReader& r, SequencePictures& is, uint64_t width, uint64_t height, unsigned fields) {
  uint64_t sides = 0, ends = 0;
  if (r.bit()) {
    const uint64_t x = is.chroma_format == 1 || is.chroma_format == 2 ? 2 : 1;
    const uint64_t y = (is.chroma_format == 1 ? 2u : 1u) * fields;
    sides = r.ue() * x;
    sides += r.ue() * x;
    ends = r.ue() * y;
    ends += r.ue() * y;
  }
  is.picture.width = static_cast<uint32_t>(width > sides ? width - sides : 0);
  is.picture.height = static_cast<uint32_t>(height > ends ? height - ends : 0);
}

}  // namespace

std::optional<ParameterSets> parameter_sets(const NalFormat& format) {
  ParameterSets sets;
  ByteView rest(format.config);
  if (format.codec == NalCodec::Avc) {
    if (rest.size() < 7) return std::nullopt;
    const unsigned sps = rest[5] & 31u;
    rest = rest.subspan(6);
    if (!take_units(rest, sps, [&](ByteView u) { sets.sps.push_back(copy_of(u)); }) || rest.empty())
      return std::nullopt;
    const unsigned pps = rest[0];
    rest = rest.subspan(1);
    if (!take_units(rest, pps, [&](ByteView u) { sets.pps.push_back(copy_of(u)); }))
      return std::nullopt;
    return sets;
  }
  if (rest.size() < kHevcHeader + 1) return std::nullopt;
  const unsigned arrays = rest[kHevcHeader];
  rest = rest.subspan(kHevcHeader + 1);
  for (unsigned i = 0; i < arrays; ++i) {
    if (rest.size() < 3) return std::nullopt;
    const unsigned type = rest[0] & 63u;
    const unsigned count = be16(rest.data() + 1);
    rest = rest.subspan(3);
    auto* into = type == 32 ? &sets.vps : type == 33 ? &sets.sps : type == 34 ? &sets.pps : nullptr;
    if (!take_units(rest, count, [&](ByteView u) {
          if (into) into->push_back(copy_of(u));
        }))
      return std::nullopt;
  }
  return sets;
}

std::optional<SequencePictures> avc_pictures(ByteView sps) {
  const Bytes raw = unescape(sps);
  BitReader r(raw, 8);
  SequencePictures is;
  is.profile = r.bits(8);
  r.bits(16);  // constraints and level
  r.ue();      // id
  const unsigned with_chroma[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
  if (std::find(std::begin(with_chroma), std::end(with_chroma), is.profile) !=
      std::end(with_chroma)) {
    is.chroma_format = r.ue();
    if (is.chroma_format == 3) is.separate_planes = r.bit();
    is.luma_depth = 8 + r.ue();
    is.chroma_depth = 8 + r.ue();
    is.bit_depth = std::max(is.luma_depth, is.chroma_depth);
    r.bit();  // lossless transform bypass
    const int lists = r.bit() ? (is.chroma_format == 3 ? 12 : 8) : 0;
    for (int i = 0; i < lists; ++i) {
      if (!r.bit()) continue;
      unsigned last = 8, next = 8;
      for (int k = 0; k < (i < 6 ? 16 : 64); ++k) {
        if (next) {
          // A signed number: 0, 1, -1, 2, -2, ... The scale wraps at 256.
          const unsigned code = r.ue();
          next = (last + (code & 1 ? code / 2 + 1 : 0u - code / 2)) & 255u;
        }
        if (next) last = next;
      }
    }
  }
  is.frame_number_bits = 4 + r.ue();
  is.order_type = r.ue();
  if (is.order_type == 0) is.order_bits = 4 + r.ue();
  if (is.order_type == 1) {
    r.bit();
    r.ue();
    r.ue();
    for (unsigned left = std::min(r.ue(), 255u); left > 0; --left) r.ue();
  }
  r.ue();   // reference frames
  r.bit();  // gaps
  const uint64_t width = 16 * (uint64_t{r.ue()} + 1);
  const uint64_t map_height = 16 * (uint64_t{r.ue()} + 1);
  is.progressive = r.bit();
  const unsigned fields = is.progressive ? 1 : 2;
  if (!is.progressive) r.bit();
  r.bit();
  crop(r, is, width, map_height * fields, fields);
  if (r.bit()) {
    if (r.bit()) {
      const unsigned aspect = r.bits(8);
      if (aspect == 255) {
        is.picture.pixel_width = r.bits(16);
        is.picture.pixel_height = r.bits(16);
      } else if (aspect < std::size(kAspects)) {
        is.picture.pixel_width = kAspects[aspect][0];
        is.picture.pixel_height = kAspects[aspect][1];
      }
      if (!is.picture.pixel_width || !is.picture.pixel_height)
        is.picture.pixel_width = is.picture.pixel_height = 1;
    }
    if (r.bit()) r.bit();  // overscan
    if (r.bit()) {
      r.bits(3);
      is.picture.colour.full_range = r.bit();
      if (r.bit()) {
        is.picture.colour.primaries = r.bits(8);
        is.picture.colour.transfer = r.bits(8);
        is.picture.colour.matrix = r.bits(8);
      }
    }
  }
  if (r.bad()) return std::nullopt;
  return is;
}

namespace {

// Where the profile of an H.265 sequence parameter set ends, whose sub-layers may have their own.
std::optional<BitReader> behind_hevc_profile(ByteView raw) {
  BitReader r(raw, 16 + 4);
  const unsigned layers = r.bits(3);
  r.bit();
  for (int i = 0; i < 12; ++i) r.bits(8);
  unsigned present[8][2] = {};
  for (unsigned i = 0; i < layers; ++i) {
    present[i][0] = r.bit();
    present[i][1] = r.bit();
  }
  if (layers) r.bits(2 * static_cast<int>(8 - layers));
  for (unsigned i = 0; i < layers; ++i)
    for (unsigned left = 11 * present[i][0] + present[i][1]; left > 0; --left) r.bits(8);
  if (r.bad()) return std::nullopt;
  return r;
}

}  // namespace

std::optional<SequencePictures> hevc_pictures(ByteView sps) {
  const Bytes raw = unescape(sps);
  auto at = behind_hevc_profile(raw);
  if (!at) return std::nullopt;
  BitReader& r = *at;
  SequencePictures is;
  is.profile = raw[3] & 31u;
  r.ue();  // id
  is.chroma_format = r.ue();
  if (is.chroma_format == 3) r.bit();
  const uint64_t width = r.ue(), height = r.ue();
  crop(r, is, width, height, 1);
  is.luma_depth = 8 + r.ue();
  is.chroma_depth = 8 + r.ue();
  is.bit_depth = std::max(is.luma_depth, is.chroma_depth);
  if (r.bad()) return std::nullopt;
  return is;
}

unsigned set_id(NalCodec codec, ByteView unit) {
  const Bytes raw = unescape(unit.first(std::min<size_t>(unit.size(), 256)));
  if (codec == NalCodec::Avc) return BitReader(raw, (raw[0] & 31u) == 7 ? 32 : 8).ue();
  switch ((raw[0] >> 1) & 63u) {
    case 32:
      return BitReader(raw, 16).bits(4);
    case 33: {
      auto at = behind_hevc_profile(raw);
      return at ? at->ue() : 0;
    }
    default:
      return BitReader(raw, 16).ue();
  }
}

bool is_parameter_set(NalCodec codec, ByteView unit) {
  const unsigned type = codec == NalCodec::Avc ? unit[0] & 31u : (unit[0] >> 1) & 63u;
  return codec == NalCodec::Avc ? type == 7 || type == 8 : type >= 32 && type <= 34;
}

bool only_in_streams(NalCodec codec, ByteView unit) {
  const unsigned type = codec == NalCodec::Avc ? unit[0] & 31u : (unit[0] >> 1) & 63u;
  return is_parameter_set(codec, unit) ||
         (codec == NalCodec::Avc ? type == 9 || type == 12 : type == 35 || type == 38);
}

uint32_t to_lengths(NalCodec codec, ByteView stream, Bytes* into) {
  uint64_t size = 0;
  each_annex_b(stream, [&](ByteView nal) {
    if (only_in_streams(codec, nal)) return;
    size += 4 + nal.size();
    if (!into) return;
    for (int shift = 24; shift >= 0; shift -= 8)
      into->push_back(static_cast<uint8_t>(nal.size() >> shift));
    into->insert(into->end(), nal.begin(), nal.end());
  });
  return static_cast<uint32_t>(size);
}

std::optional<unsigned> avc_recovery(ByteView sei) {
  size_t at = 1;
  while (at + 2 < sei.size()) {
    unsigned type = 0, size = 0;
    while (at < sei.size() && sei[at] == 255) type += sei[at++];
    if (at < sei.size()) type += sei[at++];
    while (at < sei.size() && sei[at] == 255) size += sei[at++];
    if (at < sei.size()) size += sei[at++];
    if (type == 6 && at < sei.size()) {
      const Bytes payload = unescape(sei.subspan(at, std::min<size_t>(size, sei.size() - at)));
      return BitReader(payload).ue();
    }
    at += size;
  }
  return std::nullopt;
}

unsigned avc_recovery(const NalFormat& format, ByteView packet) {
  unsigned frames = 0;
  each_nal(packet, format.length_size, [&](ByteView unit) {
    const unsigned type = unit[0] & 31u;
    if (type == 6) frames = avc_recovery(unit).value_or(frames);
    return type == 0 || type > 5;
  });
  return frames;
}

bool is_avc_disposable(ByteView packet, unsigned length_size) {
  bool slices = false, referred = false;
  each_nal(packet, length_size, [&](ByteView unit) {
    const unsigned type = unit[0] & 31u;
    if (type < 1 || type > 5) return true;
    slices = true;
    referred |= (unit[0] >> 5 & 3u) != 0;  // nal_ref_idc
    return !referred;
  });
  return slices && !referred;
}

std::optional<unsigned> avc_order_bits(const SequencePictures& sequence, ByteView slice) {
  constexpr size_t kHead = 32;
  constexpr unsigned kMostBits = 16;
  if (slice.empty() || sequence.order_type != 0 || sequence.order_bits > kMostBits ||
      sequence.frame_number_bits > kMostBits)
    return std::nullopt;
  const Bytes raw = unescape(slice.first(std::min(slice.size(), kHead)));
  BitReader r(raw, 8);
  r.ue();  // first macroblock
  r.ue();  // type
  r.ue();  // picture parameter set
  if (sequence.separate_planes) r.bits(2);
  r.bits(static_cast<int>(sequence.frame_number_bits));
  if (!sequence.progressive && r.bit()) r.bit();  // a field, top or bottom
  if ((slice[0] & 31u) == 5) r.ue();
  const unsigned bits = r.bits(static_cast<int>(sequence.order_bits));
  if (r.bad()) return std::nullopt;
  return bits;
}

std::optional<Bytes> make_config(NalCodec codec, const ParameterSets& sets) {
  if (sets.sps.empty() || sets.pps.empty()) return std::nullopt;
  const ByteView sps(sets.sps[0]);
  NalFormat format;
  format.codec = codec;
  ByteWriter w;
  if (codec == NalCodec::Avc) {
    const auto is = avc_pictures(sps);
    if (!is || sps.size() < 4) return std::nullopt;
    w.u8(1);
    w.raw(sps.subspan(1, 3));
    w.u8(0xff);
    w.u8(0xe0);
    w.u8(0);
    if (is->profile != 66 && is->profile != 77 && is->profile != 88) {
      w.u8(0xfcu | is->chroma_format);
      w.u8(0xf8u | (is->luma_depth - 8));
      w.u8(0xf8u | (is->chroma_depth - 8));
      w.u8(0);
    }
  } else {
    const auto is = hevc_pictures(sps);
    const Bytes raw = unescape(sps);
    if (!is || raw.size() < 15 || sets.vps.empty()) return std::nullopt;
    w.u8(1);
    w.raw(ByteView(raw).subspan(3, 12));  // profile, tier and level
    w.u16(0xf000);
    w.u8(0xfc);
    w.u8(0xfcu | is->chroma_format);
    w.u8(0xf8u | (is->luma_depth - 8));
    w.u8(0xf8u | (is->chroma_depth - 8));
    w.u16(0);
    const unsigned layers = ((raw[2] >> 1) & 7u) + 1;
    w.u8(layers << 3 | (raw[2] & 1u) << 2 | 3u);
    w.u8(0);
  }
  format.config = std::move(w.out);
  return with_sets(format, sets);
}

std::optional<unsigned> free_avc_id(const ParameterSets& sets) {
  uint32_t taken = 0;
  const auto take = [&](unsigned id) {
    if (id < 32) taken |= 1u << id;
  };
  for (const Bytes& unit : sets.sps) {
    const Bytes raw = unescape(unit);
    take(BitReader(raw, 32).ue());
  }
  for (const Bytes& unit : sets.pps) {
    const Bytes raw = unescape(unit);
    take(BitReader(raw, 8).ue());
  }
  for (unsigned id = 0; id < 32; ++id)
    if (!(taken & 1u << id)) return id;
  return std::nullopt;
}

Bytes with_sets(const NalFormat& format, const ParameterSets& extra) {
  const auto own = parameter_sets(format);
  if (!own) return format.config;
  ByteWriter w;
  const auto units = [&](const std::vector<Bytes>& a, const std::vector<Bytes>& b) {
    for (const auto* list : {&a, &b})
      for (const Bytes& unit : *list) {
        w.u16(static_cast<uint32_t>(unit.size()));
        w.raw(unit);
      }
  };
  const ByteView config(format.config);
  if (format.codec == NalCodec::Avc) {
    size_t end = 7;
    for (const auto* list : {&own->sps, &own->pps})
      for (const Bytes& unit : *list) end += 2 + unit.size();
    w.raw(config.first(5));
    w.u8(0xe0 | static_cast<uint32_t>(own->sps.size() + extra.sps.size()));
    units(own->sps, extra.sps);
    w.u8(static_cast<uint32_t>(own->pps.size() + extra.pps.size()));
    units(own->pps, extra.pps);
    w.raw(config.subspan(std::min(end, config.size())));  // the high profiles' fields
    return std::move(w.out);
  }
  w.raw(config.first(kHevcHeader));
  w.u8(3);
  const auto array = [&](uint32_t type, const std::vector<Bytes>& a, const std::vector<Bytes>& b) {
    w.u8(0x80 | type);  // all of them are here
    w.u16(static_cast<uint32_t>(a.size() + b.size()));
    units(a, b);
  };
  array(32, own->vps, extra.vps);
  array(33, own->sps, extra.sps);
  array(34, own->pps, extra.pps);
  return std::move(w.out);
}

std::optional<HevcIds> free_hevc_ids(const ParameterSets& sets) {
  HevcIds ids;
  uint32_t vps = 0, sps = 0;
  uint64_t pps = 0;
  for (const Bytes& unit : sets.vps) vps |= 1u << BitReader(unescape(unit), 16).bits(4);
  for (const Bytes& unit : sets.sps) {
    const Bytes raw = unescape(unit);
    BitReader r(raw, 16 + 4);
    // Sub-layers have a profile and level of their own, which no muxed video of one layer has.
    if (r.bits(3) != 0) return std::nullopt;
    sps |= 1u << (BitReader(raw, 16 + 8 + 96).ue() & 31u);
  }
  for (const Bytes& unit : sets.pps) {
    const Bytes raw = unescape(unit);
    pps |= uint64_t{1} << (BitReader(raw, 16).ue() & 63u);
  }
  while (ids.vps < 16 && (vps >> ids.vps & 1u)) ++ids.vps;
  while (ids.pps < 31 && (pps >> ids.pps & 1u)) ++ids.pps;
  if (ids.vps == 16 || ids.pps == 31 || (sps >> ids.sps & 1u)) return std::nullopt;
  return ids;
}

std::optional<Bytes> renumber_hevc(ByteView unit, const HevcIds& ids) {
  if (unit.size() < 3) return std::nullopt;
  const unsigned type = (unit[0] >> 1) & 63u;
  if (type > 34 || (type > 9 && type < 16) || (type > 21 && type < 32))
    return Bytes(unit.begin(), unit.end());
  Bytes raw = unescape(unit);
  BitReader r(raw, 16);
  if (type == 32) {
    if (r.bits(4) != 0) return std::nullopt;
    raw[2] = static_cast<uint8_t>(raw[2] | ids.vps << 4);
    return escape(raw);
  }
  if (type == 33) {
    if (r.bits(4) != 0 || r.bits(3) != 0) return std::nullopt;
    raw[2] = static_cast<uint8_t>(raw[2] | ids.vps << 4);
    BitReader id(raw, 16 + 8 + 96);
    const size_t begin = id.position();
    if (id.ue() != 0) return std::nullopt;
    return escape(replace_number(raw, begin, id.position(), ids.sps));
  }
  if (type == 34) {
    if (r.ue() != 0) return std::nullopt;
    const size_t between = r.position();
    if (r.ue() != 0) return std::nullopt;
    const Bytes second = replace_number(raw, between, r.position(), ids.sps);
    return escape(replace_number(second, 16, between, ids.pps));
  }
  // A slice: the first flag, one more flag in random access pictures, then the id.
  r.bit();
  if (type >= 16) r.bit();
  const size_t begin = r.position();
  if (r.ue() != 0) return std::nullopt;
  BitWriter w;
  w.copy(raw, 0, begin);
  w.ue(ids.pps);
  w.copy(raw, begin + 1, raw.size() * 8);
  return escape(w.out);
}

Bytes visual_entry(ByteView entry, uint32_t code, uint32_t box, ByteView config) {
  ByteWriter w;
  const size_t mark = w.box(code);
  w.raw(entry.subspan(8, kVisualEntryHeader - 8));
  const size_t inner = w.box(box);
  w.raw(config);
  w.end(inner);
  for (const uint32_t kept : {fourcc("pasp"), fourcc("colr"), fourcc("clap"), fourcc("fiel"),
                              fourcc("mdcv"), fourcc("clli")}) {
    const auto found = visual_entry_box(entry, kept);
    if (!found) continue;
    const size_t at = w.box(kept);
    w.raw(*found);
    w.end(at);
  }
  w.end(mark);
  return std::move(w.out);
}

}  // namespace clips::cut
