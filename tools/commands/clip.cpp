// SPDX-License-Identifier: LGPL-2.1-or-later
#include "commands.hpp"
#include "exit_code.hpp"
#include "run_definition.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  RunFlags flags;
  gchar* start = nullptr;
  gchar* stop = nullptr;
  auto entries = flags.entries();
  entries.insert(entries.begin(),
                 {GOptionEntry{"start", 's', 0, G_OPTION_ARG_STRING, &start,
                               "Time of the first frame: 12.5, 400ms, 1:02:03.5", "TIME"},
                  GOptionEntry{"stop", 't', 0, G_OPTION_ARG_STRING, &stop,
                               "Time of the first frame that is no longer in the clip", "TIME"}});
  const bool parsed = parse_options(
      command, arguments, entries,
      std::string("Examples:\n"
                  "  gst-clips clip film.mp4 clip.mp4 --start=1:00:05.5 --stop=1:00:15.5\n"
                  "  gst-clips clip film.mp4 clip.mp4 start-frame=105 stop-frame=195\n\n"
                  "\"gst-clips describe tempclip\" shows the keys. Without a start or stop it is "
                  "that of the film.\n") +
          exit_status_help);
  const GString_ start_owner(start);
  const GString_ stop_owner(stop);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() < 2) return usage_error(command, "Say which video to cut and where to");
  Settings given = {{"input", arguments[0]}, {"output", arguments[1]}};
  if (start) given.emplace_back("start", start);
  if (stop) given.emplace_back("stop", stop);
  arguments.erase(arguments.begin(), arguments.begin() + 2);
  return run_definition(command, "tempclip", given, {}, arguments, flags);
}

}  // namespace

constinit const Command clip_command = {
    "clip",
    "INPUT OUTPUT [KEY=VALUE...]",
    "Cuts one range out of a video",
    run,
};

}  // namespace clips::tool
