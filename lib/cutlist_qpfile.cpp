// SPDX-License-Identifier: LGPL-2.1-or-later

// The frame type file of x264 --qpfile: an IDR frame (I) where each clip starts, at a quantiser
// that the encoder chooses (-1). It knows frames only: how many there are has to come from
// elsewhere.

#include "cutlist_text.hpp"

namespace clips::detail {

CutListResult<std::string> write_qpfile(const CutList& list) {
  std::string text;
  for (const Clip& clip : list.clips()) {
    if (clip.start_frame > INT32_MAX) return failure("x264 counts frames up to 2147483647.");
    text += std::to_string(clip.start_frame) + " I -1\n";
  }
  return text;
}

CutListResult<CutList> read_qpfile(std::string_view text, const CutListHints& hints) {
  std::vector<FrameClip> clips;
  const std::uint64_t total = hints.frames != 0 ? hints.frames : hints.frame_times.size();
  if (total == 0)
    return failure("A qpfile does not say how long the video is. State its number of frames.");
  Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    line = trim(line);
    if (line.empty()) continue;
    const auto space = line.find(' ');
    const auto frame = parse_integer<std::uint64_t>(line.substr(0, space));
    std::string_view rest = space == line.npos ? std::string_view() : trim(line.substr(space));
    if (!frame || rest.empty() ||
        std::string_view("IiKPBb").find(rest[0]) == std::string_view::npos)
      return failure("A line is not: frame number, frame type, quantiser.", lines.number());
    const char type = rest[0];
    rest = trim(rest.substr(1));
    if (rest.starts_with('-')) rest.remove_prefix(1);
    if (!rest.empty() && !parse_integer<std::uint32_t>(rest))
      return failure("A quantiser is malformed.", lines.number());
    if (type != 'I' && type != 'K') continue;
    if (clips.empty() && *frame != 0) clips.push_back({0, 0, lines.number()});
    if (!clips.empty()) clips.back().end = *frame;
    clips.push_back({*frame, 0, lines.number()});
  }
  if (clips.empty()) clips.push_back({0, 0, 0});
  clips.back().end = total;
  return from_frame_clips(clips, {}, {}, hints);
}

}  // namespace clips::detail
