// SPDX-License-Identifier: LGPL-2.1-or-later
// The client and the reader against a server that misbehaves on purpose.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <random>

#include "client.hpp"
#include "digest.hpp"
#include "http_server.hpp"
#include "reader.hpp"

namespace {

using namespace clips::s3;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Reply = HttpServer::Reply;
using Request = HttpServer::Request;

std::string error_xml(const std::string& code, const std::string& more = {}) {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code>" + more + "</Error>";
}

// Calls `attempt`, which returns how long something took, until it keeps the limit: a busy machine
// may hold up any attempt, a wait for the network holds up every one.
template <typename Attempt>
void expect_quickest_within(Clock::duration limit, const Attempt& attempt) {
  Clock::duration took{};
  for (int i = 0; i < 5; ++i)
    if ((took = attempt()) < limit) return;
  ADD_FAILURE() << "took " << std::chrono::duration<double>(took).count() << " s the fifth time";
}

const ObjectName kObject{"bucket", "key", {}};

class S3Client : public ::testing::Test {
 protected:
  void SetUp() override {
    // Whatever the machine has set up is not what is tested.
    for (const char* name : {"AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
                             "AWS_SESSION_TOKEN", "http_proxy", "HTTP_PROXY", "AWS_CA_BUNDLE"}) {
      unsetenv(name);
    }
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    config.access_key = "AK";
    config.secret_key = "SK";
    config.log = [this](LogLevel, std::string_view text) {
      std::lock_guard lock(log_mutex);
      log += std::string(text) + "\n";
    };
  }

  // Starts the server and a client of it.
  void serve(HttpServer::Handler handler) {
    server = std::make_unique<HttpServer>(std::move(handler));
    config.endpoint = server->endpoint();
    auto made = Client::create(config);
    ASSERT_TRUE(made) << made.error().reason;
    client = std::move(*made);
  }

  Result<Stored> put(const std::string& text, Headers headers = {}) {
    return await<Stored>(
        [&](auto done) { client->put_object(kObject, std::move(headers), Body::of(text), done); });
  }
  Result<ObjectInfo> get(std::string& out, std::optional<ByteRange> range = {},
                         std::string if_match = {}) {
    GetObject request{.object = kObject,
                      .range = range,
                      .if_match = std::move(if_match),
                      .sink = [&out](std::uint64_t offset, std::span<const std::byte> data) {
                        EXPECT_EQ(offset, out.size());
                        out.append(reinterpret_cast<const char*>(data.data()), data.size());
                        return true;
                      }};
    return await<ObjectInfo>([&](auto done) { client->get_object(std::move(request), done); });
  }
  Result<Stored> complete(std::vector<Part> parts) {
    return await<Stored>([&](auto done) {
      client->complete_multipart_upload(kObject, "U", std::move(parts), {}, done);
    });
  }

  Config config;
  std::mutex log_mutex;
  std::string log;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<Client> client;
};

TEST_F(S3Client, sends_an_object_signed_and_with_a_content_type) {
  serve([](const Request&) { return Reply{.headers = {{"ETag", "\"e\""}}}; });
  const auto stored = put("text");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->etag, "\"e\"");
  const Request request = server->requests().at(0);
  EXPECT_EQ(request.method + " " + request.target, "PUT /bucket/key");
  EXPECT_EQ(request.body, "text");
  EXPECT_EQ(request.headers.at("content-type"), "application/octet-stream");
  EXPECT_EQ(request.headers.at("x-amz-content-sha256"), sha256_hex(std::string_view("text")));
  EXPECT_TRUE(request.headers.at("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AK/"));
  EXPECT_FALSE(request.headers.contains("expect"));
}

TEST_F(S3Client, anonymous_requests_carry_no_signature) {
  config.anonymous = true;
  serve([](const Request&) { return Reply{}; });
  ASSERT_TRUE(put("x"));
  EXPECT_FALSE(server->requests().at(0).headers.contains("authorization"));
}

