// SPDX-License-Identifier: LGPL-2.1-or-later
#include "task_args.hpp"

#include "structure_json.hpp"
#include "text.hpp"

namespace clips::tool {

using Json = nlohmann::ordered_json;

std::optional<std::string> scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return json_line(value);
  return std::nullopt;
}

TaskArgs::TaskArgs(Json arguments, std::string place)
    : arguments_(std::move(arguments)), place_(std::move(place)) {}

void TaskArgs::fail(const std::string& key, const std::string& what) {
  if (problem_) return;
  problem_ = usage_problem("The argument \"" + place_ + key + "\" " + what + ".", "value");
}

void TaskArgs::fail(const Problem& problem) {
  if (!problem_) problem_ = problem;
}

bool TaskArgs::has(const char* key) const {
  return arguments_.contains(key) && !arguments_[key].is_null();
}

const Json* TaskArgs::find(const char* key) {
  known_.insert(key);
  return has(key) ? &arguments_[key] : nullptr;
}

std::string TaskArgs::text(const char* key) {
  const std::string value = text(key, "");
  if (value.empty()) fail(key, "is not set");
  return value;
}

std::string TaskArgs::text(const char* key, const std::string& otherwise) {
  const Json* value = find(key);
  if (!value) return otherwise;
  if (value->is_string()) return value->get<std::string>();
  // Ids are numbers in some databases.
  if (value->is_number_integer()) return value->dump();
  fail(key, "must be a text");
  return otherwise;
}

bool TaskArgs::boolean(const char* key, bool otherwise) {
  const Json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_boolean()) fail(key, "must be true or false");
  return value->is_boolean() ? value->get<bool>() : otherwise;
}

std::uint64_t TaskArgs::integer(const char* key, std::uint64_t otherwise) {
  const Json* value = find(key);
  if (!value) return otherwise;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  fail(key, "must be an integer that is not negative");
  return otherwise;
}

double TaskArgs::number(const char* key, double otherwise) {
  const Json* value = find(key);
  if (!value) return otherwise;
  if (value->is_number() && value->get<double>() >= 0) return value->get<double>();
  fail(key, "must be a number that is not negative");
  return otherwise;
}

std::optional<std::string> TaskArgs::time(const char* key) {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number() && value->get<double>() >= 0) return json_line(*value);
  fail(key, "must be a time in seconds that is not negative");
  return std::nullopt;
}

std::optional<std::uint64_t> TaskArgs::frame(const char* key) {
  if (!has(key)) {
    find(key);
    return std::nullopt;
  }
  return integer(key, 0);
}

std::vector<std::pair<std::string, std::string>> TaskArgs::settings(const char* key) {
  std::vector<std::pair<std::string, std::string>> words;
  const Json* value = find(key);
  if (!value) return words;
  if (!value->is_object()) {
    fail(key, "must be an object");
    return words;
  }
  for (const auto& [name, setting] : value->items()) {
    const auto text = scalar_text(setting);
    if (text) {
      words.emplace_back(name, *text);
    } else {
      fail(std::string(key) + "." + name, "must be a text, a number or a truth value");
    }
  }
  return words;
}

std::vector<TaskArgs> TaskArgs::list(const char* key) {
  std::vector<TaskArgs> items;
  const Json* value = find(key);
  if (!value || !value->is_array() || value->empty()) {
    fail(key, "must be a list of at least one");
    return items;
  }
  for (const Json& item : *value) {
    const std::string place = std::string(key) + "[" + std::to_string(items.size()) + "].";
    if (!item.is_object()) fail(key, "must be a list of objects");
    items.emplace_back(item, place);
  }
  return items;
}

std::optional<Problem> TaskArgs::problem() const {
  if (problem_) return problem_;
  for (const auto& [key, value] : arguments_.items()) {
    if (known_.contains(key)) continue;
    const std::string near = nearest(key, known_);
    return usage_problem("There is no argument \"" + place_ + one_line(key) + "\"." +
                             (near.empty() ? "" : " Did you mean \"" + near + "\"?"),
                         "unknown-parameter");
  }
  return std::nullopt;
}

}  // namespace clips::tool
