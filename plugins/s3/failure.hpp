// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "error.hpp"
#include "sigv4.hpp"
#include "transport.hpp"

namespace clips::s3 {

// What is to be done about a reply that is no success.
enum class Remedy {
  none,         // it is final
  retry,        // later, as it is
  credentials,  // with fresh credentials
  clock,        // signed with the store's time
  region,       // to another region or host
};

struct Failure {
  Error error;
  Remedy remedy = Remedy::none;
  bool throttled = false;  // the store asks for less: wait longer
  std::optional<std::chrono::seconds> retry_after;
  std::string region;  // the right one, when the reply tells
  std::string host;    // where a redirect points to: "https://host[:port]", else empty
  std::optional<WallTime> server_time;
};

struct FailureContext {
  std::string host;  // for messages
  std::string bucket;
  bool versioned = false;
  WallTime now;
};

// Judges a reply: a failed exchange, a status that is no success, or a 200 with an <Error> inside
// (`body_is_error`). Codes as in
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
Failure judge(const HttpReply& reply, const FailureContext& context, bool body_is_error = false);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<WallTime> parse_http_date(std::string_view text);

// How long to wait before attempt `attempt` (the second is 1): doubling, half of it by chance so
// that clients do not come back in step. `chance` is in [0, 1024).
std::chrono::milliseconds backoff(unsigned attempt, bool throttled, unsigned chance);

}  // namespace clips::s3
