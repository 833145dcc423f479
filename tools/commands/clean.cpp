// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cache_cleaner.hpp"
#include "commands.hpp"
#include "exit_code.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  CachePolicy policy;
  gint64 age = static_cast<gint64>(policy.max_age_s);
  gint64 bytes = static_cast<gint64>(policy.max_bytes);
  gint64 free = static_cast<gint64>(policy.min_free_bytes);
  const std::array entries = {
      GOptionEntry{"max-age", 0, 0, G_OPTION_ARG_INT64, &age,
                   "Remove clips older than this, in seconds (900)", "SECONDS"},
      GOptionEntry{"max-bytes", 0, 0, G_OPTION_ARG_INT64, &bytes,
                   "Then keep at most so many bytes of clips (1000000000)", "BYTES"},
      GOptionEntry{"min-free", 0, 0, G_OPTION_ARG_INT64, &free,
                   "And keep so many bytes of the disk free (500000000)", "BYTES"},
  };
  const bool parsed = parse_options(
      command, arguments, entries,
      "Looks at the files clip_*_*.mp4 of the directory and at no others. Old ones go first, then\n"
      "the least recently used. Files that are being written stay. Prints what it did as JSON.\n\n"
      "Exit status: 0 done, 1 a file could not be removed, 2 wrong call, 4 the directory cannot be "
      "read.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1) return usage_error(command, "Say which one directory to clean");
  if (age < 0 || bytes < 0 || free < 0)
    return usage_error(command, "--max-age, --max-bytes and --min-free must not be negative");
  policy.max_age_s = static_cast<std::uint64_t>(age);
  policy.max_bytes = static_cast<std::uint64_t>(bytes);
  policy.min_free_bytes = static_cast<std::uint64_t>(free);

  const auto done = clean_cache(arguments.front(), policy);
  if (!done) {
    std::fprintf(stderr, "gst-clips: %s\n", one_line(done.error()).c_str());
    return static_cast<int>(ExitCode::bad_input);
  }
  using Json = nlohmann::ordered_json;
  const Json statistics = {{"directory", arguments.front()},   {"examined", done->examined},
                           {"expired", done->expired},         {"evicted", done->evicted},
                           {"spared", done->spared},           {"failed", done->failed},
                           {"freed_bytes", done->freed_bytes}, {"kept_files", done->kept_files},
                           {"kept_bytes", done->kept_bytes},   {"free_bytes", done->free_bytes}};
  std::puts(statistics.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  if (done->failed == 0) return static_cast<int>(ExitCode::done);
  std::fprintf(stderr, "gst-clips: %s\n", one_line(done->first_failure).c_str());
  return static_cast<int>(ExitCode::failed);
}

}  // namespace

constinit const Command clean_command = {
    "clean",
    "DIRECTORY",
    "Removes old and surplus temporary clips",
    run,
};

}  // namespace clips::tool
