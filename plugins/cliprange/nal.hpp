// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "bytes.hpp"

namespace clips::cut {

// H.264 (ITU-T H.264, ISO/IEC 14496-15 section 5) and H.265 (ITU-T H.265, 14496-15 section 8) as
// they lie in MP4: units with a length in front.
enum class NalCodec { Avc, Hevc };

struct NalFormat {
  NalCodec codec = NalCodec::Avc;
  unsigned length_size = 4;
  Bytes config;  // avcC or hvcC, without the box header
};

bool is_avc(uint32_t code);
bool is_hevc(uint32_t code);

// What a sample entry says; nothing for other codecs or a broken entry.
std::optional<NalFormat> nal_format(uint32_t code, ByteView sample_entry);

// Where the boxes behind the fixed fields of a visual sample entry begin.
constexpr size_t kVisualEntryHeader = 86;
// The payload of the box `type` in a visual sample entry.
std::optional<ByteView> visual_entry_box(ByteView sample_entry, uint32_t type);

// Calls visit(unit) for each whole unit of a packet; it returns false to stop. A unit that is cut
// short is given as far as it goes.
template <typename Visit>
void each_nal(ByteView packet, unsigned length_size, Visit&& visit) {
  while (packet.size() > length_size) {
    uint64_t length = 0;
    for (unsigned i = 0; i < length_size; ++i) length = length << 8 | packet[i];
    packet = packet.subspan(length_size);
    const auto there = static_cast<size_t>(std::min<uint64_t>(length, packet.size()));
    if (there && !visit(packet.first(there))) return;
    packet = packet.subspan(there);
  }
}

// What kind of random access a packet gives.
enum class KeyKind {
  None,
  Closed,  // IDR, or BLA: nothing behind it refers across it
  Open,    // H.264 recovery point or H.265 CRA: pictures shown before it may
};
KeyKind key_kind(const NalFormat& format, ByteView packet);

}  // namespace clips::cut
