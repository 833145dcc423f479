// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "movie.hpp"
#include "sampleentry.hpp"

namespace clips::cut {

// What an MP4 says of a track and its packets, for containers that leave it to be found out.

// Size, language and place of a track whose picture or sound is as its entry says.
void place_track(Track& track, const Picture& picture, const std::string& language);

// Decode times of packets in decode order that have only presentation times: those in order, moved
// back by as much as the reordering needs. Durations, too; `usual` is the last picture's if it has
// none of its own and is not 0.
void derive_decode_times(std::vector<Sample>& packets, int64_t usual);

// Durations of pictures that have both times, alike.
void set_durations(std::vector<Sample>& packets, int64_t usual);

// A vpcC (VP Codec ISO Media File Format Binding), from the first packet.
Bytes vp_config(bool vp9, ByteView packet, const Picture& picture);

// Samples (at 48 kHz) in a packet of Opus (RFC 6716 section 3.1).
int64_t opus_samples(ByteView packet);

// How long packets of Vorbis are (Vorbis I specification, sections 4.2 and 4.3).
struct VorbisBlocks {
  unsigned size[2] = {};          // samples of a short and a long block
  std::vector<bool> long_blocks;  // by mode
  unsigned mode_bits = 0;
  // Samples that the packet adds; `before`: the size of the block in front of it, then its own.
  int64_t samples(ByteView packet, unsigned& before) const;
};
// From the CodecPrivate of Matroska: three headers with Xiph's lacing.
std::optional<VorbisBlocks> read_vorbis(ByteView headers);

// One frame of sound that says itself what it is.
struct SoundFrame {
  uint32_t rate = 0;
  unsigned channels = 0;
  int64_t samples = 0;
  size_t size = 0;        // bytes, with its header
  size_t header = 0;      // bytes that an MP4 leaves out (ADTS)
  Bytes config;           // payload of dac3 or dec3; the AudioSpecificConfig of AAC
  bool enhanced = false;  // E-AC-3
};
std::optional<SoundFrame> read_adts(ByteView bytes);        // ISO/IEC 13818-7 section 6.2
std::optional<SoundFrame> read_ac3(ByteView bytes);         // ETSI TS 102 366
std::optional<SoundFrame> read_mpeg_sound(ByteView bytes);  // ISO/IEC 11172-3

}  // namespace clips::cut
