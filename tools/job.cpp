// SPDX-License-Identifier: LGPL-2.1-or-later
#include "job.hpp"

#include <glib.h>
#include <gst/gst.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "child_run.hpp"
#include "common/handles.hpp"
#include "http_put.hpp"
#include "interrupts.hpp"
#include "lib/value.hpp"
#include "movie_facts.hpp"
#include "probe.hpp"
#include "structure_json.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

struct Preset {
  const char* name;
  const char* definition;
  // One file, which can be sent in one request; else a folder or prefix of several.
  bool one_file;
  // A command of its own and not just a definition.
  bool command;
};

constexpr std::array presets{
    Preset{"default", "remux", true, false},
    Preset{"web-optimized", "web", true, false},
    Preset{"hls", "hls", false, false},
    Preset{"hls-adaptive", "hlsadaptive", false, false},
    Preset{"proxy", "proxy", true, false},
    Preset{"master", "master", true, false},
    Preset{"normalize", "normalize", true, false},
    Preset{"ingest", "ingest", false, true},
};

const Preset* find_preset(std::string_view name) {
  const auto found = std::find_if(presets.begin(), presets.end(),
                                  [name](const Preset& preset) { return preset.name == name; });
  return found == presets.end() ? nullptr : &*found;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

std::string scheme_of(std::string_view url) {
  if (!is_uri(url)) return {};
  const GString_ lower(g_ascii_strdown(url.data(), static_cast<gssize>(url.find("://"))));
  return lower.get();
}

bool is_http(std::string_view url) {
  const std::string scheme = scheme_of(url);
  return scheme == "http" || scheme == "https";
}

std::string now_text() {
  const std::unique_ptr<GDateTime, decltype(&g_date_time_unref)> now(g_date_time_new_now_utc(),
                                                                     g_date_time_unref);
  const GString_ text(g_date_time_format(now.get(), "%Y-%m-%dT%H:%M:%S"));
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", g_date_time_get_microsecond(now.get()) / 1000);
  return std::string(text.get()) + fraction;
}

Json problem_json(const Problem& problem) {
  return {{"domain", problem.domain}, {"code", problem.code}, {"message", problem.message}};
}

Json blank_result(const Job& job) {
  return {{"event", "result"},
          {"job_id", job.id.empty() ? Json(nullptr) : Json(job.id)},
          {"preset", job.preset},
          {"status", nullptr},
          {"exit_code", nullptr},
          {"input", redact(job.input)},
          {"output", redact(job.output)},
          {"outputs", Json::array()},
          {"bytes", 0},
          {"media", nullptr},
          {"frames", nullptr},
          {"started_at", now_text()},
          {"finished_at", nullptr},
          {"duration_ms", nullptr},
          {"peak_rss_kib", nullptr},
          {"warnings", Json::array()},
          {"error", nullptr},
          {"host", g_get_host_name()},
          {"version", PACKAGE_VERSION}};
}

void fail(Json& result, const Problem& problem) {
  const int code = static_cast<int>(problem.exit);
  result["status"] = code > 128                     ? "interrupted"
                     : problem.code == "time-limit" ? "timeout"
                                                    : "failed";
  result["exit_code"] = code;
  result["error"] = problem_json(problem);
}

std::optional<Problem> do_job(const Job& job, unsigned time_limit_s, bool events, Json& result) {
  const Preset& preset = *find_preset(job.preset);
  const bool upload = is_http(job.output);
  std::optional<NamelessFile> file;
  if (upload) {
    auto made = NamelessFile::create(true);
    if (!made) return made.error();
    file.emplace(std::move(*made));
  }
  const std::string output = upload ? "fd://3" : job.output;
  ChildOptions options;
  options.time_limit_s = time_limit_s;
  if (file) options.file = &*file;
  if (preset.command) {
    options.words = {preset.definition, "--", job.input, output};
  } else {
    options.words = {"run", preset.definition, "input=" + job.input, "output=" + output};
  }
  for (const auto& [key, value] : job.settings) options.words.push_back(key + "=" + value);
  if (events) {
    options.on_event = [](const Json& event) {
      // Those are in the result.
      for (const char* told : {"published", "done", "error"})
        if (event["event"] == told) return;
      std::puts(json_line(event).c_str());
      std::fflush(stdout);
    };
  }
  const ChildResult child = run_child(options);
  result["warnings"] = child.warnings;
  if (child.done.is_object()) {
    result["frames"] = child.done["frames"];
    result["peak_rss_kib"] = child.done["peak_rss_kib"];
  }
  if (child.problem) return child.problem;
  result["outputs"] = child.published;
  std::string made = job.output;
  if (upload) {
    const auto put = http_put(job.output, file->descriptor());
    if (!put) return put.error();
    result["outputs"] =
        Json::array({{{"uri", redact(job.output)}, {"bytes", put->bytes}, {"etag", put->etag}}});
    made = "/proc/self/fd/" + std::to_string(file->descriptor());
  }
  std::uint64_t bytes = 0;
  for (const Json& published : result["outputs"])
    if (published.contains("bytes")) bytes += published["bytes"].get<std::uint64_t>();
  result["bytes"] = bytes;
  if (preset.one_file) result["media"] = media_of(made);
  return std::nullopt;
}

}  // namespace

