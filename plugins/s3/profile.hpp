// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace clips::s3 {

// The variables that the client reads, copied once: getenv() is no friend of threads.
class Environment {
 public:
  Environment() = default;
  explicit Environment(std::map<std::string, std::string> variables)
      : variables_(std::move(variables)) {}
  static Environment of_process();

  // Empty when it is not set: for all that we read that means the same.
  const std::string& get(const std::string& name) const;
  bool is_true(const std::string& name) const;
  // "~/rest" with the home directory in place of "~".
  std::string expand_home(std::string_view path) const;

 private:
  std::map<std::string, std::string> variables_;
};

using Settings = std::map<std::string, std::string>;

// The sections of an AWS configuration file. A nested block
//   s3 =
//     addressing_style = path
// is stored as "s3.addressing_style". Lines that are neither are skipped, as the AWS tools do.
using Sections = std::map<std::string, Settings>;
Sections parse_ini(std::string_view text);

// The shared files, read together.
struct SharedFiles {
  Sections profiles;  // of ~/.aws/config and, on top of it, ~/.aws/credentials; by profile name
  Sections services;  // [services NAME] of ~/.aws/config

  const Settings* profile(const std::string& name) const;
  // A profile's setting; empty when there is none.
  std::string_view get(const std::string& profile, const std::string& setting) const;
  // The endpoint of a service ("s3", "sts"): of the profile's services section, else of the
  // profile.
  std::string endpoint(const std::string& profile, const std::string& service) const;
};

SharedFiles combine_shared_files(std::string_view config, std::string_view credentials);
SharedFiles read_shared_files(const Environment& environment);
// The profile in force: the given one, AWS_PROFILE, AWS_DEFAULT_PROFILE or "default".
std::string profile_name(const Environment& environment, const std::string& given);

// A small text file, whole; empty when it cannot be read or is larger than a MiB.
std::string read_small_file(const std::string& path);

}  // namespace clips::s3
