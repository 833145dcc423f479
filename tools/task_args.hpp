// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "failure.hpp"

namespace clips::tool {

// Reads the members of a task's arguments. The first fault is kept; problem() tells it, or what is
// left over.
class TaskArgs {
 public:
  explicit TaskArgs(nlohmann::ordered_json arguments, std::string place = {});

  bool has(const char* key) const;
  std::string text(const char* key);  // required
  std::string text(const char* key, const std::string& otherwise);
  bool boolean(const char* key, bool otherwise);
  std::uint64_t integer(const char* key, std::uint64_t otherwise);
  double number(const char* key, double otherwise);
  // A number of seconds, or a text such as "1:02:03.5", as the definitions read times.
  std::optional<std::string> time(const char* key);
  std::optional<std::uint64_t> frame(const char* key);
  // KEY=VALUE words of an object of scalars.
  std::vector<std::pair<std::string, std::string>> settings(const char* key);
  std::vector<TaskArgs> list(const char* key);

  void fail(const std::string& key, const std::string& what);
  void fail(const Problem& problem);
  std::optional<Problem> problem() const;

 private:
  const nlohmann::ordered_json* find(const char* key);

  nlohmann::ordered_json arguments_;
  std::string place_;
  std::set<std::string> known_;
  std::optional<Problem> problem_;
};

// The text of a scalar for KEY=VALUE; nothing for lists, objects and null.
std::optional<std::string> scalar_text(const nlohmann::ordered_json& value);

}  // namespace clips::tool
