// SPDX-License-Identifier: LGPL-2.1-or-later
// The signer, and the readers of what strangers write: URIs, XML replies, configuration files.
#include <gtest/gtest.h>

#include "credentials.hpp"
#include "digest.hpp"
#include "failure.hpp"
#include "profile.hpp"
#include "sigv4.hpp"
#include "uri.hpp"
#include "xml.hpp"

namespace {

using namespace clips::s3;
using namespace std::chrono_literals;

// --- signatures: the examples of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

class PublishedSignature : public ::testing::Test {
 protected:
  const Credentials credentials{
      "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {}, {}};
  const WallTime time = std::chrono::sys_days(std::chrono::year(2013) / 5 / 24);

  std::string signature(std::string_view method, std::string_view path,
                        const QueryParameters& query, const Headers& headers,
                        std::string_view body = {}) {
    const std::string canonical = canonical_query(query);
    const std::string hash = sha256_hex(body);
    const Headers added = sign({.method = method,
                                .host = "examplebucket.s3.amazonaws.com",
                                .path = path,
                                .query = canonical,
                                .headers = &headers,
                                .payload_hash = hash,
                                .region = "us-east-1",
                                .time = time},
                               credentials);
    authorization = find_header(added, "Authorization");
    return authorization.substr(authorization.find("Signature=") + 10);
  }
  std::string authorization;
};

TEST_F(PublishedSignature, of_get_object_with_a_range) {
  EXPECT_EQ(signature("GET", "/test.txt", {}, {{"Range", "bytes=0-9"}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(authorization.substr(0, authorization.find(",Signature")),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date");
}

TEST_F(PublishedSignature, of_put_object_with_a_dollar_in_the_key) {
  EXPECT_EQ(signature("PUT", "/" + percent_encode("test$file.text", true), {},
                      {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                       {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                      "Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(PublishedSignature, of_a_parameter_without_a_value) {
  EXPECT_EQ(signature("GET", "/", {{"lifecycle", ""}}, {}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_F(PublishedSignature, of_a_list_with_parameters) {
  EXPECT_EQ(signature("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_F(PublishedSignature, ignores_headers_that_change_on_the_way) {
  const std::string plain = signature("GET", "/test.txt", {}, {{"Range", "bytes=0-9"}});
  EXPECT_EQ(plain, signature("GET", "/test.txt", {},
                             {{"Range", "bytes=0-9"},
                              {"User-Agent", "x"},
                              {"Expect", ""},
                              {"Content-Length", "0"},
                              {"If-Match", "\"e\""}}));
}

// Names that are prefixes of one another, as metadata has them, sort by name and not by line.
TEST_F(PublishedSignature, sorts_header_names_and_squeezes_blanks) {
  signature("PUT", "/k", {}, {{"x-amz-meta-a-b", "2"}, {"X-Amz-Meta-A", "  one   two "}});
  EXPECT_NE(authorization.find(";x-amz-meta-a;x-amz-meta-a-b"), std::string::npos);
  const std::string squeezed = signature("PUT", "/k", {}, {{"x-amz-meta-a", "one two"}});
  EXPECT_EQ(squeezed, signature("PUT", "/k", {}, {{"x-amz-meta-a", " one   two"}}));
}

TEST(Signature, holds_the_session_token_and_no_secret) {
  const Headers added = sign({.method = "GET",
                              .host = "h",
                              .path = "/",
                              .payload_hash = "x",
                              .region = "r",
                              .time = WallTime(0s)},
                             {"AK", "SECRETSECRET", "TOKEN", {}});
  EXPECT_EQ(find_header(added, "x-amz-security-token"), "TOKEN");
  for (const Header& header : added)
    EXPECT_EQ(header.value.find("SECRETSECRET"), std::string::npos);
}

TEST(Query, is_encoded_then_sorted_and_always_has_an_equals_sign) {
  EXPECT_EQ(canonical_query({{"uploads", ""}, {"prefix", "a b/ä"}, {"A", "1"}}),
            "A=1&prefix=a%20b%2F%C3%A4&uploads=");
}

TEST(Time, is_read_as_the_services_write_it) {
  const WallTime expected =
      std::chrono::sys_days(std::chrono::year(2026) / 2 / 28) + 23h + 59min + 1s;
  EXPECT_EQ(parse_iso_time("2026-02-28T23:59:01Z"), expected);
  EXPECT_EQ(parse_iso_time("2026-02-28T23:59:01.123Z"), expected);
  EXPECT_EQ(parse_iso_time("2026-03-01T00:59:01+01:00"), expected);
  EXPECT_EQ(parse_iso_time("2026-02-30T00:00:00Z"), std::nullopt);
  EXPECT_EQ(parse_iso_time("tomorrow"), std::nullopt);
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), WallTime(784111777s));
}

// --- names and addresses

TEST(ObjectUri, takes_the_key_verbatim) {
  for (const char* key : {"a", "a/b.mp4", "a b", "q?x=1#frag%41+", "/lead", "x/../y", "//", "ä"}) {
    const auto name = parse_object_uri(std::string("s3://bucket/") + key);
    ASSERT_TRUE(name) << key;
    EXPECT_EQ(name->bucket, "bucket");
    EXPECT_EQ(name->key, key);
    EXPECT_EQ(object_uri(*name), std::string("s3://bucket/") + key);
  }
}

TEST(ObjectUri, refuses_what_names_no_object) {
  for (const char* text :
       {"", "s3:", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", "s3://b/k",
        "http://bucket/key", "s3://bu cket/key", "s3://user@bucket/key"}) {
    const auto name = parse_object_uri(text);
    ASSERT_FALSE(name) << text;
    EXPECT_EQ(name.error().kind, ErrorKind::settings);
    EXPECT_FALSE(name.error().reason.empty());
  }
  EXPECT_FALSE(parse_object_uri("s3://bucket/" + std::string(1025, 'k')));
  EXPECT_TRUE(parse_object_uri("s3://bucket/" + std::string(1024, 'k')));
}

TEST(EndpointText, is_read_with_and_without_scheme_port_and_path) {
  EXPECT_EQ(
      *parse_endpoint("http://127.0.0.1:7480"),
      (Endpoint{.tls = false, .host = "127.0.0.1", .port = 7480, .path = {}, .amazon = false}));
  EXPECT_EQ(parse_endpoint("https://Host:443/")->port, 0U);
  EXPECT_EQ(parse_endpoint("https://Host/")->host, "host");
  EXPECT_EQ(parse_endpoint("[::1]:80")->host, "[::1]");
  EXPECT_EQ(parse_endpoint("https://h/a b/")->path, "/a%20b");
  EXPECT_TRUE(parse_endpoint("https://s3.eu-west-1.amazonaws.com")->amazon);
  for (const char* text : {"", "ftp://h", "http://", "http://h:0", "http://h:99999", "http://h?x",
                           "http://u:p@h", "http://a b"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

TEST(EndpointText, with_a_password_is_refused_without_repeating_it) {
  const auto endpoint = parse_endpoint("http://user:hunter2@host");
  ASSERT_FALSE(endpoint);
  EXPECT_EQ((endpoint.error().reason + endpoint.error().detail).find("hunter2"), std::string::npos);
}

TEST(EndpointOf, cloudflare_takes_parts_of_one_length_only) {
  const auto equal = [](const char* address) {
    return wants_equal_parts(parse_endpoint(address)->host);
  };
  EXPECT_TRUE(equal("https://0123abcd.r2.cloudflarestorage.com"));
  EXPECT_TRUE(equal("https://0123abcd.eu.r2.cloudflarestorage.com"));
  EXPECT_FALSE(equal("https://s3.eu-west-1.amazonaws.com"));
  EXPECT_FALSE(equal("http://r2.cloudflarestorage.com.example.org"));
}

TEST(TargetOf, a_bucket_is_in_the_host_at_amazon_and_in_the_path_elsewhere) {
  const auto url = [](const Endpoint& endpoint, Addressing addressing, const char* bucket) {
    return resolve_target(endpoint, addressing, bucket, "a b/ü?").url();
  };
  const Endpoint amazon = amazon_endpoint("eu-west-1");
  const Endpoint own = *parse_endpoint("http://store:81");
  EXPECT_EQ(url(amazon, Addressing::automatic, "bucket"),
            "https://bucket.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%3F");
  EXPECT_EQ(url(amazon, Addressing::automatic, "with.dot"),
            "https://s3.eu-west-1.amazonaws.com/with.dot/a%20b/%C3%BC%3F");
  EXPECT_EQ(url(amazon, Addressing::path, "bucket"),
            "https://s3.eu-west-1.amazonaws.com/bucket/a%20b/%C3%BC%3F");
  EXPECT_EQ(url(own, Addressing::automatic, "bucket"), "http://store:81/bucket/a%20b/%C3%BC%3F");
  EXPECT_EQ(url(own, Addressing::virtual_host, "bucket"), "http://bucket.store:81/a%20b/%C3%BC%3F");
  EXPECT_EQ(amazon_endpoint("cn-north-1").host, "s3.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(resolve_target(own, Addressing::path, "bucket", "").path, "/bucket");
}

TEST(PercentCode, goes_both_ways_and_leaves_what_is_no_escape) {
  EXPECT_EQ(percent_decode("a%20b%2f%zz%4"), "a b/%zz%4");
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all, false)), all);
}

// --- XML

TEST(Xml, gives_text_with_entities_and_names_without_prefix) {
  const auto document = parse_xml(
      "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- c --><n:Error xmlns:n='x'><Code>No&amp;Such</Code>"
      "<Message> a&#x41;&lt;<![CDATA[<b>]]> </Message><Empty/></n:Error>\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->name, "Error");
  EXPECT_EQ(document->child_text("Code"), "No&Such");
  EXPECT_EQ(document->child_text("Message"), "aA<<b>");
  EXPECT_EQ(document->child_text("Empty"), "");
  EXPECT_EQ(document->child_text("Absent"), "");
}

TEST(Xml, refuses_what_is_cut_nested_without_end_or_has_a_document_type) {
  const std::string whole = "<a><b c=\"d\">e&amp;f</b></a>";
  ASSERT_TRUE(parse_xml(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_xml(std::string_view(whole).substr(0, size))) << size;
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "<a>";
  EXPECT_FALSE(parse_xml(deep));
  EXPECT_FALSE(parse_xml("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"));
  EXPECT_FALSE(parse_xml("<a>&nope;</a>"));
  EXPECT_FALSE(parse_xml("<a></b>"));
  EXPECT_FALSE(parse_xml("<a/><b/>"));
}

// --- configuration files

TEST(SharedFilesText, is_read_with_nested_blocks_comments_and_quoted_names) {
  const SharedFiles files = combine_shared_files(
      "# comment\n[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n"
      "[profile \"two words\"]\nregion=us-west-2\r\nservices = mine\n"
      "[services mine]\ns3 =\n  endpoint_url = http://h:1\n[other]\nregion = no\nbroken line\n",
      "[default]\naws_access_key_id = AK\naws_secret_access_key = a=b==\n");
  EXPECT_EQ(files.get("default", "region"), "eu-west-1");
  EXPECT_EQ(files.get("default", "s3.addressing_style"), "path");
  EXPECT_EQ(files.get("default", "aws_secret_access_key"), "a=b==");
  EXPECT_EQ(files.get("two words", "region"), "us-west-2");
  EXPECT_EQ(files.endpoint("two words", "s3"), "http://h:1");
  EXPECT_EQ(files.endpoint("two words", "sts"), "");
  EXPECT_EQ(files.profile("other"), nullptr);
}

TEST(SharedFilesText, credentials_file_wins_and_brings_its_own_token_only) {
  const SharedFiles files = combine_shared_files(
      "[default]\naws_access_key_id=A\naws_secret_access_key=B\naws_session_token=T\n",
      "[default]\naws_access_key_id=C\naws_secret_access_key=D\n");
  EXPECT_EQ(files.get("default", "aws_access_key_id"), "C");
  EXPECT_EQ(files.get("default", "aws_session_token"), "");
}

TEST(Command, is_split_like_a_shell_without_being_one) {
  EXPECT_EQ(*split_command("a 'b c' \"d e\" f\\ g $(x)"),
            (std::vector<std::string>{"a", "b c", "d e", "f g", "$(x)"}));
  EXPECT_FALSE(split_command("a 'b"));
  EXPECT_FALSE(split_command("  "));
}

// --- credentials

TEST(CredentialsJson, is_read_as_processes_containers_and_instances_write_it) {
  const auto process = parse_credentials_json(
      R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T",
          "Expiration":"2030-01-01T00:00:00Z"})");
  ASSERT_TRUE(process);
  EXPECT_EQ(process->session_token, "T");
  EXPECT_TRUE(process->expiry.has_value());
  const auto instance = parse_credentials_json(
      R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"U"})");
  ASSERT_TRUE(instance);
  EXPECT_EQ(instance->session_token, "U");
  for (const char* text : {"", "[]", "{}", "{\"AccessKeyId\":1}", "{\"Code\":\"Failed\"}",
                           R"({"Version":2,"AccessKeyId":"A","SecretAccessKey":"S"})",
                           "{\"AccessKeyId\":\"A\\r\\nX: y\",\"SecretAccessKey\":\"S\"}"}) {
    const auto result = parse_credentials_json(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().kind, ErrorKind::credentials);
  }
}

class Chain : public ::testing::Test {
 protected:
  Result<Credentials> find(std::map<std::string, std::string> variables, Config config = {}) {
    // No file of whoever runs the tests.
    variables.try_emplace("AWS_CONFIG_FILE", "/dev/null");
    variables.try_emplace("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    CredentialContext context;
    context.environment = Environment(std::move(variables));
    context.fetch = [this](HttpRequest request) {
      requests.push_back(request.method + " " + request.url);
      last = request;
      for (const auto& [url, body] : replies) {
        if (request.method + " " + request.url == url) {
          return HttpReply{.status = 200, .body = body};
        }
      }
      return HttpReply{.failure = HttpFailure::connect, .failure_text = "refused"};
    };
    context.run = [](const std::vector<std::string>& words) -> Result<std::string> {
      return "{\"Version\":1,\"AccessKeyId\":\"from " + words.front() +
             "\",\"SecretAccessKey\":\"S\"}";
    };
    context.now = [] { return WallTime(1'700'000'000s); };
    context.region = "eu-west-1";
    return find_credentials(config, context);
  }

  std::string file(const std::string& name, const std::string& text) {
    const std::string path = ::testing::TempDir() + "/clips-s3-" + std::to_string(getpid()) + name;
    FILE* out = fopen(path.c_str(), "w");
    fputs(text.c_str(), out);
    fclose(out);
    made.push_back(path);
    return path;
  }
  ~Chain() override {
    for (const std::string& path : made) unlink(path.c_str());
  }

  static constexpr const char* kSts =
      "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>STS</AccessKeyId>"
      "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
      "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
      "</AssumeRoleResponse>";
  static constexpr const char* kJson = R"({"AccessKeyId":"J","SecretAccessKey":"S","Token":"T"})";
  std::map<std::string, std::string> replies;
  std::vector<std::string> requests;
  HttpRequest last;
  std::vector<std::string> made;
};

TEST_F(Chain, properties_come_first) {
  Config config;
  config.access_key = "P";
  config.secret_key = "S";
  EXPECT_EQ(find({{"AWS_ACCESS_KEY_ID", "E"}, {"AWS_SECRET_ACCESS_KEY", "S"}}, config)->access_key,
            "P");
}

TEST_F(Chain, half_a_pair_is_an_error_and_not_skipped) {
  Config config;
  config.access_key = "P";
  EXPECT_FALSE(find({}, config));
  EXPECT_FALSE(find({{"AWS_ACCESS_KEY_ID", "E"}}));
  EXPECT_TRUE(requests.empty());
}

TEST_F(Chain, environment_outranks_the_profile_unless_a_profile_is_asked_for) {
  const std::string files = file("creds", "[p]\naws_access_key_id=F\naws_secret_access_key=S\n");
  const std::map<std::string, std::string> variables = {{"AWS_ACCESS_KEY_ID", "E"},
                                                        {"AWS_SECRET_ACCESS_KEY", "S"},
                                                        {"AWS_SHARED_CREDENTIALS_FILE", files}};
  EXPECT_EQ(find(variables)->access_key, "E");
  Config config;
  config.profile = "p";
  EXPECT_EQ(find(variables, config)->access_key, "F");
  config.profile = "absent";
  EXPECT_FALSE(find(variables, config));
}

TEST_F(Chain, web_identity_sends_the_token_and_signs_nothing) {
  replies["POST https://sts.eu-west-1.amazonaws.com/"] = kSts;
  const auto found = find({{"AWS_WEB_IDENTITY_TOKEN_FILE", file("token", "jwt\n")},
                           {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->access_key, "STS");
  EXPECT_EQ(find_header(last.headers, "Authorization"), "");
  const auto body = last.body.pieces.front();
  const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
  EXPECT_NE(text.find("WebIdentityToken=jwt"), std::string_view::npos);
}

TEST_F(Chain, role_is_assumed_with_the_keys_of_the_source_profile) {
  replies["POST http://sts.local:1/"] = kSts;
  const auto found =
      find({{"AWS_ENDPOINT_URL_STS", "http://sts.local:1"},
            {"AWS_PROFILE", "r"},
            {"AWS_CONFIG_FILE", file("config",
                                     "[profile r]\nrole_arn=arn:x\nsource_profile=base\n"
                                     "external_id=42\n")},
            {"AWS_SHARED_CREDENTIALS_FILE",
             file("creds", "[base]\naws_access_key_id=BASE\naws_secret_access_key=S\n")}});
  ASSERT_TRUE(found) << found.error().reason;
  EXPECT_EQ(found->session_token, "T");
  EXPECT_NE(
      find_header(last.headers, "Authorization").find("Credential=BASE/20231114/eu-west-1/sts"),
      std::string_view::npos);
}

TEST_F(Chain, roles_in_a_circle_are_an_error) {
  const auto found =
      find({{"AWS_PROFILE", "a"},
            {"AWS_CONFIG_FILE", file("config",
                                     "[profile a]\nrole_arn=x\nsource_profile=b\n"
                                     "[profile b]\nrole_arn=y\nsource_profile=a\n")}});
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().reason.find("source_profile"), std::string::npos);
}

TEST_F(Chain, credential_process_is_asked) {
  EXPECT_EQ(find({{"AWS_CONFIG_FILE", file("config", "[default]\ncredential_process=helper -x\n")}})
                ->access_key,
            "from helper");
}

TEST_F(Chain, container_endpoint_gets_its_token) {
  replies["GET http://169.254.170.2/creds"] = kJson;
  const auto found = find({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/creds"},
                           {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file("token", "tok\n")}});
  ASSERT_TRUE(found);
  EXPECT_EQ(find_header(last.headers, "Authorization"), "tok");
  EXPECT_TRUE(last.direct);
}

TEST_F(Chain, container_uri_in_the_open_is_only_followed_to_this_machine) {
  replies["GET http://127.0.0.1:99/c"] = kJson;
  EXPECT_TRUE(find({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:99/c"}}));
  for (const char* uri : {"http://evil.example/c", "http://127.evil.example/c", "ftp://localhost/c",
                          "http://localhost@evil.example/c"}) {
    requests.clear();
    EXPECT_FALSE(find({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", uri}})) << uri;
    EXPECT_TRUE(requests.empty()) << uri;
  }
}

TEST_F(Chain, instance_metadata_is_asked_with_a_token_only) {
  const std::string base = "http://169.254.169.254/latest/";
  replies["PUT " + base + "api/token"] = "tok";
  replies["GET " + base + "meta-data/iam/security-credentials/"] = "my-role\n";
  replies["GET " + base + "meta-data/iam/security-credentials/my-role"] = kJson;
  const auto found = find({});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->access_key, "J");
  EXPECT_EQ(find_header(last.headers, "X-aws-ec2-metadata-token"), "tok");
}

TEST_F(Chain, nothing_anywhere_says_what_to_set) {
  const auto found = find({{"AWS_EC2_METADATA_DISABLED", "true"}});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::credentials);
  EXPECT_NE(found.error().reason.find("AWS_ACCESS_KEY_ID"), std::string::npos);
  EXPECT_TRUE(requests.empty());
}

TEST(RunCommand, returns_the_output_and_ends_what_hangs) {
  const auto never = [] { return false; };
  EXPECT_EQ(*run_command({"printf", "a b"}, 5s, never), "a b");
  EXPECT_FALSE(run_command({"false"}, 5s, never));
  EXPECT_FALSE(run_command({"/nonexistent/program"}, 5s, never));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_command({"sleep", "30"}, 200ms, never));
  EXPECT_FALSE(run_command({"sh", "-c", "exec >&-; sleep 30"}, 200ms, never));
  EXPECT_FALSE(run_command({"sleep", "30"}, 30s, [] { return true; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

// --- failures

Failure judged(int status, std::string body, Headers headers = {}) {
  return judge({.status = status, .headers = std::move(headers), .body = std::move(body)},
               {.host = "host", .bucket = "b", .versioned = false, .now = WallTime(0s)});
}

TEST(Judgement, names_code_status_and_request) {
  const Failure failure = judged(
      404, "<Error><Code>NoSuchKey</Code><Message>m</Message><RequestId>R</RequestId></Error>");
  EXPECT_EQ(failure.error.kind, ErrorKind::not_found);
  EXPECT_EQ(failure.error.http_status, 404);
  EXPECT_EQ(failure.error.s3_code, "NoSuchKey");
  EXPECT_EQ(failure.error.request_id, "R");
  EXPECT_EQ(failure.remedy, Remedy::none);
}

TEST(Judgement, tries_again_what_may_pass) {
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) {
    EXPECT_EQ(judged(status, "").remedy, Remedy::retry) << status;
  }
  EXPECT_EQ(judged(400, "<Error><Code>RequestTimeout</Code></Error>").remedy, Remedy::retry);
  for (const int status : {400, 403, 404, 405, 409, 412, 501}) {
    EXPECT_EQ(judged(status, "").remedy, Remedy::none) << status;
  }
  EXPECT_EQ(judged(503, "", {{"Retry-After", "7"}}).retry_after, 7s);
}

TEST(Judgement, finds_the_region_wherever_it_stands) {
  const auto malformed = judged(400,
                                "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the "
                                "region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>"
                                "</Error>");
  EXPECT_EQ(malformed.remedy, Remedy::region);
  EXPECT_EQ(malformed.region, "eu-west-1");
  EXPECT_EQ(judged(301, "", {{"x-amz-bucket-region", "eu-west-3"}}).region, "eu-west-3");
  EXPECT_EQ(judged(307, "", {{"Location", "https://b.other.example/k?x"}}).host,
            "https://b.other.example");
  EXPECT_EQ(judged(301, "", {{"x-amz-bucket-region", "evil.example/"}}).region, "");
}

TEST(Judgement, tells_a_wrong_clock_from_a_wrong_key) {
  EXPECT_EQ(judged(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>").remedy, Remedy::clock);
  EXPECT_EQ(judged(403, "", {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}}).remedy, Remedy::clock);
  EXPECT_EQ(judged(403, "", {{"Date", "Thu, 01 Jan 1970 00:00:01 GMT"}}).remedy, Remedy::none);
}

TEST(Judgement, keeps_text_of_the_store_on_one_line) {
  const Failure failure = judged(418, "<Error><Code>X</Code><Message>a\nb\xff%n</Message></Error>");
  EXPECT_EQ(failure.error.reason, "the store refused the request: a?b?%n (418 X)");
}

TEST(Backoff, grows_with_jitter_and_is_bounded) {
  for (unsigned attempt = 0; attempt < 40; ++attempt) {
    EXPECT_LE(backoff(attempt, false, 0), backoff(attempt, false, 1023));
    EXPECT_LE(backoff(attempt, true, 1023), 10s);
    EXPECT_GE(backoff(attempt, true, 0), 100ms);
  }
  EXPECT_GT(backoff(5, false, 0), backoff(1, false, 1023));
}

TEST(MultipartEtag, is_the_sum_of_the_sums) {
  // As Ceph gave it for parts of 5 MiB of 'b', 'c' and 'd'.
  std::vector<Part> parts;
  for (const char c : {'b', 'c', 'd'}) {
    Part part;
    part.etag = "\"" + md5_hex(Body::of(std::string(5 << 20, c))) + "\"";
    parts.push_back(part);
  }
  EXPECT_EQ(multipart_etag(parts), "30acfc89fa5aa7b53b4dcee6dcdd8dff-3");
  parts.front().etag = "\"opaque\"";
  EXPECT_EQ(multipart_etag(parts), "");
}

}  // namespace
