// SPDX-License-Identifier: LGPL-2.1-or-later
#include "profile.hpp"

#include <cstdlib>
#include <fstream>

#include "text.hpp"

extern "C" char** environ;

namespace clips::s3 {

namespace {

constexpr std::size_t kLargestFile = 1 << 20;

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front()) {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

// "profile name" and `profile "my name"`: the kind and the name; a kind alone names itself.
std::pair<std::string_view, std::string_view> split_title(std::string_view title) {
  const auto blank = title.find_first_of(" \t");
  if (blank == std::string_view::npos) return {"", title};
  return {title.substr(0, blank), unquoted(trim(title.substr(blank)))};
}

}  // namespace

Environment Environment::of_process() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    if (name.starts_with("AWS_") || name == "HOME") {
      variables.emplace(name, text.substr(equals + 1));
    }
  }
  return Environment(std::move(variables));
}

const std::string& Environment::get(const std::string& name) const {
  static const std::string nothing;
  const auto found = variables_.find(name);
  return found == variables_.end() ? nothing : found->second;
}

bool Environment::is_true(const std::string& name) const {
  return equal_ignoring_case(get(name), "true");
}

std::string Environment::expand_home(std::string_view path) const {
  if (path == "~" || path.starts_with("~/")) return get("HOME") + std::string(path.substr(1));
  return std::string(path);
}

Sections parse_ini(std::string_view text) {
  Sections sections;
  Settings* section = nullptr;
  std::string parent;  // the setting whose nested block may follow
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view content = trim(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (content.front() == '[') {
      const auto close = content.find(']');
      section = close == std::string_view::npos
                    ? nullptr
                    : &sections[std::string(trim(content.substr(1, close - 1)))];
      parent.clear();
      continue;
    }
    const auto equals = content.find('=');
    if (!section || equals == std::string_view::npos) continue;
    const std::string name = to_lower(trim(content.substr(0, equals)));
    const std::string_view value = trim(content.substr(equals + 1));
    if (name.empty()) continue;
    const bool nested = line.front() == ' ' || line.front() == '\t';
    if (nested && !parent.empty()) {
      (*section)[parent + "." + name] = value;
    } else {
      (*section)[name] = value;
      parent = value.empty() ? name : std::string();
    }
  }
  return sections;
}

const Settings* SharedFiles::profile(const std::string& name) const {
  const auto found = profiles.find(name);
  return found == profiles.end() ? nullptr : &found->second;
}

std::string_view SharedFiles::get(const std::string& profile_, const std::string& setting) const {
  const Settings* settings = profile(profile_);
  if (!settings) return {};
  const auto found = settings->find(setting);
  return found == settings->end() ? std::string_view() : found->second;
}

std::string SharedFiles::endpoint(const std::string& profile_, const std::string& service) const {
  const auto section = services.find(std::string(get(profile_, "services")));
  if (section != services.end()) {
    const auto found = section->second.find(service + ".endpoint_url");
    if (found != section->second.end()) return found->second;
  }
  return std::string(get(profile_, "endpoint_url"));
}

SharedFiles combine_shared_files(std::string_view config, std::string_view credentials) {
  SharedFiles files;
  for (auto& [title, settings] : parse_ini(config)) {
    const auto [kind, name] = split_title(title);
    if (kind == "profile" || (kind.empty() && name == "default")) {
      files.profiles[std::string(name)].insert(settings.begin(), settings.end());
    } else if (kind == "services") {
      files.services[std::string(name)] = settings;
    }
  }
  for (auto& [title, settings] : parse_ini(credentials)) {
    Settings& profile = files.profiles[std::string(unquoted(title))];
    // A key pair belongs together: one from each file would never work.
    if (settings.contains("aws_access_key_id")) profile.erase("aws_session_token");
    for (auto& [name, value] : settings) profile[name] = value;
  }
  return files;
}

SharedFiles read_shared_files(const Environment& environment) {
  const auto path = [&](const char* variable, std::string_view otherwise) {
    const std::string& given = environment.get(variable);
    return environment.expand_home(given.empty() ? otherwise : std::string_view(given));
  };
  return combine_shared_files(
      read_small_file(path("AWS_CONFIG_FILE", "~/.aws/config")),
      read_small_file(path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")));
}

std::string profile_name(const Environment& environment, const std::string& given) {
  if (!given.empty()) return given;
  for (const char* variable : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
    if (!environment.get(variable).empty()) return environment.get(variable);
  }
  return "default";
}

std::string read_small_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text.size() > kLargestFile ? std::string() : text;
}

}  // namespace clips::s3
