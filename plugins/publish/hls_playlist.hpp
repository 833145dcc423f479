// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace clips::publish {

// Playlists of HTTP Live Streaming (RFC 8216) for a video that is complete.

struct HlsSegment {
  std::string name;            // relative to the media playlist
  std::uint64_t duration = 0;  // ns
  std::uint64_t bytes = 0;
};

struct HlsVariant {
  std::string playlist;  // relative to the multivariant playlist
  std::vector<HlsSegment> segments;
  std::vector<std::string> codecs;  // RFC 6381
  int width = 0;                    // 0: not known
  int height = 0;
  int rate_numerator = 0;  // frames per second; 0: not known
  int rate_denominator = 1;
};

// All segments and the end mark; each segment begins with a key frame.
std::string media_playlist(std::span<const HlsSegment> segments);

// One entry a variant, in the given order. BANDWIDTH is that of the variant's fastest segment, as
// the RFC asks for.
std::string multivariant_playlist(std::span<const HlsVariant> variants);

// "avc1.64001f" from an H.264 access unit in byte-stream format that holds a sequence parameter
// set; empty when there is none.
std::string h264_codec(std::span<const unsigned char> access_unit);

// "mp4a.40.2" from the head of an ADTS frame; empty when it is none.
std::string adts_codec(std::span<const unsigned char> frame);

}  // namespace clips::publish
