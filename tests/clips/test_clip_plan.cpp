// SPDX-License-Identifier: LGPL-2.1-or-later
// The range planner and the MP4 reader and writer, without GStreamer.
#include <gtest/gtest.h>

#include <random>

#include "cliprange/cutter.hpp"
#include "cliprange/mp4index.hpp"
#include "memory_reader.hpp"

using namespace clips::cut;

namespace {

constexpr uint64_t kMs = 1'000'000;

// A source in memory.
Track video_track(uint32_t timescale, std::vector<Sample> samples) {
  Track track;
  track.id = 1;
  track.kind = TrackKind::Video;
  track.handler = fourcc("vide");
  track.codec = fourcc("jpeg");
  track.timescale = timescale;
  ByteWriter w;
  const size_t mark = w.box(track.codec);
  w.zeros(78);
  w.end(mark);
  track.descriptions.push_back(w.out);
  track.samples = SampleTable(std::move(samples));
  return track;
}

// Pictures in the decode order I P B B P B B ..., `gop` of them a key frame; 10 bytes each.
std::vector<Sample> ipbb(int count, int gop, int64_t tick, uint64_t offset = 1000) {
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i) {
    const int in_gop = i % gop;
    const int start = i - in_gop;
    int shown = in_gop;  // I stays; then P takes the place behind its two Bs
    if (in_gop > 0) {
      const int group = (in_gop - 1) / 3, at = (in_gop - 1) % 3;
      const int size = std::min(3, gop - 1 - group * 3);
      shown = 1 + group * 3 + (at == 0 ? size - 1 : at - 1);
    }
    samples.push_back({offset, 10, i * tick, (start + shown + 1) * tick, tick, 1, in_gop == 0});
    offset += 10;
  }
  return samples;
}

Movie movie_of(Track track) {
  Movie movie;
  movie.timescale = 1000;
  movie.source_size = 1 << 20;
  track.media_start = track.samples.at(0).pts;
  movie.tracks.push_back(std::move(track));
  return movie;
}

Request between(uint64_t start, uint64_t stop) {
  Request request;
  request.start = start;
  request.stop = stop;
  return request;
}

}  // namespace

TEST(ClipPlan, a_range_is_half_open) {
  const Movie movie = movie_of(video_track(1000, ipbb(70, 7, 40)));
  const auto range = find_pictures(movie, movie.tracks[0], between(400 * kMs, 800 * kMs));
  ASSERT_TRUE(range);
  EXPECT_EQ(10u, range->first_frame);
  EXPECT_EQ(10u, range->frames);
  EXPECT_EQ(400, stream_time(movie, movie.tracks[0], range->first_pts) / 1'000'000);
  EXPECT_EQ(800, stream_time(movie, movie.tracks[0], range->end_pts) / 1'000'000);
  EXPECT_EQ(70u, range->total);
  EXPECT_FALSE(range->stop_past_end);
}

TEST(ClipPlan, times_rounded_to_milliseconds_mean_the_frame_they_came_from) {
  for (const uint32_t scale : {24000u, 30000u, 60000u}) {
    const int tick = 1001;
    const Movie movie = movie_of(video_track(scale, ipbb(700, 7, tick)));
    for (uint64_t n = 0; n < 690; ++n) {
      const auto ms = [&](uint64_t frame) {
        return (frame * static_cast<uint64_t>(tick) * 2000 + scale) / (2ull * scale) * kMs;
      };
      const auto range = find_pictures(movie, movie.tracks[0], between(ms(n), ms(n + 5)));
      ASSERT_TRUE(range);
      ASSERT_EQ(n, range->first_frame) << scale;
      ASSERT_EQ(5u, range->frames) << scale;
    }
  }
}

TEST(ClipPlan, frame_numbers_count_in_display_order) {
  const Movie movie = movie_of(video_track(1000, ipbb(70, 7, 40)));
  for (int64_t first = 0; first < 70; ++first) {
    Request request;
    request.start_frame = first;
    request.stop_frame = first + 1;
    const auto range = find_pictures(movie, movie.tracks[0], request);
    ASSERT_TRUE(range);
    EXPECT_EQ(static_cast<uint64_t>(first), range->first_frame);
    EXPECT_EQ(1u, range->frames);
    EXPECT_EQ(static_cast<uint64_t>(first / 7 * 7), range->key_index);
  }
}

