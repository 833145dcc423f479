// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace clips::media {

// Sheets of equal tiles that are filled row by row.
struct SpriteGrid {
  unsigned columns = 1;
  unsigned rows = 1;
  unsigned tile_width = 0;  // in pixels, both
  unsigned tile_height = 0;

  // From one tile to the next: even, so that pictures with halved colour planes fit as well.
  unsigned pitch_x() const { return tile_width + tile_width % 2; }
  unsigned pitch_y() const { return tile_height + tile_height % 2; }
  std::uint64_t tiles() const { return std::uint64_t{columns} * rows; }
};

struct SpritePlace {
  std::uint64_t sheet = 0;
  unsigned x = 0;  // in pixels, both
  unsigned y = 0;
};

// Where the tile of that number, counted from 0 over all sheets, lies.
SpritePlace sprite_place(const SpriteGrid& grid, std::uint64_t tile);

// The size in pixels of a sheet that holds so many tiles, from 1 to grid.tiles(): no larger than
// they need.
struct SpriteSize {
  std::uint64_t width = 0;
  std::uint64_t height = 0;
};
SpriteSize sprite_sheet_size(const SpriteGrid& grid, std::uint64_t tiles);

// The WebVTT document (https://www.w3.org/TR/webvtt1/) that says which tile is shown when: a cue a
// tile, whose text is the sheet's name and a Media Fragment (https://www.w3.org/TR/media-frags/)
// for the place in it. `starts` are the tiles' times in ns, rising; `end` is that of the video. The
// cues leave no gap from 0 to the end, and have milliseconds, rounded up, so that the document does
// not end before the video. A tile that would be shown for less than that has no cue. `names` are
// the sheets', written as they are.
std::string write_sprite_cues(const SpriteGrid& grid, std::span<const std::uint64_t> starts,
                              std::uint64_t end, std::span<const std::string> names);

}  // namespace clips::media
