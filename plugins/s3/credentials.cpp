// SPDX-License-Identifier: LGPL-2.1-or-later
#include "credentials.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "digest.hpp"
#include "failure.hpp"
#include "text.hpp"
#include "uri.hpp"
#include "xml.hpp"

extern "C" char** environ;

namespace clips::s3 {

namespace {

constexpr std::string_view kMetadataHost = "http://169.254.169.254";
constexpr std::string_view kMetadataHost6 = "http://[fd00:ec2::254]";
constexpr std::string_view kContainerHost = "http://169.254.170.2";
constexpr std::size_t kLargestOutput = 1 << 20;

using Found = std::optional<Credentials>;

tl::unexpected<Error> failed(std::string reason, std::string detail = {}) {
  return tl::unexpected(Error{
      .kind = ErrorKind::credentials, .reason = std::move(reason), .detail = std::move(detail)});
}

std::string form(const QueryParameters& parameters) {
  return canonical_query(parameters);
}

class Search {
 public:
  Search(const Config& config, const CredentialContext& context)
      : config_(config), context_(context), environment_(context.environment) {}

  Result<Credentials> run() {
    if (!config_.access_key.empty() || !config_.secret_key.empty()) {
      if (config_.access_key.empty() || config_.secret_key.empty()) {
        return failed("access-key and secret-access-key are only useful together");
      }
      return Credentials{config_.access_key, config_.secret_key, config_.session_token, {}};
    }
    using Place = Result<Found> (Search::*)();
    for (const Place place :
         {&Search::from_environment, &Search::from_web_identity, &Search::from_profile,
          &Search::from_container, &Search::from_instance}) {
      auto found = (this->*place)();
      if (!found) return tl::unexpected(found.error());
      if (*found) return std::move(**found);
    }
    return failed(
        "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile "
        "in ~/.aws/credentials");
  }

 private:
  void log(const std::string& text) const {
    if (context_.log) context_.log(LogLevel::debug, text);
  }

  Result<Found> from_environment() {
    // A profile that was asked for by property outranks what happens to be in the environment.
    if (!config_.profile.empty()) return std::nullopt;
    return keys_of_environment();
  }

  Result<Found> keys_of_environment() {
    const std::string& access = environment_.get("AWS_ACCESS_KEY_ID");
    const std::string& secret = environment_.get("AWS_SECRET_ACCESS_KEY");
    if (access.empty() && secret.empty()) return std::nullopt;
    if (access.empty() || secret.empty()) {
      return failed("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are only useful together");
    }
    log("credentials from the environment");
    return Credentials{access, secret, environment_.get("AWS_SESSION_TOKEN"), {}};
  }

  Result<Found> from_web_identity() {
    if (!config_.profile.empty()) return std::nullopt;
    const std::string& file = environment_.get("AWS_WEB_IDENTITY_TOKEN_FILE");
    const std::string& role = environment_.get("AWS_ROLE_ARN");
    if (file.empty() || role.empty()) return std::nullopt;
    return wrap(assume_with_web_identity(role, file, environment_.get("AWS_ROLE_SESSION_NAME")));
  }

  Result<Found> from_profile() {
    files_ = read_shared_files(environment_);
    profile_ = profile_name(environment_, config_.profile);
    if (!files_.profile(profile_)) {
      if (profile_ == "default") return std::nullopt;
      return failed("there is no profile \"" + printable(profile_, 80) +
                    "\" in the shared configuration files");
    }
    std::set<std::string> seen;
    return of_profile(profile_, seen, false);
  }

  // `source`: the profile is the source of another, whose own keys come first.
  Result<Found> of_profile(const std::string& name, std::set<std::string>& seen, bool source) {
    const std::string_view access = files_.get(name, "aws_access_key_id");
    const std::string_view secret = files_.get(name, "aws_secret_access_key");
    const bool has_keys = !access.empty() && !secret.empty();
    if (access.empty() != secret.empty()) {
      return failed("the profile \"" + printable(name, 80) + "\" has half a key pair");
    }
    const bool first_time = seen.insert(name).second;
    const std::string role(files_.get(name, "role_arn"));
    if (!role.empty() && !(source && has_keys)) {
      if (!first_time) {
        return failed("the profile \"" + printable(name, 80) + "\" is its own source_profile");
      }
      return assume_for_profile(name, role, seen);
    }
    if (has_keys) {
      log("credentials from the keys of profile " + printable(name, 80));
      return Credentials{std::string(access),
                         std::string(secret),
                         std::string(files_.get(name, "aws_session_token")),
                         {}};
    }
    const std::string_view process = files_.get(name, "credential_process");
    if (!process.empty()) return from_process(process);
    if (!files_.get(name, "sso_start_url").empty() || !files_.get(name, "sso_session").empty()) {
      return failed("the profile \"" + printable(name, 80) +
                    "\" signs in with a browser; give it credential_process = aws configure "
                    "export-credentials");
    }
    return std::nullopt;
  }

