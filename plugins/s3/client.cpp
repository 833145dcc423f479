// SPDX-License-Identifier: LGPL-2.1-or-later
#include "client.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "common/thread_annotations.hpp"
#include "credentials.hpp"
#include "digest.hpp"
#include "failure.hpp"
#include "profile.hpp"
#include "sigv4.hpp"
#include "text.hpp"
#include "transport.hpp"
#include "xml.hpp"

namespace clips::s3 {

namespace {

using Clock = Transport::Clock;

constexpr std::string_view kDefaultRegion = "us-east-1";
constexpr std::string_view kDefaultContentType = "application/octet-stream";
constexpr std::string_view kUserAgent = "gst-plugins-clips";
// An endpoint that never answered is more likely misspelt than busy: the user should hear soon.
constexpr auto kFirstContactBudget = std::chrono::seconds(5);
constexpr auto kRefreshAhead = std::chrono::minutes(5);
constexpr auto kExpiryMargin = std::chrono::seconds(15);
constexpr auto kRefreshPause = std::chrono::seconds(30);
constexpr auto kCommandDeadline = std::chrono::seconds(60);
constexpr int kMostRedirects = 3;
// What takes back an upload, or finds out what became of one, is tried more often than anything
// else: the user may have asked for few attempts, but not for what they would leave behind.
constexpr unsigned kPatientAttempts = 12;
constexpr auto kTakeBackBudget = std::chrono::seconds(30);
constexpr auto kFindOutBudget = std::chrono::seconds(10);
constexpr std::size_t kLargestKey = 1024;

WallTime wall_now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Error cancelled_error() {
  return {.kind = ErrorKind::cancelled, .reason = "cancelled"};
}

Error protocol_error(std::string reason) {
  return {.kind = ErrorKind::protocol, .reason = std::move(reason)};
}

bool same_keys(const Credentials& a, const Credentials& b) {
  return a.access_key == b.access_key && a.secret_key == b.secret_key &&
         a.session_token == b.session_token;
}

// What one request is, whatever happens to it.
struct Spec {
  std::string method;
  std::string bucket;
  std::string key;
  bool versioned = false;
  QueryParameters query;
  Headers headers;
  Body body;
  std::string payload_hash;
  bool error_in_success = false;  // a reply 200 may hold an <Error>
  bool slow_reply = false;        // the store may think for minutes
  // Instead of the configured one, and with kPatientAttempts.
  std::optional<std::chrono::nanoseconds> patience;
  // Called before each attempt, to add what depends on those before it.
  std::function<void(HttpRequest&)> prepare;
  // Did bytes arrive since it was asked last? A long transfer that gets on may stumble often.
  std::function<bool()> progressed;
};

// The first request of a call comes from any thread. The next one comes from the completion of the
// one before and begins at once, so that cancel() never finds the call between the two.
enum class Step { first, next };

struct Call {
  CallId id = 0;
  Spec spec;
  std::function<void(Result<HttpReply>)> done;
  unsigned attempts = 0;
  std::optional<Clock::time_point> first_failure;
  int redirects = 0;
  bool clock_corrected = false;
  bool perhaps_done = false;     // an attempt ended without saying whether the store acted
  std::optional<Error> refused;  // by the store, for its credentials
  std::optional<Credentials> used;
  Transport::Id transfer = 0;
  Transport::Id timer = 0;
};

// Where a bucket lives, once the store has corrected us.
struct Home {
  std::string region;
  Endpoint endpoint;
  Addressing addressing;

  friend bool operator==(const Home&, const Home&) = default;
};

ObjectInfo info_of(const HttpReply& reply) {
  ObjectInfo info;
  info.headers = reply.headers;
  info.etag = find_header(reply.headers, "ETag");
  info.version_id = find_header(reply.headers, "x-amz-version-id");
  info.content_type = find_header(reply.headers, "Content-Type");
  info.length = parse_uint(find_header(reply.headers, "Content-Length")).value_or(0);
  info.size = info.length;
  return info;
}

Stored stored_of(const HttpReply& reply) {
  return {.etag = std::string(find_header(reply.headers, "ETag")),
          .version_id = std::string(find_header(reply.headers, "x-amz-version-id")),
          .headers = reply.headers};
}

std::string unquoted(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return to_lower(etag);
}

// "bytes 0-99/1234"
struct ContentRange {
  std::uint64_t first, last, size;
};
std::optional<ContentRange> parse_content_range(std::string_view text) {
  text = trim(text);
  if (!equal_ignoring_case(text.substr(0, 6), "bytes ")) return std::nullopt;
  text = trim(text.substr(6));
  const auto dash = text.find('-');
  const auto slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  const auto first = parse_uint(text.substr(0, dash));
  const auto last = parse_uint(text.substr(dash + 1, slash - dash - 1));
  const auto size = parse_uint(text.substr(slash + 1));
  if (!first || !last || !size || *first > *last || *last >= *size) return std::nullopt;
  return ContentRange{*first, *last, *size};
}

// A GET in several attempts: what has come so far.
struct Download {
  GetObject request;
  bool without_range = false;
  std::uint64_t received = 0;
  std::uint64_t told = 0;
  std::optional<ObjectInfo> info;
  std::string etag;  // the one that all attempts must meet
  std::optional<Error> stopped;

