// SPDX-License-Identifier: LGPL-2.1-or-later
// Indexes of Matroska files and transport streams that no tool at hand writes.
#include <gtest/gtest.h>

#include "cliprange/aviindex.hpp"
#include "cliprange/cutter.hpp"
#include "cliprange/mkvindex.hpp"
#include "cliprange/packetinfo.hpp"
#include "cliprange/soundclock.hpp"
#include "cliprange/tsindex.hpp"
#include "memory_reader.hpp"

namespace {

using namespace clips::cut;

// -- a writer of elements --------------------------------------------------------------------

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes id(uint32_t value) {
  Bytes out;
  for (int shift = 24; shift >= 0; shift -= 8)
    if (value >> shift) out.push_back(static_cast<uint8_t>(value >> shift));
  return out;
}

Bytes element(uint32_t name, const Bytes& payload) {
  const auto n = static_cast<uint32_t>(payload.size());
  return id(name) +
         Bytes{static_cast<uint8_t>(0x10 | n >> 24), static_cast<uint8_t>(n >> 16),
               static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)} +
         payload;
}

Bytes endless(uint32_t name, const Bytes& payload) {
  return id(name) + Bytes{0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} + payload;
}

Bytes number(uint32_t name, uint32_t value) {
  return element(name, {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
                        static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)});
}

Bytes text(uint32_t name, const std::string& value) {
  return element(name, Bytes(value.begin(), value.end()));
}

constexpr uint32_t kSimpleBlock = 0xa3, kCluster = 0x1f43b675;

Bytes block(unsigned track, int time, unsigned flags, const Bytes& payload) {
  return element(kSimpleBlock,
                 Bytes{static_cast<uint8_t>(0x80 | track), static_cast<uint8_t>(time >> 8),
                       static_cast<uint8_t>(time), static_cast<uint8_t>(flags)} +
                     payload);
}

Bytes motion_jpeg(unsigned track) {
  return element(0xae, number(0xd7, track) + number(0x83, 1) + text(0x86, "V_MJPEG") +
                           element(0xe0, number(0xb0, 64) + number(0xba, 48)));
}

Bytes opus(unsigned track, uint32_t delay = 0) {
  const std::string head = "OpusHead\x01\x02";
  Bytes config(head.begin(), head.end());
  config.resize(19);
  return element(0xae, number(0xd7, track) + number(0x83, 2) + text(0x86, "A_OPUS") +
                           element(0x63a2, config) + number(0x56aa, delay) +
                           element(0xe1, element(0xb5, {0x47, 0x3b, 0x80, 0x00})));
}

const Bytes kStart = element(0x1a45dfa3, text(0x4282, "matroska"));

Bytes file(const Bytes& tracks, const Bytes& clusters) {
  return kStart + element(0x18538067, element(0x1654ae6b, tracks) + clusters);
}

// 20 ms of Opus and of nothing else.
const Bytes kOpus{0x08, 1, 2};

Movie indexed(const Bytes& bytes, const Wish& wish = {}) {
  MemoryReader reader(bytes);
  auto movie = read_mkv(reader, wish);
  EXPECT_TRUE(movie) << (movie ? "" : movie.error().message + " " + movie.error().details);
  return movie ? std::move(*movie) : Movie{};
}

std::vector<Sample> samples_of(const Track& track) {
  std::vector<Sample> all;
  track.samples.each(0, track.samples.count(), [&](uint64_t, const Sample& s) {
    all.push_back(s);
    return true;
  });
  return all;
}

// -- Matroska --------------------------------------------------------------------------------

struct Lace {
  const char* name;
  unsigned flags;
  Bytes head;
};

class ClipContainersLacing : public testing::TestWithParam<Lace> {};

