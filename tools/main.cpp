// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "child_run.hpp"
#include "command.hpp"
#include "definitions.hpp"
#include "exit_code.hpp"
#include "interrupts.hpp"
#include "text.hpp"

namespace {

using namespace clips::tool;

void print_help() {
  std::puts(
      "gst-clips runs pipeline definitions: it turns videos into proxies, masters and other\n"
      "files, each of which appears under its name only when it is complete.\n"
      "\n"
      "Usage:\n"
      "  gst-clips COMMAND [OPTION...] [ARGUMENT...]\n"
      "\n"
      "Commands:");
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    std::printf("  %-9s %s\n", command.name, command.summary);
  }
  std::puts(
      "\n"
      "Options:\n"
      "  -h, --help                       Show this text; behind a command, that command's\n"
      "  --version                        Show the versions\n"
      "  --gst-...                        GStreamer's options, see --help-gst of a command\n"
      "\n"
      "Example:\n"
      "  gst-clips run proxy input=video.mov output=proxy.mp4");
}

void print_version() {
  guint major = 0;
  guint minor = 0;
  guint micro = 0;
  guint nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  std::printf("gst-clips %s (GStreamer %u.%u.%u)\n", PACKAGE_VERSION, major, minor, micro);
}

bool is_definition(std::string_view name) {
  gst_init(nullptr, nullptr);
  const DefinitionPtr found(gst_clips_find_definition(std::string(name).c_str(), nullptr));
  return found.get() != nullptr;
}

// What a document's reader gets must be all of it. One who has gone away wanted no more.
int flush_document() {
  errno = 0;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return static_cast<int>(ExitCode::done);
  if (errno == EPIPE) return static_cast<int>(ExitCode::done);
  std::fprintf(stderr, "gst-clips: Could not write to standard output: %s.\n",
               errno != 0 ? std::strerror(errno) : "writing failed");
  return static_cast<int>(ExitCode::not_published);
}

// Libraries warn through GLib, straight to standard error, where one line is promised for a
// failure. Their warnings go to GStreamer's log; what is critical stays visible.
GLogWriterOutput write_log(GLogLevelFlags level, const GLogField* fields, gsize count,
                           gpointer data) {
  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_FLAG_FATAL))
    return g_log_writer_default(level, fields, count, data);
  const auto message = std::find_if(fields, fields + count, [](const GLogField& field) {
    return std::string_view(field.key) == "MESSAGE";
  });
  if (message != fields + count && gst_is_initialized())
    GST_WARNING("%s", static_cast<const gchar*>(message->value));
  return G_LOG_WRITER_HANDLED;
}

int dispatch(std::vector<char*> arguments) {
  // Options in front of the command, such as GStreamer's, are the command's too.
  const auto word = std::find_if(arguments.begin(), arguments.end(),
                                 [](std::string_view text) { return !text.starts_with("-"); });
  for (auto option = arguments.begin(); option != word; ++option) {
    const std::string_view text = *option;
    if (text == "--help" || text == "-h" || text == "-?") return print_help(), 0;
    if (text == "--version") return print_version(), 0;
  }
  if (word == arguments.end()) {
    std::fputs("gst-clips: Say what to do. See: gst-clips --help\n", stderr);
    return static_cast<int>(ExitCode::usage);
  }
  std::string_view name = *word;
  if (name == "help") return print_help(), 0;
  const auto all = commands();
  const auto command =
      std::find_if(all.begin(), all.end(), [&](const Command& each) { return each.name == name; });
  if (command == all.end()) {
    std::vector<std::string> names;
    for (const Command& each : all)
      if (!each.hidden) names.emplace_back(each.name);
    const std::string near =
        is_definition(name) ? "run " + std::string(name) : nearest(name, names);
    const std::string hint =
        near.empty() ? "See: gst-clips --help" : "Did you mean \"" + near + "\"?";
    std::fprintf(stderr, "gst-clips: There is no command \"%s\". %s\n", one_line(name).c_str(),
                 hint.c_str());
    return static_cast<int>(ExitCode::usage);
  }
  arguments.erase(word);
  const int status = command->run(*command, std::move(arguments));
  return status == 0 && command->result_is_printed ? flush_document() : status;
}

}  // namespace

int main(int argc, char* argv[]) {
  // First of all: every thread that GStreamer starts inherits the blocked signals.
  Interrupts::install();
  std::setlocale(LC_ALL, "");
  g_log_set_writer_func(write_log, nullptr, nullptr);
  try {
    auto words = words_of_process(argc, argv);
    words.erase(words.begin());
    return dispatch(std::move(words));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gst-clips: An internal operation failed: %s\n",
                 one_line(e.what()).c_str());
    return static_cast<int>(ExitCode::failed);
  }
}
