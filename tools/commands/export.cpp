// SPDX-License-Identifier: LGPL-2.1-or-later
#include "commands.hpp"
#include "exit_code.hpp"
#include "run_definition.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  RunFlags flags;
  gchar** ranges = nullptr;
  gchar* cut_list = nullptr;
  auto entries = flags.entries();
  entries.insert(
      entries.begin(),
      {GOptionEntry{"range", 'r', 0, G_OPTION_ARG_STRING_ARRAY, &ranges,
                    "One range, such as 12.5-15 or 1:00-; give it again for more", "START-STOP"},
       GOptionEntry{"cut-list", 'l', 0, G_OPTION_ARG_FILENAME, &cut_list,
                    "Cut the clips of this cut list", "FILE"}});
  const bool parsed = parse_options(
      command, arguments, entries,
      "Examples:\n"
      "  gst-clips export film.mp4 'clip-{index:03}.mp4' --range=12.5-15 --range=1:00-1:10.5\n"
      "  gst-clips export film.mp4 's3://bucket/{index}.mp4' --cut-list=film.cuts.json\n\n"
      "\"gst-clips describe export\" shows the keys. A range that fails does not hinder the\n"
      "others: \"clip-result\" says how each ended, what was published stays, and the exit\n"
      "status is that of the first failure: 1 failed, 2 wrong call or value, 3 a plugin is\n"
      "missing, 4 the input is unreadable or wrong, 5 an output could not be written.");
  const GStrv_ range_owner(ranges);
  const GString_ list_owner(cut_list);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() < 2) return usage_error(command, "Say which video to cut and where to");
  Settings given = {{"input", arguments[0]}, {"output", arguments[1]}};
  std::string all;
  for (gchar** range = ranges; range && *range; ++range)
    all += (all.empty() ? "" : ",") + std::string(*range);
  if (!all.empty()) given.emplace_back("ranges", all);
  if (cut_list) given.emplace_back("cut-list", cut_list);
  arguments.erase(arguments.begin(), arguments.begin() + 2);
  return run_definition(command, "export", given, {}, arguments, flags);
}

}  // namespace

constinit const Command export_command = {
    "export",
    "INPUT OUTPUT [KEY=VALUE...]",
    "Cuts many ranges out of a video, each into a file",
    run,
};

}  // namespace clips::tool