TEST_F(S3Client, tries_again_and_signs_each_attempt) {
  std::atomic<int> count = 0;
  serve([&](const Request&) {
    switch (++count) {
      case 1:
        return Reply{.status = 503, .body = error_xml("SlowDown")};
      case 2:
        return Reply{.dropped = true};
      case 3:
        return Reply{.status = 500};
      case 4:
        return Reply{.status = 429};
      default:
        return Reply{};
    }
  });
  const auto stored = put("body that is sent five times");
  ASSERT_TRUE(stored) << stored.error().reason;
  for (const Request& request : server->requests()) {
    EXPECT_EQ(request.body, "body that is sent five times");
    EXPECT_TRUE(request.headers.contains("authorization"));
  }
  EXPECT_EQ(server->requests().size(), 5U);
  // libcurl itself sends a request again whose connection, an old one, broke before any reply.
  EXPECT_GE(client->stats().retries, 3U);
}

TEST_F(S3Client, gives_up_after_the_attempts_that_are_allowed) {
  config.max_attempts = 3;
  serve([](const Request&) { return Reply{.status = 500, .body = error_xml("InternalError")}; });
  const auto stored = put("x");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().kind, ErrorKind::server);
  EXPECT_EQ(stored.error().s3_code, "InternalError");
  EXPECT_EQ(server->requests().size(), 3U);
}

TEST_F(S3Client, gives_up_when_the_budget_is_used_up) {
  config.retry_budget = 300ms;
  config.max_attempts = 1000;
  serve([](const Request&) { return Reply{.status = 500}; });
  const auto begin = Clock::now();
  EXPECT_FALSE(put("x"));
  EXPECT_LT(Clock::now() - begin, 2s);
}

TEST_F(S3Client, does_not_try_again_what_is_final) {
  serve([](const Request&) {
    return Reply{.status = 403,
                 .headers = {{"x-amz-request-id", "R1"}},
                 .body = error_xml("SignatureDoesNotMatch")};
  });
  const auto stored = put("x");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().kind, ErrorKind::not_authorized);
  EXPECT_EQ(stored.error().request_id, "R1");
  EXPECT_EQ(stored.error().http_status, 403);
  EXPECT_EQ(server->requests().size(), 1U);
}

TEST_F(S3Client, refused_connection_is_told_within_seconds) {
  config.endpoint = "http://127.0.0.1:1";
  client = std::move(*Client::create(config));
  const auto begin = Clock::now();
  const auto stored = put("x");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().kind, ErrorKind::connection);
  EXPECT_LT(Clock::now() - begin, 8s);
}

TEST_F(S3Client, stalled_transfer_is_given_up_and_tried_again) {
  config.stall_timeout = 1s;
  std::atomic<int> count = 0;
  serve([&](const Request&) { return Reply{.silent = ++count == 1}; });
  const auto begin = Clock::now();
  ASSERT_TRUE(put("x"));
  EXPECT_GE(Clock::now() - begin, 1s);
  EXPECT_LT(Clock::now() - begin, 6s);
}

TEST_F(S3Client, cancel_ends_a_stalled_call_at_once) {
  serve([](const Request&) { return Reply{.silent = true}; });
  expect_quickest_within(100ms, [&] {
    std::promise<Result<Stored>> promise;
    auto future = promise.get_future();
    const auto before = server->requests().size();
    const CallId call = client->put_object(kObject, {}, Body::of("x"), [&](Result<Stored> result) {
      promise.set_value(std::move(result));
    });
    while (server->requests().size() == before) std::this_thread::sleep_for(1ms);
    const auto begin = Clock::now();
    client->cancel(call);
    const auto result = future.get();
    const auto took = Clock::now() - begin;
    EXPECT_TRUE(!result && result.error().kind == ErrorKind::cancelled);
    return took;
  });
}

TEST_F(S3Client, its_end_cancels_everything_at_once_and_calls_every_completion) {
  serve([](const Request&) { return Reply{.silent = true}; });
  expect_quickest_within(100ms, [&] {
    if (!client) client = std::move(*Client::create(config));
    std::atomic<int> cancelled = 0;
    const auto before = server->requests().size();
    for (int i = 0; i < 20; ++i) {
      client->put_object(kObject, {}, Body::of("x"), [&](Result<Stored> result) {
        if (!result && result.error().kind == ErrorKind::cancelled) ++cancelled;
      });
    }
    while (server->requests().size() == before) std::this_thread::sleep_for(1ms);
    const auto begin = Clock::now();
    client.reset();
    const auto took = Clock::now() - begin;
    EXPECT_EQ(cancelled, 20);
    return took;
  });
}