  Result<Found> assume_for_profile(const std::string& name, const std::string& role,
                                   std::set<std::string>& seen) {
    std::string session(files_.get(name, "role_session_name"));
    const std::string token_file(files_.get(name, "web_identity_token_file"));
    if (!token_file.empty()) return wrap(assume_with_web_identity(role, token_file, session));
    if (!files_.get(name, "mfa_serial").empty()) {
      return failed("the profile \"" + printable(name, 80) +
                    "\" asks for a one-time code, which cannot be typed here");
    }
    const std::string from(files_.get(name, "source_profile"));
    const std::string_view kind = files_.get(name, "credential_source");
    Result<Found> source = std::nullopt;
    if (!from.empty()) {
      if (!files_.profile(from)) {
        return failed("the source_profile \"" + printable(from, 80) + "\" does not exist");
      }
      source = of_profile(from, seen, true);
    } else if (kind == "Environment") {
      source = keys_of_environment();
    } else if (kind == "EcsContainer") {
      source = from_container();
    } else if (kind == "Ec2InstanceMetadata") {
      source = from_instance();
    } else {
      return failed("the profile \"" + printable(name, 80) +
                    "\" has a role_arn and neither a source_profile nor a credential_source");
    }
    if (!source) return source;
    if (!*source) return failed("there are no credentials to assume the role with");
    QueryParameters parameters = {{"Action", "AssumeRole"},
                                  {"Version", "2011-06-15"},
                                  {"RoleArn", role},
                                  {"RoleSessionName", session_name(session)}};
    const std::string external(files_.get(name, "external_id"));
    if (!external.empty()) parameters.emplace_back("ExternalId", external);
    const std::string duration(files_.get(name, "duration_seconds"));
    if (!duration.empty()) parameters.emplace_back("DurationSeconds", duration);
    log("credentials by assuming a role for profile " + printable(name, 80));
    return wrap(ask_sts(parameters, &**source));
  }

  std::string session_name(const std::string& given) const {
    if (!given.empty()) return given;
    return "gst-clips-" + std::to_string(context_.now().time_since_epoch().count());
  }

  Result<Credentials> assume_with_web_identity(const std::string& role, const std::string& file,
                                               const std::string& session) {
    // Read anew each time: whoever placed it renews it there.
    const std::string token(trim(read_small_file(environment_.expand_home(file))));
    if (token.empty()) return failed("the web identity token file cannot be read", file);
    log("credentials by web identity");
    return ask_sts({{"Action", "AssumeRoleWithWebIdentity"},
                    {"Version", "2011-06-15"},
                    {"RoleArn", role},
                    {"RoleSessionName", session_name(session)},
                    {"WebIdentityToken", token}},
                   nullptr);
  }

  Result<Credentials> ask_sts(const QueryParameters& parameters, const Credentials* signer) {
    const std::string& region = context_.region;
    std::string address = environment_.get("AWS_ENDPOINT_URL_STS");
    if (address.empty()) address = environment_.get("AWS_ENDPOINT_URL");
    if (address.empty() && !profile_.empty()) address = files_.endpoint(profile_, "sts");
    if (address.empty()) {
      address = "https://sts." + region + ".amazonaws.com" +
                (std::string_view(region).starts_with("cn-") ? ".cn" : "");
    }
    const auto endpoint = parse_endpoint(address);
    if (!endpoint) return failed("the endpoint of STS is wrong: " + endpoint.error().reason);
    const Target target = resolve_target(*endpoint, Addressing::path, "", "");
    HttpRequest request;
    request.method = "POST";
    request.url = target.url();
    request.ca_file = config_.ca_file;
    request.total_timeout = std::chrono::seconds(20);
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
    const std::string body = form(parameters);
    if (signer) {
      const Headers added = sign({.method = "POST",
                                  .host = target.host,
                                  .path = target.path,
                                  .query = "",
                                  .headers = &request.headers,
                                  .payload_hash = sha256_hex(body),
                                  .region = region,
                                  .service = "sts",
                                  .time = context_.now()},
                                 *signer);
      request.headers.insert(request.headers.end(), added.begin(), added.end());
    }
    request.body = Body::of(body);
    const HttpReply reply = fetch(std::move(request));
    if (reply.failure != HttpFailure::none || reply.status != 200) {
      return refused("STS", target.host, reply);
    }
    return parse_sts_reply(reply.body);
  }

  Result<Found> from_process(std::string_view line) {
    auto words = split_command(line);
    if (!words) return tl::unexpected(words.error());
    log("credentials from credential_process");
    auto output = context_.run(*words);
    if (!output) return tl::unexpected(output.error());
    return wrap(parse_credentials_json(*output));
  }