  std::uint64_t offset() const { return request.range ? request.range->offset : 0; }

  void prepare(HttpRequest& http) {
    const bool ranged = (request.range && !without_range) || received;
    if (ranged) {
      std::string value = "bytes=" + std::to_string(offset() + received) + "-";
      if (request.range) value += std::to_string(offset() + request.range->length - 1);
      http.headers.push_back({"Range", value});
    }
    const std::string& match = etag.empty() ? request.if_match : etag;
    if (!match.empty()) http.headers.push_back({"If-Match", match});
  }

  bool stop(Error error) {
    stopped = std::move(error);
    return false;
  }

  bool on_headers(int status, const Headers& headers) {
    if (status != 200 && status != 206) return true;
    HttpReply reply;
    reply.headers = headers;
    ObjectInfo fresh = info_of(reply);
    if (status == 206) {
      const auto range = parse_content_range(find_header(headers, "Content-Range"));
      if (!range || range->first != offset() + received) {
        return stop(protocol_error("the store answered with another range than asked for"));
      }
      fresh.size = range->size;
      fresh.offset = offset();
      fresh.length = range->last + 1 - offset();
    } else if (received || offset()) {
      return stop(protocol_error("the store does not serve ranges of the object"));
    } else if (request.range) {
      fresh.length = std::min(fresh.size, request.range->length);
    }
    if (!etag.empty() && !fresh.etag.empty() && fresh.etag != etag) {
      return stop({.kind = ErrorKind::changed,
                   .reason = "the object was replaced while it was being read"});
    }
    if (!info) {
      etag = fresh.etag;
      info = std::move(fresh);
    }
    return true;
  }