TEST_F(S3Client, cancel_all_spares_calls_made_later) {
  std::atomic<bool> silent = true;
  serve([&](const Request&) { return Reply{.silent = silent}; });
  std::promise<bool> first;
  client->put_object(kObject, {}, Body::of("x"),
                     [&](Result<Stored> result) { first.set_value(result.has_value()); });
  while (server->requests().empty()) std::this_thread::sleep_for(1ms);
  silent = false;
  client->cancel_all();
  EXPECT_TRUE(put("y"));
  EXPECT_FALSE(first.get_future().get());
}

TEST_F(S3Client, continues_a_reply_that_breaks_off_where_it_broke) {
  std::string content(300'000, '\0');
  std::minstd_rand random(1);
  for (char& c : content) c = static_cast<char>(random());
  std::atomic<int> count = 0;
  serve([&](const Request& request) {
    std::size_t first = 0, last = 0;
    if (sscanf(request.headers.at("range").c_str(), "bytes=%zu-%zu", &first, &last) != 2) {
      return Reply{.status = 400};
    }
    last = std::min(last, content.size() - 1);
    Reply reply{.status = 206,
                .headers = {{"ETag", "\"v1\""},
                            {"Content-Range", "bytes " + std::to_string(first) + "-" +
                                                  std::to_string(last) + "/" +
                                                  std::to_string(content.size())}},
                .body = content.substr(first, last + 1 - first)};
    if (++count <= 2) reply.cut_after = 100'000;
    return reply;
  });
  std::string got;
  const auto info = get(got, ByteRange{100, 1 << 20});
  ASSERT_TRUE(info) << info.error().reason;
  EXPECT_EQ(got, content.substr(100));
  EXPECT_EQ(info->size, content.size());
  EXPECT_EQ(info->length, content.size() - 100);
  const auto requests = server->requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_NE(requests[1].headers.at("range"), requests[0].headers.at("range"));
  EXPECT_EQ(requests[1].headers.at("if-match"), "\"v1\"");
}

TEST_F(S3Client, object_that_changes_between_two_attempts_is_an_error) {
  std::atomic<int> count = 0;
  serve([&](const Request& request) {
    if (++count > 1) {
      EXPECT_EQ(request.headers.at("if-match"), "\"v1\"");
      return Reply{.status = 412, .body = error_xml("PreconditionFailed")};
    }
    return Reply{
        .headers = {{"ETag", "\"v1\""}}, .body = std::string(100'000, 'a'), .cut_after = 50'000};
  });
  std::string got;
  const auto info = get(got);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().kind, ErrorKind::changed);
}

TEST_F(S3Client, store_that_ignores_ranges_gives_the_beginning_or_an_error) {
  serve([](const Request&) {
    return Reply{.headers = {{"ETag", "\"e\""}}, .body = std::string(1000, 'a')};
  });
  std::string got;
  const auto info = get(got, ByteRange{0, 10});
  ASSERT_TRUE(info);
  EXPECT_EQ(got, std::string(10, 'a'));
  EXPECT_EQ(info->size, 1000U);
  got.clear();
  const auto middle = get(got, ByteRange{10, 10});
  ASSERT_FALSE(middle);
  EXPECT_EQ(middle.error().kind, ErrorKind::protocol);
  EXPECT_EQ(got, "");
}

TEST_F(S3Client, empty_object_is_read_although_no_range_fits_it) {
  serve([](const Request& request) {
    if (request.headers.contains("range")) {
      return Reply{.status = 416, .body = error_xml("InvalidRange")};
    }
    return Reply{.headers = {{"ETag", "\"empty\""}}};
  });
  std::string got;
  const auto info = get(got, ByteRange{0, 100});
  ASSERT_TRUE(info) << info.error().reason;
  EXPECT_EQ(info->size, 0U);
  EXPECT_EQ(info->etag, "\"empty\"");
}

TEST_F(S3Client, error_inside_a_success_of_complete_is_tried_again_or_told) {
  std::atomic<int> count = 0;
  serve([&](const Request&) {
    if (++count == 1) return Reply{.body = error_xml("InternalError")};
    if (count == 2) return Reply{.body = error_xml("InvalidPart", "<Message>gone</Message>")};
    return Reply{.status = 404};
  });
  const auto stored = complete({{1, 10, "\"opaque\"", {}}});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().s3_code, "InvalidPart");
  EXPECT_EQ(count, 2);
}

