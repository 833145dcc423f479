// SPDX-License-Identifier: LGPL-2.1-or-later

// clips-cutlist/1: the one format that holds everything, with exact integers.

#include "cutlist_json.hpp"

#include <set>

namespace clips::detail {

using nlohmann::json;

namespace {

constexpr std::string_view kFormat = "clips-cutlist/1";
constexpr int kMaximumDepth = 32;

std::string json_time(std::uint64_t time) {
  return time == kNoTime ? "null" : std::to_string(time);
}

std::string json_clip(const Clip& clip) {
  return "{\"index\":" + std::to_string(clip.index) +
         ",\"start-frame\":" + std::to_string(clip.start_frame) +
         ",\"end-frame\":" + std::to_string(clip.end_frame) +
         ",\"start\":" + json_time(clip.start) + ",\"end\":" + json_time(clip.end) + '}';
}

CutListResult<Clip> parse_json_clip(const json& value) {
  JsonObject object(value, "A clip");
  Clip clip;
  clip.index = object.integer("index");
  clip.start_frame = object.integer("start-frame");
  clip.end_frame = object.integer("end-frame");
  clip.start = object.time("start");
  clip.end = object.time("end");
  if (auto done = object.finish(); !done) return tl::unexpected(done.error());
  return clip;
}

}  // namespace

CutListResult<json> parse_json(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::set<std::string>> keys;
  std::string problem;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaximumDepth) {
      problem = "The JSON is nested too deeply.";
      return false;
    }
    if (event == json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      if (!keys.empty()) keys.pop_back();
    } else if (event == json::parse_event_t::key && !keys.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) problem = "The key \"" + key + "\" stands twice.";
    }
    return true;
  };
  try {
    json document = json::parse(text.begin(), text.end(), check);
    if (!problem.empty()) return failure(problem);
    return document;
  } catch (const json::parse_error& error) {
    const std::size_t at = std::min<std::size_t>(error.byte, text.size());
    return failure(
        "The text is not valid JSON.",
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  } catch (const json::exception&) {
    return failure("The text is not valid JSON.");
  }
}

