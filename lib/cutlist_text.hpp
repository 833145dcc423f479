// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// What the formats share; not for anyone outside lib/.

#include <charconv>

#include "cutlist.hpp"

namespace clips::detail {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

inline tl::unexpected<CutListError> failure(std::string message, std::size_t line = 0) {
  return tl::unexpected(CutListError{std::move(message), line});
}

// The whole text is one unsigned decimal number.
template <typename Integer>
std::optional<Integer> parse_integer(std::string_view text) {
  if (text.empty() || text.front() == '-' || text.front() == '+') return {};
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::string_view trim(std::string_view text);
std::string zero_padded(std::uint64_t value, int digits);
// hh:mm:ss.mmm, rounded up to the millisecond: a player that seeks there shows the frame itself and
// not the one before it.
std::string format_clock(std::uint64_t nanoseconds);
std::optional<std::uint64_t> parse_clock(std::string_view text);  // [hh:]mm:ss.mmm
std::string format_rate(const FrameRate& rate);                   // n/d
std::optional<FrameRate> parse_rate(std::string_view text);
// The shortest decimal that reads back as the same number, without an exponent.
std::string format_decimal(double value);
// The last part of a path or URI, for titles: printable ASCII of at most 60 characters.
std::string title_of(const std::string& uri);

// value * numerator / denominator in 128 bits; nothing when it does not fit or divides by zero.
std::optional<std::uint64_t> scale_floor(std::uint64_t value, std::uint64_t numerator,
                                         std::uint64_t denominator);
std::optional<std::uint64_t> scale_round(std::uint64_t value, std::uint64_t numerator,
                                         std::uint64_t denominator);

// Lines of a text: LF or CRLF ends, a byte order mark skipped, numbered from 1.
class Lines {
 public:
  explicit Lines(std::string_view text);
  bool next(std::string_view& line);
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

// RFC 4180: quoted fields with doubled quotes, line ends inside quotes.
struct CsvRow {
  std::vector<std::string> fields;
  std::size_t line = 0;
};
CutListResult<std::vector<CsvRow>> parse_csv(std::string_view text);
std::string csv_field(std::string_view text);

// Formats without a place for the facts of the source carry them in one comment, so that they read
// back: "clips-cutlist frame-rate=24000/1001 frames=240 start=0 duration=10010000000 variable=0".
std::string facts_line(const CutSource& source);
// True when the comment is ours; fills what it says.
CutListResult<bool> parse_facts(std::string_view comment, CutSource& source, std::size_t line);

struct TimedClip {
  std::uint64_t start = 0;
  std::uint64_t end = kNoTime;  // open when the format left it out
  std::size_t line = 0;
};
enum class TimePrecision { nanoseconds, rounded };

// Makes clips that hold times only into a cut list: places each on its frame by the facts of the
// text, else by the hints, and checks that they tile.
CutListResult<CutList> from_timed_clips(const std::vector<TimedClip>& timed, CutSource facts,
                                        const CutListHints& hints, TimePrecision precision);
// The same for clips of which the frames are known: [start, end), times from `times` (one for each
// clip's start and one for the last end) or, when that is empty, from the rate.
struct FrameClip {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::size_t line = 0;
};
CutListResult<CutList> from_frame_clips(const std::vector<FrameClip>& frames,
                                        const std::vector<std::uint64_t>& times, CutSource facts,
                                        const CutListHints& hints);

// One pair a format; cutlist.cpp has the table.
CutListResult<std::string> write_json(const CutList& list);
CutListResult<CutList> read_json(std::string_view text, const CutListHints& hints);
CutListResult<std::string> write_csv(const CutList& list);
CutListResult<CutList> read_csv(std::string_view text, const CutListHints& hints);
CutListResult<std::string> write_losslesscut(const CutList& list);
CutListResult<CutList> read_losslesscut(std::string_view text, const CutListHints& hints);
CutListResult<std::vector<std::string>> write_edl(const CutList& list);
CutListResult<CutList> read_edl(std::string_view text, const CutListHints& hints);
CutListResult<std::string> write_otio(const CutList& list);
CutListResult<CutList> read_otio(std::string_view text, const CutListHints& hints);
CutListResult<std::string> write_ffmetadata(const CutList& list);
CutListResult<CutList> read_ffmetadata(std::string_view text, const CutListHints& hints);
CutListResult<std::string> write_webvtt(const CutList& list);
CutListResult<CutList> read_webvtt(std::string_view text, const CutListHints& hints);
CutListResult<std::string> write_qpfile(const CutList& list);
CutListResult<CutList> read_qpfile(std::string_view text, const CutListHints& hints);

}  // namespace clips::detail