class LostReply : public S3Client {
 protected:
  // Complete takes effect and its reply is lost; then the store knows the upload no more.
  void serve_lost(std::uint64_t size, std::string etag) {
    serve([this, size, etag](const Request& request) {
      if (request.method == "HEAD") {
        return Reply{
            .headers = {{"ETag", "\"" + etag + "\""}, {"Content-Length", std::to_string(size)}}};
      }
      if (++count == 1) return Reply{.dropped = true};
      return Reply{.status = 404, .body = error_xml("NoSuchUpload")};
    });
  }
  std::atomic<int> count = 0;
  const std::vector<Part> parts = {{1, 3, "\"" + md5_hex(Body::of("abc")) + "\"", {}},
                                   {2, 2, "\"" + md5_hex(Body::of("de")) + "\"", {}}};
};

TEST_F(LostReply, to_complete_is_a_success_when_the_object_is_ours) {
  serve_lost(5, multipart_etag(parts));
  const auto stored = complete(parts);
  ASSERT_TRUE(stored) << stored.error().reason;
  EXPECT_EQ(stored->etag, "\"" + multipart_etag(parts) + "\"");
}

TEST_F(LostReply, to_complete_is_an_error_when_the_object_is_another) {
  serve_lost(5, "00000000000000000000000000000000-2");
  const auto stored = complete(parts);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().s3_code, "NoSuchUpload");
}

TEST_F(LostReply, to_a_conditional_put_is_a_success_when_the_object_is_ours) {
  serve([this](const Request& request) {
    if (request.method == "HEAD") {
      return Reply{
          .headers = {{"ETag", "\"" + md5_hex(Body::of("abc")) + "\""}, {"Content-Length", "3"}}};
    }
    if (++count == 1) return Reply{.dropped = true};
    return Reply{.status = 412, .body = error_xml("PreconditionFailed")};
  });
  EXPECT_TRUE(put("abc", {{"If-None-Match", "*"}}));
  count = 0;
  EXPECT_FALSE(put("other", {{"If-None-Match", "*"}}));
  EXPECT_EQ(count, 2);
  // Without a lost reply it is another's, though of the same bytes.
  EXPECT_FALSE(put("abc", {{"If-None-Match", "*"}}));
  EXPECT_EQ(count, 3);
}

TEST_F(LostReply, to_every_put_is_a_success_when_the_object_is_ours) {
  config.max_attempts = 2;
  std::atomic<int> asked = 0;
  serve([&](const Request& request) {
    // Finding out outlasts the attempts that the user allows.
    if (request.method != "HEAD" || ++asked <= 3) return Reply{.dropped = true};
    return Reply{
        .headers = {{"ETag", "\"" + md5_hex(Body::of("abc")) + "\""}, {"Content-Length", "3"}}};
  });
  EXPECT_TRUE(put("abc"));
  EXPECT_EQ(asked, 4);
  EXPECT_FALSE(put("other"));
}

TEST_F(S3Client, upload_is_taken_back_with_more_attempts_than_the_user_allows) {
  config.max_attempts = 1;
  std::atomic<int> asked = 0;
  serve([&](const Request&) { return ++asked <= 4 ? Reply{.status = 503} : Reply{.status = 204}; });
  EXPECT_TRUE(await<bool>(
      [&](auto done) { client->abort_multipart_upload(kObject, "U", std::move(done)); }));
  EXPECT_EQ(asked, 5);
}

TEST_F(S3Client, complete_lists_the_parts_in_order_with_their_checksums) {
  serve([](const Request&) {
    return Reply{.body =
                     "<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag>"
                     "</CompleteMultipartUploadResult>"};
  });
  const auto stored =
      complete({{2, 1, "\"b\"", {}}, {1, 1, "\"a\"", {{"ChecksumCRC32C", "AAAA"}}}});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->etag, "\"e-2\"");
  EXPECT_NE(server->requests().at(0).body.find(
                "<Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag><ChecksumCRC32C>AAAA"
                "</ChecksumCRC32C></Part><Part><PartNumber>2</PartNumber>"),
            std::string::npos);
}

