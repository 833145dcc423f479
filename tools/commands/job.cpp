// SPDX-License-Identifier: LGPL-2.1-or-later
#include "job.hpp"

#include <array>
#include <charconv>
#include <cstdio>

#include "commands.hpp"
#include "exit_code.hpp"
#include "interrupts.hpp"
#include "option_text.hpp"
#include "reporter.hpp"
#include "structure_json.hpp"
#include "whole_source.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned longest_limit_s = 30 * 24 * 3600;

std::string variable(const char* name) {
  const gchar* value = g_getenv(name);
  return value ? value : "";
}

struct Settled {
  unsigned time_limit_s = 0;
  bool events = false;
};

int run_one(const std::vector<char*>& words, const Settled& settled) {
  Job job{
      variable("JOB_ID"), variable("INPUT_URL"), variable("OUTPUT_URL"), variable("PRESET"), {}};
  if (job.preset.empty()) job.preset = "default";
  const auto settings = parse_settings(words);
  const auto wrong = settings ? check_job(job, variable_names) : settings.error();
  if (wrong) {
    report(*wrong);
    return tell_job(refused_job(job, *wrong));
  }
  job.settings = *settings;
  return tell_job(run_job(job, settled.time_limit_s, settled.events));
}

int run_share(const Command& command, const std::vector<char*>& words, const char* manifest,
              std::uint64_t array_size, const Settled& settled) {
  if (!words.empty())
    return usage_error(command, "The settings of jobs of a manifest stand in the manifest");
  const auto share = share_of_environment(array_size);
  if (!share) return report(share.error());
  const auto text = read_whole(manifest);
  if (!text) return report(text.error());
  const auto jobs = parse_manifest(*text, manifest);
  if (!jobs) return report(jobs.error());
  Json summary = {
      {"event", "summary"},     {"engine", share->engine},
      {"index", share->index},  {"count", share->count ? Json(*share->count) : Json(nullptr)},
      {"jobs", jobs->size()},   {"succeeded", 0},
      {"failed", Json::array()}};
  int status = 0;
  std::uint64_t succeeded = 0;
  for (std::uint64_t i = 0; i < jobs->size() && Interrupts::received() == 0; ++i) {
    if (!share->has(i)) continue;
    const Job& job = (*jobs)[i];
    const int code = tell_job(run_job(job, settled.time_limit_s, settled.events));
    if (code == 0) {
      ++succeeded;
      continue;
    }
    summary["failed"].push_back(job.id);
    // One code when all failures agree, else that of any failure.
    status = status == 0 || status == code ? code : static_cast<int>(ExitCode::failed);
  }
  if (const int signal = Interrupts::received(); signal != 0) status = 128 + signal;
  summary["succeeded"] = succeeded;
  std::puts(json_line(summary).c_str());
  std::fflush(stdout);
  return status;
}

int run(const Command& command, std::vector<char*> arguments) {
  OptionText manifest;
  OptionText progress;
  gint64 limit = -1;
  gint64 array_size = 0;
  const std::array entries = {
      GOptionEntry{"time-limit", 0, 0, G_OPTION_ARG_INT64, &limit,
                   "Stop a job that runs longer (JOB_TIME_LIMIT, else none)", "SECONDS"},
      GOptionEntry{"index-from-environment", 0, 0, G_OPTION_ARG_FILENAME, &manifest.text,
                   "Do this process's share of the jobs of MANIFEST, a path or URI of JSON lines",
                   "MANIFEST"},
      GOptionEntry{"array-size", 0, 0, G_OPTION_ARG_INT64, &array_size,
                   "Members of the array, counted from 0, when the variables do not say it", "N"},
      GOptionEntry{"progress", 'p', 0, G_OPTION_ARG_STRING, &progress.text,
                   "json: print the events of the run as well; none (default)", "FORM"},
  };
  const bool parsed = parse_options(
      command, arguments, entries,
      "Does the one job that the environment describes and prints its result, one line of JSON.\n\n"
      "  JOB_ID          what the result calls it\n"
      "  INPUT_URL       a path or URL\n"
      "  OUTPUT_URL      a path, file://, s3://, or a presigned http(s) URL to PUT to\n"
      "  PRESET          " +
          preset_names() +
          "\n  JOB_TIME_LIMIT  seconds\n\n"
          "Exit status: that of the run; 1 as well when it crashed or ran out of time, 2 when a "
          "variable is\nmissing or wrong: then nothing was begun.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  Settled settled;
  if (progress.text) {
    const auto mode = progress_mode(progress.text);
    if (mode != ProgressMode::json && mode != ProgressMode::none)
      return usage_error(command, "--progress is json or none here");
    settled.events = mode == ProgressMode::json;
  }
  if (const std::string text = variable("JOB_TIME_LIMIT"); limit < 0 && !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit < 0)
      return usage_error(command, "JOB_TIME_LIMIT is a number of seconds, not \"" + text + "\"");
  }
  if (limit > longest_limit_s || limit < -1 || array_size < 0)
    return usage_error(command, "--time-limit is from 0 to 2592000, --array-size not negative");
  settled.time_limit_s = limit < 0 ? 0 : static_cast<unsigned>(limit);
  if (manifest.text)
    return run_share(command, arguments, manifest.text, static_cast<std::uint64_t>(array_size),
                     settled);
  if (array_size > 0) return usage_error(command, "--array-size goes with a manifest");
  return run_one(arguments, settled);
}

}  // namespace

constinit const Command job_command = {
    "job",
    "[KEY=VALUE...]",
    "Does the job that the environment describes",
    run,
};

}  // namespace clips::tool
