// SPDX-License-Identifier: LGPL-2.1-or-later

// WebVTT chapters (https://www.w3.org/TR/webvtt1/): milliseconds, rounded up, so that a player that
// jumps to a chapter shows its first frame and not the one before.

#include "cutlist_text.hpp"

namespace clips::detail {

CutListResult<std::string> write_webvtt(const CutList& list) {
  std::string text = "WEBVTT\n\nNOTE " + facts_line(list.source) + '\n';
  for (const Clip& clip : list.clips()) {
    if (clip.start == kNoTime || clip.end == kNoTime)
      return failure("WebVTT needs times, but the frames have no timestamps and no frame rate.");
    const std::string number = std::to_string(clip.index + 1);
    text += '\n' + number + '\n' + format_clock(clip.start) + " --> " + format_clock(clip.end) +
            "\nClip " + number + '\n';
  }
  return text;
}

CutListResult<CutList> read_webvtt(std::string_view text, const CutListHints& hints) {
  Lines lines(text);
  std::string_view line;
  if (!lines.next(line) || !line.starts_with("WEBVTT") ||
      (line.size() > 6 && line[6] != ' ' && line[6] != '\t'))
    return failure("A WebVTT file begins with WEBVTT.", 1);
  CutSource facts;
  std::vector<TimedClip> timed;
  enum class Block { header, none, first, cue, skipped } block = Block::header;
  while (lines.next(line)) {
    if (line.empty()) {
      if (block == Block::first) return failure("A cue has no times.", lines.number());
      block = Block::none;
      continue;
    }
    if (block == Block::header || block == Block::cue || block == Block::skipped) continue;
    const auto arrow = line.find("-->");
    if (arrow == line.npos) {
      if (block == Block::first) return failure("A cue has no times.", lines.number());
      if (line.starts_with("NOTE")) {
        if (auto own = parse_facts(line.substr(4), facts, lines.number()); !own)
          return tl::unexpected(own.error());
        block = Block::skipped;
      } else if (line == "STYLE" || line == "REGION") {
        block = Block::skipped;
      } else {
        block = Block::first;  // the name of a cue
      }
      continue;
    }
    const std::string_view after = trim(line.substr(arrow + 3));
    const auto start = parse_clock(trim(line.substr(0, arrow)));
    const auto end = parse_clock(after.substr(0, after.find_first_of(" \t")));
    if (!start || !end) return failure("A time of a cue is malformed.", lines.number());
    timed.push_back({*start, *end, lines.number()});
    block = Block::cue;
  }
  if (block == Block::first) return failure("A cue has no times.", lines.number());
  return from_timed_clips(timed, facts, hints, TimePrecision::rounded);
}

}  // namespace clips::detail