TEST_F(S3Client, wrong_region_is_corrected_and_remembered) {
  serve([](const Request& request) {
    if (request.headers.at("authorization").find("/eu-west-7/") == std::string::npos) {
      return Reply{.status = 400,
                   .body = error_xml("AuthorizationHeaderMalformed", "<Region>eu-west-7</Region>")};
    }
    return Reply{};
  });
  EXPECT_TRUE(put("x"));
  EXPECT_TRUE(put("y"));
  EXPECT_EQ(server->requests().size(), 3U);
}

TEST_F(S3Client, redirect_is_followed_with_a_new_signature_and_not_in_circles) {
  HttpServer other([](const Request& request) {
    EXPECT_TRUE(request.headers.contains("authorization"));
    return Reply{};
  });
  serve([&](const Request& request) {
    const bool circle = request.target.find("circle") != std::string::npos;
    return Reply{.status = 307,
                 .headers = {{"Location",
                              (circle ? server->endpoint() : other.endpoint()) + request.target}}};
  });
  const auto circle = await<Stored>([&](auto done) {
    client->put_object({"bucket", "circle", {}}, {}, Body::of("x"), done);
  });
  ASSERT_FALSE(circle);
  EXPECT_TRUE(put("x"));
  const Request moved = other.requests().at(0);
  EXPECT_EQ(moved.body, "x");
  EXPECT_EQ(moved.headers.at("host"), other.endpoint().substr(7));
}

TEST_F(S3Client, wrong_clock_is_corrected_by_the_date_of_the_store) {
  serve([](const Request& request) {
    if (!request.headers.at("x-amz-date").starts_with("20300102T")) {
      return Reply{.status = 403,
                   .headers = {{"Date", "Wed, 02 Jan 2030 10:00:00 GMT"}},
                   .body = error_xml("RequestTimeTooSkewed")};
    }
    return Reply{};
  });
  EXPECT_TRUE(put("x"));
  EXPECT_TRUE(put("y"));
  EXPECT_EQ(server->requests().size(), 3U);
}

TEST_F(S3Client, expired_token_is_an_error_when_there_is_no_other) {
  config.session_token = "T";
  serve([](const Request&) { return Reply{.status = 400, .body = error_xml("ExpiredToken")}; });
  const auto stored = put("x");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().kind, ErrorKind::not_authorized);
  EXPECT_EQ(stored.error().s3_code, "ExpiredToken");
  EXPECT_EQ(server->requests().size(), 1U);
}

// The container's endpoint hands out a new key with each request.
class ExpiringKeys : public S3Client {
 protected:
  void SetUp() override {
    S3Client::SetUp();
    config.access_key = config.secret_key = "";
    for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}) unsetenv(name);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", (keys.endpoint() + "/keys").c_str(), 1);
  }
  void TearDown() override { unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"); }

  std::string expiry(std::chrono::seconds from_now) {
    const time_t time = std::time(nullptr) + from_now.count();
    char text[40];
    std::strftime(text, sizeof text, "%FT%TZ", std::gmtime(&time));
    return text;
  }

  std::atomic<int> given = 0;
  std::atomic<int> lifetime = 3600;
  HttpServer keys{[this](const Request&) {
    return Reply{.body = "{\"AccessKeyId\":\"K" + std::to_string(++given) +
                         "\",\"SecretAccessKey\":\"SECRETSECRET\",\"Token\":\"TOKENTOKEN\","
                         "\"Expiration\":\"" +
                         expiry(std::chrono::seconds(lifetime)) + "\"}"};
  }};
};

TEST_F(ExpiringKeys, are_asked_for_once_and_renewed_when_the_store_refuses_them) {
  serve([](const Request& request) {
    if (request.headers.at("authorization").find("Credential=K1/") != std::string::npos) {
      return Reply{.status = 400, .body = error_xml("ExpiredToken")};
    }
    return Reply{};
  });
  std::vector<std::future<Result<Stored>>> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(std::async(std::launch::async, [this] { return put("x"); }));
  }
  for (auto& result : all) EXPECT_TRUE(result.get());
  EXPECT_EQ(given, 2);
}

TEST_F(ExpiringKeys, are_renewed_ahead_of_their_end_while_requests_go_on) {
  lifetime = 200;  // within the five minutes
  serve([](const Request&) { return Reply{}; });
  EXPECT_TRUE(put("x"));
  lifetime = 3600;
  const auto limit = Clock::now() + 5s;
  while (given < 2 && Clock::now() < limit) ASSERT_TRUE(put("x"));
  EXPECT_EQ(given, 2);
}

