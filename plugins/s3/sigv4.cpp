// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sigv4.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "digest.hpp"
#include "text.hpp"

namespace clips::s3 {

namespace {

// Those that decide what the request means. Others are changed on the way by libcurl or proxies.
bool is_signed(std::string_view lower_name) {
  constexpr std::array<std::string_view, 5> kNames = {"content-md5", "content-type", "date", "host",
                                                      "range"};
  return lower_name.starts_with("x-amz-") ||
         std::find(kNames.begin(), kNames.end(), lower_name) != kNames.end();
}

// Trimmed, and runs of inner blanks made one.
std::string canonical_value(std::string_view value) {
  std::string result;
  for (const char c : trim(value)) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && !result.empty() && result.back() == ' ') continue;
    result += blank ? ' ' : c;
  }
  return result;
}

std::string_view as_text(const Sha256& sum) {
  return {reinterpret_cast<const char*>(sum.data()), sum.size()};
}

Sha256 hmac(std::string_view key, std::string_view text) {
  return hmac_sha256({reinterpret_cast<const unsigned char*>(key.data()), key.size()}, text);
}

}  // namespace

std::string canonical_query(const QueryParameters& parameters) {
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(parameters.size());
  for (const auto& [name, value] : parameters) {
    encoded.emplace_back(percent_encode(name, false), percent_encode(value, false));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string result;
  for (const auto& [name, value] : encoded) {
    if (!result.empty()) result += '&';
    result += name + "=" + value;
  }
  return result;
}

std::string iso_basic_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d%02u%02uT%02d%02d%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

std::optional<WallTime> parse_iso_time(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute,
                  &second, &used) != 6) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return std::nullopt;
  }
  WallTime time = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                  std::chrono::minutes(minute) + std::chrono::seconds(second);
  std::string_view rest = std::string_view(copy).substr(static_cast<std::size_t>(used));
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    const auto digits = rest.find_first_not_of("0123456789");
    rest = digits == std::string_view::npos ? "" : rest.substr(digits);
  }
  if (rest.empty() || rest == "Z") return time;
  int offset_hour = 0, offset_minute = 0;
  char sign = 0;
  if (std::sscanf(std::string(rest).c_str(), "%c%2d:%2d", &sign, &offset_hour, &offset_minute) !=
          3 ||
      (sign != '+' && sign != '-') || offset_hour < 0 || offset_minute < 0) {
    return std::nullopt;
  }
  const auto offset = std::chrono::hours(offset_hour) + std::chrono::minutes(offset_minute);
  return sign == '+' ? time - offset : time + offset;
}

Headers sign(const SigningInput& input, const Credentials& credentials) {
  const std::string time = iso_basic_time(input.time);
  const std::string date = time.substr(0, 8);
  Headers added;
  added.push_back({"x-amz-date", time});
  if (input.service == "s3") {
    added.push_back({"x-amz-content-sha256", std::string(input.payload_hash)});
  }
  if (!credentials.session_token.empty()) {
    added.push_back({"x-amz-security-token", credentials.session_token});
  }

  // A map sorts by name alone, as asked for; libcurl's own signer sorts whole lines and gets names
  // wrong that begin alike.
  std::map<std::string, std::string> canonical;
  canonical["host"] = canonical_value(input.host);
  const auto add = [&](const Header& header) {
    std::string name = to_lower(header.name);
    if (!is_signed(name)) return;
    const auto [place, fresh] = canonical.try_emplace(name, canonical_value(header.value));
    if (!fresh && name != "host") place->second += "," + canonical_value(header.value);
  };
  if (input.headers) std::for_each(input.headers->begin(), input.headers->end(), add);
  std::for_each(added.begin(), added.end(), add);

  std::string header_lines, signed_names;
  for (const auto& [name, value] : canonical) {
    header_lines += name + ":" + value + "\n";
    if (!signed_names.empty()) signed_names += ';';
    signed_names += name;
  }
  std::string request;
  request.append(input.method).append("\n").append(input.path).append("\n");
  request.append(input.query).append("\n").append(header_lines).append("\n");
  request.append(signed_names).append("\n").append(input.payload_hash);

  const std::string scope =
      date + "/" + std::string(input.region) + "/" + std::string(input.service) + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + sha256_hex(request);
  const Sha256 date_key = hmac("AWS4" + credentials.secret_key, date);
  const Sha256 region_key = hmac(as_text(date_key), input.region);
  const Sha256 service_key = hmac(as_text(region_key), input.service);
  const Sha256 signing_key = hmac(as_text(service_key), "aws4_request");
  const Sha256 signature = hmac(as_text(signing_key), to_sign);

  added.push_back({"Authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" +
                                        scope + ",SignedHeaders=" + signed_names +
                                        ",Signature=" + to_hex(signature)});
  return added;
}

}  // namespace clips::s3
