// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sampleentry.hpp"

#include "bits.hpp"
#include "nal.hpp"

namespace clips::cut {

namespace {

constexpr size_t kSoundHeader = 36;  // of a sound entry, version 0
constexpr uint32_t kAacRates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                  22050, 16000, 12000, 11025, 8000,  7350};

// MPEG-4 descriptors (ISO/IEC 14496-1): takes one off the front, with a length of up to four times
// seven bits.
std::optional<ByteView> take_descriptor(ByteView& rest, uint8_t tag) {
  if (rest.size() < 2 || rest[0] != tag) return std::nullopt;
  rest = rest.subspan(1);
  size_t length = 0;
  for (int i = 0; i < 4; ++i) {
    if (rest.empty()) return std::nullopt;
    const uint8_t byte = rest[0];
    rest = rest.subspan(1);
    length = length << 7 | (byte & 127u);
    if (!(byte & 128u)) break;
  }
  if (length > rest.size()) return std::nullopt;
  const auto payload = rest.first(length);
  rest = rest.subspan(length);
  return payload;
}

void descriptor(ByteWriter& w, uint32_t tag, ByteView payload) {
  w.u8(tag);
  const size_t n = payload.size();
  for (int shift = 21; shift > 0; shift -= 7)
    w.u8(0x80u | (static_cast<uint32_t>(n >> shift) & 127u));
  w.u8(n & 127u);
  w.raw(payload);
}

std::optional<ByteView> find_box(ByteView boxes, uint32_t type) {
  while (boxes.size() >= 8) {
    const uint32_t size = be32(boxes.data());
    if (size < 8 || size > boxes.size()) return std::nullopt;
    const uint32_t found = be32(boxes.data() + 4);
    if (found == type) return boxes.subspan(8, size - 8);
    // QuickTime keeps the esds of a version 1 entry in a `wave`.
    if (found == fourcc("wave")) {
      const auto inner = find_box(boxes.subspan(8, size - 8), type);
      if (inner) return inner;
    }
    boxes = boxes.subspan(size);
  }
  return std::nullopt;
}

// The head that all sample entries share. Ended by the caller.
size_t begin_entry(ByteWriter& w, uint32_t code) {
  const size_t mark = w.box(code);
  w.zeros(6);
  w.u16(1);  // data reference
  return mark;
}

void put_config(ByteWriter& w, uint32_t box, ByteView config) {
  if (!box) return;
  const size_t mark = w.box(box);
  w.raw(config);
  w.end(mark);
}

}  // namespace

Bytes picture_entry(uint32_t code, const Picture& picture, uint32_t box, ByteView config) {
  ByteWriter w;
  const size_t mark = begin_entry(w, code);
  w.zeros(16);
  w.u16(picture.width);
  w.u16(picture.height);
  w.u32(72u << 16);
  w.u32(72u << 16);
  w.u32(0);
  w.u16(1);  // a picture in a packet
  w.zeros(32);
  w.u16(24);
  w.u16(0xffff);
  put_config(w, box, config);
  if (picture.pixel_width != picture.pixel_height) {
    const size_t pasp = w.box(fourcc("pasp"));
    w.u32(picture.pixel_width);
    w.u32(picture.pixel_height);
    w.end(pasp);
  }
  if (picture.colour.known()) {
    const size_t colr = w.box(fourcc("colr"));
    w.text("nclx");
    w.u16(picture.colour.primaries);
    w.u16(picture.colour.transfer);
    w.u16(picture.colour.matrix);
    w.u8(picture.colour.full_range ? 0x80 : 0);
    w.end(colr);
  }
  w.end(mark);
  return std::move(w.out);
}

Picture picture_of(ByteView entry) {
  Picture is;
  if (entry.size() < kVisualEntryHeader) return is;
  is.width = be16(entry.data() + 32);
  is.height = be16(entry.data() + 34);
  if (const auto pasp = visual_entry_box(entry, fourcc("pasp")); pasp && pasp->size() >= 8) {
    is.pixel_width = std::max(1u, be32(pasp->data()));
    is.pixel_height = std::max(1u, be32(pasp->data() + 4));
  }
  if (const auto colr = visual_entry_box(entry, fourcc("colr")); colr && colr->size() >= 10) {
    is.colour.primaries = be16(colr->data() + 4);
    is.colour.transfer = be16(colr->data() + 6);
    is.colour.matrix = be16(colr->data() + 8);
    is.colour.full_range =
        colr->size() >= 11 && be32(colr->data()) == fourcc("nclx") && ((*colr)[10] & 0x80u);
  }
  return is;
}

