// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clip_name.hpp"
#include "clip_server.hpp"
#include "commands.hpp"
#include "exit_code.hpp"
#include "run_definition.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  RunFlags flags;
  gchar* start = nullptr;
  gchar* stop = nullptr;
  gchar* id = nullptr;
  gboolean server = FALSE;
  gint jobs = 1;
  auto entries = flags.entries();
  entries.insert(
      entries.begin(),
      {GOptionEntry{"start", 's', 0, G_OPTION_ARG_STRING, &start,
                    "Time of the first frame: 12.5, 400ms, 1:02:03.5", "TIME"},
       GOptionEntry{"stop", 't', 0, G_OPTION_ARG_STRING, &stop,
                    "Time of the first frame that is no longer in the clip", "TIME"},
       GOptionEntry{"id", 0, 0, G_OPTION_ARG_STRING, &id,
                    "With a folder as OUTPUT: the clip is clip_ID_<unix ms>.mp4 there", "ID"},
       GOptionEntry{"server", 0, 0, G_OPTION_ARG_NONE, &server,
                    "Read requests as JSON lines and answer each with a line", nullptr},
       GOptionEntry{"jobs", 'j', 0, G_OPTION_ARG_INT, &jobs,
                    "With --server: how many clips to cut at a time (1)", "COUNT"}});
  const bool parsed = parse_options(
      command, arguments, entries,
      std::string("Examples:\n"
                  "  gst-clips clip film.mp4 clip.mp4 --start=1:00:05.5 --stop=1:00:15.5\n"
                  "  gst-clips clip film.mp4 clip.mp4 start-frame=105 stop-frame=195\n"
                  "  gst-clips clip film.mp4 /var/cache/clips/ --id=film --start=12 --stop=15\n"
                  "  gst-clips clip --server < requests.jsonl\n\n"
                  "\"gst-clips describe tempclip\" shows the keys. Without a start or stop it is "
                  "that of the film.\n") +
          exit_status_help);
  const GString_ start_owner(start);
  const GString_ stop_owner(stop);
  const GString_ id_owner(id);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (jobs < 1 || jobs > 64) return usage_error(command, "--jobs is a number from 1 to 64");
  if (server) {
    if (!arguments.empty() || start || stop || id)
      return usage_error(command, "With --server what to cut is in the requests");
    return serve_clips(static_cast<unsigned>(jobs));
  }
  if (arguments.size() < 2) return usage_error(command, "Say which video to cut and where to");
  const std::string output = arguments[1];
  Settings given = {{"input", arguments[0]}, {"output", output}};
  if (start) given.emplace_back("start", start);
  if (stop) given.emplace_back("stop", stop);
  arguments.erase(arguments.begin(), arguments.begin() + 2);
  Settings all = given;
  if (const auto words = parse_settings(arguments))
    all.insert(all.end(), words->begin(), words->end());
  given[1].second = clip_output(output, id ? id : "", all);
  return run_definition(command, "tempclip", given, {}, arguments, flags);
}

}  // namespace

constinit const Command clip_command = {
    "clip",
    "INPUT OUTPUT [KEY=VALUE...]",
    "Cuts one range out of a video, or serves requests",
    run,
};

}  // namespace clips::tool