TEST_F(ExpiringKeys, leave_no_secret_in_log_or_error) {
  serve([](const Request&) { return Reply{.status = 403, .body = error_xml("AccessDenied")}; });
  const auto stored = put("x");
  ASSERT_FALSE(stored);
  client.reset();
  for (const std::string& text : {log, stored.error().reason, stored.error().detail}) {
    for (const char* secret : {"SECRETSECRET", "TOKENTOKEN", "Signature="}) {
      EXPECT_EQ(text.find(secret), std::string::npos) << text;
    }
  }
  EXPECT_NE(log.find("PUT"), std::string::npos);
}

TEST_F(S3Client, line_end_in_a_header_is_refused_before_it_is_sent) {
  serve([](const Request&) { return Reply{}; });
  const auto stored = put("x", {{"x-amz-meta-a", "b\r\nx-amz-acl: public-read"}});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().kind, ErrorKind::settings);
  EXPECT_TRUE(server->requests().empty());
}

TEST_F(S3Client, key_is_sent_as_it_is) {
  serve([](const Request&) { return Reply{}; });
  for (const char* key : {"a/../b", "//x//", "a b+c%41?d#e"}) {
    EXPECT_TRUE(await<Stored>([&](auto done) {
      client->put_object({"bucket", key, {}}, {}, Body::of("x"), done);
    }));
  }
  EXPECT_EQ(server->requests().at(0).target, "/bucket/a/../b");
  EXPECT_EQ(server->requests().at(1).target, "/bucket///x//");
  EXPECT_EQ(server->requests().at(2).target, "/bucket/a%20b%2Bc%2541%3Fd%23e");
}

TEST_F(S3Client, bandwidth_is_limited_over_all_transfers) {
  config.max_bandwidth = 1 << 20;
  serve([](const Request&) { return Reply{}; });
  const std::string data(512 << 10, 'x');
  const auto begin = Clock::now();
  std::vector<std::future<Result<Stored>>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::async(std::launch::async, [&] { return put(data); }));
  }
  for (auto& result : all) EXPECT_TRUE(result.get());
  EXPECT_GE(Clock::now() - begin, 1s);
}

TEST_F(S3Client, uploads_are_listed_over_several_pages) {
  serve([](const Request& request) {
    const bool second = request.target.find("key-marker=a") != std::string::npos;
    return Reply{.body = std::string("<ListMultipartUploadsResult>") +
                         (second ? "<IsTruncated>false</IsTruncated><Upload><Key>b</Key>"
                                   "<UploadId>2</UploadId></Upload>"
                                 : "<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"
                                   "<NextUploadIdMarker>1</NextUploadIdMarker><Upload><Key>a</Key>"
                                   "<UploadId>1</UploadId></Upload>") +
                         "</ListMultipartUploadsResult>"};
  });
  const auto uploads = await<std::vector<Upload>>(
      [&](auto done) { client->list_multipart_uploads("bucket", "", done); });
  ASSERT_TRUE(uploads);
  ASSERT_EQ(uploads->size(), 2U);
  EXPECT_EQ(uploads->at(1).upload_id, "2");
}

// --- the reader

class ObjectReader : public S3Client {
 protected:
  static std::byte byte_at(std::uint64_t offset) {
    return static_cast<std::byte>((offset * 2654435761U) >> 16);
  }

  void serve_object(std::uint64_t size) {
    serve([this, size](const Request& request) {
      std::size_t first = 0, last = 0;
      if (sscanf(request.headers.at("range").c_str(), "bytes=%zu-%zu", &first, &last) != 2) {
        return Reply{.status = 400};
      }
      const auto match = request.headers.find("if-match");
      if (match != request.headers.end() && match->second != etag()) {
        return Reply{.status = 412, .body = error_xml("PreconditionFailed")};
      }
      if (stalled && first >= 1 << 20) return Reply{.silent = true};
      if (broken && first >= 1 << 20)
        return Reply{.status = 403, .body = error_xml("AccessDenied")};
      last = std::min<std::size_t>(last, size - 1);
      Reply reply{
          .status = 206,
          .headers = {{"ETag", etag()},
                      {"Content-Range", "bytes " + std::to_string(first) + "-" +
                                            std::to_string(last) + "/" + std::to_string(size)}}};
      served += last + 1 - first;
      reply.body.resize(last + 1 - first);
      for (std::size_t i = 0; i < reply.body.size(); ++i) {
        reply.body[i] = static_cast<char>(byte_at(first + i));
      }
      return reply;
    });
  }
  std::string etag() const { return "\"v" + std::to_string(version) + "\""; }

