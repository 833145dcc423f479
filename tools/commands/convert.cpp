// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <cstdio>
#include <cstdlib>

#include "commands.hpp"
#include "common/handles.hpp"
#include "exit_code.hpp"
#include "lib/cutlist.hpp"
#include "publish_text.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

std::string format_names() {
  std::string names;
  for (const CutListFormatInfo& info : cutlist_formats())
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names;
}

int refuse(const std::string& message, ExitCode code) {
  std::fprintf(stderr, "gst-clips: %s\n", one_line(message).c_str());
  return static_cast<int>(code);
}

std::optional<FrameRate> parse_rate(const char* text) {
  gint numerator = 0;
  gint denominator = 1;
  char rest = 0;
  const int count = std::sscanf(text, "%d/%d%c", &numerator, &denominator, &rest);
  if ((count != 1 && count != 2) || numerator <= 0 || denominator <= 0) return std::nullopt;
  return FrameRate{static_cast<std::uint32_t>(numerator), static_cast<std::uint32_t>(denominator)};
}

// "line 7: ..." where the reader knows the line.
std::string told(const char* file, const CutListError& error) {
  const std::string line = error.line > 0 ? ":" + std::to_string(error.line) : "";
  return std::string(file) + line + ": " + error.message;
}

struct Options {
  GString_ from;
  GString_ to;
  GString_ rate;
  GString_ output;
  gint64 frames = 0;
};

int convert(const Command& command, const char* file, const Options& options) {
  const auto unknown = [](const char* name) {
    return "\"" + std::string(name) + "\" is no format of cut lists. They are: " + format_names();
  };
  if (!options.to) return usage_error(command, "Say the format to write, with --to=FORMAT");
  const auto target = cutlist_format_from_name(options.to.get());
  if (!target) return usage_error(command, unknown(options.to.get()));
  CutListHints hints;
  if (options.rate) {
    const auto rate = parse_rate(options.rate.get());
    if (!rate) {
      return usage_error(command, "--frame-rate is a fraction such as 30000/1001, not \"" +
                                      std::string(options.rate.get()) + "\"");
    }
    hints.rate = *rate;
  }
  if (options.frames < 0) return usage_error(command, "--frames must not be negative");
  hints.frames = static_cast<std::uint64_t>(options.frames);

  gchar* raw_text = nullptr;
  gsize size = 0;
  GError* raw_error = nullptr;
  if (!g_file_get_contents(file, &raw_text, &size, &raw_error)) {
    const ErrorPtr error(raw_error);
    return refuse(error->message, ExitCode::bad_input);
  }
  const GString_ text(raw_text);
  const std::string_view view(text.get(), size);
  const auto source =
      options.from ? cutlist_format_from_name(options.from.get()) : detect_cutlist_format(view);
  if (!source) {
    if (options.from) return usage_error(command, unknown(options.from.get()));
    return refuse(std::string(file) +
                      " looks like no cut list. If it is one, say its format with "
                      "--from.",
                  ExitCode::bad_input);
  }
  const auto list = read_cutlist(view, *source, hints);
  if (!list) return refuse(told(file, list.error()), ExitCode::bad_input);
  const auto written = write_cutlist(*list, *target);
  if (!written) {
    return refuse("This list cannot be written as " + std::string(options.to.get()) + ": " +
                      written.error().message,
                  ExitCode::failed);
  }
  return publish_text(*written, options.output ? options.output.get() : "fd://1");
}

int run(const Command& command, std::vector<char*> arguments) {
  gchar* from = nullptr;
  gchar* to = nullptr;
  gchar* rate = nullptr;
  gchar* output = nullptr;
  Options options;
  const std::array entries = {
      GOptionEntry{"to", 't', 0, G_OPTION_ARG_STRING, &to, "Format to write", "FORMAT"},
      GOptionEntry{"from", 'f', 0, G_OPTION_ARG_STRING, &from,
                   "Format that CUTLIST has; without, it is found out", "FORMAT"},
      GOptionEntry{"output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
                   "Where to, as a path or URI; standard output by default", "OUTPUT"},
      GOptionEntry{"frame-rate", 0, 0, G_OPTION_ARG_STRING, &rate,
                   "Frames a second of the video, for formats that do not say", "N/D"},
      GOptionEntry{"frames", 0, 0, G_OPTION_ARG_INT64, &options.frames,
                   "Frames of the video, for formats that do not say", "N"},
  };
  const bool parsed = parse_options(command, arguments, entries,
                                    "Formats: " + format_names() +
                                        "\n\nExample:\n  gst-clips convert cuts.json --to=edl "
                                        "--output=cuts.edl\n\nExit status: 0 done, 1 the format "
                                        "cannot hold the list, 2 wrong call,\n4 CUTLIST is "
                                        "unreadable or wrong, 5 the output could not be written.");
  options.from.reset(from);
  options.to.reset(to);
  options.rate.reset(rate);
  options.output.reset(output);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1) return usage_error(command, "Say which one cut list to convert");
  return convert(command, arguments.front(), options);
}

}  // namespace

constinit const Command convert_command = {
    "convert",
    "CUTLIST --to=FORMAT",
    "Writes a cut list in another format",
    run,
};

}  // namespace clips::tool
