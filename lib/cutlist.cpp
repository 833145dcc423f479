// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cutlist.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "cutlist_text.hpp"

namespace clips {

using detail::failure;

namespace {

constexpr std::array<CutListFormatInfo, 8> kFormats{{
    {CutListFormat::json, "json", "json", "application/json", "clips-cutlist/1, the complete one"},
    {CutListFormat::csv, "csv", "csv", "text/csv", "RFC 4180 with the columns of PySceneDetect"},
    {CutListFormat::losslesscut, "losslesscut", "csv", "text/csv", "segments for LosslessCut"},
    {CutListFormat::edl, "edl", "edl", "text/plain", "CMX3600 edit decision list"},
    {CutListFormat::otio, "otio", "otio", "application/json", "OpenTimelineIO timeline"},
    {CutListFormat::ffmetadata, "ffmetadata", "ffmeta", "text/plain", "chapters for FFmpeg"},
    {CutListFormat::webvtt, "webvtt", "vtt", "text/vtt", "WebVTT chapters"},
    {CutListFormat::qpfile, "qpfile", "qp", "text/plain", "key frames for x264 --qpfile"},
}};

// No reader is given more than this: a cut list of a whole day is under 10 MiB.
constexpr std::size_t kMaximumText = 64 << 20;

std::vector<Cut>::const_iterator lower(const std::vector<Cut>& cuts, std::uint64_t frame) {
  return std::lower_bound(cuts.begin(), cuts.end(), frame,
                          [](const Cut& cut, std::uint64_t f) { return cut.frame < f; });
}

std::uint64_t end_time(const CutSource& source) {
  return source.duration == kNoTime || source.start == kNoTime ? kNoTime
                                                               : source.start + source.duration;
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

// A cut that a person makes: certain, without a transition.
Cut manual_cut(std::uint64_t frame, std::uint64_t time) {
  return {frame, time, CutKind::cut, frame, frame, 1};
}

}  // namespace

std::optional<std::uint64_t> frame_time(const FrameRate& rate, std::uint64_t frame) {
  return detail::scale_floor(frame, detail::kSecond * rate.denominator, rate.numerator);
}

std::vector<Clip> CutList::clips() const {
  std::vector<Clip> result;
  if (source.frames == 0) return result;
  result.reserve(cuts.size() + 1);
  Clip clip{0, 0, 0, source.start, kNoTime};
  for (const Cut& cut : cuts) {
    clip.end_frame = cut.frame;
    clip.end = cut.time;
    result.push_back(clip);
    clip = {clip.index + 1, cut.frame, 0, cut.time, kNoTime};
  }
  clip.end_frame = source.frames;
  clip.end = end_time(source);
  result.push_back(clip);
  return result;
}

CutListResult<void> CutList::validate() const {
  if (source.duration != kNoTime && source.start != kNoTime &&
      source.duration > UINT64_MAX - 1 - source.start)
    return failure("The duration of the source is out of range.");
  std::uint64_t frame = 0;
  std::uint64_t time = source.start;
  for (const Cut& cut : cuts) {
    if (cut.frame <= frame)
      return failure("The cut at frame " + number(cut.frame) + " does not come after frame " +
                     number(frame) + ".");
    if (cut.frame >= source.frames)
      return failure("The cut at frame " + number(cut.frame) + " lies behind the last of " +
                     number(source.frames) + " frames.");
    if (cut.start_frame > cut.frame || cut.end_frame < cut.frame || cut.end_frame > source.frames)
      return failure("The transition [" + number(cut.start_frame) + ", " + number(cut.end_frame) +
                     ") does not hold its cut at frame " + number(cut.frame) + ".");
    if (!std::isfinite(cut.score) || cut.score < 0 || cut.score > 1)
      return failure("The score of the cut at frame " + number(cut.frame) +
                     " is not between 0 and 1.");
    if ((cut.time == kNoTime) != (source.start == kNoTime))
      return failure("Either all cuts have a time or none.");
    if (cut.time != kNoTime && cut.time < time)
      return failure("The time of the cut at frame " + number(cut.frame) + " goes back.");
    frame = cut.frame;
    time = cut.time;
  }
  if (time != kNoTime && end_time(source) < time)
    return failure("The source ends before its last cut.");
  return {};
}

CutListResult<std::uint64_t> CutList::frame_at(std::uint64_t time) const {
  if (source.start == kNoTime || (source.variable && !cuts.empty()) || !source.rate.known() ||
      source.variable) {
    for (const Cut& cut : cuts)
      if (cut.time == time && time != kNoTime) return cut.frame;
    return failure(
        "The frame at this time cannot be told, because the frame rate is variable or unknown. "
        "Give the number of the frame.");
  }
  if (time < source.start) return failure("The time lies before the first frame.");
  // Round to the nearest: people and other programs round times either way.
  const auto frame = detail::scale_round(time - source.start, source.rate.numerator,
                                         std::uint64_t{source.rate.denominator} * detail::kSecond);
  if (!frame || *frame >= source.frames) return failure("The time lies behind the last frame.");
  return *frame;
}

CutListResult<std::uint64_t> CutList::time_of(std::uint64_t frame) const {
  if (frame >= source.frames)
    return failure("Frame " + number(frame) + " lies behind the last of " + number(source.frames) +
                   " frames.");
  if (source.start == kNoTime) return kNoTime;
  if (frame == 0) return source.start;
  const auto next = lower(cuts, frame);
  if (next != cuts.end() && next->frame == frame) return next->time;
  if (source.variable || !source.rate.known())
    return failure("The time of frame " + number(frame) +
                   " is not known, because the frame rate is variable or unknown. Give the time.");
  // The neighbours' times are exact; the rate must not lead past them.
  const std::uint64_t low = next == cuts.begin() ? source.start : std::prev(next)->time;
  const std::uint64_t high = next == cuts.end() ? end_time(source) : next->time;
  const auto offset = frame_time(source.rate, frame);
  if (!offset || *offset >= kNoTime - source.start) return failure("The time is out of range.");
  return std::clamp(source.start + *offset, low, high);
}

CutListResult<void> CutList::add(std::uint64_t frame, std::optional<std::uint64_t> time) {
  if (frame == 0 || frame >= source.frames)
    return failure("A cut must lie strictly inside the video: between frame 1 and frame " +
                   number(source.frames == 0 ? 0 : source.frames - 1) + ".");
  const auto next = lower(cuts, frame);
  if (next != cuts.end() && next->frame == frame)
    return failure("There is a cut at frame " + number(frame) + " already.");
  if (!time) {
    const auto known = time_of(frame);
    if (!known) return tl::unexpected(known.error());
    time = *known;
  }
  CutList changed = *this;
  changed.cuts.insert(changed.cuts.begin() + (next - cuts.begin()), manual_cut(frame, *time));
  if (auto valid = changed.validate(); !valid) return valid;
  cuts = std::move(changed.cuts);
  return {};
}

CutListResult<void> CutList::remove(std::uint64_t frame) {
  const auto found = lower(cuts, frame);
  if (found == cuts.end() || found->frame != frame)
    return failure("There is no cut at frame " + number(frame) + ".");
  cuts.erase(found);
  return {};
}

CutListResult<void> CutList::move(std::uint64_t from, std::uint64_t to,
                                  std::optional<std::uint64_t> time) {
  const auto found = lower(cuts, from);
  if (found == cuts.end() || found->frame != from)
    return failure("There is no cut at frame " + number(from) + ".");
  const std::size_t index = found - cuts.begin();
  // The ends of the video are limits but no cuts: the distance does not count from them.
  std::uint64_t low = 1;
  std::uint64_t high = source.frames - 1;
  if (index > 0) low = cuts[index - 1].frame + kMoveDistance;
  if (index + 1 < cuts.size()) {
    const std::uint64_t next = cuts[index + 1].frame;
    high = next > kMoveDistance ? next - kMoveDistance : 0;
  }
  if (to < low || to > high)
    return failure("The cut at frame " + number(from) + " cannot move to frame " + number(to) +
                   (low <= high
                        ? ": it may lie from frame " + number(low) + " to frame " + number(high)
                        : std::string(": there is no room between its neighbours")) +
                   ".");
  CutList changed = *this;
  changed.cuts.erase(changed.cuts.begin() + static_cast<std::ptrdiff_t>(index));
  if (!time) {
    const auto known = to == from ? CutListResult<std::uint64_t>(found->time) : changed.time_of(to);
    if (!known) return tl::unexpected(known.error());
    time = *known;
  }
  changed.cuts.insert(changed.cuts.begin() + static_cast<std::ptrdiff_t>(index),
                      manual_cut(to, *time));
  if (auto valid = changed.validate(); !valid) return valid;
  cuts = std::move(changed.cuts);
  return {};
}

std::span<const CutListFormatInfo> cutlist_formats() {
  return kFormats;
}

const CutListFormatInfo& cutlist_format_info(CutListFormat format) {
  return kFormats[static_cast<std::size_t>(format)];
}

std::optional<CutListFormat> cutlist_format_from_name(std::string_view name) {
  for (const auto& info : kFormats)
    if (info.name == name) return info.format;
  return {};
}

std::optional<CutListFormat> detect_cutlist_format(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  text.remove_prefix(first);
  if (text.front() == '{')
    return text.find("\"OTIO_SCHEMA\"") != text.npos ? CutListFormat::otio : CutListFormat::json;
  if (text.starts_with("WEBVTT")) return CutListFormat::webvtt;
  if (text.starts_with(";FFMETADATA")) return CutListFormat::ffmetadata;
  if (text.starts_with("TITLE:")) return CutListFormat::edl;
  if (text.starts_with("Scene Number") || text.starts_with("Timecode List"))
    return CutListFormat::csv;
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  if (line.find(',') != line.npos) return CutListFormat::losslesscut;
  const auto space = line.find(' ');
  if (space != line.npos && space + 1 < line.size() &&
      std::string_view("IiK").find(line[space + 1]) != std::string_view::npos)
    return CutListFormat::qpfile;
  return {};
}

CutListResult<std::vector<std::string>> write_cutlist_parts(const CutList& list,
                                                            CutListFormat format) {
  if (list.source.frames == 0) return failure("There are no frames, so there is no cut list.");
  if (auto valid = list.validate(); !valid) return tl::unexpected(valid.error());
  if (format == CutListFormat::edl) return detail::write_edl(list);
  auto one = [&]() -> CutListResult<std::string> {
    switch (format) {
      case CutListFormat::json:
        return detail::write_json(list);
      case CutListFormat::csv:
        return detail::write_csv(list);
      case CutListFormat::losslesscut:
        return detail::write_losslesscut(list);
      case CutListFormat::otio:
        return detail::write_otio(list);
      case CutListFormat::ffmetadata:
        return detail::write_ffmetadata(list);
      case CutListFormat::webvtt:
        return detail::write_webvtt(list);
      case CutListFormat::qpfile:
        return detail::write_qpfile(list);
      case CutListFormat::edl:
        break;
    }
    return failure("There is no such cut list format.");
  }();
  if (!one) return tl::unexpected(one.error());
  return std::vector<std::string>{std::move(*one)};
}

CutListResult<std::string> write_cutlist(const CutList& list, CutListFormat format) {
  auto parts = write_cutlist_parts(list, format);
  if (!parts) return tl::unexpected(parts.error());
  std::string whole;
  for (const auto& part : *parts) whole += part;
  return whole;
}

CutListResult<CutList> read_cutlist(std::string_view text, CutListFormat format,
                                    const CutListHints& hints) {
  if (text.size() > kMaximumText) return failure("The cut list is larger than 64 MiB.");
  if (text.find('\0') != text.npos) return failure("The cut list holds binary data.");
  auto list = [&]() -> CutListResult<CutList> {
    switch (format) {
      case CutListFormat::json:
        return detail::read_json(text, hints);
      case CutListFormat::csv:
        return detail::read_csv(text, hints);
      case CutListFormat::losslesscut:
        return detail::read_losslesscut(text, hints);
      case CutListFormat::edl:
        return detail::read_edl(text, hints);
      case CutListFormat::otio:
        return detail::read_otio(text, hints);
      case CutListFormat::ffmetadata:
        return detail::read_ffmetadata(text, hints);
      case CutListFormat::webvtt:
        return detail::read_webvtt(text, hints);
      case CutListFormat::qpfile:
        return detail::read_qpfile(text, hints);
    }
    return failure("There is no such cut list format.");
  }();
  if (!list) return list;
  if (list->source.frames == 0) return failure("The cut list has no frames.");
  if (auto valid = list->validate(); !valid) return tl::unexpected(valid.error());
  if (list->source.uri.empty()) list->source.uri = hints.uri;
  return list;
}

std::string_view cut_kind_name(CutKind kind) {
  switch (kind) {
    case CutKind::cut:
      return "cut";
    case CutKind::dissolve:
      return "dissolve";
    case CutKind::fade:
      return "fade";
  }
  std::abort();
}

std::optional<CutKind> cut_kind_from_name(std::string_view name) {
  for (const CutKind kind : {CutKind::cut, CutKind::dissolve, CutKind::fade})
    if (cut_kind_name(kind) == name) return kind;
  return {};
}

std::string format_seconds(std::uint64_t nanoseconds) {
  std::string fraction = detail::zero_padded(nanoseconds % detail::kSecond, 9);
  while (fraction.size() > 6 && fraction.back() == '0') fraction.pop_back();
  return number(nanoseconds / detail::kSecond) + '.' + fraction;
}

std::optional<std::uint64_t> parse_seconds(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = detail::parse_integer<std::uint64_t>(text.substr(0, point));
  // 584 years are what 64 bits of nanoseconds hold.
  if (!whole || *whole >= UINT64_MAX / detail::kSecond) return {};
  std::uint64_t nanoseconds = *whole * detail::kSecond;
  if (point == text.npos) return nanoseconds;
  const std::string_view fraction = text.substr(point + 1);
  if (fraction.empty() || fraction.find_first_not_of("0123456789") != fraction.npos) return {};
  std::uint64_t unit = detail::kSecond / 10;
  for (std::size_t i = 0; i < fraction.size() && i < 9; ++i, unit /= 10)
    nanoseconds += static_cast<std::uint64_t>(fraction[i] - '0') * unit;
  if (fraction.size() > 9 && fraction[9] >= '5') ++nanoseconds;
  return nanoseconds;
}

}  // namespace clips
