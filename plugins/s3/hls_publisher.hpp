// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client.hpp"
#include "common/thread_annotations.hpp"

namespace clips::s3 {

// Where segments and playlists go: a bucket, or a directory in tests.
class HlsStore {
 public:
  virtual ~HlsStore() = default;
  virtual CallId put(const std::string& name, Headers headers, Body body,
                     Completion<Stored> done) = 0;
  virtual CallId remove(const std::string& name, Completion<bool> done) = 0;
  virtual void cancel_all() = 0;
};

// The order of an HLS stream: segments go up in parallel, a playlist only after all segments that
// were finished before it, and an old segment goes away only after a playlist without it is stored.
// Of playlists that wait, only the newest is sent.
//
// Completions come on the store's thread. segment(), playlist() and remove() never wait: a caller
// that runs ahead asks wait_for_room() first, at a place where waiting is allowed.
class HlsPublisher {
 public:
  struct Options {
    unsigned max_inflight = 4;
    Headers segment_headers;
    Headers playlist_headers;
  };
  struct Done {
    std::string name;
    std::uint64_t bytes;
    Stored stored;
  };
  struct Failure {
    Error error;
    std::string name;
  };
  struct Callbacks {
    std::function<void(const Done&)> published;
    std::function<void(const Failure&)> failed;  // once, for the first failure
  };

  HlsPublisher(std::shared_ptr<HlsStore> store, Options options, Callbacks callbacks);
  ~HlsPublisher();

  // False when it failed or was closed.
  bool segment(const std::string& name, std::vector<std::byte> data);
  bool playlist(const std::string& name, std::vector<std::byte> data);
  // A segment that the next playlist does not name any more.
  void remove(const std::string& name);
  // Waits while all transfers are busy; comes back at once after interrupt().
  void wait_for_room();
  // Calls `done` once, as soon as the store has everything that was handed over; never after a
  // failure. It may be called at once, or on the store's thread.
  void when_stored(std::function<void()> done);
  // Ends the waits, for good.
  void interrupt();
  // Cancels what is on its way and forgets the callbacks.
  void close();

 private:
  class Core;
  std::shared_ptr<HlsStore> store_;
  std::shared_ptr<Core> core_;
};

}  // namespace clips::s3
