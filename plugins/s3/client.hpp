// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"
#include "error.hpp"
#include "uri.hpp"

namespace clips::s3 {

struct Header {
  std::string name;
  std::string value;
};
using Headers = std::vector<Header>;
// Names compare without case; empty when there is none.
std::string_view find_header(const Headers& headers, std::string_view name);

// What a request sends: pieces in a row, read in place and as often as attempts are made. They stay
// untouched until the completion was called; `owner` keeps them alive until then.
struct Body {
  std::vector<std::span<const std::byte>> pieces;
  std::shared_ptr<const void> owner;
  std::string sha256;  // hexadecimal; empty while nobody needed it, see Client::hash()

  std::uint64_t size() const;
  static Body of(std::string text);
};

// Takes the bytes of a successful reply as they arrive, on the I/O thread: `offset` counts from the
// start of the range asked for. After a failed attempt the client asks for the rest only, so bytes
// come in order and once. False ends the call as cancelled.
using DataSink = std::function<bool(std::uint64_t offset, std::span<const std::byte> data)>;

// Called exactly once for each call, on the I/O thread (never from inside the call itself), also
// when it is cancelled and when the client ends. It must not block; it may start and cancel calls.
template <typename T>
using Completion = std::function<void(Result<T>)>;

using CallId = std::uint64_t;

struct Stored {
  std::string etag;  // as the store sent it, with its quotes
  std::string version_id;
  Headers headers;  // all of the reply's, for checksums and the like
};

struct Part {
  int number = 0;  // 1 to 10 000
  std::uint64_t size = 0;
  std::string etag;
  // Elements that Complete must repeat for the part, e.g. {"ChecksumCRC32C", "yZRlqg=="}.
  Headers checksums;
};

struct ObjectInfo {
  std::uint64_t size = 0;    // of the whole object
  std::uint64_t offset = 0;  // where the range that was served begins
  std::uint64_t length = 0;  // of that range
  std::string etag;          // as the store sent it, with its quotes
  std::string version_id;
  std::string content_type;
  Headers headers;
};

struct Upload {
  std::string key;
  std::string upload_id;
  std::string initiated;  // by the store's clock, ISO 8601 in UTC
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct GetObject {
  ObjectName object;
  std::optional<ByteRange> range;  // may reach past the end; none: the whole object
  std::string if_match;            // an ETag with its quotes; another object there is `changed`
  DataSink sink;
};

struct ClientStats {
  std::uint64_t requests = 0;  // attempts sent
  std::uint64_t retries = 0;
  std::uint64_t bytes_sent = 0;  // bodies, failed attempts included
  std::uint64_t bytes_received = 0;
};

// An S3 client: one I/O thread that carries every transfer, retries, signs each attempt anew and
// refreshes credentials. All members may be called from any thread. Every method that takes a
// completion returns at once.
//
// Retried are: connect and name failures, resets, stalls, 408, 425, 429, 5xx, 400 RequestTimeout;
// with exponential back-off and jitter, within Config's attempts and budget, and only for about
// 5 s while the endpoint has never answered. A wrong region and a wrong clock are corrected.
class Client {
 public:
  static Result<std::unique_ptr<Client>> create(Config config);
  // Cancels what is in flight (completions are called) and joins the I/O thread, without waiting
  // for the network.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Computes what the signature needs of a body, if anything. For whoever has a thread with time
  // for it: else the call does, which may come from the I/O thread.
  void hash(Body& body) const;

  // `headers` are sent as given: Content-Type, Cache-Control, x-amz-*, If-None-Match, …
  CallId put_object(const ObjectName& object, Headers headers, Body body, Completion<Stored> done);
  CallId create_multipart_upload(const ObjectName& object, Headers headers,
                                 Completion<std::string> done);
  CallId upload_part(const ObjectName& object, std::string upload_id, int number, Headers headers,
                     Body body, Completion<Part> done);
  // Understands an <Error> in a reply 200, and a reply that was lost: if the store then does not
  // know the upload any more, the object itself is compared with the parts.
  CallId complete_multipart_upload(const ObjectName& object, std::string upload_id,
                                   std::vector<Part> parts, Headers headers,
                                   Completion<Stored> done);
  // An upload that does not exist (any more) is a success.
  CallId abort_multipart_upload(const ObjectName& object, std::string upload_id,
                                Completion<bool> done);
  CallId list_multipart_uploads(std::string bucket, std::string prefix,
                                Completion<std::vector<Upload>> done);
  CallId get_object(GetObject request, Completion<ObjectInfo> done);
  // An object that does not exist is a success.
  CallId delete_object(const ObjectName& object, Completion<bool> done);

  // The completion is called with ErrorKind::cancelled soon, unless it was called already.
  void cancel(CallId call);
  // All calls made so far; later ones are not touched.
  void cancel_all();

  ClientStats stats() const;
  // Whether the store is one that takes no parts of different lengths.
  bool wants_equal_parts() const;

 private:
  class Core;
  explicit Client(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

// Runs one call and waits for it, off the I/O thread:
//   auto stored = await<Stored>([&](auto done) { client.put_object(name, {}, body, done); });
// To end the wait early, call cancel() or cancel_all() from another thread.
template <typename T, typename Start>
Result<T> await(Start&& start) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  start(Completion<T>([promise](Result<T> result) { promise->set_value(std::move(result)); }));
  return future.get();
}

}  // namespace clips::s3