  bool on_data(std::span<const std::byte> data) {
    // A store that ignores the range sends more than was asked for.
    const std::uint64_t left = info->length - std::min(info->length, received);
    const auto taken =
        data.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, data.size())));
    const std::uint64_t at = received;
    received += taken.size();
    if (!taken.empty() && request.sink && !request.sink(at, taken)) {
      return stop(cancelled_error());
    }
    return taken.size() == data.size();
  }

  bool progressed() { return std::exchange(told, received) != received; }
};

}  // namespace

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (equal_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

std::uint64_t Body::size() const {
  std::uint64_t total = 0;
  for (const auto& piece : pieces) total += piece.size();
  return total;
}

Body Body::of(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  const std::span data(reinterpret_cast<const std::byte*>(owner->data()), owner->size());
  return {.pieces = {data}, .owner = owner};
}

// Everything below begin() runs on the I/O thread, one thing after the other: no locks.
class Client::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Config config, Environment environment, Home home)
      : config_(std::move(config)),
        environment_(std::move(environment)),
        home_(std::move(home)),
        transport_(std::make_unique<Transport>(config_.max_bandwidth)) {}

  void shut_down() {
    stopping_ = true;
    std::promise<void> settled;
    transport_->post([&] {
      cancel_before(next_call_);
      end_fetch();
      settled.set_value();
    });
    settled.get_future().wait();
    // From here on no search begins.
    if (searcher_.joinable()) searcher_.join();
    transport_.reset();
  }

  CallId begin(Spec spec, std::function<void(Result<HttpReply>)> done) {
    const CallId id = next_call_++;
    submit(Step::first, id, std::move(spec), std::move(done));
    return id;
  }

  void submit(Step step, CallId id, Spec spec, std::function<void(Result<HttpReply>)> done) {
    if (spec.payload_hash.empty()) spec.payload_hash = payload_hash(spec.body);
    auto call = std::make_shared<Call>();
    call->id = id;
    call->spec = std::move(spec);
    call->done = std::move(done);
    if (step == Step::next) return accept(call);
    transport_->post([this, call] { accept(call); });
  }

  void cancel(CallId id) {
    transport_->post([this, id] {
      const auto found = calls_.find(id);
      if (found != calls_.end()) finish(found->second, tl::unexpected(cancelled_error()));
    });
  }

  void cancel_all() {
    const CallId bound = next_call_;
    transport_->post([this, bound] { cancel_before(bound); });
  }

  ClientStats stats() {
    MutexLock lock(stats_mutex_);
    return stats_;
  }

  const Endpoint& endpoint() const { return home_.endpoint; }

  bool is_hashed() const {
    return config_.payload_signing == PayloadSigning::always ||
           (config_.payload_signing == PayloadSigning::automatic && !home_.endpoint.tls);
  }

  std::string payload_hash(const Body& body) const {
    static const std::string empty = sha256_hex(std::string_view());
    if (body.size() == 0) return empty;
    if (!is_hashed()) return std::string(kUnsignedPayload);
    return body.sha256.empty() ? sha256_hex(body) : body.sha256;
  }

  Spec object_spec(std::string method, const ObjectName& object, Headers headers = {}) const {
    Spec spec;
    spec.method = std::move(method);
    spec.bucket = object.bucket;
    spec.key = object.key;
    spec.headers = std::move(headers);
    spec.versioned = !object.version_id.empty();
    if (spec.versioned) spec.query.emplace_back("versionId", object.version_id);
    return spec;
  }

  void run_download(Step step, CallId id, std::shared_ptr<Download> download,
                    Completion<ObjectInfo> done);
  void find_out(CallId id, const ObjectName& object, Completion<ObjectInfo> done);
  void list_uploads(Step step, CallId id, std::string bucket, std::string prefix,
                    std::vector<Upload> so_far, std::string key_marker, std::string id_marker,
                    Completion<std::vector<Upload>> done);
  CallId reserve() { return next_call_++; }
  std::chrono::nanoseconds take_back_budget() const {
    return std::max<std::chrono::nanoseconds>(config_.retry_budget, kTakeBackBudget);
  }

 private:
  friend class Client;
  using CallPtr = std::shared_ptr<Call>;

  void log(LogLevel level, const std::string& text) const {
    if (config_.log) config_.log(level, text);
  }

  void cancel_before(CallId bound) {
    while (!calls_.empty() && calls_.begin()->first < bound) {
      finish(calls_.begin()->second, tl::unexpected(cancelled_error()));
    }
  }

  std::optional<Error> fault_of(const Spec& spec) const {
    const auto wrong = [](std::string reason) {
      return Error{.kind = ErrorKind::settings, .reason = std::move(reason)};
    };
    if (!is_bucket_name(spec.bucket)) {
      return wrong("\"" + printable(spec.bucket, 80) + "\" is not the name of a bucket");
    }
    if (spec.key.size() > kLargestKey) return wrong("the key is longer than 1024 bytes");
    for (const Header& header : spec.headers) {
      // A line end in a value would start a header of its own.
      if (has_control_characters(header.name) || has_control_characters(header.value) ||
          header.name.empty() || header.name.find_first_of(": ") != std::string::npos) {
        return wrong("the header " + printable(header.name, 60) + " has a malformed value");
      }
    }
    return std::nullopt;
  }

  void accept(const CallPtr& call) {
    if (stopping_) return call->done(tl::unexpected(cancelled_error()));
    if (auto fault = fault_of(call->spec)) return call->done(tl::unexpected(std::move(*fault)));
    calls_.emplace(call->id, call);
    with_credentials(call);
  }

  // By value: the reference may be the one of the map.
  void finish(CallPtr call, Result<HttpReply> result) {
    if (calls_.erase(call->id) == 0) return;
    if (call->transfer) transport_->cancel(call->transfer);
    if (call->timer) transport_->drop_timer(call->timer);
    const auto done = std::move(call->done);
    call->spec = {};
    done(std::move(result));
  }

  WallTime store_now() const { return wall_now() + skew_; }

  // --- credentials

  bool usable(const Credentials& credentials) const {
    return !credentials.expiry || *credentials.expiry > store_now() + kExpiryMargin;
  }

  void with_credentials(const CallPtr& call) {
    if (config_.anonymous) return attempt(call);
    if (credentials_ && usable(*credentials_)) {
      const bool ageing =
          credentials_->expiry && *credentials_->expiry < store_now() + kRefreshAhead;
      if (ageing && Clock::now() >= next_refresh_) search();
      return attempt(call);
    }
    waiting_.push_back(call);
    search();
  }

  void search() {
    if (searching_ || stopping_) return;
    searching_ = true;
    next_refresh_ = Clock::now() + kRefreshPause;
    if (searcher_.joinable()) searcher_.join();  // it has posted its result: it is ending
    CredentialContext context;
    context.environment = environment_;
    context.fetch = [this](HttpRequest request) { return fetch(std::move(request)); };
    context.run = [this](const std::vector<std::string>& words) {
      return run_command(words, kCommandDeadline, [this] { return stopping_.load(); });
    };
    context.now = [skew = skew_] { return wall_now() + skew; };
    context.log = config_.log;
    context.region = home_.region;
    // Off the I/O thread: files, programs and several services in turn may be asked.
    searcher_ = std::thread([this, context = std::move(context)] {
      Result<Credentials> found = [&]() -> Result<Credentials> {
        try {
          return find_credentials(config_, context);
        } catch (const std::exception& e) {
          return tl::unexpected(Error{.kind = ErrorKind::credentials,
                                      .reason = "the search for credentials failed",
                                      .detail = e.what()});
        }
      }();
      transport_->post([this, found = std::move(found)] { found_credentials(found); });
    });
  }

  // For the searching thread; waits.
  HttpReply fetch(HttpRequest request) {
    auto promise = std::make_shared<std::promise<HttpReply>>();
    auto future = promise->get_future();
    transport_->post([this, promise, request = std::move(request)]() mutable {
      if (stopping_) {
        promise->set_value(HttpReply{.failure = HttpFailure::cancelled});
        return;
      }
      fetching_ = promise;
      fetch_ = transport_->start(std::move(request), [this](HttpReply reply) {
        fetch_ = 0;
        std::exchange(fetching_, nullptr)->set_value(std::move(reply));
      });
    });
    return future.get();
  }

  void end_fetch() {
    if (!fetching_) return;
    transport_->cancel(std::exchange(fetch_, 0));
    std::exchange(fetching_, nullptr)->set_value(HttpReply{.failure = HttpFailure::cancelled});
  }

  void found_credentials(const Result<Credentials>& found) {
    searching_ = false;
    if (found) {
      credentials_ = *found;
      next_refresh_ = Clock::time_point::min();
      log(LogLevel::debug, credentials_->expiry ? "got temporary credentials" : "got credentials");
    } else {
      log(LogLevel::warning, "no credentials: " + found.error().reason);
    }
    for (const CallPtr& call : std::exchange(waiting_, {})) {
      if (!calls_.contains(call->id)) continue;
      if (!found) {
        finish(call, tl::unexpected(call->refused.value_or(found.error())));
      } else if (call->refused && call->used && same_keys(*call->used, *credentials_)) {
        finish(call, tl::unexpected(*call->refused));
      } else {
        attempt(call);
      }
    }
  }

  // --- attempts

  const Home& home_of(const std::string& bucket) const {
    const auto found = homes_.find(bucket);
    return found == homes_.end() ? home_ : found->second;
  }

  void attempt(const CallPtr& call) {
    const Spec& spec = call->spec;
    const Home& home = home_of(spec.bucket);
    const Target target = resolve_target(home.endpoint, home.addressing, spec.bucket, spec.key);
    const std::string query = canonical_query(spec.query);
    HttpRequest http;
    http.method = spec.method;
    http.url = target.url() + (query.empty() ? "" : "?" + query);
    http.headers = spec.headers;
    http.headers.push_back({"User-Agent", std::string(kUserAgent)});
    http.body = spec.body;
    http.ca_file = config_.ca_file;
    http.connect_timeout = config_.connect_timeout;
    http.stall_timeout = spec.slow_reply ? config_.reply_timeout : config_.stall_timeout;
    if (spec.prepare) spec.prepare(http);
    if (!config_.anonymous) {
      call->used = credentials_;
      const Headers added = sign({.method = spec.method,
                                  .host = target.host,
                                  .path = target.path,
                                  .query = query,
                                  .headers = &http.headers,
                                  .payload_hash = spec.payload_hash,
                                  .region = home.region,
                                  .time = store_now()},
                                 *credentials_);
      http.headers.insert(http.headers.end(), added.begin(), added.end());
    }
    ++call->attempts;
    {
      MutexLock lock(stats_mutex_);
      ++stats_.requests;
    }
    const std::string_view range = find_header(http.headers, "Range");
    log(LogLevel::debug,
        spec.method + " " + http.url + (range.empty() ? "" : " ") + std::string(range));
    const CallId id = call->id;
    call->transfer = transport_->start(std::move(http), [this, id](HttpReply reply) {
      const auto found = calls_.find(id);
      if (found != calls_.end()) replied(CallPtr(found->second), std::move(reply));
    });
  }

  void replied(const CallPtr& call, HttpReply reply) {
    call->transfer = 0;
    {
      MutexLock lock(stats_mutex_);
      stats_.bytes_sent += reply.sent;
      stats_.bytes_received += reply.received;
    }
    if (reply.status) answered_ = true;
    if (reply.failure == HttpFailure::cancelled) {
      return finish(call, tl::unexpected(cancelled_error()));
    }
    if (reply.failure == HttpFailure::refused) return finish(call, std::move(reply));
    const bool success =
        reply.failure == HttpFailure::none && reply.status >= 200 && reply.status < 300;
    bool error_inside = false;
    if (success && call->spec.error_in_success) {
      const auto document = parse_xml(reply.body);
      error_inside = document && document->name == "Error";
      // Blanks keep the connection alive while the store works; then it may break off.
      if (!document) reply.failure = HttpFailure::broken;
    }
    if (success && !error_inside && reply.failure == HttpFailure::none) {
      return finish(call, std::move(reply));
    }
    const Home& home = home_of(call->spec.bucket);
    if (reply.failure == HttpFailure::broken && success) reply.status = 0;
    if (reply.status == 0 &&
        (reply.failure == HttpFailure::broken || reply.failure == HttpFailure::timeout)) {
      call->perhaps_done = true;
    }
    Failure failure = judge(reply,
                            {.host = home.endpoint.host,
                             .bucket = call->spec.bucket,
                             .versioned = call->spec.versioned,
                             .now = store_now()},
                            error_inside);
    act_on(call, std::move(failure));
  }

  void act_on(const CallPtr& call, Failure failure) {
    switch (failure.remedy) {
      case Remedy::credentials:
        if (!call->refused && !config_.anonymous) {
          call->refused = failure.error;
          if (credentials_ && call->used && same_keys(*credentials_, *call->used)) {
            credentials_.reset();
          }
          log(LogLevel::info, "the credentials have expired, looking for new ones");
          return with_credentials(call);
        }
        break;
      case Remedy::clock:
        if (!call->clock_corrected && failure.server_time) {
          call->clock_corrected = true;
          skew_ = *failure.server_time - wall_now();
          log(LogLevel::warning, "this machine's clock is " + std::to_string(skew_.count()) +
                                     " s behind the store's; signing with the store's time");
          return with_credentials(call);
        }
        break;
      case Remedy::region:
        if (call->redirects < kMostRedirects && move_home(call->spec.bucket, failure)) {
          ++call->redirects;
          return with_credentials(call);
        }
        break;
      case Remedy::retry:
        if (retry_later(call, failure)) return;
        if (call->attempts > 1) {
          failure.error.reason += ", after " + std::to_string(call->attempts) + " attempts";
        }
        break;
      case Remedy::none:
        break;
    }
    log(LogLevel::info, call->spec.method + " failed: " + failure.error.detail);
    // "It exists already" may be our own first attempt, if there was one.
    const bool repeated = failure.error.kind == ErrorKind::precondition && call->attempts > 1;
    failure.error.perhaps_done = call->perhaps_done || repeated;
    finish(call, tl::unexpected(std::move(failure.error)));
  }

  bool retry_later(const CallPtr& call, const Failure& failure) {
    const auto now = Clock::now();
    if (call->spec.progressed && call->spec.progressed()) {
      call->first_failure.reset();
      call->attempts = 1;
    }
    if (!call->first_failure) call->first_failure = now;
    const auto& patience = call->spec.patience;
    if (call->attempts >= std::max(config_.max_attempts, patience ? kPatientAttempts : 0)) {
      return false;
    }
    std::chrono::nanoseconds budget = patience.value_or(config_.retry_budget);
    if (!answered_) budget = std::min<std::chrono::nanoseconds>(budget, kFirstContactBudget);
    std::chrono::nanoseconds delay =
        backoff(call->attempts - 1, failure.throttled, static_cast<unsigned>(dice_()));
    if (failure.retry_after) {
      delay = std::max<std::chrono::nanoseconds>(delay, *failure.retry_after);
    }
    if (now + delay > *call->first_failure + budget) return false;
    {
      MutexLock lock(stats_mutex_);
      ++stats_.retries;
    }
    if (config_.trouble) config_.trouble(failure.error);
    const CallId id = call->id;
    call->timer =
        transport_->call_at(now + std::chrono::duration_cast<Clock::duration>(delay), [this, id] {
          const auto found = calls_.find(id);
          if (found == calls_.end()) return;
          found->second->timer = 0;
          with_credentials(CallPtr(found->second));
        });
    return true;
  }

  // Follows what a redirect or a region error tells; false when it tells nothing new.
  bool move_home(const std::string& bucket, const Failure& failure) {
    const Home& old = home_of(bucket);
    Home home = old;
    if (!failure.region.empty()) {
      home.region = failure.region;
      if (old.endpoint.amazon) home.endpoint = amazon_endpoint(failure.region);
    }
    if (!failure.host.empty() && (failure.region.empty() || !old.endpoint.amazon)) {
      const bool has_scheme = failure.host.find("://") != std::string::npos;
      auto endpoint = parse_endpoint(
          has_scheme ? failure.host : (old.endpoint.tls ? "https://" : "http://") + failure.host);
      // Keys are never in a request, but the data are: not from TLS into the open.
      if (endpoint && (endpoint->tls || !old.endpoint.tls)) {
        if (endpoint->host.starts_with(bucket + ".")) {
          endpoint->host.erase(0, bucket.size() + 1);
          endpoint->amazon = is_amazon_host(endpoint->host);
          home.addressing = Addressing::virtual_host;
        }
        endpoint->path = old.endpoint.path;
        home.endpoint = *endpoint;
      }
    }
    if (home == old) return false;
    log(LogLevel::info,
        "bucket " + bucket + " is in region " + home.region + " at " + home.endpoint.host);
    homes_[bucket] = std::move(home);
    return true;
  }

  const Config config_;
  const Environment environment_;
  const Home home_;  // of buckets that the store has not corrected
  std::atomic<CallId> next_call_{1};
  std::atomic<bool> stopping_{false};

  Mutex stats_mutex_;
  ClientStats stats_ CLIPS_GUARDED_BY(stats_mutex_);

  // The I/O thread's.
  std::map<CallId, CallPtr> calls_;
  std::map<std::string, Home> homes_;
  std::chrono::seconds skew_{0};
  bool answered_ = false;
  std::minstd_rand dice_{std::random_device{}()};
  std::optional<Credentials> credentials_;
  std::vector<CallPtr> waiting_;
  bool searching_ = false;
  Clock::time_point next_refresh_ = Clock::time_point::min();
  Transport::Id fetch_ = 0;
  std::shared_ptr<std::promise<HttpReply>> fetching_;
  std::thread searcher_;

  std::unique_ptr<Transport> transport_;
};

