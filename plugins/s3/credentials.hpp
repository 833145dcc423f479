// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"
#include "error.hpp"
#include "profile.hpp"
#include "sigv4.hpp"
#include "transport.hpp"

namespace clips::s3 {

// What the search for credentials needs of the world; tests give it another one.
struct CredentialContext {
  Environment environment;
  // The whole exchange, waiting for it; a failure of its own stands in the reply.
  std::function<HttpReply(HttpRequest)> fetch;
  // Runs a command line without a shell and returns what it wrote to stdout.
  std::function<Result<std::string>(const std::vector<std::string>&)> run;
  std::function<WallTime()> now;
  std::function<void(LogLevel, std::string_view)> log;
  std::string region;  // for STS
};

// The keys for `config`, from the first place that has some:
//   properties; environment (not when a profile is given); web identity of the environment;
//   the profile of the shared files (role_arn with source_profile, credential_source or
//   web_identity_token_file; keys; credential_process); the container's endpoint; instance
//   metadata, version 2.
// A place that is set up and fails is an error; the search does not go on, for that would end in a
// message about the wrong place.
Result<Credentials> find_credentials(const Config& config, const CredentialContext& context);

// Parsers, each of what a stranger wrote.
// The reply of AssumeRole and AssumeRoleWithWebIdentity.
Result<Credentials> parse_sts_reply(std::string_view xml);
// The JSON of credential_process, of the container's endpoint and of instance metadata.
Result<Credentials> parse_credentials_json(std::string_view json);
// The words of a credential_process line: blanks separate, quotes and backslashes keep together.
Result<std::vector<std::string>> split_command(std::string_view line);

// Runs a command with a deadline; ends it when `cancelled` says so.
Result<std::string> run_command(const std::vector<std::string>& words,
                                std::chrono::nanoseconds deadline,
                                const std::function<bool()>& cancelled);

}  // namespace clips::s3
