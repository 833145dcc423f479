// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hls_playlist.hpp"

#include <algorithm>
#include <cstdio>

namespace clips::publish {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// Seconds with six decimals, of integers: no locale and no rounding of binary fractions.
std::string seconds(std::uint64_t nanoseconds) {
  const std::uint64_t micros = (nanoseconds + 500) / 1000;
  std::string fraction = std::to_string(micros % 1'000'000);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::to_string(micros / 1'000'000) + "." + fraction;
}

// Bit/s, rounded up.
std::uint64_t bit_rate(std::uint64_t bytes, std::uint64_t duration) {
  if (duration == 0) return 0;
  const auto bits = static_cast<unsigned __int128>(bytes) * 8 * kSecond;
  return static_cast<std::uint64_t>((bits + duration - 1) / duration);
}

}  // namespace

std::string media_playlist(std::span<const HlsSegment> segments) {
  // "The EXTINF duration of each Media Segment, when rounded to the nearest integer, MUST be less
  // than or equal to the target duration" (RFC 8216, 4.3.3.1).
  std::uint64_t target = 1;
  for (const auto& segment : segments)
    target = std::max(target, (segment.duration + kSecond / 2) / kSecond);
  std::string text =
      "#EXTM3U\n"
      "#EXT-X-VERSION:3\n"
      "#EXT-X-TARGETDURATION:" +
      std::to_string(target) +
      "\n"
      "#EXT-X-MEDIA-SEQUENCE:0\n"
      "#EXT-X-PLAYLIST-TYPE:VOD\n"
      "#EXT-X-INDEPENDENT-SEGMENTS\n";
  for (const auto& segment : segments)
    text += "#EXTINF:" + seconds(segment.duration) + ",\n" + segment.name + "\n";
  return text + "#EXT-X-ENDLIST\n";
}

std::string multivariant_playlist(std::span<const HlsVariant> variants) {
  std::string text =
      "#EXTM3U\n"
      "#EXT-X-VERSION:3\n"
      "#EXT-X-INDEPENDENT-SEGMENTS\n";
  for (const auto& variant : variants) {
    std::uint64_t peak = 0;
    std::uint64_t bytes = 0;
    std::uint64_t duration = 0;
    for (const auto& segment : variant.segments) {
      peak = std::max(peak, bit_rate(segment.bytes, segment.duration));
      bytes += segment.bytes;
      duration += segment.duration;
    }
    text += "#EXT-X-STREAM-INF:BANDWIDTH=" + std::to_string(peak) +
            ",AVERAGE-BANDWIDTH=" + std::to_string(bit_rate(bytes, duration));
    if (!variant.codecs.empty()) {
      text += ",CODECS=\"";
      for (std::size_t i = 0; i < variant.codecs.size(); ++i)
        text += (i > 0 ? "," : "") + variant.codecs[i];
      text += "\"";
    }
    if (variant.width > 0 && variant.height > 0)
      text += ",RESOLUTION=" + std::to_string(variant.width) + "x" + std::to_string(variant.height);
    if (variant.rate_numerator > 0 && variant.rate_denominator > 0) {
      // Three decimals, rounded.
      const auto milli = (std::uint64_t{1000} * static_cast<unsigned>(variant.rate_numerator) * 2 +
                          static_cast<unsigned>(variant.rate_denominator)) /
                         (2 * static_cast<std::uint64_t>(variant.rate_denominator));
      std::string fraction = std::to_string(milli % 1000);
      fraction.insert(0, 3 - fraction.size(), '0');
      text += ",FRAME-RATE=" + std::to_string(milli / 1000) + "." + fraction;
    }
    text += "\n" + variant.playlist + "\n";
  }
  return text;
}

std::string h264_codec(std::span<const unsigned char> unit) {
  // ITU-T H.264 annex B and 7.3.2.1.1: behind the NAL header 0x?7 stand profile, constraints,
  // level.
  for (std::size_t at = 0; at + 6 < unit.size(); ++at) {
    if (unit[at] != 0 || unit[at + 1] != 0 || unit[at + 2] != 1) continue;
    if ((unit[at + 3] & 0x1f) != 7) continue;
    char text[16];
    std::snprintf(text, sizeof text, "avc1.%02x%02x%02x", unit[at + 4], unit[at + 5], unit[at + 6]);
    return text;
  }
  return {};
}

std::string adts_codec(std::span<const unsigned char> frame) {
  // ISO/IEC 14496-3, 1.A.2.2: twelve ones, then at bit 16 the object type less one.
  if (frame.size() < 3 || frame[0] != 0xff || (frame[1] & 0xf6) != 0xf0) return {};
  return "mp4a.40." + std::to_string((frame[2] >> 6) + 1);
}

}  // namespace clips::publish
