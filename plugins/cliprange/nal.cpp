// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nal.hpp"

#include <algorithm>

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

}  // namespace clips::cut
