// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "selection.hpp"

namespace clips::cut {

namespace {

constexpr uint64_t kFrame = 40'000'000;

std::vector<uint64_t> times(uint64_t count) {
  std::vector<uint64_t> result(count);
  for (uint64_t i = 0; i < count; ++i) result[i] = i * kFrame;
  return result;
}

std::vector<uint64_t> select(Selection selection, uint64_t count) {
  return select_frames(selection, times(count), 0, count * kFrame).value();
}

TEST(FrameSelection, midpoint_is_the_frame_at_half_of_the_frames) {
  EXPECT_EQ(select({.pick = Pick::Midpoint}, 100), std::vector<uint64_t>{50});
  EXPECT_EQ(select({.pick = Pick::Midpoint}, 1), std::vector<uint64_t>{0});
}

TEST(FrameSelection, multi_gives_the_quarters_and_each_frame_once) {
  EXPECT_EQ(select({.pick = Pick::Multi}, 100), (std::vector<uint64_t>{25, 50, 75}));
  EXPECT_EQ(select({.pick = Pick::Multi}, 3), (std::vector<uint64_t>{0, 1, 2}));
  EXPECT_EQ(select({.pick = Pick::Multi}, 1), std::vector<uint64_t>{0});
}

TEST(FrameSelection, even_takes_the_middles_of_equal_parts) {
  EXPECT_EQ(select({.pick = Pick::Even, .count = 4}, 100), (std::vector<uint64_t>{12, 37, 62, 87}));
  EXPECT_EQ(select({.pick = Pick::Even, .count = 1}, 100), std::vector<uint64_t>{50});
}

TEST(FrameSelection, even_over_fewer_frames_than_asked_gives_all_of_them) {
  EXPECT_EQ(select({.pick = Pick::Even, .count = 9}, 3), (std::vector<uint64_t>{0, 1, 2}));
}

TEST(FrameSelection, even_parts_differ_by_one_frame_at_most) {
  for (uint64_t n = 1; n < 60; ++n) {
    for (uint64_t count = 1; count <= n; ++count) {
      const auto chosen = select({.pick = Pick::Even, .count = count}, n);
      ASSERT_EQ(chosen.size(), count) << n;
      for (size_t i = 1; i < chosen.size(); ++i) {
        ASSERT_GE(chosen[i] - chosen[i - 1], n / count);
        ASSERT_LE(chosen[i] - chosen[i - 1], (n + count - 1) / count);
      }
    }
  }
}

TEST(FrameSelection, first_and_every_stop_at_the_end) {
  EXPECT_EQ(select({.pick = Pick::First, .count = 3}, 2), (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(select({.pick = Pick::Every, .step = 4}, 9), (std::vector<uint64_t>{0, 4, 8}));
  EXPECT_EQ(select({.pick = Pick::Every, .step = UINT64_MAX}, 9), std::vector<uint64_t>{0});
}

TEST(FrameSelection, a_time_means_the_frame_that_is_shown_then) {
  const auto at = [](std::vector<uint64_t> wanted) {
    return select({.pick = Pick::Times, .times = std::move(wanted)}, 10);
  };
  EXPECT_EQ(at({0}), std::vector<uint64_t>{0});
  EXPECT_EQ(at({kFrame - 1'000'000}), std::vector<uint64_t>{0});
  // Rounded to a millisecond it still means the frame it came from.
  EXPECT_EQ(at({kFrame - 400'000}), std::vector<uint64_t>{1});
  EXPECT_EQ(at({10 * kFrame - 1}), std::vector<uint64_t>{9});
  EXPECT_EQ(at({5 * kFrame, kFrame, kFrame + 1}), (std::vector<uint64_t>{1, 5}));
}

TEST(FrameSelection, a_time_or_number_outside_is_an_error) {
  EXPECT_FALSE(
      select_frames({.pick = Pick::Times, .times = {10 * kFrame}}, times(10), 0, 10 * kFrame));
  EXPECT_FALSE(select_frames({.pick = Pick::Frames, .frames = {10}}, times(10), 0, 10 * kFrame));
  EXPECT_FALSE(select_frames({.pick = Pick::Frames, .frames = {4}}, times(10), 5, 10 * kFrame));
  EXPECT_FALSE(select_frames({.pick = Pick::Midpoint}, {}, 0, 0));
}

TEST(FrameSelection, numbers_count_over_the_whole_source) {
  const auto chosen =
      select_frames({.pick = Pick::Frames, .frames = {14, 5}}, times(10), 5, 10 * kFrame);
  EXPECT_EQ(chosen.value(), (std::vector<uint64_t>{0, 9}));
}

TEST(FrameSelection, lists_are_read_whole_or_not_at_all) {
  EXPECT_EQ(parse_times("12.5,1:02:03.5,400ms").value(),
            (std::vector<uint64_t>{12'500'000'000, 3'723'500'000'000, 400'000'000}));
  EXPECT_EQ(parse_frames("0,105").value(), (std::vector<uint64_t>{0, 105}));
  for (const char* text : {"", ",", "1,", "x", "1;2", "none", "-1"}) {
    EXPECT_FALSE(parse_times(text)) << text;
    EXPECT_FALSE(parse_frames(text)) << text;
  }
}

}  // namespace

}  // namespace clips::cut