TEST_P(ClipContainersLacing, gives_every_packet_its_place_and_time) {
  const Lace& lace = GetParam();
  const Bytes three = kOpus + Bytes{0x08, 3, 4} + Bytes{0x08, 5, 6};
  const Bytes bytes = file(
      opus(1), element(kCluster, number(0xe7, 100) + block(1, 0, lace.flags, lace.head + three) +
                                     block(1, 60, 0, kOpus)));
  const Movie movie = indexed(bytes);
  ASSERT_EQ(1u, movie.tracks.size());
  const auto packets = samples_of(movie.tracks[0]);
  ASSERT_EQ(4u, packets.size());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(3u, packets[i].size);
    EXPECT_EQ(4800 + 960 * static_cast<int64_t>(i), packets[i].pts);
    EXPECT_EQ(0x08, bytes[packets[i].offset]);
  }
  EXPECT_EQ(5, bytes[packets[2].offset + 1]);
}

INSTANTIATE_TEST_SUITE_P(All, ClipContainersLacing,
                         testing::Values(Lace{"Xiph", 0x82, {2, 3, 3}}, Lace{"fixed", 0x84, {2}},
                                         Lace{"EBML", 0x86, {2, 0x83, 0xbf}}),
                         [](const auto& lace) { return std::string(lace.param.name); });

TEST(ClipContainers, clusters_without_a_size_end_where_the_next_begins) {
  const Bytes first = endless(kCluster, number(0xe7, 0) + block(1, 0, 0x80, {1, 2, 3}));
  const Bytes second = endless(kCluster, number(0xe7, 40) + block(1, 0, 0x80, {4, 5}));
  const Movie movie =
      indexed(kStart + endless(0x18538067, element(0x1654ae6b, motion_jpeg(1)) + first + second));
  const auto packets = samples_of(movie.tracks.at(0));
  ASSERT_EQ(2u, packets.size());
  EXPECT_EQ(40, packets[1].pts);
  EXPECT_EQ(2u, packets[1].size);
  EXPECT_FALSE(movie.cut_short);
}

TEST(ClipContainers, decode_times_follow_from_the_order_of_pictures) {
  std::vector<Sample> packets(5);
  const int64_t shown[] = {0, 120, 40, 80, 160};
  for (size_t i = 0; i < 5; ++i) packets[i].pts = shown[i];
  derive_decode_times(packets, 0);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(static_cast<int64_t>(i) * 40 - 40, packets[i].dts);
    EXPECT_LE(packets[i].dts, packets[i].pts);
  }
}

TEST(ClipContainers, the_codec_delay_is_taken_off_and_hidden) {
  Bytes blocks = number(0xe7, 0);
  for (int i = 0; i < 10; ++i) blocks = blocks + block(1, 20 * i, 0, kOpus);
  const Movie movie = indexed(file(opus(1, 6'500'000), element(kCluster, blocks)));
  EXPECT_EQ(312, movie.tracks.at(0).media_start);
  EXPECT_EQ(0, stream_time(movie, movie.tracks[0], 312));
}

TEST(ClipContainers, a_file_that_ends_in_a_block_is_cut_short) {
  Bytes bytes = file(motion_jpeg(1), element(kCluster, number(0xe7, 0) + block(1, 0, 0x80, {1, 2}) +
                                                           block(1, 40, 0x80, Bytes(100))));
  bytes.erase(bytes.end() - 50, bytes.end());
  const Movie movie = indexed(bytes);
  EXPECT_TRUE(movie.cut_short);
  EXPECT_EQ(1u, movie.tracks.at(0).samples.count());
}

// An hour of a picture and a packet of sound every 40 ms, with cues.
Bytes an_hour() {
  Bytes clusters, cues;
  const Bytes tracks = element(0x1654ae6b, motion_jpeg(1) + opus(2));
  const size_t cue =
      element(0xbb, number(0xb3, 0) + element(0xb7, number(0xf7, 1) + number(0xf1, 0))).size();
  const size_t before = tracks.size() + element(0x1c53bb6b, Bytes(3600 * cue)).size();
  for (uint32_t second = 0; second < 3600; ++second) {
    cues = cues + element(0xbb, number(0xb3, second * 1000) +
                                    element(0xb7, number(0xf7, 1) +
                                                      number(0xf1, static_cast<uint32_t>(
                                                                       before + clusters.size()))));
    Bytes blocks = number(0xe7, second * 1000);
    for (int i = 0; i < 25; ++i)
      blocks = blocks + block(1, 40 * i, i == 0 ? 0x80 : 0, Bytes(400, static_cast<uint8_t>(i))) +
               block(2, 40 * i, 0, {0x0c, 1, 2});
    const Bytes whole = element(kCluster, blocks);
    clusters.insert(clusters.end(), whole.begin(), whole.end());
  }
  return kStart + element(0x18538067, tracks + element(0x1c53bb6b, cues) + clusters);
}

