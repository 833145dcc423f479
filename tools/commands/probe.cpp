// SPDX-License-Identifier: LGPL-2.1-or-later
#include "probe.hpp"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "exit_code.hpp"
#include "reporter.hpp"
#include "structure_json.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  gboolean no_key_frames = FALSE;
  gboolean count_frames = FALSE;
  gint timeout = 20;
  const std::array entries = {
      GOptionEntry{"no-key-frames", 0, 0, G_OPTION_ARG_NONE, &no_key_frames,
                   "Leave out the index of key frames", nullptr},
      GOptionEntry{"count-frames", 0, 0, G_OPTION_ARG_NONE, &count_frames,
                   "Read the head of every packet where the header does not tell their number",
                   nullptr},
      GOptionEntry{"timeout", 0, 0, G_OPTION_ARG_INT, &timeout, "How long the look may take (20)",
                   "SECONDS"},
  };
  const bool parsed = parse_options(
      command, arguments, entries,
      "Prints one JSON object. MP4 and QuickTime are read by their index alone, and so is large\n"
      "Matroska, WebM and FLV with an index. What has none is read by the heads of its packets\n"
      "(Matroska, WebM, MPEG-TS, FLV and AVI) or by what its start shows. Times are nanoseconds, "
      "rates exact fractions; what is not "
      "known is null.\n\n"
      "Exit status: 0 done, 2 wrong call, 3 a plugin is missing, 4 INPUT is unreadable, wrong or\n"
      "truncated, 5 standard output could not be written.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1) return usage_error(command, "Say which one video to look into");
  if (timeout < 1 || timeout > 3600)
    return usage_error(command, "--timeout is from 1 to 3600 seconds");
  ProbeOptions options;
  options.key_frames = !no_key_frames;
  options.count_frames = count_frames;
  options.timeout_s = static_cast<unsigned>(timeout);
  const auto facts = probe(arguments.front(), options);
  if (!facts) return report(facts.error());
  std::puts(json_line(*facts).c_str());
  return static_cast<int>(ExitCode::done);
}

}  // namespace

constinit const Command probe_command = {
    .name = "probe",
    .arguments = "INPUT",
    .summary = "Tells what a media file's header says",
    .run = run,
    .result_is_printed = true,
};

}  // namespace clips::tool
