// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <string_view>

#include "commands.hpp"
#include "cuts_edit.hpp"
#include "exit_code.hpp"
#include "run_definition.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  const auto word = std::find_if(arguments.begin(), arguments.end(),
                                 [](std::string_view text) { return !text.starts_with("-"); });
  if (word != arguments.end() && std::string_view(*word) == "edit") {
    arguments.erase(word);
    return edit_cuts(command, std::move(arguments));
  }
  RunFlags flags;
  const bool parsed = parse_options(
      command, arguments, flags.entries(),
      std::string(
          "Examples:\n  gst-clips cuts film.mp4 > cuts.json\n"
          "  gst-clips cuts film.mp4 output=cuts.csv format=csv min-duration=1s\n\n"
          "\"gst-clips describe cuts\" shows the keys. Without output=... the cut list goes to "
          "standard\noutput. A video without a cut is a list of one clip; a failure is never a "
          "list.\n\n\"gst-clips cuts edit CUTLIST\" changes a cut list: see its --help.\n") +
          exit_status_help);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.empty()) return usage_error(command, "Say which video to look at");
  const Settings given = {{"input", arguments.front()}};
  arguments.erase(arguments.begin());
  return run_definition(command, "cuts", given, {{"output", "fd://1"}}, arguments, flags);
}

}  // namespace

constinit const Command cuts_command = {
    "cuts",
    "INPUT [KEY=VALUE...]",
    "Finds the scene cuts of a video",
    run,
};

}  // namespace clips::tool
