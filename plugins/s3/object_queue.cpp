// SPDX-License-Identifier: LGPL-2.1-or-later
#include "object_queue.hpp"

#include <chrono>
#include <condition_variable>
#include <set>
#include <utility>

#include "common/thread_annotations.hpp"

namespace clips::s3 {

// An interrupt must be over in two seconds, with what is taken back after this.
static constexpr std::chrono::milliseconds kSettleTime{300};

class ObjectQueue::Core {
 public:
  explicit Core(std::function<void(const Done&)> done) : done_(std::move(done)) {}

  // True when less than `limit` are on their way.
  tl::expected<bool, Failure> wait(unsigned limit) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (!failure_ && !interrupted_ && in_flight_ >= limit) changed_.wait(mutex_);
    if (failure_) return tl::unexpected(*failure_);
    return in_flight_ < limit;
  }

  void begin() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    in_flight_++;
  }

  void end(std::uint64_t index, std::string uri, std::uint64_t bytes, Result<Stored> result)
      CLIPS_EXCLUDES(mutex_) {
    std::function<void(const Done&)> tell;
    {
      const MutexLock lock(mutex_);
      if (!result && !failure_) failure_ = Failure{std::move(result.error()), uri};
      if (result) tell = done_;
    }
    if (tell) tell({index, std::move(uri), bytes, std::move(*result)});
    // Only now, so that finish() comes back after the last one was told.
    const MutexLock lock(mutex_);
    in_flight_--;
    changed_.notify_all();
  }

  // Like finish(), however it goes and no longer than `patience`.
  void settle(std::chrono::milliseconds patience) CLIPS_EXCLUDES(mutex_) {
    const auto end = std::chrono::steady_clock::now() + patience;
    const MutexLock lock(mutex_);
    while (in_flight_ > 0 && changed_.wait_until(mutex_, end) != std::cv_status::timeout) {
    }
  }

  void set_interrupted(bool interrupted) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    interrupted_ = interrupted;
    changed_.notify_all();
  }

  void close() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    done_ = nullptr;
  }

 private:
  Mutex mutex_;
  ConditionVariable changed_;
  std::function<void(const Done&)> done_ CLIPS_GUARDED_BY(mutex_);
  std::optional<Failure> failure_ CLIPS_GUARDED_BY(mutex_);
  unsigned in_flight_ CLIPS_GUARDED_BY(mutex_) = 0;
  bool interrupted_ CLIPS_GUARDED_BY(mutex_) = false;
};

ObjectQueue::ObjectQueue(std::shared_ptr<Client> client, unsigned max_inflight,
                         std::function<void(const Done&)> done)
    : client_(std::move(client)),
      core_(std::make_shared<Core>(std::move(done))),
      max_inflight_(max_inflight) {}

ObjectQueue::~ObjectQueue() {
  close();
}

tl::expected<bool, ObjectQueue::Failure> ObjectQueue::put(std::uint64_t index,
                                                          const ObjectName& object, Headers headers,
                                                          Body body) {
  const auto room = core_->wait(max_inflight_);
  if (!room || !*room) return room;
  core_->begin();
  const auto bytes = body.size();
  client_->put_object(
      object, std::move(headers), std::move(body),
      [core = core_, index, uri = object_uri(object), bytes](Result<Stored> result) mutable {
        core->end(index, std::move(uri), bytes, std::move(result));
      });
  return true;
}

tl::expected<bool, ObjectQueue::Failure> ObjectQueue::finish() {
  return core_->wait(1);
}

void ObjectQueue::interrupt() {
  core_->set_interrupted(true);
}
void ObjectQueue::resume() {
  core_->set_interrupted(false);
}

void ObjectQueue::close() {
  if (!client_) return;
  core_->settle(kSettleTime);
  core_->close();
  client_->cancel_all();
  client_.reset();
}

}  // namespace clips::s3
