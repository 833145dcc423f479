// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>
#include <vector>

#include "bytes.hpp"

namespace clips::cut {

// Which frames of a range are wanted.
enum class Pick {
  Midpoint,  // the one at 50 %
  Multi,     // those at 25, 50 and 75 %
  Times,     // those shown at given times
  Frames,    // those of given numbers
  First,     // the first `count`
  Every,     // the first and every `step`-th behind it
  Even,      // the middles of `count` equal parts
};

struct Selection {
  Pick pick = Pick::Multi;
  std::vector<uint64_t> times;   // ns of stream time
  std::vector<uint64_t> frames;  // numbers in display order, counted from 0 over the whole source
  uint64_t count = 8;
  uint64_t step = 25;
  uint64_t tolerance = 500'000;  // ns: a time this little before a frame's own means that frame
};

// Reads "12.5,1:02:03.5,400ms" and "0,105,2000": at least one value.
Result<std::vector<uint64_t>> parse_times(std::string_view text);
Result<std::vector<uint64_t>> parse_frames(std::string_view text);

// Whether the number of frames of the range has to be known before the first frame is given.
bool needs_count(Pick pick);

// The wanted frames of a range whose frames have these stream times (ns, rising), in display order
// and each once, as indices into `times`; `first` is the number of the range's first frame. `end`
// is the stream time of the range's end.
Result<std::vector<uint64_t>> select_frames(const Selection& selection,
                                            const std::vector<uint64_t>& times, uint64_t first,
                                            uint64_t end);

}  // namespace clips::cut
