// SPDX-License-Identifier: LGPL-2.1-or-later

// CMX3600 edit decision list: the title first, the frame code mode stated, events of video cuts.
// Its timecodes count frames at the nominal rate; drop-frame at 29.97 and 59.94, so that they
// follow the clock. An event number has three digits, so longer lists become several titles.
// Drop-frame counting: SMPTE ST 12-1, section 5.2.3.

#include <array>

#include "cutlist_text.hpp"

namespace clips::detail {

namespace {

constexpr std::size_t kMaximumEvents = 999;

struct Timebase {
  std::uint64_t nominal = 0;  // frames that the timecode counts a second
  bool drop = false;
  std::uint64_t dropped() const { return drop ? nominal / 15 : 0; }  // 2 of 30, 4 of 60
};

CutListResult<Timebase> timebase_of(const FrameRate& rate) {
  if (!rate.known())
    return failure("An EDL counts frames, but the frame rate of the video is not known.");
  const auto nominal = (std::uint64_t{rate.numerator} + rate.denominator / 2) / rate.denominator;
  if (nominal == 0 || nominal > 100)
    return failure("An EDL cannot count " + format_rate(rate) + " frames a second.");
  const bool ntsc = std::uint64_t{rate.numerator} * 1001 == nominal * 1000 * rate.denominator;
  return Timebase{nominal, ntsc && (nominal == 30 || nominal == 60)};
}

std::optional<std::string> timecode(std::uint64_t frame, const Timebase& base) {
  if (base.drop) {
    // Two (four) numbers are left out at the start of each minute that is no multiple of ten.
    const std::uint64_t ten_minutes = 600 * base.nominal - 9 * base.dropped();
    const std::uint64_t minute = 60 * base.nominal - base.dropped();
    const std::uint64_t tens = frame / ten_minutes;
    const std::uint64_t rest = frame % ten_minutes;
    frame += 9 * base.dropped() * tens;
    if (rest >= 60 * base.nominal)
      frame += base.dropped() * (1 + (rest - 60 * base.nominal) / minute);
  }
  const std::uint64_t seconds = frame / base.nominal;
  if (seconds >= 24 * 3600) return {};
  return zero_padded(seconds / 3600, 2) + ':' + zero_padded(seconds / 60 % 60, 2) + ':' +
         zero_padded(seconds % 60, 2) + (base.drop ? ';' : ':') +
         zero_padded(frame % base.nominal, 2);
}

std::optional<std::uint64_t> frame_of(std::string_view text, const Timebase& base) {
  if (text.size() != 11 || text[2] != ':' || text[5] != ':' || (text[8] != ':' && text[8] != ';'))
    return {};
  std::array<std::uint64_t, 4> fields{};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto value = parse_integer<std::uint64_t>(text.substr(3 * i, 2));
    if (!value) return {};
    fields[i] = *value;
  }
  const auto [hours, minutes, seconds, frames] = fields;
  if (hours > 23 || minutes > 59 || seconds > 59 || frames >= base.nominal) return {};
  const std::uint64_t all_minutes = 60 * hours + minutes;
  if (base.drop && seconds == 0 && frames < base.dropped() && minutes % 10 != 0) return {};
  return (all_minutes * 60 + seconds) * base.nominal + frames -
         base.dropped() * (all_minutes - all_minutes / 10);
}

struct Words {
  std::array<std::string_view, 9> word;
  std::size_t count = 0;
};

Words split(std::string_view line) {
  Words words;
  line = trim(line);
  while (!line.empty() && words.count < words.word.size()) {
    const auto end = line.find_first_of(" \t");
    words.word[words.count++] = line.substr(0, end);
    line = end == line.npos ? std::string_view() : trim(line.substr(end));
  }
  return words;
}

}  // namespace

CutListResult<std::vector<std::string>> write_edl(const CutList& list) {
  const auto base = timebase_of(list.source.rate);
  if (!base) return tl::unexpected(base.error());
  const std::vector<Clip> clips = list.clips();
  const std::string title = title_of(list.source.uri);
  const std::size_t parts = (clips.size() + kMaximumEvents - 1) / kMaximumEvents;
  // A variable rate has no frame count that a timecode could name: the clock decides there.
  const auto position = [&](std::uint64_t frame,
                            std::uint64_t time) -> std::optional<std::uint64_t> {
    if (!list.source.variable) return frame;
    if (time == kNoTime) return {};
    return scale_round(time - list.source.start, list.source.rate.numerator,
                       kSecond * list.source.rate.denominator);
  };
  std::vector<std::string> documents;
  for (std::size_t part = 0; part < parts; ++part) {
    std::string text = "TITLE: " + title;
    if (parts > 1) text += " (" + std::to_string(part + 1) + " OF " + std::to_string(parts) + ")";
    text += base->drop ? "\r\nFCM: DROP FRAME\r\n" : "\r\nFCM: NON-DROP FRAME\r\n";
    if (part == 0) text += "* " + facts_line(list.source) + "\r\n";
    text += "\r\n";
    const std::size_t first = part * kMaximumEvents;
    const std::size_t last = std::min(first + kMaximumEvents, clips.size());
    for (std::size_t i = first; i < last; ++i) {
      const auto start = position(clips[i].start_frame, clips[i].start);
      const auto end = position(clips[i].end_frame, clips[i].end);
      if (!start || !end) return failure("An EDL needs the time of every clip.");
      if (*end <= *start)
        return failure("A clip is shorter than one frame of the timecode of an EDL.");
      const auto in = timecode(*start, *base);
      const auto out = timecode(*end, *base);
      if (!in || !out) return failure("The timecodes of an EDL end at 24 hours.");
      text += zero_padded(i - first + 1, 3) + "  AX       V     C        " + *in + ' ' + *out +
              ' ' + *in + ' ' + *out + "\r\n* FROM CLIP NAME: " + title + "\r\n";
    }
    documents.push_back(std::move(text));
  }
  return documents;
}

