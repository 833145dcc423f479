// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "checksum.hpp"
#include "client.hpp"
#include "common/thread_annotations.hpp"
#include "write_model.hpp"

namespace clips::s3 {

// What ObjectWriter needs of a store, so that its tests can do without one.
class Store {
 public:
  virtual ~Store() = default;
  // Before a body is sent, on a thread that may take its time.
  virtual void prepare(Body&) const {}
  virtual CallId put(Headers headers, Body body, Completion<Stored> done) = 0;
  virtual CallId create(Headers headers, Completion<std::string> done) = 0;
  virtual CallId part(std::string upload_id, int number, Headers headers, Body body,
                      Completion<Part> done) = 0;
  virtual CallId complete(std::string upload_id, std::vector<Part> parts, Headers headers,
                          Completion<Stored> done) = 0;
  virtual CallId abort(std::string upload_id, Completion<bool> done) = 0;
  virtual void cancel(CallId call) = 0;
  // Uploads of this object that nobody has completed.
  virtual CallId list(Completion<std::vector<Upload>> done) = 0;
  // How many requests were sent again so far.
  virtual std::uint64_t retries() const = 0;
};

// One object at a client.
class ClientStore final : public Store {
 public:
  ClientStore(std::shared_ptr<Client> client, ObjectName object)
      : client_(std::move(client)), object_(std::move(object)) {}

  void prepare(Body& body) const override { client_->hash(body); }
  CallId put(Headers headers, Body body, Completion<Stored> done) override;
  CallId create(Headers headers, Completion<std::string> done) override;
  CallId part(std::string upload_id, int number, Headers headers, Body body,
              Completion<Part> done) override;
  CallId complete(std::string upload_id, std::vector<Part> parts, Headers headers,
                  Completion<Stored> done) override;
  CallId abort(std::string upload_id, Completion<bool> done) override;
  void cancel(CallId call) override { client_->cancel(call); }
  CallId list(Completion<std::vector<Upload>> done) override;
  std::uint64_t retries() const override { return client_->stats().retries; }

 private:
  std::shared_ptr<Client> client_;
  ObjectName object_;
};

// Why an object could not be written: the store said so, or the muxer did what a store cannot.
using WriteFailure = std::variant<Error, WriteError>;

// Writes one object: parts in parallel while it is written, one PutObject if it is short, complete
// or nothing in the end.
//
// write(), seek(), finish() and close() are for one thread, the writer's. interrupt() may come from
// any other; callbacks come on the store's thread.
class ObjectWriter {
 public:
  struct Options {
    WriteModel::Options model;
    unsigned max_inflight = 4;
    Checksum checksum = Checksum::none;
    Headers headers;             // of the object: Content-Type, x-amz-meta-…
    bool if_none_match = false;  // fail if there is an object of that name
  };
  struct PartDone {
    int number;
    std::uint64_t bytes;
    std::string etag;
  };
  struct Progress {
    std::uint64_t bytes_written = 0;  // by the muxer
    std::uint64_t bytes_stored = 0;   // of parts that the store confirmed
    std::uint64_t parts_stored = 0;
    unsigned parts_in_flight = 0;
    std::uint64_t bytes_retained = 0;
  };
  struct Finished {
    Stored stored;
    std::uint64_t bytes;
    bool moved_moov;
  };
  enum class Wait { ready, interrupted };

  // The store must outlive the call of close() and what that leaves to do; see close().
  ObjectWriter(std::shared_ptr<Store> store, Options options,
               std::function<void(const PartDone&)> part_done);
  ~ObjectWriter();
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  void set_rewritable() { model_.set_rewritable(); }

  // Takes some bytes at position() and says how many; waits while all transfers are busy. Nothing
  // when interrupted.
  tl::expected<std::optional<std::size_t>, WriteFailure> write(std::span<const std::byte> data,
                                                               bool new_buffer);
  tl::expected<void, WriteFailure> seek(std::uint64_t position);
  std::uint64_t position() const { return model_.position(); }

  // Waits until the store has confirmed the whole object; nothing when interrupted, then call it
  // again. No write() after the first call.
  tl::expected<std::optional<Finished>, WriteFailure> finish();

  // A wait under way or to come ends at once, until resume().
  void interrupt();
  void resume();

  // What is to become of an upload that was not finished.
  enum class Unfinished { abort, keep };
  // Cancels all transfers and sees to it that the upload is aborted, for at most `patience`. What
  // is not done by then goes on in the background, where `owner` is kept until it is. Idempotent.
  void close(Unfinished unfinished, std::chrono::milliseconds patience,
             std::shared_ptr<const void> owner);

  // The identifier of the upload, empty while there is none.
  std::string upload_id() const;
  Progress progress() const;

 private:
  class Core;
  WriteModel model_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Core> core_;
  std::atomic<std::uint64_t> written_ = 0;
  std::atomic<std::uint64_t> retained_ = 0;
  bool finishing_ = false;
  bool closed_ = false;
};

// Waits for cleaning up that close() left to the background, at most so long; called at the end of
// the process. Returns how many uploads are left over.
std::size_t wait_for_cleanup(std::chrono::milliseconds patience);

}  // namespace clips::s3