void Client::Core::run_download(Step step, CallId id, std::shared_ptr<Download> download,
                                Completion<ObjectInfo> done) {
  Spec spec = object_spec("GET", download->request.object);
  spec.prepare = [download](HttpRequest& http) {
    download->prepare(http);
    http.on_headers = [download](int status, const Headers& headers) {
      return download->on_headers(status, headers);
    };
    http.on_data = [download](std::span<const std::byte> data) { return download->on_data(data); };
  };
  spec.progressed = [download] { return download->progressed(); };
  submit(
      step, id, std::move(spec),
      [this, id, download, done = std::move(done)](Result<HttpReply> reply) mutable {
        if (reply && !download->stopped && download->info) {
          download->info->length = download->received;
          return done(std::move(*download->info));
        }
        if (download->stopped) return done(tl::unexpected(std::move(*download->stopped)));
        if (reply) return done(tl::unexpected(protocol_error("the reply makes no sense")));
        Error error = std::move(reply.error());
        if (error.kind == ErrorKind::range && download->offset() == 0 && !download->without_range) {
          // An empty object has no byte that a range could hold.
          download->without_range = true;
          return run_download(Step::next, id, download, std::move(done));
        }
        if (error.kind == ErrorKind::precondition) {
          error.kind = ErrorKind::changed;
          error.reason = "the object was replaced while it was being read (412)";
        }
        done(tl::unexpected(std::move(error)));
      });
}

