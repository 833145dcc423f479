// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client.hpp"

namespace clips::s3 {

// Puts many small objects, several at a time. Each is there whole or not at all; the first failure
// ends it. put(), finish() and close() are for one thread, interrupt() for any.
class ObjectQueue {
 public:
  struct Done {
    std::uint64_t index;
    std::string uri;
    std::uint64_t bytes;
    Stored stored;
  };
  struct Failure {
    Error error;
    std::string uri;
  };

  // `done` is called on the client's thread.
  ObjectQueue(std::shared_ptr<Client> client, unsigned max_inflight,
              std::function<void(const Done&)> done);
  ~ObjectQueue();

  // Waits while all transfers are busy; false when interrupted, then nothing was taken.
  tl::expected<bool, Failure> put(std::uint64_t index, const ObjectName& object, Headers headers,
                                  Body body);
  // Waits until all are stored; false when interrupted.
  tl::expected<bool, Failure> finish();

  void interrupt();
  void resume();
  // Lets what is on its way end for a moment, so that as little as can be is stored without anybody
  // knowing of it, and cancels the rest.
  void close();

 private:
  class Core;
  std::shared_ptr<Client> client_;
  std::shared_ptr<Core> core_;
  unsigned max_inflight_;
};

}  // namespace clips::s3
