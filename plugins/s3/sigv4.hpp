// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client.hpp"

namespace clips::s3 {

using WallTime = std::chrono::sys_seconds;

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  std::optional<WallTime> expiry;

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

using QueryParameters = std::vector<std::pair<std::string, std::string>>;
// Encoded, then sorted, always with `=`: what is signed is what is sent.
std::string canonical_query(const QueryParameters& parameters);

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct SigningInput {
  std::string_view method;
  std::string_view host;
  std::string_view path;   // encoded, as it is sent
  std::string_view query;  // canonical_query()
  const Headers* headers = nullptr;
  std::string_view payload_hash;  // hexadecimal SHA-256, or kUnsignedPayload
  std::string_view region;
  std::string_view service = "s3";
  WallTime time;
};

// Signature version 4 in a header; the steps and their names are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
// Returns the headers to be added to the request.
Headers sign(const SigningInput& input, const Credentials& credentials);

// "20130524T000000Z"
std::string iso_basic_time(WallTime time);
// "2013-05-24T00:00:00Z", with or without a fraction or an offset; how credentials' expiry comes.
std::optional<WallTime> parse_iso_time(std::string_view text);

}  // namespace clips::s3
