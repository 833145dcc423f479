// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "movie.hpp"

namespace clips::tool {

// An exact number of frames a second; 0/1 when there is none.
struct Rate {
  std::uint64_t numerator = 0;
  std::uint64_t denominator = 1;

  bool operator==(const Rate&) const = default;
};

struct FrameRates {
  Rate nominal;  // that of the grid on which the frames lie, or most of them
  // Frames over the time that they are shown. On a grid it is the grid's rate, whatever the edit
  // list, which often counts milliseconds, makes of the last frame.
  Rate average;
  bool variable = false;  // some frame is more than a tick off the grid
};

// Of frames in presentation order, the last of which is shown until `end`.
FrameRates frame_rates(std::span<const std::int64_t> times, std::int64_t end,
                       std::uint32_t timescale);

// All that the index of a movie says, without its media: docs/probe.md has the fields.
nlohmann::ordered_json movie_facts(const cut::Movie& movie, bool key_frames);

// Whether the index speaks of data behind the end of the source.
bool is_cut_off(const cut::Movie& movie);

// ITU-T H.273 numbers under FFmpeg's names; numbers that mean "not said" are null.
nlohmann::ordered_json color_json(unsigned primaries, unsigned transfer, unsigned matrix,
                                  std::optional<bool> full_range);

std::string rate_text(const Rate& rate);

}  // namespace clips::tool
