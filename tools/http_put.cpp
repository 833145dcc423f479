// SPDX-License-Identifier: LGPL-2.1-or-later
#include "http_put.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <thread>

#include "text.hpp"

#ifdef CLIPS_HTTP_PUT
#include "interrupts.hpp"
#include "object_headers.hpp"
#include "transport.hpp"
#endif

namespace clips::tool {

namespace {

Problem put_problem(std::string code, const std::string& url, const std::string& why) {
  Problem problem;
  problem.domain = "resource";
  problem.code = std::move(code);
  problem.message = one_line("Could not upload to " + redact(url) + ": " + why + ".");
  problem.exit = ExitCode::not_published;
  return problem;
}

#ifdef CLIPS_HTTP_PUT

using std::chrono::milliseconds;

constexpr int attempts = 4;

struct Mapping {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

tl::expected<Mapping, int> map_file(int descriptor) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return tl::unexpected(errno);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return Mapping{};
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) return tl::unexpected(errno);
  std::shared_ptr<const void> owner(
      memory, [size](const void* mapped) { munmap(const_cast<void*>(mapped), size); });
  return Mapping{{static_cast<const std::byte*>(memory), size}, std::move(owner)};
}

// By the ending of the path. Signatures of the older kind, a plain "Signature=", are made over the
// type: then the one that was signed, none as a rule, is the only one that is right.
std::string_view type_for(std::string_view url) {
  const std::size_t query = std::min(url.find('?'), url.size());
  const std::string_view parameters = url.substr(query);
  if (parameters.find("?Signature=") != std::string_view::npos ||
      parameters.find("&Signature=") != std::string_view::npos)
    return {};
  const std::string_view type = s3::content_type_of_key(url.substr(0, query));
  return type.empty() ? "application/octet-stream" : type;
}

bool may_pass(const s3::HttpReply& reply) {
  switch (reply.failure) {
    case s3::HttpFailure::none:
      return reply.status == 408 || reply.status == 429 || reply.status >= 500;
    case s3::HttpFailure::resolve:
    case s3::HttpFailure::connect:
    case s3::HttpFailure::timeout:
    case s3::HttpFailure::broken:
    case s3::HttpFailure::proxy:
      return true;
    default:
      return false;
  }
}

// Waits, but not longer than until a signal. False: a signal came.
template <typename Ready>
bool wait_for(Ready ready) {
  while (Interrupts::received() == 0)
    if (ready(milliseconds(50))) return true;
  return false;
}

Problem problem_of_reply(const s3::HttpReply& reply, const std::string& url) {
  if (reply.failure != s3::HttpFailure::none)
    return put_problem("open-write", url, reply.failure_text);
  const std::string status = "the server answered " + std::to_string(reply.status);
  if (reply.status == 401 || reply.status == 403)
    return put_problem("not-authorized", url, status + "; the URL may have expired");
  return put_problem(reply.status == 404 ? "not-found" : "write", url, status);
}

#endif

}  // namespace

#ifndef CLIPS_HTTP_PUT

tl::expected<PutResult, Problem> http_put(const std::string& url, int) {
  Problem problem = put_problem("missing-plugin", url, "this gst-clips is built without libcurl");
  problem.exit = ExitCode::missing_plugin;
  return tl::unexpected(problem);
}

#else

tl::expected<PutResult, Problem> http_put(const std::string& url, int descriptor) {
  const auto mapping = map_file(descriptor);
  if (!mapping) return tl::unexpected(put_problem("read", url, std::strerror(mapping.error())));
  s3::HttpReply last;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (attempt > 0) {
      const auto resume = std::chrono::steady_clock::now() + milliseconds(250 << attempt);
      if (!wait_for([&](milliseconds step) {
            std::this_thread::sleep_for(step);
            return std::chrono::steady_clock::now() >= resume;
          }))
        break;
    }
    s3::HttpRequest request;
    request.method = "PUT";
    request.url = url;
    if (const std::string_view type = type_for(url); !type.empty())
      request.headers = {{"Content-Type", std::string(type)}};
    request.body.pieces = {mapping->bytes};
    request.body.owner = mapping->owner;
    const gchar* ca_file = g_getenv("AWS_CA_BUNDLE");
    if (!ca_file) ca_file = g_getenv("SSL_CERT_FILE");
    request.ca_file = ca_file ? ca_file : "";
    auto promise = std::make_shared<std::promise<s3::HttpReply> >();
    auto reply = promise->get_future();
    // Ends what is in flight when it goes.
    s3::Transport transport(0);
    transport.post([&] {
      transport.start(std::move(request),
                      [promise](s3::HttpReply done) { promise->set_value(std::move(done)); });
    });
    if (!wait_for(
            [&](milliseconds step) { return reply.wait_for(step) == std::future_status::ready; }))
      break;
    last = reply.get();
    if (last.failure == s3::HttpFailure::none && last.status >= 200 && last.status < 300)
      return PutResult{std::string(s3::find_header(last.headers, "etag")), mapping->bytes.size()};
    if (!may_pass(last)) break;
  }
  if (const int signal = Interrupts::received(); signal != 0) {
    Problem problem = put_problem("interrupted", url, "interrupted");
    problem.exit = static_cast<ExitCode>(128 + signal);
    return tl::unexpected(problem);
  }
  return tl::unexpected(problem_of_reply(last, url));
}

#endif

}  // namespace clips::tool