  Result<Found> from_container() {
    std::string url;
    const std::string& relative = environment_.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const std::string& full = environment_.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (!relative.empty()) {
      url = std::string(kContainerHost) + relative;
    } else if (!full.empty()) {
      if (!is_safe_container_uri(full)) {
        return failed(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that is neither this "
            "machine nor the container service, without TLS");
      }
      url = full;
    } else {
      return std::nullopt;
    }
    HttpRequest request;
    request.url = url;
    request.direct = true;
    request.connect_timeout = std::chrono::seconds(2);
    request.total_timeout = std::chrono::seconds(5);
    std::string token = environment_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const std::string& token_file = environment_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (!token_file.empty()) {
      token = trim(read_small_file(environment_.expand_home(token_file)));
      if (token.empty()) return failed("the container's token file cannot be read", token_file);
    }
    if (has_control_characters(token)) return failed("the container's token is malformed");
    if (!token.empty()) request.headers.push_back({"Authorization", token});
    log("credentials from the container's endpoint");
    const HttpReply reply = fetch(std::move(request));
    if (reply.failure != HttpFailure::none || reply.status != 200) {
      return refused("the container's credential endpoint", "", reply);
    }
    return wrap(parse_credentials_json(reply.body));
  }

  // http only to where nobody listens in: https://docs.aws.amazon.com/sdkref/latest/guide/
  // feature-container-credentials.html
  static bool is_safe_container_uri(std::string_view uri) {
    if (uri.starts_with("https://")) return true;
    if (!uri.starts_with("http://")) return false;
    std::string_view host = uri.substr(7);
    host = host.substr(0, host.find_first_of("/?#"));
    if (host.find('@') != std::string_view::npos) return false;
    if (host.starts_with('[')) {
      host = host.substr(0, host.find(']') + 1);
    } else {
      host = host.substr(0, host.find(':'));
    }
    if (host == "localhost" || host == "[::1]" || host == "169.254.170.2" ||
        host == "169.254.170.23" || host == "[fd00:ec2::23]") {
      return true;
    }
    return host.starts_with("127.") &&
           host.find_first_not_of("0123456789.") == std::string_view::npos;
  }

  Result<Found> from_instance() {
    if (environment_.is_true("AWS_EC2_METADATA_DISABLED")) return std::nullopt;
    std::string host = environment_.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (host.empty()) {
      host = equal_ignoring_case(environment_.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6")
                 ? kMetadataHost6
                 : kMetadataHost;
    }
    while (host.ends_with('/')) host.pop_back();
    // A token first: version 1, without one, lets a tricked proxy give keys away.
    HttpReply reply = ask_instance("PUT", host + "/latest/api/token",
                                   {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}});
    // Anywhere but on such a machine nobody answers, which is no error.
    if (reply.failure != HttpFailure::none || reply.status != 200) return std::nullopt;
    const std::string token(trim(reply.body));
    if (token.empty() || has_control_characters(token)) return std::nullopt;
    const Headers headers = {{"X-aws-ec2-metadata-token", token}};
    const std::string path = host + "/latest/meta-data/iam/security-credentials/";
    reply = ask_instance("GET", path, headers);
    if (reply.status == 404) return std::nullopt;  // an instance without a role
    if (reply.failure != HttpFailure::none || reply.status != 200) {
      return refused("the instance metadata service", "", reply);
    }
    const std::string_view list = trim(reply.body);
    const std::string role(trim(list.substr(0, list.find('\n'))));
    if (role.empty()) return std::nullopt;
    reply = ask_instance("GET", path + percent_encode(role, false), headers);
    if (reply.failure != HttpFailure::none || reply.status != 200) {
      return refused("the instance metadata service", "", reply);
    }
    log("credentials from instance metadata");
    return wrap(parse_credentials_json(reply.body));
  }

  HttpReply ask_instance(std::string method, std::string url, Headers headers) {
    HttpRequest request;
    request.method = std::move(method);
    request.url = std::move(url);
    request.headers = std::move(headers);
    request.direct = true;
    request.connect_timeout = std::chrono::seconds(1);
    request.total_timeout = std::chrono::seconds(2);
    return fetch(std::move(request));
  }

  // Each of these services is asked again when it stumbles; how often is small, a user waits.
  HttpReply fetch(HttpRequest request) {
    HttpReply reply;
    for (unsigned attempt = 0; attempt < 3; ++attempt) {
      reply = context_.fetch(request);
      const bool stumbled =
          reply.failure == HttpFailure::broken || reply.status >= 500 || reply.status == 429;
      if (!stumbled) break;
    }
    return reply;
  }

