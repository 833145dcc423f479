// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace clips::s3 {

enum class ErrorKind {
  cancelled,       // by cancel(), cancel_all() or the end of the client; never shown to a user
  settings,        // a property or a configuration file is wrong
  credentials,     // no credentials were found, or the place that gives them failed
  not_authorized,  // 401, 403, expired or unknown keys
  not_found,       // no such key, version or upload
  no_such_bucket,
  precondition,  // 412: If-None-Match or If-Match did not hold
  conflict,      // 409
  changed,       // the object was replaced while it was read
  range,         // 416
  no_space,      // 507, quota exceeded, entity too large
  connection,    // name resolution, connect, proxy, reset
  tls,           // certificate or handshake
  timeout,       // stalled, or the retry budget ran out while the store was silent
  server,        // 5xx and 429 that outlasted the retries
  protocol,      // a reply that makes no sense
};

// Why an operation failed. `reason` is what a user reads after "Could not write s3://bucket/key: ",
// a clause without a full stop that says what to do where that is known; `detail` is for whoever
// looks into it. Neither ever holds a secret.
struct Error {
  ErrorKind kind = ErrorKind::protocol;
  int http_status = 0;        // 0: no reply was received
  bool perhaps_done = false;  // an attempt ended without saying whether the store acted
  std::string s3_code;        // e.g. "NoSuchBucket"; empty: the reply named none
  std::string request_id;     // what the store's operator asks for
  std::string reason;
  std::string detail;
};

template <typename T>
using Result = tl::expected<T, Error>;

}  // namespace clips::s3
