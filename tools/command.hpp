// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <span>
#include <string>
#include <vector>

namespace clips::tool {

// One command of gst-clips. Each lives in a file of its own under commands/; a new one is that file
// and a line in commands.cpp.
struct Command {
  const char* name;
  // As the help shows them: "NAME|FILE [KEY=VALUE...]".
  const char* arguments;
  // One line for the list of commands.
  const char* summary;
  // Returns what the process returns. `arguments` begins behind the command's name.
  int (*run)(const Command& command, std::vector<char*> arguments);
  // Serves the shell's completion; not shown to people.
  bool hidden = false;
  // What it prints is its whole result: it has failed when that cannot be written.
  bool result_is_printed = false;
};

std::span<const Command> commands();

// Reads a command's options with GOption, together with GStreamer's own option group, and
// initialises GStreamer. `arguments` keeps what is no option, byte for byte. Returns false after
// having said what is wrong; --help ends the process. `data` is handed to entries that are
// callbacks.
bool parse_options(const Command& command, std::vector<char*>& arguments,
                   std::span<const GOptionEntry> entries, const std::string& description = {},
                   gpointer data = nullptr);

// Says one line about a wrong call on standard error and returns the exit code for it.
int usage_error(const Command& command, const std::string& message);

}  // namespace clips::tool
