// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "job.hpp"
#include "structure_json.hpp"
#include "task_args.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

// What workload managers tell a member of an array.
struct Engine {
  const char* name;
  const char* index;
  const char* count;
};

constexpr std::array engines{
    Engine{"Kubernetes", "JOB_COMPLETION_INDEX", nullptr},
    Engine{"AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"},
    Engine{"Slurm", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"},
    Engine{"Cloud Run", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"},
};

using Number = tl::expected<std::optional<std::uint64_t>, Problem>;

Number read_number(const char* variable) {
  const gchar* text = variable ? g_getenv(variable) : nullptr;
  if (!text || !*text) return std::optional<std::uint64_t>();
  const std::string_view view = text;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error == std::errc() && end == view.data() + view.size()) return std::optional(value);
  return tl::unexpected(usage_problem(
      std::string(variable) + " is no number: \"" + std::string(view) + "\".", "value"));
}

tl::unexpected<Problem> refuse(const std::string& message) {
  return tl::unexpected(usage_problem(message, "value"));
}

// A Slurm array may begin anywhere and have a step. Its place in the array is what counts.
tl::expected<Share, Problem> slurm_share(Share share, bool fixed_size) {
  if (fixed_size) return share;
  const auto first = read_number("SLURM_ARRAY_TASK_MIN");
  const auto last = read_number("SLURM_ARRAY_TASK_MAX");
  const auto step = read_number("SLURM_ARRAY_TASK_STEP");
  for (const Number* number : {&first, &last, &step})
    if (!*number) return tl::unexpected(number->error());
  const std::uint64_t low = first->value_or(0);
  const std::uint64_t width = std::max<std::uint64_t>(step->value_or(1), 1);
  const std::uint64_t high = last->value_or(share.index);
  if (share.index < low || high < low || (share.index - low) % width != 0 ||
      (share.count && (high - low) / width + 1 != *share.count))
    return refuse(
        "The Slurm array is no row of numbers at one distance, so the shares cannot be told. Fix "
        "them with --array-size and indices from 0.");
  share.index = (share.index - low) / width;
  return share;
}

std::optional<std::string> read_job(const Json& line, Job& job) {
  if (!line.is_object()) return "it is no JSON object";
  for (const auto& [key, value] : line.items()) {
    if (key == "settings") {
      if (!value.is_object()) return "\"settings\" is no object";
      for (const auto& [name, setting] : value.items()) {
        const auto text = scalar_text(setting);
        if (!text) return "the setting \"" + name + "\" is no text, number or truth value";
        job.settings.emplace_back(name, *text);
      }
      continue;
    }
    std::string* const field = key == "job_id"       ? &job.id
                               : key == "input_url"  ? &job.input
                               : key == "output_url" ? &job.output
                               : key == "preset"     ? &job.preset
                                                     : nullptr;
    if (!field)
      return "\"" + key +
             "\" is unknown; the keys are job_id, input_url, output_url, preset, settings";
    if (!value.is_string()) return "\"" + key + "\" is no text";
    *field = value.get<std::string>();
  }
  return std::nullopt;
}

}  // namespace

tl::expected<Share, Problem> share_of_environment(std::uint64_t array_size) {
  Share share;
  const Engine* engine = nullptr;
  auto index = read_number("GST_CLIPS_INDEX");
  auto count = read_number("GST_CLIPS_COUNT");
  for (const Number* number : {&index, &count})
    if (!*number) return tl::unexpected(number->error());
  if (*index) {
    share.engine = "GST_CLIPS_INDEX";
  } else {
    for (const Engine& each : engines) {
      const auto found = read_number(each.index);
      if (!found) return tl::unexpected(found.error());
      if (!*found) continue;
      if (engine)
        return refuse(std::string(engine->index) + " and " + each.index +
                      " are both set. Say which one counts by GST_CLIPS_INDEX.");
      engine = &each;
      index = found;
    }
    if (!engine)
      return tl::unexpected(usage_problem(
          "No variable says which share this is: set GST_CLIPS_INDEX, or run it in an array of "
          "Kubernetes, AWS Batch, Slurm or Cloud Run.",
          "missing-value"));
    share.engine = engine->name;
  }
  share.index = **index;
  if (array_size > 0) {
    share.count = array_size;
  } else if (*count) {
    share.count = **count;
  } else if (engine) {
    const auto said = read_number(engine->count);
    if (!said) return tl::unexpected(said.error());
    share.count = *said;
  }
  if (engine && std::string_view(engine->name) == "Slurm") {
    auto placed = slurm_share(share, array_size > 0 || count->has_value());
    if (!placed) return placed;
    share = *placed;
  }
  if (share.count && share.index >= *share.count)
    return refuse("The index " + std::to_string(share.index) +
                  " is not below the size of the "
                  "array, " +
                  std::to_string(*share.count) + ".");
  return share;
}

tl::expected<std::vector<Job>, Problem> parse_manifest(std::string_view text,
                                                       const std::string& name) {
  std::vector<Job> jobs;
  std::set<std::string, std::less<>> ids;
  std::set<std::string, std::less<>> outputs;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = redact(name) + ":" + std::to_string(number) + ": ";
    const auto parsed = parse_given(line);
    if (!parsed) return refuse(place + "it " + parsed.error() + ".");
    Job job;
    if (const auto wrong = read_job(*parsed, job)) return refuse(place + *wrong + ".");
    if (const auto wrong = check_job(job, manifest_names)) return refuse(place + wrong->message);
    if (!ids.insert(job.id).second)
      return refuse(place + "the job \"" + job.id + "\" is there twice.");
    if (!outputs.insert(job.output).second)
      return refuse(place + "another job writes " + redact(job.output) + " already.");
    jobs.push_back(std::move(job));
  }
  if (jobs.empty()) return refuse(redact(name) + " holds no job.");
  return jobs;
}

}  // namespace clips::tool
