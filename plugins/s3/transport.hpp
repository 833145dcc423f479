// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include "client.hpp"
#include "common/thread_annotations.hpp"

namespace clips::s3 {

// One HTTP exchange, without retries or redirects.
struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  Body body;
  std::string ca_file;
  bool direct = false;  // not through a proxy
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
  // Without a byte for so long the exchange is given up.
  std::chrono::nanoseconds stall_timeout = std::chrono::seconds(30);
  std::chrono::nanoseconds total_timeout{0};  // 0: none
  // Once, when the headers of the final reply are complete. False: the body is not wanted.
  std::function<bool(int status, const Headers&)> on_headers;
  // The body of a reply of status 2xx; without it, and for others, the body is collected.
  std::function<bool(std::span<const std::byte>)> on_data;
};

enum class HttpFailure {
  none,     // a whole reply was received
  refused,  // by on_headers or on_data
  resolve,  // name resolution
  connect,
  tls,
  timeout,  // stalled, or over the total timeout
  broken,   // cut, reset, or a reply that is no HTTP
  proxy,
  settings,   // libcurl does not take the request, e.g. the CA file cannot be read
  cancelled,  // the transport ended
};

struct HttpReply {
  HttpFailure failure = HttpFailure::none;
  std::string failure_text;  // libcurl's
  int status = 0;            // 0: no status line came
  Headers headers;
  std::string body;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

// The I/O thread: every transfer, timer and posted task runs on it, one after the other, so that
// what only they touch needs no lock.
class Transport {
 public:
  using Task = std::function<void()>;
  using Id = std::uint64_t;
  using Clock = std::chrono::steady_clock;

  // `max_bandwidth`: bytes a second of all transfers together, 0 for no limit.
  explicit Transport(std::uint64_t max_bandwidth);
  // Runs what was posted, then ends. What is still in flight is completed as cancelled.
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // From any thread.
  void post(Task task) CLIPS_EXCLUDES(mutex_);

  // The rest on the I/O thread only.
  Id start(HttpRequest request, std::function<void(HttpReply)> done);
  void cancel(Id transfer);  // without its `done`
  Id call_at(Clock::time_point when, Task task);
  void drop_timer(Id timer);

 private:
  struct Transfer;

  void run();
  void run_tasks() CLIPS_EXCLUDES(mutex_);
  void run_timers();
  void collect_finished();
  void finish(Transfer& transfer, HttpReply reply);
  void share_bandwidth();

  const std::uint64_t max_bandwidth_;
  void* multi_;  // CURLM
  // Held only to touch the queue; nothing is called under it.
  Mutex mutex_;
  std::deque<Task> tasks_ CLIPS_GUARDED_BY(mutex_);
  bool stop_ CLIPS_GUARDED_BY(mutex_) = false;

  Id next_id_ = 1;
  std::map<Id, std::unique_ptr<Transfer>> transfers_;
  std::map<std::pair<Clock::time_point, Id>, Task> timers_;
  std::map<Id, Clock::time_point> timer_times_;
  std::thread thread_;
};

}  // namespace clips::s3