  void expect_read(Reader& reader, std::uint64_t offset, std::size_t size) {
    std::vector<std::byte> out(size);
    const auto got = reader.read(offset, out);
    ASSERT_TRUE(got) << got.error().reason;
    for (std::size_t i = 0; i < *got; ++i) ASSERT_EQ(out[i], byte_at(offset + i)) << offset + i;
    read_bytes = *got;
  }

  std::atomic<int> version = 1;
  std::atomic<bool> stalled = false, broken = false;
  std::atomic<std::uint64_t> served = 0;
  std::size_t read_bytes = 0;
};

TEST_F(ObjectReader, gives_the_right_bytes_anywhere_with_a_small_cache) {
  constexpr std::uint64_t kSize = 10'000'001;
  serve_object(kSize);
  Reader reader(*client, kObject, Reader::kLeastCapacity);
  std::minstd_rand random(7);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t offset = random() % kSize;
    const std::size_t size = 1 + random() % (i % 10 ? 1000 : 3'000'000);
    expect_read(reader, offset, size);
    EXPECT_EQ(read_bytes, std::min<std::uint64_t>(size, kSize - offset));
  }
  expect_read(reader, kSize, 10);
  EXPECT_EQ(read_bytes, 0U);
}

TEST_F(ObjectReader, small_reads_in_a_row_become_few_requests_in_parallel) {
  constexpr std::uint64_t kSize = 40 << 20;
  serve_object(kSize);
  Reader reader(*client, kObject, 16 << 20);
  for (std::uint64_t offset = 0; offset < kSize; offset += 8192) expect_read(reader, offset, 8192);
  EXPECT_LT(server->requests().size(), 120U);
  EXPECT_EQ(served, kSize);
}

TEST_F(ObjectReader, small_piece_of_a_large_object_costs_little_more_than_itself) {
  serve_object(200 << 20);
  Reader reader(*client, kObject, 24 << 20);
  expect_read(reader, 0, 4096);      // a type finder
  expect_read(reader, 32, 1 << 20);  // an index, in one read
  constexpr std::uint64_t kBegin = 100 << 20;
  constexpr std::uint64_t kPiece = 6 << 20;
  served = 0;
  for (std::uint64_t at = kBegin; at < kBegin + kPiece; at += 4000) expect_read(reader, at, 4000);
  // What is on its way arrives before it is counted.
  std::this_thread::sleep_for(200ms);
  EXPECT_LE(served, kPiece + kPiece * 15 / 100 + (512 << 10));
}

TEST_F(ObjectReader, steps_back_within_what_was_read_cost_nothing) {
  serve_object(8 << 20);
  Reader reader(*client, kObject, 4 << 20);
  expect_read(reader, 1 << 20, 1 << 20);
  const auto before = server->requests().size();
  for (int i = 0; i < 100; ++i) expect_read(reader, (2 << 20) - 1000 - i * 5000, 361);
  EXPECT_EQ(server->requests().size(), before);
}

TEST_F(ObjectReader, announced_range_comes_with_one_request_and_nothing_behind_it) {
  serve_object(200 << 20);
  Reader reader(*client, kObject, 24 << 20);
  expect_read(reader, 0, 4096);
  const auto before = server->requests().size();
  served = 0;
  constexpr std::uint64_t kBegin = (100 << 20) + 77;
  constexpr std::uint64_t kPiece = 3 << 20;
  reader.expect(kBegin, kBegin + kPiece, false);
  for (std::uint64_t at = 0; at < kPiece; at += 4096) expect_read(reader, kBegin + at, 4096);
  EXPECT_EQ(server->requests().size(), before + 1);
  EXPECT_LE(served, kPiece + 2 * Reader::kPageSize);
  // Anew: once more, although it is in the cache.
  reader.expect(kBegin, kBegin + kPiece, true);
  expect_read(reader, kBegin, kPiece);
  EXPECT_EQ(server->requests().size(), before + 2);
}

