// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cutlist_file.hpp"

#include <cstdio>

#include "common/handles.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

std::optional<FrameRate> parse_rate(const char* text) {
  gint numerator = 0;
  gint denominator = 1;
  char rest = 0;
  const int count = std::sscanf(text, "%d/%d%c", &numerator, &denominator, &rest);
  if ((count != 1 && count != 2) || numerator <= 0 || denominator <= 0) return std::nullopt;
  return FrameRate{static_cast<std::uint32_t>(numerator), static_cast<std::uint32_t>(denominator)};
}

tl::unexpected<Problem> refuse(const std::string& message, ExitCode exit) {
  Problem problem = usage_problem(message);
  problem.exit = exit;
  return tl::unexpected(problem);
}

}  // namespace

std::string cutlist_format_names() {
  std::string names;
  for (const CutListFormatInfo& info : cutlist_formats())
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names;
}

std::vector<GOptionEntry> CutListFlags::entries() {
  return {
      GOptionEntry{"to", 't', 0, G_OPTION_ARG_STRING, &to_.text, "Format to write", "FORMAT"},
      GOptionEntry{"from", 'f', 0, G_OPTION_ARG_STRING, &from_.text,
                   "Format that CUTLIST has; without, it is found out", "FORMAT"},
      GOptionEntry{"output", 'o', 0, G_OPTION_ARG_FILENAME, &output_.text,
                   "Where to, as a path or URI; standard output by default", "OUTPUT"},
      GOptionEntry{"frame-rate", 0, 0, G_OPTION_ARG_STRING, &rate_.text,
                   "Frames a second of the video, for formats that do not say", "N/D"},
      GOptionEntry{"frames", 0, 0, G_OPTION_ARG_INT64, &frames_,
                   "Frames of the video, for formats that do not say", "N"},
  };
}

std::string CutListFlags::check() {
  const auto find = [](const OptionText& option, std::optional<CutListFormat>& format) {
    if (!option.text) return std::string();
    format = cutlist_format_from_name(option.text);
    if (format) return std::string();
    return "\"" + std::string(option.text) +
           "\" is no format of cut lists. They are: " + cutlist_format_names();
  };
  for (const std::string& wrong : {find(from_, source_), find(to_, target_)})
    if (!wrong.empty()) return wrong;
  if (rate_.text) {
    const auto rate = parse_rate(rate_.text);
    if (!rate)
      return "--frame-rate is a fraction such as 30000/1001, not \"" + std::string(rate_.text) +
             "\"";
    hints_.rate = *rate;
  }
  if (frames_ < 0) return "--frames must not be negative";
  hints_.frames = static_cast<std::uint64_t>(frames_);
  return {};
}

tl::expected<CutList, Problem> CutListFlags::read(const std::string& file) {
  gchar* raw_text = nullptr;
  gsize size = 0;
  GError* raw_error = nullptr;
  if (!g_file_get_contents(file.c_str(), &raw_text, &size, &raw_error)) {
    const ErrorPtr error(raw_error);
    return refuse(error->message, ExitCode::bad_input);
  }
  const GString_ text(raw_text);
  const std::string_view view(text.get(), size);
  if (!source_) source_ = detect_cutlist_format(view);
  if (!source_)
    return refuse(file + " looks like no cut list. If it is one, say its format with --from.",
                  ExitCode::bad_input);
  auto list = read_cutlist(view, *source_, hints_);
  if (!list) {
    const std::size_t line = list.error().line;
    return refuse(file + (line > 0 ? ":" + std::to_string(line) : "") + ": " + list.error().message,
                  ExitCode::bad_input);
  }
  return *list;
}

tl::expected<std::string, Problem> CutListFlags::write(const CutList& list) const {
  const CutListFormat format = target_ ? *target_ : *source_;
  const auto written = write_cutlist(list, format);
  if (written) return *written;
  return refuse("This list cannot be written as " + std::string(cutlist_format_info(format).name) +
                    ": " + written.error().message,
                ExitCode::failed);
}

}  // namespace clips::tool
