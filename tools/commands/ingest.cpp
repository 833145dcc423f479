// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ingest.hpp"
#include "commands.hpp"
#include "exit_code.hpp"
#include "run_definition.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  RunFlags flags;
  gchar* formats = nullptr;
  gchar* name = nullptr;
  gboolean no_stills = FALSE;
  auto entries = flags.entries_of_several_runs();
  entries.insert(entries.begin(),
                 {GOptionEntry{"cuts", 'c', 0, G_OPTION_ARG_STRING, &formats,
                               "Formats of the cut list, with commas between (json)", "FORMATS"},
                  GOptionEntry{"name", 'n', 0, G_OPTION_ARG_STRING, &name,
                               "Name of the outputs (that of the input)", "NAME"},
                  GOptionEntry{"no-stills", 0, 0, G_OPTION_ARG_NONE, &no_stills,
                               "Make no stills of the clips", nullptr}});
  const bool parsed = parse_options(
      command, arguments, entries,
      std::string(
          "Examples:\n"
          "  gst-clips ingest film.mp4 film/\n"
          "  gst-clips ingest https://host/film.mp4 s3://bucket/film --cuts=json,edl\n"
          "  gst-clips ingest film.mp4 film/ master=false min-duration=1s\n\n"
          "Makes proxies/, masters/, artifacts/ and report.html, and ingest.json last.\n"
          "\"gst-clips describe ingest\" shows the keys; those of the outputs are set.\n"
          "An ingest that is there already, whole and with the same keys, is left alone.\n") +
          exit_status_help);
  const GString_ formats_owner(formats);
  const GString_ name_owner(name);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() < 2)
    return usage_error(command, "Say which video to take in and the folder or prefix to write");
  IngestRequest request;
  request.input = arguments[0];
  request.output = arguments[1];
  if (formats) request.formats = formats;
  if (name) request.name = name;
  request.stills = !no_stills;
  arguments.erase(arguments.begin(), arguments.begin() + 2);
  return ingest(command, request, arguments, flags);
}

}  // namespace

constinit const Command ingest_command = {
    "ingest",
    "INPUT OUTPUT-FOLDER-OR-PREFIX [KEY=VALUE...]",
    "Makes proxy, master, cut list, stills and a report from one decode",
    run,
};

}  // namespace clips::tool
