// SPDX-License-Identifier: LGPL-2.1-or-later
#include "rangelist.hpp"

#include <string>

#include "cutlist.hpp"
#include "value.hpp"

namespace clips::cut {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Result<std::vector<ListedRange>> parse_ranges(std::string_view text) {
  std::vector<ListedRange> ranges;
  while (!trimmed(text).empty()) {
    const size_t comma = text.find(',');
    const std::string_view one = trimmed(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const std::string shown = "\"" + std::string(one) + "\"";
    const size_t dash = one.find('-');
    if (dash == std::string_view::npos)
      return fail(Fault::Settings, "The range " + shown + " has no \"-\" between start and stop.");
    ListedRange range;
    const auto read = [&](std::string_view part) -> Result<uint64_t> {
      const auto value = parse_value(ValueType::Time, trimmed(part));
      if (!value || std::get<uint64_t>(*value) == kTimeNone)
        return fail(Fault::Settings, "The range " + shown +
                                         " is not of the form START-STOP, such as "
                                         "12.5-15 or 1:02:03-1:02:08.5.");
      return std::get<uint64_t>(*value);
    };
    const auto start = read(one.substr(0, dash));
    if (!start) return tl::make_unexpected(start.error());
    range.start = *start;
    if (const auto rest = trimmed(one.substr(dash + 1)); !rest.empty()) {
      const auto stop = read(rest);
      if (!stop) return tl::make_unexpected(stop.error());
      range.stop = *stop;
    }
    ranges.push_back(range);
  }
  return ranges;
}

Result<std::vector<ListedRange>> ranges_of_cutlist(std::string_view document) {
  const auto format = detect_cutlist_format(document);
  if (!format) return fail(Fault::WrongType, "The cut list is in none of the known formats.");
  const auto list = read_cutlist(document, *format);
  if (!list)
    return fail(Fault::WrongType, "The cut list cannot be used: " + list.error().message,
                list.error().line ? "line " + std::to_string(list.error().line) : "");
  std::vector<ListedRange> ranges;
  for (const Clip& clip : list->clips()) {
    ListedRange range;
    // Frames are the authority of a cut list.
    range.start_frame = static_cast<int64_t>(clip.start_frame);
    if (clip.end_frame < list->source.frames)
      range.stop_frame = static_cast<int64_t>(clip.end_frame);
    ranges.push_back(range);
  }
  if (ranges.empty()) return fail(Fault::Range, "The cut list has no clips.");
  return ranges;
}

}  // namespace clips::cut
