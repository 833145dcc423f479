// SPDX-License-Identifier: LGPL-2.1-or-later
#include "uri.hpp"

#include <algorithm>
#include <charconv>

#include "text.hpp"

namespace clips::s3 {

namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::size_t kLongestKey = 1024;  // bytes, the documented limit of S3

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

tl::unexpected<Error> bad(std::string reason) {
  return tl::unexpected(Error{.kind = ErrorKind::settings, .reason = std::move(reason)});
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' &&
           host.find_first_not_of("0123456789abcdefABCDEF:.", 1) == host.size() - 1;
  }
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; }) &&
         host.front() != '.' && host.front() != '-';
}

bool is_address(std::string_view host) {
  return host.front() == '[' || host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 255 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; }) &&
         name != "..." && name.front() != '.' && name.back() != '.';
}

bool is_virtual_host_bucket(std::string_view name, bool tls) {
  if (!is_bucket_name(name) || name.size() > 63) return false;
  for (const char c : name) {
    if (c == '_' || (c >= 'A' && c <= 'Z') || (c == '.' && tls)) return false;
  }
  return is_alnum(name.front()) && is_alnum(name.back()) &&
         name.find("..") == std::string_view::npos && !is_address(name);
}

bool is_region_name(std::string_view name) {
  // It becomes part of a host name and of the signature's scope.
  return !name.empty() && name.size() <= 63 && is_alnum(name.front()) && is_alnum(name.back()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

Result<ObjectName> parse_object_uri(std::string_view uri) {
  if (uri.size() < kScheme.size() || !equal_ignoring_case(uri.substr(0, kScheme.size()), kScheme)) {
    return bad("the URI does not begin with s3://");
  }
  const std::string_view rest = uri.substr(kScheme.size());
  const auto slash = rest.find('/');
  const std::string_view bucket = rest.substr(0, slash);
  if (!is_bucket_name(bucket)) {
    return bad("\"" + printable(bucket, 80) + "\" is not the name of a bucket");
  }
  if (slash == std::string_view::npos || slash + 1 == rest.size()) {
    return bad("the URI names a bucket and no object in it; write s3://bucket/key");
  }
  const std::string_view key = rest.substr(slash + 1);
  if (key.size() > kLongestKey) return bad("the key is longer than 1024 bytes");
  if (key.find('\0') != std::string_view::npos) return bad("the key holds a zero byte");
  return ObjectName{.bucket = std::string(bucket), .key = std::string(key), .version_id = {}};
}

std::string object_uri(const ObjectName& object) {
  return std::string(kScheme) + object.bucket + "/" + object.key;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  std::string_view rest = text;
  const auto colon = text.find("://");
  if (colon != std::string_view::npos) {
    const std::string scheme = to_lower(text.substr(0, colon));
    if (scheme != "http" && scheme != "https") {
      return bad("the endpoint is neither http:// nor https://");
    }
    endpoint.tls = scheme == "https";
    rest = text.substr(colon + 3);
  }
  const auto slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    // Not repeated in the message: what stands there is a password.
    return bad("the endpoint holds a user name; give credentials apart from it");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return bad("the endpoint holds a query or a fragment");
  }
  const auto bracket = authority.find(']');
  const auto port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (port != std::string_view::npos) {
    const auto number = parse_uint(authority.substr(port + 1));
    if (!number || *number == 0 || *number > 65535) return bad("the endpoint's port is no port");
    endpoint.port = static_cast<unsigned>(*number);
    authority = authority.substr(0, port);
  }
  if (!is_host(authority)) {
    return bad("\"" + printable(text, 80) +
               "\" is not an endpoint; write https://host or "
               "http://host:port");
  }
  // The scheme's own port is never part of a Host header, and so not of the signature.
  if (endpoint.port == (endpoint.tls ? 443U : 80U)) endpoint.port = 0;
  endpoint.host = to_lower(authority);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (has_control_characters(path)) return bad("the endpoint's path holds control characters");
  endpoint.path = percent_encode(percent_decode(path), true);
  endpoint.amazon = is_amazon_host(endpoint.host);
  return endpoint;
}

Endpoint amazon_endpoint(std::string_view region) {
  const bool china = region.starts_with("cn-");
  return Endpoint{.tls = true,
                  .host = "s3." + std::string(region) + ".amazonaws.com" + (china ? ".cn" : ""),
                  .port = 0,
                  .path = {},
                  .amazon = true};
}

bool is_amazon_host(std::string_view host) {
  return host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
}

bool wants_equal_parts(std::string_view host) {
  return host.ends_with(".r2.cloudflarestorage.com");
}

Target resolve_target(const Endpoint& endpoint, Addressing addressing, std::string_view bucket,
                      std::string_view key) {
  Target target;
  target.scheme = endpoint.tls ? "https" : "http";
  std::string host = endpoint.host;
  if (endpoint.port) host += ":" + std::to_string(endpoint.port);
  const bool in_host = !bucket.empty() && !is_address(endpoint.host) &&
                       (addressing == Addressing::virtual_host ||
                        (addressing == Addressing::automatic && endpoint.amazon &&
                         is_virtual_host_bucket(bucket, endpoint.tls)));
  target.host = in_host ? std::string(bucket) + "." + host : host;
  target.path = endpoint.path;
  if (!in_host && !bucket.empty()) target.path += "/" + percent_encode(bucket, false);
  target.path += "/" + percent_encode(key, true);
  // A bucket itself is addressed without the last slash: some stores are strict about it.
  if (!in_host && !bucket.empty() && key.empty()) target.path.pop_back();
  return target;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash)) {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result += '%';
      result += kDigits[byte >> 4];
      result += kDigits[byte & 15];
    }
  }
  return result;
}

std::string percent_decode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && text.size() - i > 2) {
      const char* digits = text.data() + i + 1;
      const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
      if (error == std::errc() && end == digits + 2) {
        result += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    result += text[i];
  }
  return result;
}

}  // namespace clips::s3
