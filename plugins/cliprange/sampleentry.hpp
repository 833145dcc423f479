// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "bytes.hpp"

namespace clips::cut {

// Sample entries (ISO/IEC 14496-12 section 8.5.2), which say in MP4 what a track's packets are:
// made for sources that say it in another way, and read for outputs that do.

// ITU-T H.273; 2: not said.
struct Colour {
  unsigned primaries = 2, transfer = 2, matrix = 2;
  bool full_range = false;
  bool known() const { return primaries != 2 || transfer != 2 || matrix != 2 || full_range; }
};

struct Picture {
  uint32_t width = 0, height = 0;
  uint32_t pixel_width = 1, pixel_height = 1;
  Colour colour;
};

// `config` is the payload of the box `box`, which says how to decode; box 0: there is none.
Bytes picture_entry(uint32_t code, const Picture& picture, uint32_t box, ByteView config);
Picture picture_of(ByteView entry);

struct Sound {
  unsigned channels = 2, bits = 16;
  uint32_t rate = 48000;
};

Bytes sound_entry(uint32_t code, const Sound& sound, uint32_t box, ByteView config);
Sound sound_of(ByteView entry);
// The payload of the box `type` in the sound entry of an MP4 or of QuickTime.
std::optional<ByteView> sound_entry_box(ByteView entry, uint32_t type);

// An esds (ISO/IEC 14496-14 section 5.6): what `mp4a` and `mp4v` packets are, and how their decoder
// begins.
struct Elementary {
  unsigned object_type =
      0x40;  // 0x40: AAC, 0x6b: MPEG-1 sound, 0xdd: Vorbis; 0x20: MPEG-4 pictures
  Bytes specific;
  bool picture = false;
};
Bytes esds(const Elementary& elementary);
std::optional<Elementary> read_esds(ByteView payload);

// How AAC says it begins (ISO/IEC 14496-3 section 1.6.2.1).
struct AacConfig {
  unsigned object_type = 2;  // 2: Low Complexity; 5 and 29 announce SBR and PS
  uint32_t rate = 48000;     // of the core, before SBR doubles it
  unsigned channels = 2;
  unsigned frame = 1024;  // samples of the core in a packet
};
std::optional<AacConfig> read_aac_config(ByteView specific);

}  // namespace clips::cut