void Client::Core::find_out(CallId id, const ObjectName& object, Completion<ObjectInfo> done) {
  Spec spec = object_spec("HEAD", object);
  spec.patience = kFindOutBudget;
  submit(Step::next, id, std::move(spec), [done = std::move(done)](Result<HttpReply> reply) {
    if (!reply) return done(tl::unexpected(std::move(reply.error())));
    done(info_of(*reply));
  });
}

void Client::Core::list_uploads(Step step, CallId id, std::string bucket, std::string prefix,
                                std::vector<Upload> so_far, std::string key_marker,
                                std::string id_marker, Completion<std::vector<Upload>> done) {
  Spec spec;
  spec.patience = take_back_budget();
  spec.method = "GET";
  spec.bucket = bucket;
  spec.query = {{"uploads", ""}, {"prefix", prefix}};
  if (!key_marker.empty()) {
    spec.query.emplace_back("key-marker", key_marker);
    spec.query.emplace_back("upload-id-marker", id_marker);
  }
  submit(step, id, std::move(spec),
         [this, id, bucket, prefix, so_far = std::move(so_far),
          done = std::move(done)](Result<HttpReply> reply) mutable {
           if (!reply) return done(tl::unexpected(std::move(reply.error())));
           const auto document = parse_xml(reply->body);
           if (!document || document->name != "ListMultipartUploadsResult") {
             return done(tl::unexpected(protocol_error("the list of uploads is malformed")));
           }
           for (const XmlElement& upload : document->children) {
             if (upload.name != "Upload") continue;
             so_far.push_back({std::string(upload.child_text("Key")),
                               std::string(upload.child_text("UploadId")),
                               std::string(upload.child_text("Initiated"))});
           }
           const std::string next(document->child_text("NextKeyMarker"));
           if (document->child_text("IsTruncated") != "true" || next.empty()) {
             return done(std::move(so_far));
           }
           list_uploads(Step::next, id, bucket, prefix, std::move(so_far), next,
                        std::string(document->child_text("NextUploadIdMarker")), std::move(done));
         });
}

