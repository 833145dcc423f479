// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sprite_sheet.hpp"

#include <algorithm>
#include <cstdio>

namespace clips::media {

namespace {

std::uint64_t milliseconds(std::uint64_t nanoseconds) {
  return nanoseconds / 1'000'000 + (nanoseconds % 1'000'000 != 0);
}

std::string clock(std::uint64_t ms) {
  char text[40];
  std::snprintf(text, sizeof text, "%02llu:%02u:%02u.%03u",
                static_cast<unsigned long long>(ms / 3'600'000),
                static_cast<unsigned>(ms / 60'000 % 60), static_cast<unsigned>(ms / 1'000 % 60),
                static_cast<unsigned>(ms % 1'000));
  return text;
}

}  // namespace

SpritePlace sprite_place(const SpriteGrid& grid, std::uint64_t tile) {
  const auto place = static_cast<unsigned>(tile % grid.tiles());
  return {tile / grid.tiles(), place % grid.columns * grid.pitch_x(),
          place / grid.columns * grid.pitch_y()};
}

SpriteSize sprite_sheet_size(const SpriteGrid& grid, std::uint64_t tiles) {
  const std::uint64_t rows = (tiles + grid.columns - 1) / grid.columns;
  return {std::min<std::uint64_t>(tiles, grid.columns) * grid.pitch_x(), rows * grid.pitch_y()};
}

std::string write_sprite_cues(const SpriteGrid& grid, std::span<const std::uint64_t> starts,
                              std::uint64_t end, std::span<const std::string> names) {
  std::string text = "WEBVTT\n";
  for (std::size_t tile = 0; tile < starts.size(); ++tile) {
    // The first one also stands for what lies before it.
    const std::uint64_t from = tile == 0 ? 0 : milliseconds(starts[tile]);
    const std::uint64_t to = milliseconds(tile + 1 < starts.size() ? starts[tile + 1] : end);
    if (from >= to) continue;
    const SpritePlace place = sprite_place(grid, tile);
    char fragment[64];
    std::snprintf(fragment, sizeof fragment, "#xywh=%u,%u,%u,%u\n", place.x, place.y,
                  grid.tile_width, grid.tile_height);
    text.append("\n").append(clock(from)).append(" --> ").append(clock(to)).append("\n");
    text.append(names[place.sheet]).append(fragment);
  }
  return text;
}

}  // namespace clips::media
