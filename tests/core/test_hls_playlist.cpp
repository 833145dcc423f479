// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "hls_playlist.hpp"

namespace {

using namespace clips::publish;

TEST(HlsPlaylist, AMediaPlaylistNamesEverySegmentWithItsDurationAndEnds) {
  const HlsSegment segments[] = {{"a.ts", 4'004'000'000, 10}, {"b.ts", 1'001'000'499, 10}};
  EXPECT_EQ(media_playlist(segments),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n"
            "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXTINF:4.004000,\na.ts\n#EXTINF:1.001000,\nb.ts\n#EXT-X-ENDLIST\n");
}

TEST(HlsPlaylist, TheTargetDurationIsTheLongestSegmentRoundedToTheNearestSecond) {
  const auto target = [](std::uint64_t ns) {
    const HlsSegment one[] = {{"a.ts", ns, 1}};
    const auto text = media_playlist(one);
    const auto at = text.find("TARGETDURATION:") + 15;
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(target(4'499'999'999), "4");
  EXPECT_EQ(target(4'500'000'000), "5");
  EXPECT_EQ(target(40'000'000), "1");
}

TEST(HlsPlaylist, AVariantIsAsFastAsItsFastestSegment) {
  HlsVariant variant;
  variant.playlist = "v0/index.m3u8";
  variant.segments = {{"a", 4'000'000'000, 1'000'000}, {"b", 1'000'000'000, 500'000}};
  variant.codecs = {"avc1.640028", "mp4a.40.2"};
  variant.width = 1920;
  variant.height = 1080;
  variant.rate_numerator = 24000;
  variant.rate_denominator = 1001;
  EXPECT_EQ(multivariant_playlist({&variant, 1}),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=4000000,AVERAGE-BANDWIDTH=2400000,"
            "CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=1920x1080,FRAME-RATE=23.976\n"
            "v0/index.m3u8\n");
}

TEST(HlsPlaylist, WhatIsNotKnownIsLeftOut) {
  HlsVariant variant;
  variant.playlist = "v0/index.m3u8";
  variant.segments = {{"a", 1'000'000'000, 125}};
  EXPECT_EQ(multivariant_playlist({&variant, 1}),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=1000\nv0/index.m3u8\n");
}

TEST(HlsPlaylist, TheCodecOfAPictureIsReadFromItsSequenceParameterSet) {
  const unsigned char unit[] = {0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac};
  EXPECT_EQ(h264_codec(unit), "avc1.64001f");
  EXPECT_EQ(h264_codec({unit, 10}), "");
  EXPECT_EQ(h264_codec({unit, 12}), "");
  EXPECT_EQ(h264_codec({}), "");
}

TEST(HlsPlaylist, TheCodecOfSoundIsReadFromTheAdtsHeader) {
  const unsigned char low_complexity[] = {0xff, 0xf1, 0x50, 0x80};
  EXPECT_EQ(adts_codec(low_complexity), "mp4a.40.2");
  const unsigned char other[] = {0x49, 0x44, 0x33};
  EXPECT_EQ(adts_codec(other), "");
  EXPECT_EQ(adts_codec({}), "");
}

}  // namespace
