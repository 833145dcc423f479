// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tasks.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "cache_cleaner.hpp"
#include "child_run.hpp"
#include "common/handles.hpp"
#include "job.hpp"
#include "lib/cutlist.hpp"
#include "probe.hpp"
#include "structure_json.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;
using Outcome = tl::expected<Json, Problem>;

Json seconds_of(std::uint64_t nanoseconds) {
  return nanoseconds == kNoTime ? Json(nullptr) : Json(static_cast<double>(nanoseconds) / 1e9);
}

void print_event(const Json& event) {
  if (event["event"] == "done" || event["event"] == "error") return;
  std::puts(json_line(event).c_str());
  std::fflush(stdout);
}

Problem wrong(const std::string& message) {
  return usage_problem(message, "value");
}

tl::unexpected<Problem> broken(const std::string& message) {
  Problem problem;
  problem.domain = "core";
  problem.code = "failed";
  problem.message = message;
  return tl::unexpected(problem);
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.ends_with("/") ? folder + name : folder + "/" + name;
}

// The range of a clip as KEY=VALUE words: frames where they are given, else times.
struct Range {
  std::vector<std::string> words;
  bool given = false;
};

Range read_range(TaskArgs& arguments) {
  Range range;
  const auto start = arguments.time("start_time_seconds");
  const auto end = arguments.time("end_time_seconds");
  const auto first = arguments.frame("start_frame");
  const auto last = arguments.frame("end_frame");
  if ((start && first) || (end && last))
    arguments.fail(start && first ? "start_frame" : "end_frame", "and its time exclude each other");
  if (start) range.words.push_back("start=" + *start);
  if (end) range.words.push_back("stop=" + *end);
  if (first) range.words.push_back("start-frame=" + std::to_string(*first));
  if (last) range.words.push_back("stop-frame=" + std::to_string(*last));
  range.given = !range.words.empty();
  return range;
}

tl::expected<ChildResult, Problem> run_words(std::vector<std::string> words,
                                             const NamelessFile* file = nullptr) {
  ChildOptions options;
  options.words = std::move(words);
  options.file = file;
  options.on_event = print_event;
  ChildResult result = run_child(options);
  if (result.problem) return tl::unexpected(*result.problem);
  return result;
}

// detect_scenes

Json scenes_result(const CutList& list, const std::string& video_id) {
  Json points = Json::array();
  Json scores = Json::array();
  const auto clips = list.clips();
  for (const Clip& clip : clips) {
    points.push_back({{"start_frame", clip.start_frame},
                      {"end_frame", clip.end_frame},
                      {"start_time_seconds", seconds_of(clip.start)},
                      {"end_time_seconds", seconds_of(clip.end)}});
    // How sure the cut is with which the scene begins; the first one begins with the video.
    scores.push_back(clip.index == 0 ? 1.0 : list.cuts[clip.index - 1].score);
  }
  const FrameRate& rate = list.source.rate;
  Json fps = nullptr;
  if (rate.known())
    fps = static_cast<double>(rate.numerator) / static_cast<double>(rate.denominator);
  return {{"status", "success"},
          {"cut_points", std::move(points)},
          {"confidence_scores", std::move(scores)},
          {"metadata",
           {{"source_video_id", video_id.empty() ? Json(nullptr) : Json(video_id)},
            {"total_scenes_detected", clips.size()},
            {"video_properties",
             {{"fps", fps},
              {"width", list.source.width},
              {"height", list.source.height},
              {"total_frames", list.source.frames},
              {"duration_seconds", seconds_of(list.source.duration)}}},
            {"detection_params",
             {{"threshold", list.detector.threshold},
              {"method", list.detector.method},
              {"min_duration_seconds", seconds_of(list.detector.min_duration)}}}}}};
}

Outcome detect_scenes(TaskArgs& arguments) {
  const std::string id = arguments.text("source_video_id", "");
  const std::string input = arguments.text("input");
  const std::string method = arguments.text("method", "correl");
  const double threshold = arguments.number("threshold", 0);
  const std::string shortest = arguments.time("min_duration_seconds").value_or("1.0");
  if (const auto problem = arguments.problem()) return tl::unexpected(*problem);
  auto document = NamelessFile::create(false);
  if (!document) return tl::unexpected(document.error());
  const auto run = run_words({"cuts", "--", input, "output=fd://3", "method=" + method,
                              "threshold=" + json_line(threshold), "min-duration=" + shortest},
                             &*document);
  if (!run) return tl::unexpected(run.error());
  const auto list = read_cutlist(document->text(), CutListFormat::json);
  if (!list) return broken("The cut list cannot be read: " + list.error().message);
  return scenes_result(*list, id);
}

// encode