Result<std::unique_ptr<Client>> Client::create(Config config) {
  Environment environment = Environment::of_process();
  const SharedFiles files = read_shared_files(environment);
  const std::string profile = profile_name(environment, config.profile);
  const auto first = [](std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts) {
      if (!text.empty()) return std::string(text);
    }
    return std::string();
  };
  Home home;
  home.region =
      first({config.region, environment.get("AWS_REGION"), environment.get("AWS_DEFAULT_REGION"),
             files.get(profile, "region"), kDefaultRegion});
  if (!is_region_name(home.region)) {
    return tl::unexpected(
        Error{.kind = ErrorKind::settings,
              .reason = "\"" + printable(home.region, 80) + "\" is not the name of a region"});
  }
  std::string address = config.endpoint;
  if (address.empty() && !environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) {
    address = first({environment.get("AWS_ENDPOINT_URL_S3"), environment.get("AWS_ENDPOINT_URL"),
                     files.endpoint(profile, "s3")});
  }
  if (address.empty()) {
    home.endpoint = amazon_endpoint(home.region);
  } else {
    auto endpoint = parse_endpoint(address);
    if (!endpoint) return tl::unexpected(std::move(endpoint.error()));
    home.endpoint = std::move(*endpoint);
  }
  home.addressing = config.addressing;
  if (home.addressing == Addressing::automatic) {
    const std::string_view style = files.get(profile, "s3.addressing_style");
    if (style == "path") home.addressing = Addressing::path;
    if (style == "virtual") home.addressing = Addressing::virtual_host;
  }
  if (config.ca_file.empty()) {
    config.ca_file = environment.expand_home(
        first({environment.get("AWS_CA_BUNDLE"), files.get(profile, "ca_bundle")}));
  }
  config.max_attempts = std::max(1U, config.max_attempts);
  return std::unique_ptr<Client>(new Client(
      std::make_shared<Core>(std::move(config), std::move(environment), std::move(home))));
}

