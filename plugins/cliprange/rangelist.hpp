// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace clips::cut {

// One wanted clip of several, in nanoseconds of stream time or in frames.
struct ListedRange {
  uint64_t start = 0;
  std::optional<uint64_t> stop;  // nothing: the end of the source
  int64_t start_frame = -1, stop_frame = -1;
};

// "12.5-15, 1:00-1:10.5, 90-": times as everywhere on the command line, a missing stop is the end.
Result<std::vector<ListedRange>> parse_ranges(std::string_view text);

// The clips of a cut list document of any of the formats that cut lists have.
Result<std::vector<ListedRange>> ranges_of_cutlist(std::string_view document);

}  // namespace clips::cut
