// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace clips {

// Where the second picture of a packet of MPEG-4 part 2 begins (a VOP's start code, ISO/IEC
// 14496-2 section 6.2). DivX and Xvid put a picture and the B-picture that is shown before it into
// one packet of an AVI ("packed bitstream"), because AVI's players show a picture a packet.
std::optional<std::size_t> second_picture(std::span<const std::byte> packet);

// Whether a packet can only be the placeholder of a picture that came with an earlier packet: one
// that is not coded, or no bytes to speak of. Taken from FFmpeg's mpeg4_unpack_bframes.
inline bool is_placeholder(std::size_t packet_size) {
  constexpr std::size_t largest = 19;
  return packet_size <= largest;
}

}  // namespace clips