Client::Client(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Client::~Client() {
  core_->shut_down();
}

CallId Client::put_object(const ObjectName& object, Headers headers, Body body,
                          Completion<Stored> done) {
  Spec spec = core_->object_spec("PUT", object, std::move(headers));
  if (find_header(spec.headers, "Content-Type").empty()) {
    spec.headers.push_back({"Content-Type", std::string(kDefaultContentType)});
  }
  spec.body = body;
  const CallId id = core_->reserve();
  core_->submit(
      Step::first, id, std::move(spec),
      [core = core_.get(), id, object, body, done = std::move(done)](Result<HttpReply> reply) {
        if (reply) return done(stored_of(*reply));
        const Error& error = reply.error();
        if (error.kind == ErrorKind::cancelled || !error.perhaps_done) {
          return done(tl::unexpected(std::move(reply.error())));
        }
        core->find_out(
            id, object, [error = std::move(reply.error()), body, done](Result<ObjectInfo> there) {
              if (there && there->size == body.size() && unquoted(there->etag) == md5_hex(body)) {
                return done(Stored{there->etag, there->version_id, there->headers});
              }
              done(tl::unexpected(error));
            });
      });
  return id;
}

CallId Client::create_multipart_upload(const ObjectName& object, Headers headers,
                                       Completion<std::string> done) {
  Spec spec = core_->object_spec("POST", object, std::move(headers));
  spec.query.emplace_back("uploads", "");
  if (find_header(spec.headers, "Content-Type").empty()) {
    spec.headers.push_back({"Content-Type", std::string(kDefaultContentType)});
  }
  return core_->begin(std::move(spec), [done = std::move(done)](Result<HttpReply> reply) {
    if (!reply) return done(tl::unexpected(std::move(reply.error())));
    const auto document = parse_xml(reply->body);
    const std::string upload_id(document ? document->child_text("UploadId") : "");
    if (upload_id.empty()) {
      return done(tl::unexpected(protocol_error("the store began no upload")));
    }
    done(upload_id);
  });
}

CallId Client::upload_part(const ObjectName& object, std::string upload_id, int number,
                           Headers headers, Body body, Completion<Part> done) {
  Spec spec = core_->object_spec("PUT", object, std::move(headers));
  spec.query.emplace_back("partNumber", std::to_string(number));
  spec.query.emplace_back("uploadId", std::move(upload_id));
  Part part{.number = number, .size = body.size(), .etag = {}, .checksums = {}};
  spec.body = std::move(body);
  return core_->begin(std::move(spec), [part = std::move(part),
                                        done = std::move(done)](Result<HttpReply> reply) mutable {
    if (!reply) return done(tl::unexpected(std::move(reply.error())));
    part.etag = find_header(reply->headers, "ETag");
    if (part.etag.empty()) {
      return done(tl::unexpected(protocol_error("the store took a part and gave no ETag for it")));
    }
    done(std::move(part));
  });
}

CallId Client::complete_multipart_upload(const ObjectName& object, std::string upload_id,
                                         std::vector<Part> parts, Headers headers,
                                         Completion<Stored> done) {
  std::sort(parts.begin(), parts.end(),
            [](const Part& a, const Part& b) { return a.number < b.number; });
  std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  std::uint64_t size = 0;
  for (const Part& part : parts) {
    body += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>" +
            xml_escape(part.etag) + "</ETag>";
    for (const Header& sum : part.checksums) {
      body += "<" + sum.name + ">" + xml_escape(sum.value) + "</" + sum.name + ">";
    }
    body += "</Part>";
    size += part.size;
  }
  body += "</CompleteMultipartUpload>";
  Spec spec = core_->object_spec("POST", object, std::move(headers));
  spec.query.emplace_back("uploadId", std::move(upload_id));
  if (find_header(spec.headers, "Content-Type").empty()) {
    spec.headers.push_back({"Content-Type", "application/xml"});
  }
  spec.body = Body::of(std::move(body));
  spec.error_in_success = true;
  spec.slow_reply = true;
  const CallId id = core_->reserve();
  core_->submit(Step::first, id, std::move(spec),
                [core = core_.get(), id, object, size, etag = multipart_etag(parts),
                 done = std::move(done)](Result<HttpReply> reply) {
                  if (reply) {
                    Stored stored = stored_of(*reply);
                    if (const auto document = parse_xml(reply->body)) {
                      const std::string_view text = document->child_text("ETag");
                      if (!text.empty()) stored.etag = text;
                    }
                    // Ceph names none here, and gives the object the one that all stores compute.
                    if (stored.etag.empty() && !etag.empty()) stored.etag = "\"" + etag + "\"";
                    return done(std::move(stored));
                  }
                  const Error& error = reply.error();
                  // Complete is not idempotent everywhere: when its first reply was lost, the
                  // second says that there is no such upload, or that the object exists.
                  const bool perhaps_done = error.perhaps_done || error.s3_code == "NoSuchUpload" ||
                                            error.http_status == 200 || error.http_status >= 500 ||
                                            error.kind == ErrorKind::timeout;
                  if (!perhaps_done || error.kind == ErrorKind::cancelled || etag.empty()) {
                    return done(tl::unexpected(std::move(reply.error())));
                  }
                  core->find_out(id, object, [error, size, etag, done](Result<ObjectInfo> there) {
                    if (there && there->size == size && unquoted(there->etag) == etag) {
                      return done(Stored{there->etag, there->version_id, there->headers});
                    }
                    done(tl::unexpected(error));
                  });
                });
  return id;
}

CallId Client::abort_multipart_upload(const ObjectName& object, std::string upload_id,
                                      Completion<bool> done) {
  Spec spec = core_->object_spec("DELETE", object);
  spec.patience = core_->take_back_budget();
  spec.query.emplace_back("uploadId", std::move(upload_id));
  return core_->begin(std::move(spec), [done = std::move(done)](Result<HttpReply> reply) {
    if (!reply && reply.error().http_status != 404) {
      return done(tl::unexpected(std::move(reply.error())));
    }
    done(true);
  });
}

CallId Client::list_multipart_uploads(std::string bucket, std::string prefix,
                                      Completion<std::vector<Upload>> done) {
  const CallId id = core_->reserve();
  core_->list_uploads(Step::first, id, std::move(bucket), std::move(prefix), {}, {}, {},
                      std::move(done));
  return id;
}

CallId Client::get_object(GetObject request, Completion<ObjectInfo> done) {
  const CallId id = core_->reserve();
  auto download = std::make_shared<Download>();
  download->etag = request.if_match;
  download->request = std::move(request);
  core_->run_download(Step::first, id, std::move(download), std::move(done));
  return id;
}

CallId Client::delete_object(const ObjectName& object, Completion<bool> done) {
  return core_->begin(core_->object_spec("DELETE", object),
                      [done = std::move(done)](Result<HttpReply> reply) {
                        if (!reply && reply.error().kind != ErrorKind::not_found) {
                          return done(tl::unexpected(std::move(reply.error())));
                        }
                        done(true);
                      });
}

void Client::cancel(CallId call) {
  core_->cancel(call);
}
void Client::cancel_all() {
  core_->cancel_all();
}
void Client::hash(Body& body) const {
  if (core_->is_hashed()) body.sha256 = sha256_hex(body);
}
bool Client::wants_equal_parts() const {
  return clips::s3::wants_equal_parts(core_->endpoint().host);
}
ClientStats Client::stats() const {
  return core_->stats();
}

}  // namespace clips::s3