  tl::unexpected<Error> refused(const std::string& who, const std::string& host,
                                const HttpReply& reply) const {
    const Failure failure =
        judge(reply, {.host = host, .bucket = {}, .versioned = false, .now = context_.now()});
    Error error = failure.error;
    if (error.kind != ErrorKind::cancelled) {
      error.kind = ErrorKind::credentials;
      error.reason = who + " gave no credentials: " + error.reason;
    }
    return tl::unexpected(std::move(error));
  }

  static Result<Found> wrap(Result<Credentials> credentials) {
    if (!credentials) return tl::unexpected(std::move(credentials.error()));
    return Found(std::move(*credentials));
  }

  const Config& config_;
  const CredentialContext& context_;
  const Environment& environment_;
  SharedFiles files_;
  std::string profile_;
};

std::string json_text(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Credentials> checked(Credentials credentials, const char* whose) {
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return failed(std::string(whose) + " holds no key pair");
  }
  // They go into headers.
  if (has_control_characters(credentials.access_key) ||
      has_control_characters(credentials.session_token)) {
    return failed(std::string(whose) + " holds malformed keys");
  }
  return credentials;
}

struct FileDescriptor {
  int fd = -1;
  FileDescriptor() = default;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { reset(); }
  void reset() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

}  // namespace

Result<Credentials> find_credentials(const Config& config, const CredentialContext& context) {
  return Search(config, context).run();
}

Result<Credentials> parse_sts_reply(std::string_view xml) {
  const auto document = parse_xml(xml);
  if (!document) return failed("the reply of STS is not understood");
  for (const XmlElement& result : document->children) {
    const XmlElement* keys = result.child("Credentials");
    if (!keys) continue;
    return checked({.access_key = std::string(keys->child_text("AccessKeyId")),
                    .secret_key = std::string(keys->child_text("SecretAccessKey")),
                    .session_token = std::string(keys->child_text("SessionToken")),
                    .expiry = parse_iso_time(keys->child_text("Expiration"))},
                   "the reply of STS");
  }
  return failed("the reply of STS holds no credentials");
}

Result<Credentials> parse_credentials_json(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return failed("the credentials are not a JSON object");
  const auto version = json.find("Version");
  if (version != json.end() && version->is_number_integer() && *version != 1) {
    return failed("the credentials are of an unknown version");
  }
  const std::string code = json_text(json, "Code");
  if (!code.empty() && code != "Success") {
    return failed("the service that gives credentials failed", printable(code, 80));
  }
  std::string token = json_text(json, "SessionToken");
  if (token.empty()) token = json_text(json, "Token");
  return checked({.access_key = json_text(json, "AccessKeyId"),
                  .secret_key = json_text(json, "SecretAccessKey"),
                  .session_token = std::move(token),
                  .expiry = parse_iso_time(json_text(json, "Expiration"))},
                 "the reply with credentials");
}

Result<std::vector<std::string>> split_command(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
      in_word = true;
    } else if (quote) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote) return failed("credential_process has a quote that is not closed");
  if (in_word) words.push_back(std::move(word));
  if (words.empty()) return failed("credential_process is empty");
  return words;
}

Result<std::string> run_command(const std::vector<std::string>& words,
                                std::chrono::nanoseconds deadline,
                                const std::function<bool()>& cancelled) {
  FileDescriptor out, in;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed("credential_process cannot be started");
  out.fd = ends[0];
  in.fd = ends[1];

  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.fd, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own, so that its children end with it.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t child = 0;
  const int status =
      posix_spawnp(&child, arguments.front(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) {
    return failed("credential_process \"" + printable(words.front(), 80) + "\" cannot be started",
                  std::strerror(status));
  }
  in.reset();

  const auto end = std::chrono::steady_clock::now() + deadline;
  std::string output;
  bool done = false;
  while (!done && output.size() <= kLargestOutput && !cancelled() &&
         std::chrono::steady_clock::now() < end) {
    pollfd ready = {out.fd, POLLIN, 0};
    if (poll(&ready, 1, 20) <= 0) continue;
    char buffer[4096];
    const ssize_t count = read(out.fd, buffer, sizeof buffer);
    if (count > 0) output.append(buffer, static_cast<std::size_t>(count));
    done = count == 0;
  }
  // It may close its output and stay.
  int exit_status = 0;
  bool ended = false;
  while (done && !ended && !cancelled() && std::chrono::steady_clock::now() < end) {
    ended = waitpid(child, &exit_status, WNOHANG) != 0;
    if (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  if (!ended) {
    kill(-child, SIGKILL);
    while (waitpid(child, &exit_status, 0) < 0 && errno == EINTR) {
    }
    return failed("credential_process \"" + printable(words.front(), 80) +
                  "\" did not end in time or wrote too much");
  }
  if (!WIFEXITED(exit_status) || WEXITSTATUS(exit_status) != 0) {
    return failed("credential_process \"" + printable(words.front(), 80) + "\" failed");
  }
  return output;
}

}  // namespace clips::s3
