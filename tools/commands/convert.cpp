// SPDX-License-Identifier: LGPL-2.1-or-later
#include "commands.hpp"
#include "cutlist_file.hpp"
#include "exit_code.hpp"
#include "publish_text.hpp"
#include "reporter.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  CutListFlags flags;
  const bool parsed = parse_options(command, arguments, flags.entries(),
                                    "Formats: " + cutlist_format_names() +
                                        "\n\nExample:\n  gst-clips convert cuts.json --to=edl "
                                        "--output=cuts.edl\n\nExit status: 0 done, 1 the format "
                                        "cannot hold the list, 2 wrong call,\n4 CUTLIST is "
                                        "unreadable or wrong, 5 the output could not be written.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1) return usage_error(command, "Say which one cut list to convert");
  if (!flags.has_target()) return usage_error(command, "Say the format to write, with --to=FORMAT");
  if (const std::string wrong = flags.check(); !wrong.empty()) return usage_error(command, wrong);
  const auto list = flags.read(arguments.front());
  if (!list) return report(list.error());
  const auto text = flags.write(*list);
  if (!text) return report(text.error());
  return publish_text(*text, flags.output());
}

}  // namespace

constinit const Command convert_command = {
    "convert",
    "CUTLIST --to=FORMAT",
    "Writes a cut list in another format",
    run,
};

}  // namespace clips::tool