CutListResult<CutList> read_edl(std::string_view text, const CutListHints& hints) {
  Lines lines(text);
  std::string_view line;
  CutSource facts;
  bool titled = false;
  std::optional<bool> drop;
  std::optional<Timebase> base;
  std::vector<FrameClip> clips;
  std::uint64_t origin = 0;
  std::uint64_t expected_event = 1;
  while (lines.next(line)) {
    const std::size_t at = lines.number();
    line = trim(line);
    if (line.empty()) continue;
    if (line.starts_with("TITLE:")) {
      titled = true;
      expected_event = 1;
      continue;
    }
    if (!titled) return failure("An EDL begins with its TITLE.", at);
    if (line.starts_with("FCM:")) {
      const std::string_view mode = trim(line.substr(4));
      const bool is_drop = mode == "DROP FRAME";
      if (!is_drop && mode != "NON-DROP FRAME" && mode != "NON DROP FRAME")
        return failure("The frame code mode is neither DROP FRAME nor NON-DROP FRAME.", at);
      if (drop && *drop != is_drop) return failure("The frame code mode changes.", at);
      drop = is_drop;
      continue;
    }
    if (line.front() == '*') {
      if (auto own = parse_facts(line.substr(1), facts, at); !own)
        return tl::unexpected(own.error());
      continue;
    }
    const Words words = split(line);
    const auto event = parse_integer<std::uint64_t>(words.word[0]);
    if (!event || words.count != 8) return failure("A line is neither an event nor a comment.", at);
    if (*event != expected_event++) return failure("The event numbers do not count up.", at);
    if (words.word[2] == "A" || words.word[2] == "A2" || words.word[2] == "AA" ||
        words.word[2] == "NONE")
      continue;
    if (!words.word[2].starts_with('V') && words.word[2] != "B" && !words.word[2].ends_with("/V"))
      return failure("The channel of an event is not known.", at);
    if (words.word[3] != "C") return failure("Only cuts are read, no other transitions.", at);
    if (!base) {
      const FrameRate rate = facts.rate.known() ? facts.rate : hints.rate;
      const auto known = timebase_of(rate);
      if (!known)
        return failure("An EDL does not say its frame rate. State the frame rate of the video.",
                       at);
      base = *known;
      if (!drop) return failure("The frame code mode (FCM) is missing.", at);
      // 29.97 may be counted either way; the list says which. Nothing else can drop.
      if (*drop && !base->drop)
        return failure("DROP FRAME is for 29.97 and 59.94 frames a second only.", at);
      base->drop = *drop;
    }
    const auto start = frame_of(words.word[4], *base);
    const auto end = frame_of(words.word[5], *base);
    if (!start || !end || !frame_of(words.word[6], *base) || !frame_of(words.word[7], *base))
      return failure("A timecode is malformed.", at);
    // Tapes start at 01:00:00:00 or anywhere; the first event is the first frame.
    if (clips.empty()) origin = *start;
    if (*start < origin || *end < origin) return failure("The events are not in order.", at);
    clips.push_back({*start - origin, *end - origin, at});
  }
  if (clips.empty()) return failure("The EDL has no video events.");
  const bool variable = facts.variable || !hints.frame_times.empty();
  if (!variable) return from_frame_clips(clips, {}, facts, hints);
  // Written from a variable rate: the timecodes are clock positions, not frames.
  const FrameRate rate = facts.rate.known() ? facts.rate : hints.rate;
  std::vector<TimedClip> timed;
  const std::uint64_t offset = hints.frame_times.empty() ? facts.start : hints.frame_times.front();
  for (const FrameClip& clip : clips)
    timed.push_back({offset + frame_time(rate, clip.start).value_or(0),
                     offset + frame_time(rate, clip.end).value_or(0), clip.line});
  return from_timed_clips(timed, facts, hints, TimePrecision::rounded);
}

}  // namespace clips::detail
