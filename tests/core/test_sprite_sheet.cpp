// SPDX-License-Identifier: LGPL-2.1-or-later
// Sprite sheets: where a tile lies, how large a sheet is, and the WebVTT document, byte by byte.
#include <gtest/gtest.h>

#include <vector>

#include "sprite_sheet.hpp"

using namespace clips::media;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

TEST(SpriteSheet, tiles_fill_rows_then_sheets) {
  const SpriteGrid grid{3, 2, 160, 90};
  const auto at = [&](std::uint64_t tile) {
    const auto place = sprite_place(grid, tile);
    return std::vector<std::uint64_t>{place.sheet, place.x, place.y};
  };
  EXPECT_EQ(at(0), (std::vector<std::uint64_t>{0, 0, 0}));
  EXPECT_EQ(at(2), (std::vector<std::uint64_t>{0, 320, 0}));
  EXPECT_EQ(at(3), (std::vector<std::uint64_t>{0, 0, 90}));
  EXPECT_EQ(at(6), (std::vector<std::uint64_t>{1, 0, 0}));
  EXPECT_EQ(at(6'000'000'005), (std::vector<std::uint64_t>{1'000'000'000, 320, 90}));
}

TEST(SpriteSheet, odd_tiles_begin_at_even_pixels) {
  const SpriteGrid grid{2, 2, 161, 91};
  EXPECT_EQ(sprite_place(grid, 3).x, 162);
  EXPECT_EQ(sprite_place(grid, 3).y, 92);
}

TEST(SpriteSheet, a_sheet_is_no_larger_than_its_tiles_need) {
  const SpriteGrid grid{3, 4, 160, 90};
  const auto size = [&](std::uint64_t tiles) {
    const auto needed = sprite_sheet_size(grid, tiles);
    return std::pair(needed.width, needed.height);
  };
  EXPECT_EQ(size(1), std::pair(160ul, 90ul));
  EXPECT_EQ(size(3), std::pair(480ul, 90ul));
  EXPECT_EQ(size(4), std::pair(480ul, 180ul));
  EXPECT_EQ(size(12), std::pair(480ul, 360ul));
}

TEST(SpriteSheet, cues_tile_the_whole_video_and_name_sheet_and_place) {
  const std::vector<std::uint64_t> starts = {500 * kMs, 1500 * kMs, 3'599'999 * kMs + 1};
  const std::vector<std::string> names = {"a.jpg", "b.jpg"};
  EXPECT_EQ(write_sprite_cues({2, 1, 160, 90}, starts, 360'000'000 * kMs, names),
            "WEBVTT\n"
            "\n00:00:00.000 --> 00:00:01.500\na.jpg#xywh=0,0,160,90\n"
            "\n00:00:01.500 --> 01:00:00.000\na.jpg#xywh=160,0,160,90\n"
            "\n01:00:00.000 --> 100:00:00.000\nb.jpg#xywh=0,0,160,90\n");
}

TEST(SpriteSheet, a_tile_of_no_millisecond_has_no_cue) {
  const std::vector<std::uint64_t> starts = {0, 40 * kMs + 100, 40 * kMs + 200};
  const std::vector<std::string> names = {"a.jpg"};
  EXPECT_EQ(write_sprite_cues({4, 1, 16, 16}, starts, 80 * kMs, names),
            "WEBVTT\n"
            "\n00:00:00.000 --> 00:00:00.041\na.jpg#xywh=0,0,16,16\n"
            "\n00:00:00.041 --> 00:00:00.080\na.jpg#xywh=32,0,16,16\n");
}

}  // namespace
