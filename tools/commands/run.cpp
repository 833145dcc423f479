// SPDX-License-Identifier: LGPL-2.1-or-later
#include "commands.hpp"
#include "exit_code.hpp"
#include "run_definition.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  RunFlags flags;
  const bool parsed = parse_options(
      command, arguments, flags.entries(),
      std::string("Example:\n  gst-clips run proxy input=video.mov output=proxy.mp4 crf=30\n\n"
                  "\"gst-clips list\" names the definitions, \"gst-clips describe NAME\" their "
                  "keys.\n") +
          exit_status_help);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.empty())
    return usage_error(command, "Say which definition to run, by name or as a file");
  const char* definition = arguments.front();
  arguments.erase(arguments.begin());
  return run_definition(command, definition, {}, {}, arguments, flags);
}

}  // namespace

constinit const Command run_command = {
    "run",
    "NAME|FILE [KEY=VALUE...]",
    "Runs a pipeline definition to its end",
    run,
};

}  // namespace clips::tool
