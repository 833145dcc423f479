// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cache_cleaner.hpp"
#include "commands.hpp"
#include "exit_code.hpp"
#include "interrupts.hpp"
#include "structure_json.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

int clean_once(const char* directory, const CachePolicy& policy) {
  const auto done = clean_cache(directory, policy);
  if (!done) {
    std::fprintf(stderr, "gst-clips: %s\n", one_line(done.error()).c_str());
    return static_cast<int>(ExitCode::bad_input);
  }
  std::puts(json_line(cache_statistics_json(directory, *done)).c_str());
  std::fflush(stdout);
  if (done->failed == 0) return static_cast<int>(ExitCode::done);
  std::fprintf(stderr, "gst-clips: %s\n", one_line(done->first_failure).c_str());
  return static_cast<int>(ExitCode::failed);
}

int run(const Command& command, std::vector<char*> arguments) {
  CachePolicy policy;
  gint64 age = static_cast<gint64>(policy.max_age_s);
  gint64 bytes = static_cast<gint64>(policy.max_bytes);
  gint64 free = static_cast<gint64>(policy.min_free_bytes);
  gint64 watch = 0;
  gboolean dry_run = FALSE;
  const std::array entries = {
      GOptionEntry{"max-age", 0, 0, G_OPTION_ARG_INT64, &age,
                   "Remove clips older than this, in seconds (900)", "SECONDS"},
      GOptionEntry{"max-bytes", 0, 0, G_OPTION_ARG_INT64, &bytes,
                   "Then keep at most so many bytes of clips (1000000000)", "BYTES"},
      GOptionEntry{"min-free", 0, 0, G_OPTION_ARG_INT64, &free,
                   "And keep so many bytes of the disk free (500000000)", "BYTES"},
      GOptionEntry{"dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry_run,
                   "Only tell what would be removed", nullptr},
      GOptionEntry{"watch", 'w', 0, G_OPTION_ARG_INT64, &watch,
                   "Go on, every so many seconds, until a signal comes", "SECONDS"},
  };
  const bool parsed = parse_options(
      command, arguments, entries,
      "Looks at the files clip_*_*.mp4 of the directory and at no others. Old ones go first, then\n"
      "the least recently used. Files that are being written stay. Prints what it did as JSON.\n\n"
      "Exit status: 0 done, 1 a file could not be removed, 2 wrong call, 4 the directory cannot be "
      "read.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1) return usage_error(command, "Say which one directory to clean");
  if (watch < 0 || watch > 86400) return usage_error(command, "--watch is from 1 to 86400 seconds");
  if (age < 0 || bytes < 0 || free < 0)
    return usage_error(command, "--max-age, --max-bytes and --min-free must not be negative");
  policy.max_age_s = static_cast<std::uint64_t>(age);
  policy.max_bytes = static_cast<std::uint64_t>(bytes);
  policy.min_free_bytes = static_cast<std::uint64_t>(free);

  policy.dry_run = dry_run == TRUE;
  if (watch == 0) return clean_once(arguments.front(), policy);
  // A signal is answered between two passes, within a tenth of a second.
  Interrupts::listen([](int) {});
  while (Interrupts::received() == 0) {
    const int status = clean_once(arguments.front(), policy);
    // What cannot be removed now may be the next time; a folder that is gone stays gone.
    if (status == static_cast<int>(ExitCode::bad_input)) return status;
    for (gint64 tenth = 0; tenth < watch * 10 && Interrupts::received() == 0; ++tenth)
      g_usleep(100'000);
  }
  return 128 + Interrupts::received();
}

}  // namespace

constinit const Command clean_command = {
    "clean",
    "DIRECTORY",
    "Removes old and surplus temporary clips",
    run,
};

}  // namespace clips::tool
