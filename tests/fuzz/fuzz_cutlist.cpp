// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The readers of cut lists. The first byte chooses the format and what is known beforehand; the
// rest is the text. What is accepted must be a valid list, and JSON must carry it over unchanged.
#include <cstdlib>

#include "cutlist.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto format = static_cast<clips::CutListFormat>(data[0] % 8);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  clips::CutListHints hints;
  if (data[0] & 8) hints.rate = {30000, 1001};
  if (data[0] & 16) hints.frames = 240;
  if (data[0] & 32) hints.frame_times = {0, 40'000'000, 90'000'000, 1'000'000'000};
  clips::detect_cutlist_format(text);
  const auto list = clips::read_cutlist(text, format, hints);
  if (!list) {
    if (list.error().message.empty()) std::abort();
    return 0;
  }
  if (!list->validate()) std::abort();
  std::uint64_t frame = 0;
  for (const clips::Clip& clip : list->clips()) {
    if (clip.start_frame != frame || clip.end_frame <= frame) std::abort();
    frame = clip.end_frame;
  }
  if (frame != list->source.frames) std::abort();
  const auto json = clips::write_cutlist(*list, clips::CutListFormat::json);
  if (!json) std::abort();
  const auto again = clips::read_cutlist(*json, clips::CutListFormat::json);
  // Invalid UTF-8 in a URI is replaced, all else comes back.
  if (!again || again->cuts != list->cuts || again->clips() != list->clips()) std::abort();
  for (const auto& info : clips::cutlist_formats()) (void)clips::write_cutlist(*list, info.format);
  return 0;
}