TEST(ClipContainers, a_range_of_a_long_file_is_found_by_its_cues) {
  const Bytes bytes = an_hour();
  const auto whole = indexed(bytes);
  MemoryReader reader(bytes);
  Wish wish;
  wish.range = {1'800'500'000'000, 1'802'500'000'000};
  const auto part = read_mkv(reader, wish);
  ASSERT_TRUE(part);
  EXPECT_TRUE(part->windowed);
  EXPECT_LT(reader.bytes_read(), bytes.size() / 20);
  Request request;
  request.start = wish.range->first;
  request.stop = wish.range->second;
  const auto expected = find_pictures(whole, *whole.video(), request);
  const auto found = find_pictures(*part, *part->video(), request);
  ASSERT_TRUE(expected && found);
  EXPECT_EQ(50u, found->frames);
  EXPECT_EQ(expected->frames, found->frames);
  EXPECT_EQ(expected->first_pts, found->first_pts);
  EXPECT_EQ(expected->end_pts, found->end_pts);
  EXPECT_EQ(whole.video()->samples.at(expected->key_index).offset,
            part->video()->samples.at(found->key_index).offset);
  // Sound that must be decoded in front of the range is there too.
  const auto sound = find_packets(part->tracks[1], 1'800'500 * 48, 1'802'500 * 48);
  ASSERT_TRUE(sound);
  EXPECT_LE(part->tracks[1].samples.at(sound->first_index).pts, (1'800'500 - 80) * 48);
}