Bytes sound_entry(uint32_t code, const Sound& sound, uint32_t box, ByteView config) {
  ByteWriter w;
  const size_t mark = begin_entry(w, code);
  w.zeros(8);
  w.u16(sound.channels);
  w.u16(sound.bits);
  w.zeros(4);
  w.u32(sound.rate > 0xffff ? 0 : sound.rate << 16);
  put_config(w, box, config);
  w.end(mark);
  return std::move(w.out);
}

Sound sound_of(ByteView entry) {
  Sound is;
  if (entry.size() < kSoundHeader) return is;
  is.channels = be16(entry.data() + 24);
  is.bits = be16(entry.data() + 26);
  is.rate = be32(entry.data() + 32) >> 16;
  return is;
}

std::optional<ByteView> sound_entry_box(ByteView entry, uint32_t type) {
  if (entry.size() < kSoundHeader) return std::nullopt;
  // QuickTime's longer forms of the fixed fields.
  const unsigned version = be16(entry.data() + 16);
  const size_t header = kSoundHeader + (version == 1 ? 16u : version == 2 ? 36u : 0u);
  if (entry.size() < header) return std::nullopt;
  return find_box(entry.subspan(header), type);
}

Bytes esds(const Elementary& elementary) {
  ByteWriter decoder;
  decoder.u8(elementary.object_type);
  decoder.u8((elementary.picture ? 4u : 5u) << 2 | 1u);
  decoder.zeros(11);  // buffer and rates are not known
  if (!elementary.specific.empty()) descriptor(decoder, 5, elementary.specific);
  ByteWriter stream;
  stream.u16(0);
  stream.u8(0);
  descriptor(stream, 4, decoder.out);
  const uint8_t sync[] = {2};
  descriptor(stream, 6, sync);
  ByteWriter w;
  w.u32(0);
  descriptor(w, 3, stream.out);
  return std::move(w.out);
}

std::optional<Elementary> read_esds(ByteView box) {
  if (box.size() < 4) return std::nullopt;
  box = box.subspan(4);
  const auto stream = take_descriptor(box, 3);
  // No dependence, URL or clock reference in MP4.
  if (!stream || stream->size() < 3 || (*stream)[2] & 0xe0u) return std::nullopt;
  ByteView rest = stream->subspan(3);
  const auto decoder = take_descriptor(rest, 4);
  constexpr size_t kFixed = 13;
  if (!decoder || decoder->size() < kFixed) return std::nullopt;
  Elementary is;
  is.object_type = (*decoder)[0];
  rest = decoder->subspan(kFixed);
  if (const auto specific = take_descriptor(rest, 5))
    is.specific.assign(specific->begin(), specific->end());
  return is;
}

std::optional<AacConfig> read_aac_config(ByteView specific) {
  BitReader r(specific);
  AacConfig is;
  const auto type = [&] {
    const unsigned t = r.bits(5);
    return t == 31 ? 32 + r.bits(6) : t;
  };
  const auto rate = [&]() -> uint32_t {
    const unsigned index = r.bits(4);
    if (index == 15) return r.bits(24);
    return index < std::size(kAacRates) ? kAacRates[index] : 0;
  };
  is.object_type = type();
  is.rate = rate();
  const unsigned layout = r.bits(4);
  is.channels = layout == 7 ? 8 : layout;
  unsigned core = is.object_type;
  if (core == 5 || core == 29) {
    (void)rate();  // after SBR
    core = type();
  }
  // General audio: the first bit of its own configuration chooses the shorter frame.
  const bool shorter = r.bit();
  if (core == 23 || core == 39)
    is.frame = shorter ? 480 : 512;
  else
    is.frame = shorter ? 960 : 1024;
  if (r.bad() || is.rate == 0) return std::nullopt;
  return is;
}

}  // namespace clips::cut
