// SPDX-License-Identifier: LGPL-2.1-or-later

// FFmpeg's metadata file (https://ffmpeg.org/ffmpeg-formats.html#Metadata-2) with a chapter for
// each clip, in nanoseconds.

#include "cutlist_text.hpp"

namespace clips::detail {

CutListResult<std::string> write_ffmetadata(const CutList& list) {
  std::string text = ";FFMETADATA1\n; " + facts_line(list.source) + '\n';
  for (const Clip& clip : list.clips()) {
    if (clip.start == kNoTime || clip.end == kNoTime)
      return failure("Chapters need times, but the frames have no timestamps and no frame rate.");
    // The fields of a chapter are signed in FFmpeg.
    if (clip.end > INT64_MAX) return failure("The video is too long for FFmpeg's chapters.");
    text += "\n[CHAPTER]\nTIMEBASE=1/1000000000\nSTART=" + std::to_string(clip.start) +
            "\nEND=" + std::to_string(clip.end) + "\ntitle=Clip " + std::to_string(clip.index + 1) +
            '\n';
  }
  return text;
}

CutListResult<CutList> read_ffmetadata(std::string_view text, const CutListHints& hints) {
  Lines lines(text);
  std::string_view line;
  if (!lines.next(line) || !line.starts_with(";FFMETADATA"))
    return failure("An FFmpeg metadata file begins with ;FFMETADATA1.", 1);
  struct Chapter {
    FrameRate timebase{1, 1'000'000'000};
    std::optional<std::uint64_t> start;
    std::optional<std::uint64_t> end;
    std::size_t line = 0;
  };
  CutSource facts;
  std::vector<Chapter> chapters;
  bool in_chapter = false;
  bool continued = false;
  while (lines.next(line)) {
    // A backslash at the end carries a value over to the next line.
    const bool continuation = continued;
    std::size_t backslashes = 0;
    while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
    continued = backslashes % 2 == 1;
    if (continuation) continue;
    if (line.empty()) continue;
    if (line.front() == ';' || line.front() == '#') {
      continued = false;
      if (auto own = parse_facts(line.substr(1), facts, lines.number()); !own)
        return tl::unexpected(own.error());
      continue;
    }
    if (line.front() == '[') {
      in_chapter = line == "[CHAPTER]";
      if (!in_chapter && line != "[STREAM]")
        return failure("A section is neither a chapter nor a stream.", lines.number());
      if (in_chapter) {
        chapters.emplace_back();
        chapters.back().line = lines.number();
      }
      continue;
    }
    const auto equals = line.find('=');
    if (equals == line.npos) return failure("A line has no \"=\".", lines.number());
    if (!in_chapter) continue;
    Chapter& chapter = chapters.back();
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "TIMEBASE") {
      const auto timebase = parse_rate(value);
      if (!timebase || timebase->numerator == 0 || chapter.start)
        return failure("The time base of a chapter is malformed.", lines.number());
      chapter.timebase = *timebase;
    } else if (key == "START" || key == "END") {
      auto& place = key == "START" ? chapter.start : chapter.end;
      const auto ticks = parse_integer<std::uint64_t>(value);
      const auto time = ticks ? scale_round(*ticks, kSecond * chapter.timebase.numerator,
                                            chapter.timebase.denominator)
                              : std::nullopt;
      if (!time || place) return failure("A time of a chapter is malformed.", lines.number());
      place = time;
    }
  }
  std::vector<TimedClip> timed;
  for (std::size_t i = 0; i < chapters.size(); ++i) {
    if (!chapters[i].start) return failure("A chapter has no start.", chapters[i].line);
    std::uint64_t end = chapters[i].end.value_or(kNoTime);
    if (end == kNoTime && i + 1 < chapters.size()) end = chapters[i + 1].start.value_or(kNoTime);
    timed.push_back({*chapters[i].start, end, chapters[i].line});
  }
  return from_timed_clips(timed, facts, hints, TimePrecision::nanoseconds);
}

}  // namespace clips::detail
