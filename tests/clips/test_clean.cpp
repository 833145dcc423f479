// SPDX-License-Identifier: LGPL-2.1-or-later
// What is clean H.264 and AAC, by parameter sets that x264 wrote.
#include <gtest/gtest.h>

#include "cliprange/clean.hpp"
#include "cliprange/nal.hpp"
#include "cliprange/sampleentry.hpp"

using namespace clips::cut;

namespace {

Bytes hex(std::string_view text) {
  Bytes out;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return out;
}

constexpr const char* kHigh = "67640028acd940780227e5c044000003000400000300f03c60c658";
constexpr const char* kPortrait = "674d4028eca02201e3cbe022000003000200000300781e30632c";
constexpr const char* kBaseline = "6742c01ed900a02ff970110000030001000003003c0f162e48";
constexpr const char* kInterlaced = "67640028acd94078044fde0220000003002000000783e2c5b2c0";
constexpr const char* kTenBit = "676e001ea6cd940a02ff970110000003001000000303c0f162d960";
constexpr const char* k422 = "677a001ebcd940a02ff89c0440000003004000000f03c58b6580";
constexpr const char* kPq = "6764001eacd940a02ff97016a0420048000003000800000301e078b16cb0";
constexpr const char* kOdd = "67640028acd94078067ea230110000030001000003003c0f183196";
constexpr const char* kPps = "68ebe3cb22c0";

TEST(AvcPictures, size_profile_depth_and_scan_are_those_that_x264_was_told) {
  const auto is = [](const char* sps) { return avc_pictures(hex(sps)); };
  const auto high = is(kHigh);
  ASSERT_TRUE(high);
  EXPECT_EQ(100u, high->profile);
  EXPECT_EQ(1u, high->chroma_format);
  EXPECT_EQ(8u, high->bit_depth);
  EXPECT_TRUE(high->progressive);
  EXPECT_EQ(1920u, high->picture.width);
  EXPECT_EQ(1080u, high->picture.height);  // 1088 are coded
  ASSERT_TRUE(is(kPortrait));
  EXPECT_EQ(77u, is(kPortrait)->profile);
  EXPECT_EQ(1080u, is(kPortrait)->picture.width);
  EXPECT_EQ(1920u, is(kPortrait)->picture.height);
  EXPECT_EQ(66u, is(kBaseline)->profile);
  EXPECT_FALSE(is(kInterlaced)->progressive);
  EXPECT_EQ(1080u, is(kInterlaced)->picture.height);
  EXPECT_EQ(10u, is(kTenBit)->bit_depth);
  EXPECT_EQ(2u, is(k422)->chroma_format);
  EXPECT_EQ(16u, is(kPq)->picture.colour.transfer);
  EXPECT_EQ(1918u, is(kOdd)->picture.width);
  EXPECT_EQ(802u, is(kOdd)->picture.height);
}

TEST(AvcPictures, a_set_that_is_cut_off_is_no_set_or_one_of_sane_numbers) {
  for (const char* sps : {kHigh, kInterlaced, kTenBit, k422, kPq, kOdd}) {
    const Bytes whole = hex(sps);
    EXPECT_FALSE(avc_pictures(ByteView(whole).first(1)));
    for (size_t size = 0; size < whole.size(); ++size) {
      const auto is = avc_pictures(ByteView(whole).first(size));
      if (!is) continue;
      EXPECT_LE(is->bit_depth, 14u);
      EXPECT_LE(is->chroma_format, 3u);
    }
  }
}

Track picture_track(const char* sps) {
  ParameterSets sets;
  sets.sps = {hex(sps)};
  sets.pps = {hex(kPps)};
  const auto config = make_config(NalCodec::Avc, sets);
  EXPECT_TRUE(config);
  Track track;
  track.kind = TrackKind::Video;
  track.codec = fourcc("avc1");
  track.descriptions = {picture_entry(track.codec, {}, fourcc("avcC"), *config)};
  track.samples = SampleTable(std::vector<Sample>{{0, 1, 0, 0, 1, 1, true}});
  return track;
}

Track sound_track(unsigned object_type = 0x40, Bytes specific = {0x11, 0x90}) {
  Track track;
  track.kind = TrackKind::Audio;
  track.codec = fourcc("mp4a");
  track.descriptions = {
      sound_entry(track.codec, {}, fourcc("esds"), esds({object_type, std::move(specific)}))};
  track.samples = SampleTable(std::vector<Sample>{{0, 1, 0, 0, 1, 1, true}});
  return track;
}

Movie movie_of(std::vector<Track> tracks) {
  Movie movie;
  movie.tracks = std::move(tracks);
  return movie;
}

TEST(Clean, progressive_eight_bit_h264_with_one_aac_or_none) {
  for (const char* sps : {kHigh, kPortrait, kBaseline, kOdd}) {
    EXPECT_EQ("", why_not_clean(movie_of({picture_track(sps), sound_track()}), true));
    EXPECT_EQ("", why_not_clean(movie_of({picture_track(sps)}), false));
  }
  for (const auto container : {Container::Matroska, Container::MpegTs}) {
    Movie movie = movie_of({picture_track(kHigh), sound_track()});
    movie.container = container;
    EXPECT_EQ("", why_not_clean(movie, true));
  }
}

TEST(Clean, every_other_movie_has_its_reason) {
  const auto reason = [](std::vector<Track> tracks, bool sound = true) {
    return why_not_clean(movie_of(std::move(tracks)), sound);
  };
  const auto picture = [] { return picture_track(kHigh); };
  EXPECT_EQ("it has no picture", reason({sound_track()}));
  EXPECT_EQ("its pictures may be interlaced", reason({picture_track(kInterlaced)}));
  EXPECT_EQ("its H.264 profile is none of Baseline, Main and High",
            reason({picture_track(kTenBit)}));
  EXPECT_EQ("its H.264 profile is none of Baseline, Main and High", reason({picture_track(k422)}));
  EXPECT_EQ("its pictures are HDR", reason({picture_track(kPq)}));
  EXPECT_EQ("it has several tracks of a kind", reason({picture(), sound_track(), sound_track()}));
  EXPECT_EQ("it has sound, which is not wanted", reason({picture(), sound_track()}, false));
  EXPECT_EQ("its sound is not AAC", reason({picture(), sound_track(0x6b, {})}));
  Track other = picture();
  other.codec = fourcc("hvc1");
  EXPECT_EQ("its picture is not H.264", reason({other}));
  Track changing = picture();
  changing.descriptions.push_back(changing.descriptions.front());
  EXPECT_EQ("its parameters change on the way", reason({changing}));
  Track edited = picture();
  edited.edit_fault = "it has two pieces";
  EXPECT_EQ("of an edit list: it has two pieces", reason({edited}));
  Track empty = picture();
  empty.samples = {};
  EXPECT_EQ("a track is empty", reason({empty}));
  Movie quicktime = movie_of({picture()});
  quicktime.container = Container::Mov;
  EXPECT_EQ("it is a QuickTime file", why_not_clean(quicktime, true));
}

}  // namespace
