// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Strict JSON for the formats made of it; not for anyone outside lib/.

#include <nlohmann/json.hpp>

#include "cutlist_text.hpp"

namespace clips::detail {

// Refuses duplicate keys and deep nesting, which nlohmann::json lets pass.
CutListResult<nlohmann::json> parse_json(std::string_view text);
// A string with its quotes; invalid UTF-8 is replaced.
std::string json_string(const std::string& text);
// "cut": {…} as both JSON and OTIO carry it.
std::string json_cut(const Cut& cut);
CutListResult<Cut> parse_json_cut(const nlohmann::json& value);

// Reads the members of one object; finish() fails when one was missing, of the wrong type, or left
// over. Integers must be written as integers.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string what);

  std::uint64_t integer(const char* key);
  std::uint64_t time(const char* key);  // an integer or null
  double number(const char* key);
  bool boolean(const char* key);
  std::string string(const char* key);
  const nlohmann::json& array(const char* key);
  const nlohmann::json& object(const char* key);

  void fail(const std::string& problem);
  CutListResult<void> finish();

 private:
  const nlohmann::json* find(const char* key);

  const nlohmann::json* value_ = nullptr;
  std::string what_;
  std::string problem_;
  std::size_t taken_ = 0;
};

}  // namespace clips::detail
