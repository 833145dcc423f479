// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// The cut list: which frames of a video begin a new scene, what lies between them, how people
// change it, and how it is written and read in the formats that editors and encoders know. Plain
// C++: no GStreamer, no GLib. docs/cutlists.md describes the formats.
//
// Frames are 0-based, in presentation order. Times are nanoseconds of stream time. Ranges are
// half-open: the frame at a cut belongs to the clip on its right. n cuts make n + 1 clips, which
// cover all frames, none twice.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace clips {

// A time that is not known: frames without timestamps in a stream without a rate.
inline constexpr std::uint64_t kNoTime = UINT64_MAX;

// Frames a second, 0/1 when it is not known.
struct FrameRate {
  std::uint32_t numerator = 0;
  std::uint32_t denominator = 1;

  bool known() const { return numerator > 0 && denominator > 0; }
  bool operator==(const FrameRate&) const = default;
};

// The time of a frame at a constant rate, from 0, as GStreamer computes it: rounded down. Nothing
// when the rate is not known or the time does not fit.
std::optional<std::uint64_t> frame_time(const FrameRate& rate, std::uint64_t frame);

enum class CutKind { cut, dissolve, fade };

struct Cut {
  std::uint64_t frame = 0;  // first frame of the new scene
  std::uint64_t time = kNoTime;
  CutKind kind = CutKind::cut;
  // [start_frame, end_frame) is the transition; empty at `frame` for a cut.
  std::uint64_t start_frame = 0;
  std::uint64_t end_frame = 0;
  double score = 1;  // 0..1

  bool operator==(const Cut&) const = default;
};

struct Clip {
  std::uint64_t index = 0;
  std::uint64_t start_frame = 0;
  std::uint64_t end_frame = 0;
  std::uint64_t start = kNoTime;
  std::uint64_t end = kNoTime;

  bool operator==(const Clip&) const = default;
};

struct CutSource {
  std::string uri;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  FrameRate rate;         // the nominal rate, also of a variable one
  bool variable = false;  // frames do not follow `rate`
  std::uint64_t frames = 0;
  std::uint64_t start = 0;           // time of frame 0
  std::uint64_t duration = kNoTime;  // from the time of frame 0 to the end of the last frame

  bool operator==(const CutSource&) const = default;
};

struct CutDetector {
  std::string method;
  double threshold = 0;
  std::uint64_t min_duration = 0;  // ns
  std::string version;

  bool operator==(const CutDetector&) const = default;
};

struct CutListError {
  std::string message;   // a sentence for a user
  std::size_t line = 0;  // 1-based line of the text that was read, 0 when there is none
};

template <typename T>
using CutListResult = tl::expected<T, CutListError>;

struct CutList {
  CutSource source;
  CutDetector detector;
  std::vector<Cut> cuts;  // by frame

  bool operator==(const CutList&) const = default;

  // The clips between the cuts: they tile [0, source.frames). Without frames there are none.
  std::vector<Clip> clips() const;

  // Everything that the writers rely on: cuts strictly inside (0, frames) and ascending, times that
  // do not go back, transitions around their cut, scores in 0..1.
  CutListResult<void> validate() const;

  // The frame shown at a time, and the time of a frame. Times of cuts are exact; between them the
  // rate decides. An error where the rate is variable or not known.
  CutListResult<std::uint64_t> frame_at(std::uint64_t time) const;
  CutListResult<std::uint64_t> time_of(std::uint64_t frame) const;

  // What people do to a cut list. Each fails without a change when its rule is broken; the clips
  // tile after every success. `time` is the frame's timestamp where the caller knows it; without
  // it, time_of() decides.
  // A cut may be added strictly inside a clip.
  CutListResult<void> add(std::uint64_t frame, std::optional<std::uint64_t> time = {});
  CutListResult<void> remove(std::uint64_t frame);
  // A cut may be moved strictly between its neighbours (the ends of the video count), at least
  // kMoveDistance frames from other cuts. The neighbours stay where they are.
  CutListResult<void> move(std::uint64_t from, std::uint64_t to,
                           std::optional<std::uint64_t> time = {});
  static constexpr std::uint64_t kMoveDistance = 15;
};

enum class CutListFormat { json, csv, losslesscut, edl, otio, ffmetadata, webvtt, qpfile };

struct CutListFormatInfo {
  CutListFormat format;
  std::string_view name;  // what a user types
  std::string_view extension;
  std::string_view media_type;
  std::string_view description;
};

std::span<const CutListFormatInfo> cutlist_formats();
const CutListFormatInfo& cutlist_format_info(CutListFormat format);
std::optional<CutListFormat> cutlist_format_from_name(std::string_view name);
// By what the text looks like; nothing when it looks like none of them.
std::optional<CutListFormat> detect_cutlist_format(std::string_view text);

// One document. An EDL of more than 999 events becomes several titles one after the other.
CutListResult<std::string> write_cutlist(const CutList& list, CutListFormat format);
// The same as documents of their own, for programs that take one title a file. Only EDL ever has
// more than one.
CutListResult<std::vector<std::string>> write_cutlist_parts(const CutList& list,
                                                            CutListFormat format);

// What a format leaves out and the caller may know. Whatever the text says itself wins.
struct CutListHints {
  FrameRate rate;
  std::uint64_t frames = 0;
  std::uint64_t start = 0;
  std::uint64_t duration = kNoTime;
  std::string uri;
  // Timestamps of all frames: makes times of a variable-rate video into frames exactly.
  std::vector<std::uint64_t> frame_times;
};

// Strict: what is malformed, does not tile, or cannot be placed on frames exactly is an error.
CutListResult<CutList> read_cutlist(std::string_view text, CutListFormat format,
                                    const CutListHints& hints = {});

std::string_view cut_kind_name(CutKind kind);
std::optional<CutKind> cut_kind_from_name(std::string_view name);

// Seconds as a plain decimal with 6 to 9 digits behind the point, exact, never an exponent.
std::string format_seconds(std::uint64_t nanoseconds);
// The same read back: digits, a point, digits. Nothing else; digits beyond the ninth are rounded.
std::optional<std::uint64_t> parse_seconds(std::string_view text);

}  // namespace clips