Outcome encode(TaskArgs& arguments) {
  Job job;
  job.input = arguments.text("input");
  job.output = arguments.text("output");
  job.preset = arguments.text("preset");
  job.id = arguments.text("id", "encode");
  job.settings = arguments.settings("settings");
  const std::uint64_t limit = arguments.integer("time_limit_seconds", 0);
  if (limit > UINT32_MAX / 1000) arguments.fail("time_limit_seconds", "is too large");
  if (const auto problem = arguments.problem()) return tl::unexpected(*problem);
  if (const auto problem = check_job(job, {"id", "input", "output", "preset"}))
    return tl::unexpected(*problem);
  Json result = run_job(job, static_cast<unsigned>(limit), true);
  if (const Json error = result["error"]; !error.is_null()) {
    Problem problem;
    problem.domain = error["domain"];
    problem.code = error["code"];
    problem.message = error["message"];
    problem.exit = static_cast<ExitCode>(result["exit_code"].get<int>());
    return tl::unexpected(problem);
  }
  for (const char* key : {"event", "exit_code", "error", "job_id"}) result.erase(key);
  return result;
}

// temp_clip

Outcome temp_clip(TaskArgs& arguments) {
  const std::string input = arguments.text("input");
  const Range range = read_range(arguments);
  const std::string id = object_name(arguments.text("clip_id"));
  const std::string folder = arguments.text("directory");
  const std::string mode = arguments.text("mode", "auto");
  if (!range.given) arguments.fail("start_time_seconds", "is not set");
  if (const auto problem = arguments.problem()) return tl::unexpected(*problem);
  const std::string name = "clip_" + id + "_" + std::to_string(g_get_real_time() / 1000) + ".mp4";
  const std::string path = join(folder, name);
  std::vector<std::string> words = {"run", "tempclip", "input=" + input, "output=" + path,
                                    "mode=" + mode};
  words.insert(words.end(), range.words.begin(), range.words.end());
  const auto run = run_words(std::move(words));
  if (!run) return tl::unexpected(run.error());
  return Json{{"status", "success"},
              {"clip_path", path},
              {"file_name", name},
              {"outputs", run->published},
              {"media", media_of(path)}};
}

// export

// The words of a range list: "12.5-15", "90-".
std::string range_words(TaskArgs& arguments, Json& told) {
  std::string words;
  for (TaskArgs& range : arguments.list("ranges")) {
    const auto start = range.time("start_time_seconds");
    const auto end = range.time("end_time_seconds");
    const std::string id = range.text("id", "");
    if (!start) range.fail("start_time_seconds", "is not set");
    if (const auto problem = range.problem()) arguments.fail(*problem);
    words += (words.empty() ? "" : ",") + start.value_or("0") + "-" + end.value_or("");
    told.push_back({{"id", id.empty() ? Json(nullptr) : Json(id)}});
  }
  return words;
}

Outcome export_ranges(TaskArgs& arguments) {
  const std::string input = arguments.text("input");
  const std::string folder = arguments.text("directory");
  const std::string name = object_name(arguments.text("name", "clip"));
  const std::string mode = arguments.text("mode", "auto");
  Json clips = Json::array();
  const std::string ranges = range_words(arguments, clips);
  if (const auto problem = arguments.problem()) return tl::unexpected(*problem);
  ChildOptions options;
  options.words = {"run",
                   "export",
                   "input=" + input,
                   "output=" + join(folder, name + "_{index}.mp4"),
                   "ranges=" + ranges,
                   "mode=" + mode};
  std::size_t ended = 0;
  options.on_event = [&](const Json& event) {
    print_event(event);
    if (event.value("name", "") != "clip-result") return;
    const std::uint64_t index = event.value("index", std::uint64_t{UINT64_MAX});
    if (index >= clips.size()) return;
    ++ended;
    for (const char* key : {"status", "uri", "bytes", "start", "stop", "frames", "mode", "message"})
      if (event.contains(key)) clips[index][key] = event[key];
  };
  const ChildResult run = run_child(options);
  // Ranges that failed do not hinder the others: what there is of each stands in the result.
  if (run.problem && ended < clips.size()) return tl::unexpected(*run.problem);
  if (!run.problem && ended < clips.size()) return broken("Not every range has a result.");
  Json result = {{"status", "success"}, {"exports", std::move(clips)}};
  if (run.problem) {
    result["status"] = "error";
    result["task"] = "export";
    result["error"] = {{"domain", run.problem->domain},
                       {"code", run.problem->code},
                       {"message", run.problem->message},
                       {"exit_code", run.exit_code}};
  }
  return result;
}

// keyframes

