// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "definitions.hpp"
#include "failure.hpp"

namespace clips::tool {

// One piece of work as a queue hands it out.
struct Job {
  std::string id;
  std::string input;
  std::string output;
  std::string preset = "default";
  // KEY=VALUE for the preset's definition.
  Settings settings;
};

// "default, web-optimized, ..."
std::string preset_names();

// How the one who gives a job calls its parts.
struct JobNames {
  const char* id;
  const char* input;
  const char* output;
  const char* preset;
};
constexpr JobNames variable_names{"JOB_ID", "INPUT_URL", "OUTPUT_URL", "PRESET"};
constexpr JobNames manifest_names{"job_id", "input_url", "output_url", "preset"};

// What can be told to be wrong before any work.
std::optional<Problem> check_job(const Job& job, const JobNames& names);

// Does the job and says how it went: docs/jobs.md has the fields. `events`: the run's own events
// are printed as they come.
nlohmann::ordered_json run_job(const Job& job, unsigned time_limit_s, bool events);

// The result of a job that was not begun.
nlohmann::ordered_json refused_job(const Job& job, const Problem& problem);

// Prints a result on its line and returns what the process returns for it.
int tell_job(const nlohmann::ordered_json& result);

// What a player needs to know of an output; null when it is no file of media.
nlohmann::ordered_json media_of(const std::string& path_or_uri);

// The jobs of a manifest of JSON lines; the problem names the line.
tl::expected<std::vector<Job>, Problem> parse_manifest(std::string_view text,
                                                       const std::string& name);

// Which of the jobs this process does, by the variables of whatever started it.
struct Share {
  std::string engine;
  std::uint64_t index = 0;
  // Without a count each index is one job.
  std::optional<std::uint64_t> count;

  bool has(std::uint64_t job) const { return count ? job % *count == index : job == index; }
};
// `array_size`: the count as the caller fixes it; 0 when that is left to the variables.
tl::expected<Share, Problem> share_of_environment(std::uint64_t array_size);

}  // namespace clips::tool