TEST(ClipContainers, the_header_of_a_long_file_is_read_without_its_media) {
  const Bytes bytes = an_hour();
  MemoryReader reader(bytes);
  Wish wish;
  wish.header_above = bytes.size() - 1;
  const auto movie = read_mkv(reader, wish);
  ASSERT_TRUE(movie);
  EXPECT_TRUE(movie->windowed);
  EXPECT_LT(reader.bytes_read(), bytes.size() / 20);
  const auto& times = movie->video()->key_times;
  ASSERT_EQ(3600u, times.size());
  EXPECT_EQ(0u, times.front());
  EXPECT_EQ(3599'000'000'000u, times.back());
  // Not larger than what is asked for: all of it.
  wish.header_above = bytes.size();
  EXPECT_EQ(90'000u, indexed(bytes, wish).video()->samples.count());
}

TEST(ClipContainers, a_header_without_an_index_is_not_enough) {
  const Bytes bytes =
      file(motion_jpeg(1), element(kCluster, number(0xe7, 0) + block(1, 0, 0x80, {1})));
  MemoryReader reader(bytes);
  Wish wish;
  wish.header_above = 0;
  const auto none = read_mkv(reader, wish);
  ASSERT_FALSE(none);
  EXPECT_EQ(Fault::Unsupported, none.error().fault);
  wish.whole_up_to = bytes.size();
  EXPECT_EQ(1u, indexed(bytes, wish).video()->samples.count());
}

TEST(ClipContainers, a_wish_for_all_reads_all) {
  const auto whole = indexed(an_hour());
  EXPECT_FALSE(whole.windowed);
  EXPECT_EQ(90'000u, whole.video()->samples.count());
}

// -- sound -----------------------------------------------------------------------------------

TEST(ClipContainers, sound_is_put_to_the_sample_where_its_timestamps_agree) {
  std::vector<Sample> packets;
  SoundClock clock(packets, 1000, 48'000);
  // 1024 samples are 21.333 ms; the first one begins at sample 2232, which is 46.5 ms.
  for (int64_t i = 0; i < 300; ++i) {
    Sample s;
    s.duration = 1024;
    clock.add(s, static_cast<int64_t>(round_div(Wide{2232 + 1024 * i} * 1000, Wide{48'000})));
  }
  clock.finish();
  for (int64_t i = 0; i < 300; ++i)
    EXPECT_NEAR(2232 + 1024 * i, static_cast<double>(packets[static_cast<size_t>(i)].pts), 10);
}

TEST(ClipContainers, a_pause_in_the_sound_stays_a_pause) {
  std::vector<Sample> packets;
  SoundClock clock(packets, 1000, 48'000);
  for (int64_t i = 0; i < 100; ++i) {
    Sample s;
    s.duration = 960;
    clock.add(s, 20 * i + (i >= 50 ? 500 : 0));
  }
  clock.finish();
  EXPECT_EQ(960 * 49, packets[49].pts);
  EXPECT_EQ(960 * 50 + 24'000, packets[50].pts);
}

TEST(ClipContainers, opus_says_how_long_a_packet_is) {
  const uint8_t two_and_a_half[] = {0x80}, twenty[] = {0x08}, sixty[] = {0x18},
                three_of_twenty[] = {0x0b, 3};
  EXPECT_EQ(120, opus_samples(two_and_a_half));
  EXPECT_EQ(960, opus_samples(twenty));
  EXPECT_EQ(2880, opus_samples(sixty));
  EXPECT_EQ(2880, opus_samples(three_of_twenty));
}

// -- transport streams -----------------------------------------------------------------------

TEST(ClipContainers, bytes_that_only_begin_like_a_transport_stream_are_an_error) {
  Bytes bytes(188 * 40, 0xff);
  for (size_t at = 0; at < bytes.size(); at += 188) bytes[at] = 0x47;
  ASSERT_TRUE(looks_like_ts(bytes));
  MemoryReader reader(bytes);
  const auto movie = read_ts(reader);
  ASSERT_FALSE(movie);
  EXPECT_EQ(Fault::WrongType, movie.error().fault);
}

// -- AVI -------------------------------------------------------------------------------------

Bytes le(uint32_t value, int bytes = 4) {
  Bytes out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> 8 * i));
  return out;
}

Bytes name(const char* four) {
  return {static_cast<uint8_t>(four[0]), static_cast<uint8_t>(four[1]),
          static_cast<uint8_t>(four[2]), static_cast<uint8_t>(four[3])};
}

Bytes chunk(const char* four, const Bytes& body) {
  return name(four) + le(static_cast<uint32_t>(body.size())) + body +
         Bytes(body.size() % 2, uint8_t{0});
}

Bytes list(const char* type, const Bytes& body, const char* four = "LIST") {
  return chunk(four, name(type) + body);
}

// A stream of 25 units a second.
Bytes avi_stream(const char* kind, const Bytes& format, uint32_t start = 0) {
  const Bytes head = name(kind) + Bytes(16, 0) + le(1) + le(25) + le(start) + Bytes(24, 0);
  return list("strl", chunk("strh", head) + chunk("strf", format));
}

Bytes avi_video(const char* codec, uint32_t start = 0) {
  return avi_stream(
      "vids", le(40) + le(64) + le(48) + le(1, 2) + le(24, 2) + name(codec) + Bytes(20, 0), start);
}

Bytes avi_mp3() {
  return avi_stream(
      "auds", le(0x55, 2) + le(2, 2) + le(48000) + le(16000) + le(1, 2) + le(0, 2) + le(0, 2));
}

Bytes avi(const Bytes& streams, const Bytes& media) {
  return list("AVI ", list("hdrl", streams) + list("movi", media), "RIFF");
}

// A picture of MPEG-4; kind: 0 I, 1 P, 2 B.
Bytes vop(unsigned kind) {
  return {0, 0, 1, 0xb6, static_cast<uint8_t>(kind << 6 | 1), 7, 7};
}

Result<Movie> read(const Bytes& bytes) {
  MemoryReader reader(bytes);
  return read_avi(reader);
}

TEST(ClipContainers, pictures_of_avi_are_shown_in_the_order_of_their_kinds) {
  Bytes media;
  for (const unsigned kind : {0u, 1u, 2u, 2u, 1u, 2u, 0u}) media = media + chunk("00dc", vop(kind));
  const auto movie = read(avi(avi_video("XVID"), media));
  ASSERT_TRUE(movie) << movie.error().message;
  const auto packets = samples_of(movie->tracks[0]);
  const int64_t tick = movie->tracks[0].timescale / 25;
  const std::vector<int64_t> shown{0, 3, 1, 2, 5, 4, 6};
  ASSERT_EQ(shown.size(), packets.size());
  for (size_t i = 0; i < shown.size(); ++i) {
    EXPECT_EQ(shown[i] * tick, packets[i].pts) << i;
    EXPECT_LE(packets[i].dts, packets[i].pts) << i;
    EXPECT_EQ(i == 0 || i == 6, packets[i].sync) << i;
  }
}

TEST(ClipContainers, an_empty_chunk_of_avi_shows_the_picture_before_it_longer) {
  const Bytes media = chunk("00dc", vop(0)) + chunk("00dc", {}) + chunk("00dc", {}) +
                      list("rec ", chunk("00dc", vop(1))) + chunk("ix00", {1, 2, 3});
  const auto movie = read(avi(avi_video("DX50", 5), media));
  ASSERT_TRUE(movie) << movie.error().message;
  const auto packets = samples_of(movie->tracks[0]);
  ASSERT_EQ(2u, packets.size());
  EXPECT_EQ(200'000'000, stream_time(*movie, movie->tracks[0], packets[0].pts));
  EXPECT_EQ(320'000'000, stream_time(*movie, movie->tracks[0], packets[1].pts));
}

TEST(ClipContainers, two_pictures_in_a_packet_of_avi_are_refused_with_the_way_out) {
  const auto movie = read(avi(avi_video("DIVX"), chunk("00dc", vop(1) + vop(2))));
  ASSERT_FALSE(movie);
  EXPECT_EQ(Fault::Unsupported, movie.error().fault);
  EXPECT_NE(std::string::npos, movie.error().message.find("mpeg4_unpack_bframes"));
}

TEST(ClipContainers, frames_of_sound_that_chunks_of_avi_share_are_put_together) {
  // 48 kHz, 32 kbit/s, layer III: 96 bytes and 1152 samples a frame.
  Bytes sound;
  for (uint8_t i = 0; i < 4; ++i)
    sound = sound + Bytes{0xff, 0xfb, 0x14, 0xc0} + Bytes(92, static_cast<uint8_t>(i + 1));
  const auto part = [&](size_t from, size_t to) {
    return Bytes(sound.begin() + static_cast<ptrdiff_t>(from),
                 sound.begin() + static_cast<ptrdiff_t>(to));
  };
  const Bytes media = chunk("01wb", part(0, 50)) + chunk("00dc", vop(0)) +
                      chunk("01wb", part(50, 251)) + chunk("00dc", vop(1)) +
                      chunk("01wb", part(251, 384));
  const Bytes bytes = avi(avi_video("XVID") + avi_mp3(), media);
  const auto movie = read(bytes);
  ASSERT_TRUE(movie) << movie.error().message;
  ASSERT_EQ(2u, movie->tracks.size());
  const auto packets = samples_of(movie->tracks[1]);
  ASSERT_EQ(4u, packets.size());
  MemoryReader reader(bytes);
  MediaView view(reader, movie->packets);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<int64_t>(1152 * i), packets[i].pts);
    const auto got = view.read(packets[i].offset, packets[i].size);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(part(96 * i, 96 * i + 96), *got) << i;
  }
}

}  // namespace
