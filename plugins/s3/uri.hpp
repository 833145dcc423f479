// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "config.hpp"
#include "error.hpp"

namespace clips::s3 {

// An object by name. The key is bytes: no escapes, nothing is normalised.
struct ObjectName {
  std::string bucket;
  std::string key;
  std::string version_id;  // empty: the current version

  friend bool operator==(const ObjectName&, const ObjectName&) = default;
};

// "s3://bucket/key" as the AWS tools mean it: all behind the first slash after the bucket is the
// key, verbatim, `?`, `#`, `%` and slashes included.
Result<ObjectName> parse_object_uri(std::string_view uri);
// The same text that parse_object_uri() reads.
std::string object_uri(const ObjectName& object);

// 3 to 255 characters of those that any store has ever allowed in a bucket's name.
bool is_bucket_name(std::string_view name);
// May the bucket stand as a label before the endpoint's host name (with TLS: not with a dot)?
bool is_virtual_host_bucket(std::string_view name, bool tls);
bool is_region_name(std::string_view name);

struct Endpoint {
  bool tls = true;
  std::string host;     // as in a URL: an IPv6 address has its brackets
  unsigned port = 0;    // 0: the scheme's own
  std::string path;     // a prefix, without a slash at the end; usually empty
  bool amazon = false;  // its name is derived from the region

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

Result<Endpoint> parse_endpoint(std::string_view text);
Endpoint amazon_endpoint(std::string_view region);
bool is_amazon_host(std::string_view host);
// Cloudflare R2 refuses uploads whose parts, but for the last one, differ in length.
bool wants_equal_parts(std::string_view host);

// Where a request goes: `host` is the Host header, `path` is encoded and starts with a slash.
struct Target {
  std::string scheme;
  std::string host;
  std::string path;

  std::string url() const { return scheme + "://" + host + path; }
};
Target resolve_target(const Endpoint& endpoint, Addressing addressing, std::string_view bucket,
                      std::string_view key);

// Each byte outside A-Za-z0-9-._~ as upper-case %XX; `/` stays when asked.
std::string percent_encode(std::string_view text, bool keep_slash);
// Undoes %XX; other bytes, and escapes that are none, stay.
std::string percent_decode(std::string_view text);

}  // namespace clips::s3