Outcome keyframes(TaskArgs& arguments) {
  const std::string input = arguments.text("input");
  const Range range = read_range(arguments);
  const std::string strategy = arguments.text("strategy", "multi");
  const std::string name = object_name(arguments.text("name", "keyframe"));
  const std::string folder = arguments.text("directory");
  const auto settings = arguments.settings("settings");
  static constexpr std::array<const char*, 1> midpoint{"50pct"};
  static constexpr std::array<const char*, 3> multi{"25pct", "50pct", "75pct"};
  if (strategy != "midpoint" && strategy != "multi")
    arguments.fail("strategy", "must be midpoint or multi");
  const std::span<const char* const> tags =
      strategy == "midpoint" ? std::span<const char* const>(midpoint) : multi;
  if (const auto problem = arguments.problem()) return tl::unexpected(*problem);
  std::vector<std::string> words = {"run", "stills", "input=" + input,
                                    "output=" + join(folder, name + "_{index}.jpg"),
                                    "select=" + strategy};
  words.insert(words.end(), range.words.begin(), range.words.end());
  for (const auto& [key, value] : settings) words.push_back(key + "=" + value);
  ChildOptions options;
  options.words = std::move(words);
  Json stills = Json::array();
  for (const char* tag : tags) stills.push_back({{"tag", tag}});
  options.on_event = [&](const Json& event) {
    print_event(event);
    if (event.value("name", "") != "clip-frame") return;
    const std::uint64_t index = event.value("index", std::uint64_t{UINT64_MAX});
    if (index >= stills.size()) return;
    stills[index]["frame"] = event.value("frame", Json());
    stills[index]["time_seconds"] = seconds_of(event.value("stream-time", kNoTime));
  };
  const ChildResult run = run_child(options);
  if (run.problem) return tl::unexpected(*run.problem);
  const std::size_t made = run.published.size();
  if (made == 0 || made > stills.size())
    return broken("There are " + std::to_string(made) + " stills instead of " +
                  std::to_string(stills.size()) + ".");
  for (std::size_t i = 0; i < made; ++i) stills[i].update(run.published[i]);
  // One or two frames: later places fall on the last of them.
  for (std::size_t i = made; i < stills.size(); ++i) {
    stills[i] = stills[made - 1];
    stills[i]["tag"] = tags[i];
  }
  return Json{{"status", "success"}, {"strategy", strategy}, {"keyframes", std::move(stills)}};
}

// cleanup

Outcome cleanup(TaskArgs& arguments) {
  CachePolicy policy;
  const std::string folder = arguments.text("directory");
  policy.max_age_s = arguments.integer("max_age_seconds", policy.max_age_s);
  policy.max_bytes = arguments.integer("max_bytes", policy.max_bytes);
  policy.min_free_bytes = arguments.integer("min_free_bytes", policy.min_free_bytes);
  policy.dry_run = arguments.boolean("dry_run", false);
  if (const auto problem = arguments.problem()) return tl::unexpected(*problem);
  const auto done = clean_cache(folder, policy);
  if (!done) {
    Problem problem = wrong(done.error());
    problem.domain = "resource";
    problem.code = "read";
    problem.exit = ExitCode::bad_input;
    return tl::unexpected(problem);
  }
  if (done->failed > 0) return broken(done->first_failure);
  return Json{{"status", "success"}, {"statistics", cache_statistics_json(folder, *done)}};
}

// probe

Outcome probe_input(TaskArgs& arguments) {
  const std::string input = arguments.text("input");
  ProbeOptions options;
  options.key_frames = arguments.boolean("key_frames", false);
  options.count_frames = arguments.boolean("count_frames", false);
  if (const auto problem = arguments.problem()) return tl::unexpected(*problem);
  const auto facts = probe(input, options);
  if (!facts) return tl::unexpected(facts.error());
  return Json{{"status", "success"}, {"probe", *facts}};
}

struct Task {
  const char* name;
  Outcome (*run)(TaskArgs& arguments);
};

constexpr std::array tasks{
    Task{"detect_scenes", detect_scenes}, Task{"encode", encode},
    Task{"export", export_ranges},        Task{"keyframes", keyframes},
    Task{"temp_clip", temp_clip},         Task{"cleanup", cleanup},
    Task{"probe", probe_input},
};

const Task* find_task(std::string_view name) {
  const auto found = std::find_if(tasks.begin(), tasks.end(),
                                  [name](const Task& task) { return task.name == name; });
  return found == tasks.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::string_view> task_names() {
  std::vector<std::string_view> names;
  for (const Task& task : tasks) names.emplace_back(task.name);
  return names;
}

Outcome run_task(std::string_view name, TaskArgs arguments) {
  return find_task(name)->run(arguments);
}

}  // namespace clips::tool