Json media_of(const std::string& path_or_uri) {
  ProbeOptions options;
  options.key_frames = false;
  options.count_frames = true;
  const auto facts = probe(path_or_uri, options);
  if (!facts) return nullptr;
  Json media = {{"container", (*facts)["container"]},
                {"size", (*facts)["size"]},
                {"duration", (*facts)["duration"]},
                {"video", nullptr},
                {"audio", nullptr}};
  for (const Json& stream : (*facts)["streams"]) {
    const std::string type = stream["type"];
    if ((type != "video" && type != "audio") || !media[type].is_null()) continue;
    for (const char* key : {"codec", "profile", "level", "width", "height", "frames",
                            "average_rate", "nominal_rate", "rate", "channels", "bit_rate"})
      if (stream.contains(key)) media[type][key] = stream[key];
  }
  return media;
}

std::string preset_names() {
  std::string names;
  for (const Preset& preset : presets)
    names += (names.empty() ? "" : ", ") + std::string(preset.name);
  return names;
}

std::optional<Problem> check_job(const Job& job, const JobNames& names) {
  const auto wrong = [](const std::string& text) { return usage_problem(text, "value"); };
  for (const auto& [name, value] : {std::pair(names.id, &job.id),
                                    {names.input, &job.input},
                                    {names.output, &job.output},
                                    {names.preset, &job.preset}}) {
    if (value->empty()) return usage_problem(std::string(name) + " is not set.", "missing-value");
    if (has_control(*value))
      return wrong(std::string(name) + " holds a control character: " + one_line(redact(*value)) +
                   ".");
  }
  const Preset* preset = find_preset(job.preset);
  if (!preset)
    return wrong(std::string(names.preset) + ": there is no preset \"" + job.preset +
                 "\". They are: " + preset_names() + ".");
  const std::string input = scheme_of(job.input);
  if (!input.empty() &&
      (input == "fd" || !gst_uri_protocol_is_supported(GST_URI_SRC, input.c_str())))
    return wrong(std::string(names.input) + ": there is nothing that reads " + input + " URLs.");
  const std::string output = scheme_of(job.output);
  const bool put = output == "http" || output == "https";
  if (!output.empty() && output != "file" && output != "s3" && !put)
    return wrong(
        std::string(names.output) + ": " + output +
        " URLs cannot be written; a path, file://, s3:// and a presigned http(s) URL can.");
  if (put && !preset->one_file)
    return wrong(std::string(names.output) + ": the preset " + job.preset +
                 " makes several files, which one presigned URL cannot take.");
  return std::nullopt;
}

Json refused_job(const Job& job, const Problem& problem) {
  Json result = blank_result(job);
  result["finished_at"] = result["started_at"];
  result["duration_ms"] = 0;
  fail(result, problem);
  return result;
}

Json run_job(const Job& job, unsigned time_limit_s, bool events) {
  Json result = blank_result(job);
  const gint64 started = g_get_monotonic_time();
  const auto problem = do_job(job, time_limit_s, events, result);
  result["finished_at"] = now_text();
  result["duration_ms"] = (g_get_monotonic_time() - started) / 1000;
  if (problem) {
    // What a failed ingest had published before is not a result.
    result["outputs"] = Json::array();
    result["bytes"] = 0;
    fail(result, *problem);
  } else {
    result["status"] = "success";
    result["exit_code"] = 0;
  }
  return result;
}

int tell_job(const Json& result) {
  std::puts(json_line(result).c_str());
  std::fflush(stdout);
  return result["exit_code"].get<int>();
}

}  // namespace clips::tool
