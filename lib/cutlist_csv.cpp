// SPDX-License-Identifier: LGPL-2.1-or-later

// CSV with the columns of PySceneDetect's list-scenes, without the line of timecodes that it puts
// in front (which makes its file no CSV), and the segment list of LosslessCut.

#include <array>

#include "cutlist_text.hpp"

namespace clips::detail {

namespace {

constexpr std::array<std::string_view, 10> kColumns{
    "Scene Number",      "Start Frame",     "Start Timecode",     "Start Time (seconds)",
    "End Frame",         "End Timecode",    "End Time (seconds)", "Length (frames)",
    "Length (timecode)", "Length (seconds)"};

CutListResult<void> require_times(const CutList& list) {
  for (const Clip& clip : list.clips())
    if (clip.start == kNoTime || clip.end == kNoTime)
      return failure(
          "This format needs times, but the frames have no timestamps and no frame rate.");
  return {};
}

}  // namespace

CutListResult<std::string> write_csv(const CutList& list) {
  if (auto timed = require_times(list); !timed) return tl::unexpected(timed.error());
  std::string text;
  for (const auto column : kColumns) text += (text.empty() ? "" : ",") + std::string(column);
  text += "\r\n";
  for (const Clip& clip : list.clips()) {
    // Start Frame counts from 1 and End Frame is the last frame of the clip, also counted from 1:
    // the numbers of PySceneDetect.
    text += std::to_string(clip.index + 1) + ',' + std::to_string(clip.start_frame + 1) + ',' +
            format_clock(clip.start) + ',' + format_seconds(clip.start) + ',' +
            std::to_string(clip.end_frame) + ',' + format_clock(clip.end) + ',' +
            format_seconds(clip.end) + ',' + std::to_string(clip.end_frame - clip.start_frame) +
            ',' + format_clock(clip.end - clip.start) + ',' +
            format_seconds(clip.end - clip.start) + "\r\n";
  }
  return text;
}

CutListResult<CutList> read_csv(std::string_view text, const CutListHints& hints) {
  const auto rows = parse_csv(text);
  if (!rows) return tl::unexpected(rows.error());
  std::size_t row = 0;
  // PySceneDetect's own first line: "Timecode List:,00:00:04.004,…".
  if (row < rows->size() && (*rows)[row].fields[0].starts_with("Timecode List")) ++row;
  if (row >= rows->size()) return failure("The CSV has no rows.");
  const auto& header = (*rows)[row].fields;
  if (!std::equal(header.begin(), header.end(), kColumns.begin(), kColumns.end()))
    return failure("The columns are not those of PySceneDetect.", (*rows)[row].line);
  std::vector<FrameClip> clips;
  std::vector<std::uint64_t> times;
  bool coarse = false;
  for (++row; row < rows->size(); ++row) {
    const auto& [fields, line] = (*rows)[row];
    if (fields.size() != kColumns.size())
      return failure("A row has " + std::to_string(fields.size()) + " fields instead of 10.", line);
    const auto number = parse_integer<std::uint64_t>(fields[0]);
    const auto start_frame = parse_integer<std::uint64_t>(fields[1]);
    const auto end_frame = parse_integer<std::uint64_t>(fields[4]);
    const auto length = parse_integer<std::uint64_t>(fields[7]);
    const auto start = parse_seconds(fields[3]);
    const auto end = parse_seconds(fields[6]);
    if (!number || !start_frame || !end_frame || !length || !start || !end)
      return failure("A number or time is malformed.", line);
    if (*number != clips.size() + 1) return failure("The scene numbers do not count up.", line);
    if (*start_frame == 0 || *end_frame < *start_frame ||
        *end_frame - (*start_frame - 1) != *length)
      return failure("The frames of a scene contradict its length.", line);
    if (!times.empty() && times.back() != *start)
      return failure("The clips do not tile: a scene does not start where the one before ends.",
                     line);
    if (times.empty()) times.push_back(*start);
    times.push_back(*end);
    clips.push_back({*start_frame - 1, *end_frame, line});
    const auto point = fields[3].find('.');
    coarse = coarse || point == std::string::npos || fields[3].size() - point - 1 < 6;
  }
  // PySceneDetect rounds to milliseconds; the frame numbers and a known rate are exact.
  if (coarse && (hints.rate.known() || !hints.frame_times.empty())) times.clear();
  return from_frame_clips(clips, times, {}, hints);
}

CutListResult<std::string> write_losslesscut(const CutList& list) {
  if (auto timed = require_times(list); !timed) return tl::unexpected(timed.error());
  std::string text;
  for (const Clip& clip : list.clips())
    text += format_seconds(clip.start) + ',' + format_seconds(clip.end) + ",Clip " +
            std::to_string(clip.index + 1) + "\r\n";
  return text;
}

CutListResult<CutList> read_losslesscut(std::string_view text, const CutListHints& hints) {
  const auto rows = parse_csv(text);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<TimedClip> timed;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto& [fields, line] = (*rows)[i];
    if (fields.size() < 2 || fields.size() > 3)
      return failure("A row of LosslessCut is start, end, label.", line);
    // LosslessCut leaves the start of the first and the end of the last segment empty where they
    // are those of the file.
    auto start = parse_seconds(fields[0]);
    auto end = parse_seconds(fields[1]);
    if (!start && fields[0].empty() && i == 0) start = hints.start;
    if (!end && fields[1].empty() && i + 1 == rows->size()) end = kNoTime;
    if (!start || !end) return failure("A time is malformed.", line);
    timed.push_back({*start, *end, line});
  }
  return from_timed_clips(timed, {}, hints, TimePrecision::nanoseconds);
}

}  // namespace clips::detail
