// SPDX-License-Identifier: LGPL-2.1-or-later
#include "selection.hpp"

#include <algorithm>
#include <string>

#include "lib/value.hpp"

namespace clips::cut {

namespace {

Result<std::vector<uint64_t>> parse_list(std::string_view text, ValueType type, const char* what) {
  std::vector<uint64_t> values;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    const auto value = parse_value(type, word);
    if (!value || std::get<uint64_t>(*value) == kTimeNone)
      return fail(Fault::Settings, "\"" + std::string(word) + "\" is no " + what +
                                       ". Give them with commas between, and nothing else.");
    values.push_back(std::get<uint64_t>(*value));
    if (comma == std::string_view::npos) return values;
    text.remove_prefix(comma + 1);
  }
}

std::string seconds(uint64_t ns) {
  return format_value(ValueType::Time, ns);
}

Result<uint64_t> shown_at(uint64_t time, const Selection& selection,
                          const std::vector<uint64_t>& times, uint64_t end) {
  const uint64_t reach =
      time > kTimeNone - selection.tolerance ? kTimeNone : time + selection.tolerance;
  if (time >= end || reach < times.front())
    return fail(Fault::Range, "There is no frame at " + seconds(time) +
                                  ": the frames are shown from " + seconds(times.front()) + " to " +
                                  seconds(end) + ".");
  const auto after = std::upper_bound(times.begin(), times.end(), reach);
  return static_cast<uint64_t>(after - times.begin()) - 1;
}

}  // namespace

Result<std::vector<uint64_t>> parse_times(std::string_view text) {
  return parse_list(text, ValueType::Time, "time");
}

Result<std::vector<uint64_t>> parse_frames(std::string_view text) {
  return parse_list(text, ValueType::UInt64, "number of a frame");
}

bool needs_count(Pick pick) {
  return pick == Pick::Midpoint || pick == Pick::Multi || pick == Pick::Even;
}

Result<std::vector<uint64_t>> select_frames(const Selection& selection,
                                            const std::vector<uint64_t>& times, uint64_t first,
                                            uint64_t end) {
  if (times.empty()) return fail(Fault::Range, "There is no picture in the range.");
  const uint64_t n = times.size();
  std::vector<uint64_t> chosen;
  switch (selection.pick) {
    case Pick::Midpoint:
      chosen = {n / 2};
      break;
    case Pick::Multi:
      chosen = {n / 4, n / 2, static_cast<uint64_t>(Wide{n} * 3 / 4)};
      break;
    case Pick::Even: {
      const Wide count = selection.count;
      for (Wide i = 0; i < count && i < Wide{n}; ++i)
        chosen.push_back(
            static_cast<uint64_t>(count <= Wide{n} ? (2 * i + 1) * n / (2 * count) : i));
      break;
    }
    case Pick::First:
      for (uint64_t i = 0; i < std::min(n, selection.count); ++i) chosen.push_back(i);
      break;
    case Pick::Every:
      for (uint64_t i = 0; i < n; i += std::min(n - i, selection.step)) chosen.push_back(i);
      break;
    case Pick::Frames:
      for (const uint64_t frame : selection.frames) {
        if (frame < first || frame - first >= n)
          return fail(Fault::Range, "There is no frame " + std::to_string(frame) +
                                        ": the range has those from " + std::to_string(first) +
                                        " to " + std::to_string(first + n - 1) + ".");
        chosen.push_back(frame - first);
      }
      break;
    case Pick::Times:
      for (const uint64_t time : selection.times) {
        const auto index = shown_at(time, selection, times, end);
        if (!index) return tl::make_unexpected(index.error());
        chosen.push_back(*index);
      }
      break;
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

}  // namespace clips::cut
