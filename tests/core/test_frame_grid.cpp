// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames of any rate on a grid of a constant one: how many there are, and which is where.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "frame_grid.hpp"

using clips::media::FrameGrid;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

struct Rate {
  std::uint64_t numerator;
  std::uint64_t denominator;
};

using Numbers = std::vector<unsigned>;

// The number of the frame at each place.
Numbers places(Rate rate, const std::vector<std::uint64_t>& times, std::uint64_t end) {
  FrameGrid<unsigned> grid(rate.numerator, rate.denominator);
  Numbers shown;
  const auto emit = [&](unsigned frame, std::uint64_t place) {
    EXPECT_EQ(place, shown.size());
    shown.push_back(frame);
  };
  for (unsigned i = 0; i < times.size(); ++i) grid.add(i, times[i], emit);
  grid.finish(end, emit);
  EXPECT_TRUE(grid.empty());
  return shown;
}

// Times as a clock of so many ticks a second rounds them; one more for the end.
std::vector<std::uint64_t> regular(Rate rate, unsigned frames, std::uint64_t ticks = kSecond) {
  std::vector<std::uint64_t> times;
  for (std::uint64_t i = 0; i <= frames; ++i) {
    const std::uint64_t tick = (i * rate.denominator * ticks + rate.numerator / 2) / rate.numerator;
    times.push_back(tick * (kSecond / 1000) / (ticks / 1000));
  }
  return times;
}

Numbers converted(Rate from, unsigned frames, Rate to, std::uint64_t ticks = kSecond) {
  auto times = regular(from, frames, ticks);
  const std::uint64_t end = times.back();
  times.pop_back();
  return places(to, times, end);
}

constexpr Rate k23{24000, 1001}, k25{25, 1}, k29{30000, 1001}, k59{60000, 1001}, k30{30, 1};

TEST(FrameGrid, a_source_of_that_rate_keeps_each_frame_once) {
  for (const Rate rate : {k23, k25, k29, k59, Rate{240, 1}})
    for (const std::uint64_t ticks : {kSecond, std::uint64_t{90'000}, std::uint64_t{1000}}) {
      Numbers all;
      for (unsigned i = 0; i < 500; ++i) all.push_back(i);
      EXPECT_EQ(converted(rate, 500, rate, ticks), all) << rate.numerator << " " << ticks;
    }
}

TEST(FrameGrid, there_are_as_many_as_duration_times_rate) {
  for (const Rate from : {k23, k25, k29, k59, k30, Rate{5, 1}, Rate{120, 1}})
    for (const Rate to : {k23, k25, k29, k59, k30, Rate{1, 1}, Rate{12, 1}, Rate{240, 1}})
      for (unsigned frames = 1; frames < 130; ++frames) {
        const std::uint64_t twice =
            2 * frames * from.denominator * to.numerator / (from.numerator * to.denominator);
        EXPECT_EQ(converted(from, frames, to).size(), std::max<std::uint64_t>(1, (twice + 1) / 2))
            << frames << " at " << from.numerator << " to " << to.numerator;
      }
}

TEST(FrameGrid, half_the_rate_keeps_every_other_frame) {
  for (const std::uint64_t ticks : {kSecond, std::uint64_t{90'000}, std::uint64_t{1000}}) {
    const Numbers shown = converted(k59, 400, k29, ticks);
    ASSERT_EQ(shown.size(), 200U);
    for (unsigned i = 0; i < 200; ++i) EXPECT_EQ(shown[i], 2 * i) << ticks;
  }
}

TEST(FrameGrid, double_the_rate_shows_each_frame_twice) {
  for (const std::uint64_t ticks : {kSecond, std::uint64_t{90'000}, std::uint64_t{1000}}) {
    const Numbers shown = converted(k29, 200, k59, ticks);
    ASSERT_EQ(shown.size(), 400U);
    for (unsigned i = 0; i < 400; ++i) EXPECT_EQ(shown[i], i / 2) << ticks;
  }
}

TEST(FrameGrid, each_place_shows_the_nearest_frame) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint64_t> times{random() % (100 * kSecond)};
    const unsigned frames = 1 + random() % 60;
    while (times.size() < frames) times.push_back(times.back() + 1 + random() % 90'000'000);
    const std::uint64_t end = times.back() + 1 + random() % 90'000'000;
    const Rate rate{1 + random() % 120, 1 + random() % 2};
    const Numbers shown = places(rate, times, end);
    const double seconds = static_cast<double>(end - times[0]) / 1e9;
    EXPECT_NEAR(static_cast<double>(shown.size()),
                std::max(1.0, seconds * static_cast<double>(rate.numerator) /
                                  static_cast<double>(rate.denominator)),
                0.5001);
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const double at =
          static_cast<double>(times[0]) +
          1e9 * static_cast<double>(i * rate.denominator) / static_cast<double>(rate.numerator);
      const auto distance = [&](std::uint64_t time) {
        return std::abs(static_cast<double>(time) - at);
      };
      double nearest = 1e18;
      for (const std::uint64_t time : times) nearest = std::min(nearest, distance(time));
      // Within the slack for rounded times the earlier one goes before.
      EXPECT_LE(distance(times[shown[i]]), nearest + 2'000'001);
    }
  }
}

TEST(FrameGrid, a_gap_is_filled_and_a_burst_is_thinned) {
  const std::uint64_t ms = 1'000'000;
  EXPECT_EQ(places({10, 1}, {0, 500 * ms, 600 * ms}, 700 * ms), (Numbers{0, 0, 0, 1, 1, 1, 2}));
  EXPECT_EQ(places({10, 1}, {0, 1 * ms, 2 * ms, 100 * ms}, 200 * ms), (Numbers{0, 3}));
}

TEST(FrameGrid, the_last_frame_lasts_until_the_end) {
  EXPECT_EQ(places({10, 1}, {7}, 7 + kSecond), Numbers(10, 0));
  EXPECT_EQ(places({10, 1}, {7}, 7), Numbers(1, 0));
  EXPECT_EQ(places({10, 1}, {}, 7), Numbers());
}

TEST(FrameGrid, no_place_behind_the_end_although_a_frame_is_near_it) {
  const std::uint64_t ms = 1'000'000;
  EXPECT_EQ(places({1, 1}, {0, 1000 * ms, 1100 * ms}, 1200 * ms), Numbers{0});
  EXPECT_EQ(places({1, 1}, {0, 1000 * ms, 1100 * ms}, 1500 * ms), (Numbers{0, 1}));
}

TEST(FrameGrid, a_frame_that_goes_back_is_left_out) {
  const std::uint64_t ms = 1'000'000;
  EXPECT_EQ(places({10, 1}, {0, 100 * ms, 50 * ms, 200 * ms}, 300 * ms), (Numbers{0, 1, 3}));
  EXPECT_EQ(places({10, 1}, {0, 100 * ms, 100 * ms, 200 * ms}, 300 * ms), (Numbers{0, 1, 3}));
}

}  // namespace
