// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/redact.hpp"

namespace clips::tool {

// The text on one line and in valid UTF-8: control characters and bytes that are no UTF-8 become
// escapes such as \n and \xff, so that a file name cannot forge a line or move the cursor.
std::string one_line(std::string_view text);

using clips::redact;

// A time of nanoseconds as people read it: 1:02:03 or 2:03.
std::string clock_time(std::uint64_t nanoseconds);

// A time of nanoseconds as plain decimal seconds, never in exponent form: 1000.0, 0.000000001.
std::string seconds(std::uint64_t nanoseconds);

// A name as outputs in the store have it: everything but A-Z, a-z, 0-9, _ and - becomes _, runs of
// _ one, none at the ends, at most 100 characters; "default" when nothing is left.
std::string object_name(std::string_view text);

// A word for a shell's command line, quoted when it needs to be.
std::string shell_quote(std::string_view text);

// The candidate that is nearest to `word` by edit distance; empty when none is near.
template <typename Range>
std::string nearest(std::string_view word, const Range& candidates);

unsigned edit_distance(std::string_view a, std::string_view b);

template <typename Range>
std::string nearest(std::string_view word, const Range& candidates) {
  std::string best;
  unsigned best_distance = static_cast<unsigned>(word.size()) / 3 + 2;
  for (const auto& candidate : candidates) {
    const unsigned distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace clips::tool
