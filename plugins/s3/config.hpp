// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "error.hpp"

namespace clips::s3 {

enum class Addressing {
  automatic,     // virtual hosts at AWS for bucket names that allow it, else the path
  path,          // https://endpoint/bucket/key
  virtual_host,  // https://bucket.endpoint/key
};

// Is a body's SHA-256 part of the signature? Over TLS it need not be, and costs as much CPU as the
// rest of an upload.
enum class PayloadSigning { automatic, always, never };

enum class LogLevel { error, warning, info, debug, trace };

// How to reach a store. Empty strings mean "not given": the environment and the shared files are
// asked then. Copied into the client; later changes have no effect on it.
struct Config {
  std::string region;
  std::string endpoint;  // http://host[:port] or https://…; empty: Amazon's of the region
  Addressing addressing = Addressing::automatic;
  std::string ca_file;  // PEM; empty: AWS_CA_BUNDLE, then the system's
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  std::string profile;
  bool anonymous = false;  // public objects: requests are not signed
  PayloadSigning payload_signing = PayloadSigning::automatic;  // plain HTTP: yes, TLS: no

  std::uint64_t max_bandwidth = 0;  // bytes a second over all transfers; 0: no limit
  unsigned max_attempts = 10;       // of one request
  std::chrono::nanoseconds retry_budget = std::chrono::seconds(60);  // from the first failure on
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
  // A transfer that moves no byte for so long is given up and tried again.
  std::chrono::nanoseconds stall_timeout = std::chrono::seconds(30);
  // How long the store may think about a whole request, e.g. about Complete of many parts.
  std::chrono::nanoseconds reply_timeout = std::chrono::minutes(10);

  // Both are called on the I/O thread and must not block. `trouble` is told of each failed attempt
  // that is going to be tried again.
  std::function<void(LogLevel, std::string_view)> log;
  std::function<void(const Error&)> trouble;
};

}  // namespace clips::s3
