// SPDX-License-Identifier: LGPL-2.1-or-later
#include "failure.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>

#include "text.hpp"
#include "uri.hpp"
#include "xml.hpp"

namespace clips::s3 {

namespace {

struct KnownCode {
  std::string_view code;
  ErrorKind kind;
  Remedy remedy;
  std::string_view reason;  // empty: the store's own message
};

constexpr std::array kKnownCodes = {
    KnownCode{"AccessDenied", ErrorKind::not_authorized, Remedy::none,
              "access denied; check the keys and what they are allowed to do"},
    KnownCode{"AccountProblem", ErrorKind::not_authorized, Remedy::none, ""},
    KnownCode{"AllAccessDisabled", ErrorKind::not_authorized, Remedy::none, ""},
    KnownCode{"InvalidAccessKeyId", ErrorKind::not_authorized, Remedy::none,
              "the store does not know the access key"},
    KnownCode{"SignatureDoesNotMatch", ErrorKind::not_authorized, Remedy::none,
              "the secret access key is wrong"},
    KnownCode{"ExpiredToken", ErrorKind::not_authorized, Remedy::credentials,
              "the session token has expired; get new temporary credentials"},
    KnownCode{"ExpiredTokenException", ErrorKind::not_authorized, Remedy::credentials,
              "the session token has expired; get new temporary credentials"},
    KnownCode{"TokenRefreshRequired", ErrorKind::not_authorized, Remedy::credentials,
              "the session token has expired; get new temporary credentials"},
    KnownCode{"InvalidToken", ErrorKind::not_authorized, Remedy::credentials,
              "the session token is not valid; get new temporary credentials"},
    KnownCode{"RequestTimeTooSkewed", ErrorKind::not_authorized, Remedy::clock,
              "this machine's clock differs too much from the store's; set it right"},
    KnownCode{"RequestExpired", ErrorKind::not_authorized, Remedy::clock,
              "this machine's clock differs too much from the store's; set it right"},
    KnownCode{"NoSuchBucket", ErrorKind::no_such_bucket, Remedy::none, "there is no such bucket"},
    KnownCode{"NoSuchKey", ErrorKind::not_found, Remedy::none, "there is no such object"},
    KnownCode{"NoSuchVersion", ErrorKind::not_found, Remedy::none,
              "there is no such version of the object"},
    KnownCode{"NoSuchUpload", ErrorKind::not_found, Remedy::none,
              "the store does not know the upload any more; something else ended it"},
    KnownCode{"PreconditionFailed", ErrorKind::precondition, Remedy::none,
              "a condition of the request does not hold"},
    KnownCode{"ConditionalRequestConflict", ErrorKind::conflict, Remedy::none,
              "another writer was faster; start again"},
    KnownCode{"OperationAborted", ErrorKind::conflict, Remedy::retry,
              "another operation on the same object is in progress"},
    KnownCode{"InvalidRange", ErrorKind::range, Remedy::none,
              "the range lies outside of the object"},
    KnownCode{"QuotaExceeded", ErrorKind::no_space, Remedy::none, "the store's quota is used up"},
    KnownCode{"EntityTooLarge", ErrorKind::no_space, Remedy::none,
              "the object is larger than the store takes"},
    KnownCode{"InvalidObjectState", ErrorKind::not_authorized, Remedy::none,
              "the object is archived; restore it first"},
    KnownCode{"RequestTimeout", ErrorKind::timeout, Remedy::retry, "the request took too long"},
    KnownCode{"SlowDown", ErrorKind::server, Remedy::retry, "the store is overloaded"},
    KnownCode{"Throttling", ErrorKind::server, Remedy::retry, "the store is overloaded"},
    KnownCode{"ThrottlingException", ErrorKind::server, Remedy::retry, "the store is overloaded"},
    KnownCode{"RequestLimitExceeded", ErrorKind::server, Remedy::retry, "the store is overloaded"},
    KnownCode{"ServiceUnavailable", ErrorKind::server, Remedy::retry, "the store is not available"},
    KnownCode{"InternalError", ErrorKind::server, Remedy::retry, "the store failed internally"},
    KnownCode{"BadDigest", ErrorKind::protocol, Remedy::retry,
              "the data were damaged on the way to the store"},
    KnownCode{"XAmzContentSHA256Mismatch", ErrorKind::protocol, Remedy::retry,
              "the data were damaged on the way to the store"},
    KnownCode{"AuthorizationHeaderMalformed", ErrorKind::settings, Remedy::region,
              "the region is wrong; set region to the bucket's"},
    KnownCode{"IllegalLocationConstraintException", ErrorKind::settings, Remedy::region,
              "the region is wrong; set region to the bucket's"},
    KnownCode{"IncorrectEndpoint", ErrorKind::settings, Remedy::region,
              "the bucket is in another region"},
    KnownCode{"PermanentRedirect", ErrorKind::settings, Remedy::region,
              "the bucket has to be addressed elsewhere; set region or endpoint-uri"},
    KnownCode{"TemporaryRedirect", ErrorKind::settings, Remedy::region,
              "the bucket has to be addressed elsewhere; set region or endpoint-uri"},
    KnownCode{"Redirect", ErrorKind::settings, Remedy::region,
              "the bucket has to be addressed elsewhere; set region or endpoint-uri"},
};

struct ByStatus {
  ErrorKind kind;
  Remedy remedy;
  std::string_view reason;
};

ByStatus judge_status(int status) {
  switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
      return {ErrorKind::settings, Remedy::region,
              "the bucket has to be addressed elsewhere; set region or endpoint-uri"};
    case 401:
    case 403:
      return {ErrorKind::not_authorized, Remedy::none,
              "access denied; check the keys and what they are allowed to do"};
    case 404:
      return {ErrorKind::not_found, Remedy::none, "there is no such object"};
    case 407:
      return {ErrorKind::connection, Remedy::none, "the proxy asks for a password"};
    case 408:
    case 425:
      return {ErrorKind::timeout, Remedy::retry, "the request took too long"};
    case 409:
      return {ErrorKind::conflict, Remedy::none, "another writer was faster; start again"};
    case 412:
      return {ErrorKind::precondition, Remedy::none, "a condition of the request does not hold"};
    case 413:
      return {ErrorKind::no_space, Remedy::none, "the object is larger than the store takes"};
    case 416:
      return {ErrorKind::range, Remedy::none, "the range lies outside of the object"};
    case 429:
      return {ErrorKind::server, Remedy::retry, "the store is overloaded"};
    case 501:
      return {ErrorKind::settings, Remedy::none, "the store does not offer what was asked for"};
    case 503:
      return {ErrorKind::server, Remedy::retry, "the store is overloaded or not available"};
    case 507:
      return {ErrorKind::no_space, Remedy::none, "the store is full"};
    default:
      break;
  }
  if (status >= 500) return {ErrorKind::server, Remedy::retry, "the store failed internally"};
  return {ErrorKind::protocol, Remedy::none, "the store refused the request"};
}

// A failure below HTTP.
Failure judge_exchange(const HttpReply& reply, const FailureContext& context) {
  Failure failure;
  Error& error = failure.error;
  error.detail = printable(reply.failure_text);
  failure.remedy = Remedy::retry;
  const std::string host = "\"" + context.host + "\"";
  switch (reply.failure) {
    case HttpFailure::resolve:
      error.kind = ErrorKind::connection;
      error.reason = "the host name " + host + " cannot be resolved; check endpoint-uri and region";
      break;
    case HttpFailure::connect:
      error.kind = ErrorKind::connection;
      error.reason = "no connection to " + host + "; check endpoint-uri and the network";
      break;
    case HttpFailure::proxy:
      error.kind = ErrorKind::connection;
      error.reason = "the proxy named in the environment does not work";
      // What libcurl says may quote the proxy's address, and with it a password.
      error.detail.clear();
      break;
    case HttpFailure::tls:
      error.kind = ErrorKind::tls;
      error.reason =
          "the certificate of " + host + " is not trusted; set ca-file if it is your own";
      failure.remedy = Remedy::none;
      break;
    case HttpFailure::timeout:
      error.kind = ErrorKind::timeout;
      error.reason = host + " did not answer in time";
      break;
    case HttpFailure::settings:
      error.kind = ErrorKind::settings;
      error.reason = "the connection cannot be set up; check endpoint-uri and ca-file";
      failure.remedy = Remedy::none;
      break;
    case HttpFailure::refused:
    case HttpFailure::cancelled:
      error.kind = ErrorKind::cancelled;
      error.reason = "cancelled";
      failure.remedy = Remedy::none;
      break;
    case HttpFailure::none:
    case HttpFailure::broken:
      error.kind = ErrorKind::connection;
      error.reason = "the connection to " + host + " broke";
      break;
  }
  return failure;
}

// The `Y` of "... the region 'X' is wrong; expecting 'Y'".
std::string expected_region(std::string_view message) {
  constexpr std::string_view kMark = "expecting '";
  const auto begin = message.find(kMark);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = message.substr(begin + kMark.size());
  return std::string(rest.substr(0, rest.find('\'')));
}

std::string origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return std::string(url.substr(0, url.find_first_of("/?#", scheme + 3)));
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
  const std::string copy(text);
  const time_t time = curl_getdate(copy.c_str(), nullptr);
  if (time < 0) return std::nullopt;
  return WallTime(std::chrono::seconds(time));
}