std::string json_string(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string json_cut(const Cut& cut) {
  return "{\"frame\":" + std::to_string(cut.frame) + ",\"time\":" + json_time(cut.time) +
         ",\"kind\":\"" + std::string(cut_kind_name(cut.kind)) +
         "\",\"start-frame\":" + std::to_string(cut.start_frame) +
         ",\"end-frame\":" + std::to_string(cut.end_frame) +
         ",\"score\":" + format_decimal(cut.score) + '}';
}

CutListResult<Cut> parse_json_cut(const json& value) {
  JsonObject object(value, "A cut");
  Cut cut;
  cut.frame = object.integer("frame");
  cut.time = object.time("time");
  const std::string kind_name = object.string("kind");
  const auto kind = cut_kind_from_name(kind_name);
  if (kind)
    cut.kind = *kind;
  else
    object.fail("has an unknown kind");
  cut.start_frame = object.integer("start-frame");
  cut.end_frame = object.integer("end-frame");
  cut.score = object.number("score");
  if (auto done = object.finish(); !done) return tl::unexpected(done.error());
  return cut;
}

JsonObject::JsonObject(const json& value, std::string what) : what_(std::move(what)) {
  if (value.is_object())
    value_ = &value;
  else
    fail("is not an object");
}

const json* JsonObject::find(const char* key) {
  if (!value_) return nullptr;
  const auto found = value_->find(key);
  if (found == value_->end()) {
    fail("has no \"" + std::string(key) + '"');
    return nullptr;
  }
  ++taken_;
  return &*found;
}

std::uint64_t JsonObject::integer(const char* key) {
  const json* value = find(key);
  if (value && value->is_number_unsigned()) return value->get<std::uint64_t>();
  fail("needs a non-negative integer \"" + std::string(key) + '"');
  return 0;
}

std::uint64_t JsonObject::time(const char* key) {
  const json* value = find(key);
  if (value && value->is_null()) return kNoTime;
  if (value && value->is_number_unsigned() && value->get<std::uint64_t>() != kNoTime)
    return value->get<std::uint64_t>();
  fail("needs integer nanoseconds or null as \"" + std::string(key) + '"');
  return 0;
}

double JsonObject::number(const char* key) {
  const json* value = find(key);
  if (value && value->is_number()) return value->get<double>();
  fail("needs a number \"" + std::string(key) + '"');
  return 0;
}

bool JsonObject::boolean(const char* key) {
  const json* value = find(key);
  if (value && value->is_boolean()) return value->get<bool>();
  fail("needs true or false as \"" + std::string(key) + '"');
  return false;
}

std::string JsonObject::string(const char* key) {
  const json* value = find(key);
  if (value && value->is_string()) return value->get<std::string>();
  fail("needs a string \"" + std::string(key) + '"');
  return {};
}

const json& JsonObject::array(const char* key) {
  static const json empty = json::array();
  const json* value = find(key);
  if (value && value->is_array()) return *value;
  fail("needs an array \"" + std::string(key) + '"');
  return empty;
}

const json& JsonObject::object(const char* key) {
  static const json empty = json::object();
  const json* value = find(key);
  if (value && value->is_object()) return *value;
  fail("needs an object \"" + std::string(key) + '"');
  return empty;
}

void JsonObject::fail(const std::string& problem) {
  if (problem_.empty()) problem_ = what_ + ' ' + problem + '.';
}

CutListResult<void> JsonObject::finish() {
  if (problem_.empty() && value_->size() != taken_) fail("has a member that is not known");
  if (!problem_.empty()) return failure(problem_);
  return {};
}

CutListResult<std::string> write_json(const CutList& list) {
  const CutSource& source = list.source;
  const CutDetector& detector = list.detector;
  std::string text = "{\"format\":\"" + std::string(kFormat) + "\",\n\"source\":{\"uri\":";
  text += json_string(source.uri) + ",\"width\":" + std::to_string(source.width) +
          ",\"height\":" + std::to_string(source.height) + ",\"frame-rate\":\"" +
          format_rate(source.rate) + "\",\"variable\":" + (source.variable ? "true" : "false") +
          ",\"frames\":" + std::to_string(source.frames) +
          ",\"duration\":" + json_time(source.duration) + "},\n";
  text += "\"detector\":{\"method\":" + json_string(detector.method) +
          ",\"threshold\":" + format_decimal(detector.threshold) +
          ",\"min-duration\":" + std::to_string(detector.min_duration) +
          ",\"version\":" + json_string(detector.version) + "},\n\"cuts\":[";
  // One cut and one clip a line: a person can read it and a diff shows what moved.
  const char* separator = "\n";
  for (const Cut& cut : list.cuts) {
    text += separator + json_cut(cut);
    separator = ",\n";
  }
  text += "],\n\"clips\":[";
  separator = "\n";
  for (const Clip& clip : list.clips()) {
    text += separator + json_clip(clip);
    separator = ",\n";
  }
  return text + "]}\n";
}

CutListResult<CutList> read_json(std::string_view text, const CutListHints&) {
  const auto document = parse_json(text);
  if (!document) return tl::unexpected(document.error());
  JsonObject root(*document, "The cut list");
  if (root.string("format") != kFormat) root.fail("is not of the format " + std::string(kFormat));
  CutList list;

  JsonObject source(root.object("source"), "The source");
  list.source.uri = source.string("uri");
  const std::uint64_t width = source.integer("width");
  const std::uint64_t height = source.integer("height");
  if (width > INT32_MAX || height > INT32_MAX) source.fail("has a size out of range");
  list.source.width = static_cast<std::uint32_t>(width);
  list.source.height = static_cast<std::uint32_t>(height);
  const auto rate = parse_rate(source.string("frame-rate"));
  if (rate)
    list.source.rate = *rate;
  else
    source.fail("has a frame-rate that is not n/d");
  list.source.variable = source.boolean("variable");
  list.source.frames = source.integer("frames");
  list.source.duration = source.time("duration");

  JsonObject detector(root.object("detector"), "The detector");
  list.detector.method = detector.string("method");
  list.detector.threshold = detector.number("threshold");
  list.detector.min_duration = detector.integer("min-duration");
  list.detector.version = detector.string("version");

  const json& cuts = root.array("cuts");
  const json& clips = root.array("clips");
  for (JsonObject* object : {&root, &source, &detector})
    if (auto done = object->finish(); !done) return tl::unexpected(done.error());
  for (const json& value : cuts) {
    const auto cut = parse_json_cut(value);
    if (!cut) return tl::unexpected(cut.error());
    list.cuts.push_back(*cut);
  }
  std::vector<Clip> stated;
  for (const json& value : clips) {
    const auto clip = parse_json_clip(value);
    if (!clip) return tl::unexpected(clip.error());
    stated.push_back(*clip);
  }
  // The time of frame 0 stands in the first clip only.
  if (!stated.empty()) list.source.start = stated.front().start;
  if (auto valid = list.validate(); !valid) return tl::unexpected(valid.error());
  // The clips repeat what the cuts say. A list edited in one place only is not to be trusted.
  if (stated != list.clips())
    return failure("The clips are not those between the cuts: they must tile the video.");
  return list;
}

}  // namespace clips::detail