TEST_F(ObjectReader, large_announced_range_is_read_in_parallel_up_to_its_end) {
  serve_object(200 << 20);
  Reader reader(*client, kObject, 8 << 20);
  expect_read(reader, 0, 4096);
  served = 0;
  constexpr std::uint64_t kBegin = 50 << 20;
  constexpr std::uint64_t kPiece = 20 << 20;
  reader.expect(kBegin, kBegin + kPiece, false);
  for (std::uint64_t at = 0; at < kPiece; at += 64 << 10)
    expect_read(reader, kBegin + at, 64 << 10);
  std::this_thread::sleep_for(100ms);
  EXPECT_LE(served, kPiece + 2 * Reader::kPageSize);
}

TEST_F(ObjectReader, known_object_is_not_asked_about_and_a_changed_one_is_noticed) {
  serve_object(8 << 20);
  ObjectInfo known;
  known.size = 8 << 20;
  known.etag = etag();
  {
    Reader reader(*client, kObject, 4 << 20, known);
    ASSERT_TRUE(reader.open());
    EXPECT_EQ(server->requests().size(), 0U);
    reader.expect(5 << 20, 6 << 20, false);
    expect_read(reader, 5 << 20, 1 << 20);
    EXPECT_EQ(server->requests().size(), 1U);
  }
  version = 2;
  Reader reader(*client, kObject, 4 << 20, known);
  std::vector<std::byte> out(1000);
  const auto got = reader.read(4 << 20, out);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::changed);
}

TEST_F(ObjectReader, replaced_object_is_an_error_and_stays_one) {
  serve_object(8 << 20);
  Reader reader(*client, kObject, 4 << 20);
  expect_read(reader, 0, 1000);
  version = 2;
  std::vector<std::byte> out(1000);
  for (int i = 0; i < 2; ++i) {
    const auto got = reader.read(4 << 20, out);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::changed);
    version = 1;  // nobody knows what came between
  }
}

TEST_F(ObjectReader, failure_ends_the_read_that_needs_the_bytes_and_no_other) {
  serve_object(8 << 20);
  Reader reader(*client, kObject, 4 << 20);
  broken = true;
  std::vector<std::byte> out(1000);
  const auto got = reader.read(4 << 20, out);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().s3_code, "AccessDenied");
  expect_read(reader, 0, 1000);
  broken = false;
  expect_read(reader, 4 << 20, 1000);
}

TEST_F(ObjectReader, flush_ends_a_stalled_read_at_once_and_reading_goes_on_after_it) {
  serve_object(8 << 20);
  expect_quickest_within(100ms, [&] {
    Reader reader(*client, kObject, 4 << 20);
    expect_read(reader, 0, 1000);
    stalled = true;
    const auto before = server->requests().size();
    auto waiting = std::async(std::launch::async, [&] {
      std::vector<std::byte> out(1000);
      return reader.read(4 << 20, out);
    });
    while (server->requests().size() == before) std::this_thread::sleep_for(1ms);
    const auto begin = Clock::now();
    reader.set_flushing(true);
    const auto got = waiting.get();
    const auto took = Clock::now() - begin;
    EXPECT_TRUE(!got && got.error().kind == ErrorKind::cancelled);
    reader.set_flushing(false);
    stalled = false;
    expect_read(reader, 0, 1000);
    expect_read(reader, 2 << 20, 1000);
    return took;
  });
}

TEST_F(ObjectReader, its_end_does_not_wait_for_the_network) {
  serve_object(8 << 20);
  expect_quickest_within(100ms, [&] {
    if (!client) client = std::move(*Client::create(config));
    auto reader = std::make_unique<Reader>(*client, kObject, 4 << 20);
    stalled = false;
    expect_read(*reader, 0, 1000);
    stalled = true;
    const auto before = server->requests().size();
    auto waiting = std::async(std::launch::async, [&] {
      std::vector<std::byte> out(1000);
      return reader->read(4 << 20, out);
    });
    while (server->requests().size() == before) std::this_thread::sleep_for(1ms);
    reader->set_flushing(true);
    waiting.get();
    const auto begin = Clock::now();
    reader.reset();
    client.reset();
    return Clock::now() - begin;
  });
}

}  // namespace
