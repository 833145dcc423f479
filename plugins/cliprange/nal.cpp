// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nal.hpp"

#include <algorithm>
#include <utility>

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

class BitReader {
 public:
  explicit BitReader(ByteView data, size_t at = 0) : data_(data), at_(at) {}
  size_t position() const { return at_; }
  bool bad() const { return bad_; }
  unsigned bit() {
    if (at_ / 8 >= data_.size()) {
      bad_ = true;
      return 0;
    }
    const unsigned v = (data_[at_ / 8] >> (7 - at_ % 8)) & 1u;
    ++at_;
    return v;
  }
  unsigned bits(int n) {
    unsigned v = 0;
    while (n-- > 0) v = v << 1 | bit();
    return v;
  }
  unsigned ue() {
    int zeros = 0;
    while (!bit() && !bad_ && zeros < 31) ++zeros;
    return (1u << zeros) - 1 + bits(zeros);
  }

 private:
  ByteView data_;
  size_t at_;
  bool bad_ = false;
};

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

std::optional<AvcPictures> avc_pictures(ByteView sps) {
  const Bytes raw = unescape(sps);
  BitReader r(raw, 8);
  AvcPictures is;
  is.profile = r.bits(8);
  r.bits(16);  // constraints and level
  r.ue();      // id
  const unsigned with_chroma[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
  if (std::find(std::begin(with_chroma), std::end(with_chroma), is.profile) !=
      std::end(with_chroma)) {
    is.chroma_format = r.ue();
    if (is.chroma_format == 3) r.bit();
    const unsigned luma = r.ue(), chroma = r.ue();
    is.bit_depth = 8 + std::max(luma, chroma);
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
  r.ue();  // frame numbers
  const unsigned order = r.ue();
  if (order == 0) r.ue();
  if (order == 1) {
    r.bit();
    r.ue();
    r.ue();
    for (unsigned left = std::min(r.ue(), 255u); left > 0; --left) r.ue();
  }
  r.ue();   // reference frames
  r.bit();  // gaps
  r.ue();   // width
  r.ue();   // height
  is.progressive = r.bit();
  if (!is.progressive) r.bit();
  r.bit();
  if (r.bit())
    for (int side = 0; side < 4; ++side) r.ue();
  if (r.bit()) {
    if (r.bit() && r.bits(8) == 255) r.bits(32);  // pixel aspect
    if (r.bit()) r.bit();                         // overscan
    if (r.bit()) {
      r.bits(4);
      if (r.bit()) {
        r.bits(8);
        is.transfer = r.bits(8);
      }
    }
  }
  if (r.bad()) return std::nullopt;
  return is;
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