Failure judge(const HttpReply& reply, const FailureContext& context, bool body_is_error) {
  const bool answered = reply.status >= 300 || body_is_error;
  // A reply that says no and then breaks off has said no.
  if (!answered) return judge_exchange(reply, context);

  Failure failure;
  Error& error = failure.error;
  const ByStatus by_status = judge_status(body_is_error ? 400 : reply.status);
  error.kind = by_status.kind;
  failure.remedy = by_status.remedy;
  std::string reason(by_status.reason);
  error.http_status = reply.status;
  error.request_id = printable(find_header(reply.headers, "x-amz-request-id"), 128);
  std::string message;
  if (const auto document = parse_xml(reply.body)) {
    const XmlElement* root = &*document;
    // The shape of STS and other query services: <ErrorResponse><Error>.
    if (const XmlElement* inner = root->child("Error")) root = inner;
    if (root->name == "Error") {
      error.s3_code = printable(root->child_text("Code"), 80);
      message = printable(root->child_text("Message"));
      if (error.request_id.empty()) {
        error.request_id = printable(root->child_text("RequestId"), 128);
      }
      failure.region = root->child_text("Region");
      if (failure.region.empty()) failure.region = expected_region(message);
      const std::string_view endpoint = root->child_text("Endpoint");
      // <Endpoint> is a host; the scheme stays.
      if (!endpoint.empty()) failure.host = endpoint;
    }
  }
  if (error.s3_code.empty() && reply.status == 404 && !context.versioned) {
    // A HEAD reply has no body to say which.
    reason = context.bucket.empty() ? "there is nothing" : "there is no such object or bucket";
  }
  const auto known =
      std::find_if(kKnownCodes.begin(), kKnownCodes.end(),
                   [&](const KnownCode& entry) { return entry.code == error.s3_code; });
  if (known != kKnownCodes.end()) {
    error.kind = known->kind;
    failure.remedy = known->remedy;
    reason = known->reason.empty() ? message : known->reason;
  } else if (!message.empty() && by_status.kind == ErrorKind::protocol) {
    reason = "the store refused the request: " + message;
    if (reason.ends_with('.')) reason.pop_back();
  }
  if (error.kind == ErrorKind::no_such_bucket) {
    reason = "there is no bucket \"" + context.bucket + "\" at " + context.host;
  }
  const std::string_view header_region = find_header(reply.headers, "x-amz-bucket-region");
  if (!header_region.empty() && failure.remedy == Remedy::region) failure.region = header_region;
  if (failure.remedy == Remedy::region && reply.status >= 300 && reply.status < 400) {
    const std::string origin = origin_of(find_header(reply.headers, "Location"));
    if (!origin.empty()) failure.host = origin;
  }
  failure.server_time = parse_http_date(find_header(reply.headers, "Date"));
  if (error.kind == ErrorKind::not_authorized && failure.remedy == Remedy::none &&
      error.s3_code.empty() && failure.server_time) {
    // A reply without a body cannot name the cause, but its date can.
    const auto off = *failure.server_time - context.now;
    if (off > std::chrono::minutes(10) || off < -std::chrono::minutes(10)) {
      failure.remedy = Remedy::clock;
    }
  }
  failure.throttled = reply.status == 429 || reply.status == 503 || error.s3_code == "SlowDown";
  if (const auto seconds = parse_uint(find_header(reply.headers, "Retry-After"))) {
    failure.retry_after = std::chrono::seconds(std::min<std::uint64_t>(*seconds, 3600));
  }
  if (!failure.region.empty() && !is_region_name(failure.region)) failure.region.clear();

  error.reason = reason + " (" + std::to_string(reply.status);
  if (!error.s3_code.empty()) error.reason += " " + error.s3_code;
  error.reason += ")";
  error.detail = "HTTP status " + std::to_string(reply.status);
  if (!error.s3_code.empty()) error.detail += ", code " + error.s3_code;
  if (!message.empty()) error.detail += ", message: " + message;
  if (!error.request_id.empty()) error.detail += ", request id " + error.request_id;
  error.detail += ", host " + context.host;
  return failure;
}

std::chrono::milliseconds backoff(unsigned attempt, bool throttled, unsigned chance) {
  constexpr unsigned kLongest = 10'000;
  const unsigned base = throttled ? 200 : 50;
  const unsigned doubled = std::min(kLongest, base << std::min(attempt, 12U));
  return std::chrono::milliseconds(doubled / 2 + doubled * (chance & 1023) / 2048);
}

}  // namespace clips::s3