TEST(ClipPlan, a_stop_past_the_end_is_the_end_and_said) {
  const Movie movie = movie_of(video_track(1000, ipbb(70, 7, 40)));
  const auto range = find_pictures(movie, movie.tracks[0], between(2000 * kMs, 99'000 * kMs));
  ASSERT_TRUE(range);
  EXPECT_EQ(20u, range->frames);
  EXPECT_TRUE(range->stop_past_end);
  EXPECT_EQ(2'800'000'000, stream_time(movie, movie.tracks[0], range->end_pts));
}

TEST(ClipPlan, what_cannot_be_cut_is_an_error_that_says_why) {
  const Movie movie = movie_of(video_track(1000, ipbb(70, 7, 40)));
  const Track& video = movie.tracks[0];
  const auto fault = [&](const Request& request) {
    const auto range = find_pictures(movie, video, request);
    EXPECT_FALSE(range);
    return range ? Fault::Read : range.error().fault;
  };
  EXPECT_EQ(Fault::Settings, fault(between(800 * kMs, 400 * kMs)));
  EXPECT_EQ(Fault::Settings, fault(between(800 * kMs, 800 * kMs)));
  EXPECT_EQ(Fault::Range, fault(between(2800 * kMs, 3000 * kMs)));
  EXPECT_EQ(Fault::Range, fault(between(410 * kMs, 415 * kMs)));
  Request far = between(500 * kMs, 900 * kMs);
  far.max_lead_in = 100 * kMs;
  EXPECT_EQ(Fault::NoKeyFrame, fault(far));
  Request backwards;
  backwards.start_frame = 9;
  backwards.stop_frame = 9;
  EXPECT_EQ(Fault::Settings, fault(backwards));
}

TEST(ClipPlan, frames_in_front_of_the_edit_list_do_not_count) {
  Movie movie = movie_of(video_track(1000, ipbb(70, 7, 40)));
  movie.tracks[0].media_start += 3 * 40;
  movie.tracks[0].media_length = 20 * 40;
  const auto range = find_pictures(movie, movie.tracks[0], between(0, 400 * kMs));
  ASSERT_TRUE(range);
  EXPECT_EQ(0u, range->first_frame);
  EXPECT_EQ(3u, range->lead);
  EXPECT_EQ(20u, range->total);
}

TEST(ClipPlan, an_untouched_middle_never_ends_inside_a_reordered_group) {
  const Movie movie = movie_of(video_track(1000, ipbb(70, 70, 40)));
  const Track& video = movie.tracks[0];
  for (uint64_t frames = 1; frames < 60; ++frames) {
    const auto range = find_pictures(movie, video, between(0, frames * 40 * kMs));
    ASSERT_TRUE(range);
    const SmartRange split = split_at(video, *range, 0);
    // Shown are the key frame and whole groups of three.
    EXPECT_EQ(1 + (frames - 1) / 3 * 3, split.copy_end) << frames;
    EXPECT_EQ(static_cast<int64_t>(split.copy_end + 1) * 40, split.tail_pts) << frames;
    EXPECT_LE(frames - split.copy_end, 2u);
  }
}

TEST(ClipPlan, a_clip_read_back_has_the_pictures_and_times_of_its_plan) {
  Movie source = movie_of(video_track(30000, ipbb(70, 7, 1001)));
  const auto movie = std::make_shared<const Movie>(source);
  MemoryReader none({});
  Options options;
  options.request.mode = Mode::Edit;
  options.request.start_frame = 17;
  options.request.stop_frame = 43;
  const auto clip = make_clip(movie, none, options, nullptr);
  ASSERT_TRUE(clip) << clip.error().message;
  EXPECT_EQ(26u, clip->report.frames);
  EXPECT_EQ(3u, clip->report.lead);

  Bytes file = clip->writer->head();
  for (const clips::cut::Run& run : clip->writer->runs()) file.resize(file.size() + run.length);
  EXPECT_EQ(file.size(), clip->writer->total_size());
  MemoryReader reader(file);
  const auto again = read_mp4(reader);
  ASSERT_TRUE(again) << again.error().details;
  Request all;
  const auto shown = find_pictures(*again, again->tracks[0], all);
  ASSERT_TRUE(shown);
  EXPECT_EQ(26u, shown->total);
  EXPECT_EQ(0u, shown->key_index);
  EXPECT_EQ(3u, shown->lead);
  EXPECT_EQ(0, stream_time(*again, again->tracks[0], shown->first_pts));
  EXPECT_EQ(static_cast<int64_t>(26) * 1001, shown->end_pts - shown->first_pts);
}

TEST(ClipPlan, the_same_request_gives_the_same_bytes) {
  const auto movie = std::make_shared<const Movie>(movie_of(video_track(1000, ipbb(70, 7, 40))));
  MemoryReader none({});
  Options options;
  options.request = between(400 * kMs, 900 * kMs);
  options.request.mode = Mode::Edit;
  const auto one = make_clip(movie, none, options, nullptr);
  const auto two = make_clip(movie, none, options, nullptr);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->writer->head(), two->writer->head());
}

TEST(ClipPlan, a_source_that_ends_before_its_index_says_is_truncated) {
  Movie source = movie_of(video_track(1000, ipbb(70, 7, 40)));
  source.source_size = 1000 + 10 * 30;
  const auto movie = std::make_shared<const Movie>(source);
  MemoryReader none({});
  Options options;
  options.request.mode = Mode::Edit;
  options.request.stop = 800 * kMs;
  EXPECT_TRUE(make_clip(movie, none, options, nullptr));
  options.request.stop = 2000 * kMs;
  const auto clip = make_clip(movie, none, options, nullptr);
  ASSERT_FALSE(clip);
  EXPECT_EQ(Fault::Truncated, clip.error().fault);
}

// Every byte of an index may be wrong: the answer is an error or a movie that can be walked.
TEST(ClipPlan, a_damaged_index_never_does_harm) {
  const auto movie = std::make_shared<const Movie>(movie_of(video_track(1000, ipbb(70, 7, 40))));
  MemoryReader none({});
  Options options;
  options.request = between(100 * kMs, 1900 * kMs);
  options.request.mode = Mode::Edit;
  const auto clip = make_clip(movie, none, options, nullptr);
  ASSERT_TRUE(clip);
  const Bytes head = clip->writer->head();
  std::mt19937 random(7);
  int walked = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = head;
    for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n)
      bytes[random() % bytes.size()] =
          static_cast<uint8_t>(random() % 2 ? random() : 255 * (random() % 2));
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    MemoryReader reader(bytes);
    auto damaged = read_mp4(reader);
    if (!damaged) {
      ++refused;
      continue;
    }
    ++walked;
    Options any;
    any.request.mode = random() % 2 ? Mode::Edit : Mode::Copy;
    any.request.start = random() % (2000 * kMs);
    (void)make_clip(std::make_shared<const Movie>(std::move(*damaged)), reader, any, nullptr);
  }
  EXPECT_GT(walked, 1000);
  EXPECT_GT(refused, 1000);
}
