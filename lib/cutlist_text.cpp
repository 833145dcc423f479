// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cutlist_text.hpp"

#include <algorithm>
#include <array>

namespace clips::detail {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string zero_padded(std::uint64_t value, int digits) {
  std::string text = std::to_string(value);
  if (text.size() < static_cast<std::size_t>(digits)) text.insert(0, digits - text.size(), '0');
  return text;
}

std::string format_clock(std::uint64_t nanoseconds) {
  const std::uint64_t milliseconds = nanoseconds / 1'000'000 + (nanoseconds % 1'000'000 ? 1 : 0);
  const std::uint64_t seconds = milliseconds / 1000;
  return zero_padded(seconds / 3600, 2) + ':' + zero_padded(seconds / 60 % 60, 2) + ':' +
         zero_padded(seconds % 60, 2) + '.' + zero_padded(milliseconds % 1000, 3);
}

std::optional<std::uint64_t> parse_clock(std::string_view text) {
  const auto point = text.find('.');
  if (point == text.npos || text.size() - point != 4) return {};
  const auto milliseconds = parse_integer<std::uint64_t>(text.substr(point + 1));
  std::array<std::uint64_t, 3> fields{};
  std::size_t count = 0;
  std::string_view rest = text.substr(0, point);
  while (true) {
    const auto colon = rest.find(':');
    const auto value = parse_integer<std::uint64_t>(rest.substr(0, colon));
    if (!value || count == 3) return {};
    fields[count++] = *value;
    if (colon == rest.npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (!milliseconds || count < 2) return {};
  if (count == 2) fields = {0, fields[0], fields[1]};
  if (fields[0] > 5'000'000 || fields[1] > 59 || fields[2] > 59) return {};
  return ((fields[0] * 60 + fields[1]) * 60 + fields[2]) * kSecond + *milliseconds * 1'000'000;
}

std::string format_rate(const FrameRate& rate) {
  return std::to_string(rate.numerator) + '/' + std::to_string(rate.denominator);
}

std::optional<FrameRate> parse_rate(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return {};
  const auto numerator = parse_integer<std::uint32_t>(text.substr(0, slash));
  const auto denominator = parse_integer<std::uint32_t>(text.substr(slash + 1));
  if (!numerator || !denominator || *denominator == 0) return {};
  return FrameRate{*numerator, *denominator};
}

std::string format_decimal(double value) {
  std::array<char, 400> buffer;
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  if (error != std::errc()) return "0";
  return {buffer.data(), end};
}

std::string title_of(const std::string& uri) {
  std::string_view name = uri;
  name = name.substr(0, name.find_first_of("?#"));
  const auto slash = name.find_last_of('/');
  if (slash != name.npos) name.remove_prefix(slash + 1);
  std::string title;
  for (const char c : name.substr(0, 60)) title += c >= ' ' && c <= '~' ? c : '_';
  title = trim(title);
  return title.empty() ? "clips" : title;
}

std::optional<std::uint64_t> scale_floor(std::uint64_t value, std::uint64_t numerator,
                                         std::uint64_t denominator) {
  if (denominator == 0) return {};
  __extension__ using Wide = unsigned __int128;
  const Wide result = static_cast<Wide>(value) * numerator / denominator;
  if (result >= UINT64_MAX) return {};
  return static_cast<std::uint64_t>(result);
}

std::optional<std::uint64_t> scale_round(std::uint64_t value, std::uint64_t numerator,
                                         std::uint64_t denominator) {
  if (denominator == 0) return {};
  __extension__ using Wide = unsigned __int128;
  const Wide result = (static_cast<Wide>(value) * numerator + denominator / 2) / denominator;
  if (result >= UINT64_MAX) return {};
  return static_cast<std::uint64_t>(result);
}

Lines::Lines(std::string_view text) : rest_(text) {
  if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
}

bool Lines::next(std::string_view& line) {
  if (rest_.empty()) return false;
  const auto end = rest_.find('\n');
  line = rest_.substr(0, end);
  rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  ++number_;
  return true;
}

CutListResult<std::vector<CsvRow>> parse_csv(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<CsvRow> rows;
  std::size_t line = 1;
  std::size_t i = 0;
  while (i < text.size()) {
    CsvRow row{{}, line};
    bool more = true;
    while (more) {
      std::string field;
      if (i < text.size() && text[i] == '"') {
        for (++i;; ++i) {
          if (i >= text.size()) return failure("A quoted field does not end.", row.line);
          if (text[i] == '"') {
            if (i + 1 >= text.size() || text[i + 1] != '"') break;
            ++i;
          }
          if (text[i] == '\n') ++line;
          field += text[i];
        }
        ++i;
        if (i < text.size() && text[i] != ',' && text[i] != '\r' && text[i] != '\n')
          return failure("Text follows a quoted field.", line);
      } else {
        while (i < text.size() && text[i] != ',' && text[i] != '\r' && text[i] != '\n') {
          if (text[i] == '"') return failure("A quote stands inside a plain field.", line);
          field += text[i++];
        }
      }
      row.fields.push_back(std::move(field));
      more = i < text.size() && text[i] == ',';
      if (more) ++i;
    }
    if (i < text.size() && text[i] == '\r') {
      ++i;
      if (i >= text.size() || text[i] != '\n')
        return failure("A carriage return stands without a line feed.", line);
    }
    if (i < text.size()) {
      ++i;
      ++line;
    }
    if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(std::move(row));
  }
  return rows;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

namespace {

constexpr std::string_view kFacts = "clips-cutlist ";

}  // namespace

std::string facts_line(const CutSource& source) {
  std::string line(kFacts);
  line += "frame-rate=" + format_rate(source.rate);
  line += " frames=" + std::to_string(source.frames);
  if (source.start != kNoTime) line += " start=" + std::to_string(source.start);
  if (source.duration != kNoTime) line += " duration=" + std::to_string(source.duration);
  line += source.variable ? " variable=1" : " variable=0";
  return line;
}

CutListResult<bool> parse_facts(std::string_view comment, CutSource& source, std::size_t line) {
  comment = trim(comment);
  if (!comment.starts_with(kFacts)) return false;
  comment.remove_prefix(kFacts.size());
  while (!comment.empty()) {
    const auto space = comment.find(' ');
    const std::string_view word = comment.substr(0, space);
    comment = space == comment.npos ? std::string_view() : trim(comment.substr(space));
    const auto equals = word.find('=');
    if (equals == word.npos) return failure("The clips-cutlist comment is malformed.", line);
    const std::string_view key = word.substr(0, equals);
    const std::string_view text = word.substr(equals + 1);
    const auto value = parse_integer<std::uint64_t>(text);
    const auto rate = parse_rate(text);
    if (key == "frame-rate" && rate)
      source.rate = *rate;
    else if (key == "frames" && value)
      source.frames = *value;
    else if (key == "start" && value)
      source.start = *value;
    else if (key == "duration" && value)
      source.duration = *value;
    else if (key == "variable" && value && *value <= 1)
      source.variable = *value == 1;
    else
      return failure("The clips-cutlist comment is malformed.", line);
  }
  return true;
}

namespace {

// The facts of the text win over the hints.
CutSource merged(CutSource facts, const CutListHints& hints) {
  if (!facts.rate.known()) facts.rate = hints.rate;
  if (facts.frames == 0) facts.frames = hints.frames;
  if (facts.frames == 0) facts.frames = hints.frame_times.size();
  if (facts.start == 0)
    facts.start = hints.frame_times.empty() ? hints.start : hints.frame_times.front();
  if (facts.duration == kNoTime) facts.duration = hints.duration;
  if (facts.uri.empty()) facts.uri = hints.uri;
  return facts;
}

// Times to frames, by the list of all timestamps or by a constant rate.
class FramePlacer {
 public:
  FramePlacer(const CutSource& source, const CutListHints& hints)
      : source_(source), times_(hints.frame_times) {}

  bool possible() const {
    return source_.start != kNoTime &&
           (!times_.empty() || (source_.rate.known() && !source_.variable));
  }

  std::optional<std::uint64_t> frame(std::uint64_t time) const {
    if (!times_.empty()) {
      const auto next = std::lower_bound(times_.begin(), times_.end(), time);
      if (next == times_.begin()) return 0;
      const std::uint64_t index = next - times_.begin();
      // Behind the last frame: its end when the time is nearer to that than to its start.
      if (next == times_.end()) {
        const std::uint64_t end =
            source_.duration == kNoTime ? times_.back() : source_.start + source_.duration;
        return 2 * (time - times_.back()) >= end - times_.back() ? index : index - 1;
      }
      return *next - time <= time - *std::prev(next) ? index : index - 1;
    }
    // A format rounds either way, so the nearest frame is meant, also for the first.
    if (time < source_.start) time = source_.start;
    return scale_round(time - source_.start, source_.rate.numerator,
                       kSecond * source_.rate.denominator);
  }

  std::optional<std::uint64_t> time(std::uint64_t frame) const {
    if (frame < times_.size()) return times_[frame];
    if (!source_.rate.known()) return {};
    const auto offset = frame_time(source_.rate, frame);
    if (!offset || *offset >= kNoTime - source_.start) return {};
    return source_.start + *offset;
  }

 private:
  const CutSource& source_;
  const std::vector<std::uint64_t>& times_;
};

CutListResult<void> check_tiling(const std::vector<FrameClip>& clips, std::uint64_t frames) {
  std::uint64_t expected = 0;
  for (const FrameClip& clip : clips) {
    if (clip.start != expected)
      return failure("The clips do not tile: frame " + std::to_string(expected) +
                         " should begin a clip, but frame " + std::to_string(clip.start) + " does.",
                     clip.line);
    if (clip.end <= clip.start) return failure("A clip has no frames.", clip.line);
    expected = clip.end;
  }
  if (frames != 0 && expected != frames)
    return failure("The clips end at frame " + std::to_string(expected) + ", but the video has " +
                   std::to_string(frames) + " frames.");
  return {};
}

}  // namespace

CutListResult<CutList> from_timed_clips(const std::vector<TimedClip>& timed, CutSource facts,
                                        const CutListHints& hints, TimePrecision precision) {
  if (timed.empty()) return failure("The cut list has no clips.");
  CutList list;
  list.source = merged(std::move(facts), hints);
  const FramePlacer placer(list.source, hints);
  if (!placer.possible())
    return failure(
        "This format holds times only, and the frame rate of the video is variable or unknown. "
        "State a constant frame rate or give the timestamps of its frames.");
  std::vector<FrameClip> clips;
  std::vector<std::uint64_t> times;
  for (std::size_t i = 0; i < timed.size(); ++i) {
    const bool last = i + 1 == timed.size();
    std::uint64_t end = timed[i].end;
    if (end == kNoTime && last && list.source.duration != kNoTime)
      end = list.source.start + list.source.duration;
    const auto start_frame = placer.frame(timed[i].start);
    std::optional<std::uint64_t> end_frame;
    if (end != kNoTime)
      end_frame = placer.frame(end);
    else if (last && list.source.frames != 0)
      end_frame = list.source.frames;
    if (!start_frame || !end_frame)
      return failure("A clip has no end or a time out of range.", timed[i].line);
    clips.push_back({*start_frame, *end_frame, timed[i].line});
    times.push_back(timed[i].start);
  }
  if (auto tiling = check_tiling(clips, list.source.frames); !tiling)
    return tl::unexpected(tiling.error());
  list.source.frames = clips.back().end;
  for (std::size_t i = 1; i < clips.size(); ++i) {
    const auto exact = placer.time(clips[i].start);
    const std::uint64_t time = precision == TimePrecision::rounded && exact ? *exact : times[i];
    list.cuts.push_back({clips[i].start, time, CutKind::cut, clips[i].start, clips[i].start, 1});
  }
  if (list.source.duration == kNoTime) {
    const auto exact = placer.time(list.source.frames);
    const std::uint64_t end = precision == TimePrecision::rounded && exact ? *exact
                              : timed.back().end != kNoTime                ? timed.back().end
                                                            : exact.value_or(kNoTime);
    if (end != kNoTime && end >= list.source.start) list.source.duration = end - list.source.start;
  }
  return list;
}

CutListResult<CutList> from_frame_clips(const std::vector<FrameClip>& clips,
                                        const std::vector<std::uint64_t>& times, CutSource facts,
                                        const CutListHints& hints) {
  if (clips.empty()) return failure("The cut list has no clips.");
  CutList list;
  list.source = merged(std::move(facts), hints);
  if (auto tiling = check_tiling(clips, list.source.frames); !tiling)
    return tl::unexpected(tiling.error());
  list.source.frames = clips.back().end;
  const FramePlacer placer(list.source, hints);
  const bool by_rate = times.empty();
  // Without times and without a way to compute them the list is one of frames only.
  const bool timed = !by_rate || placer.possible();
  if (!timed)
    list.source.start = kNoTime;
  else if (!by_rate)
    list.source.start = times.front();
  for (std::size_t i = 1; i < clips.size(); ++i) {
    const std::uint64_t frame = clips[i].start;
    std::uint64_t time = kNoTime;
    if (timed) time = by_rate ? placer.time(frame).value_or(kNoTime) : times[i];
    list.cuts.push_back({frame, time, CutKind::cut, frame, frame, 1});
  }
  if (!timed) {
    list.source.duration = kNoTime;
  } else if (list.source.duration == kNoTime) {
    const auto end =
        by_rate ? placer.time(list.source.frames) : std::optional<std::uint64_t>(times.back());
    if (end && *end >= list.source.start) list.source.duration = *end - list.source.start;
  }
  return list;
}

}  // namespace clips::detail
