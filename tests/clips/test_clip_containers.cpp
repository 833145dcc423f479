// SPDX-License-Identifier: LGPL-2.1-or-later
// Indexes of Matroska files and transport streams that no tool at hand writes.
#include <gtest/gtest.h>

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

}  // namespace
