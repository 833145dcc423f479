// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hls_publisher.hpp"

#include <utility>

namespace clips::s3 {
namespace {

Body body_of(std::vector<std::byte> data) {
  auto owner = std::make_shared<std::vector<std::byte>>(std::move(data));
  Body body;
  body.pieces = {{owner->data(), owner->size()}};
  body.owner = std::move(owner);
  return body;
}

}  // namespace

// As with ObjectWriter: completions hold it, it does not hold the store.
class HlsPublisher::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(HlsStore* store, Options options, Callbacks callbacks)
      : store_(store), options_(std::move(options)), callbacks_(std::move(callbacks)) {}

  bool segment(const std::string& name, std::vector<std::byte> data) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (!usable()) return false;
    const auto number = next_segment_++;
    segments_.insert(number);
    Body body = body_of(std::move(data));
    const auto bytes = body.size();
    store_->put(name, options_.segment_headers, std::move(body),
                [core = shared_from_this(), number, name, bytes](Result<Stored> result) {
                  core->ended(
                      name, bytes, std::move(result),
                      [&]() CLIPS_NO_THREAD_SAFETY_ANALYSIS { core->segments_.erase(number); });
                });
    return true;
  }

  bool playlist(const std::string& name, std::vector<std::byte> data) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (!usable()) return false;
    // The segments that it may name are those that were handed over before.
    waiting_ = Playlist{name, std::move(data), next_segment_, std::exchange(removals_, {})};
    if (overtaken_.size()) {
      waiting_->removals.insert(waiting_->removals.end(), overtaken_.begin(), overtaken_.end());
    }
    overtaken_ = waiting_->removals;
    pump();
    return true;
  }

  void remove(const std::string& name) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    removals_.push_back(name);
  }

  void wait_for_room() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (usable() && !interrupted_ && segments_.size() >= options_.max_inflight)
      changed_.wait(mutex_);
  }

  void when_stored(std::function<void()> done) CLIPS_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (!usable()) return;
      if (!is_stored()) {
        when_stored_ = std::move(done);
        return;
      }
    }
    done();
  }

  void interrupt() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  }

  void close() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    interrupted_ = true;
    callbacks_ = {};
    when_stored_ = nullptr;
    store_ = nullptr;
    waiting_.reset();
    changed_.notify_all();
  }

 private:
  struct Playlist {
    std::string name;
    std::vector<std::byte> data;
    std::uint64_t after;  // all segments with a smaller number come first
    std::vector<std::string> removals;
  };

  bool usable() const CLIPS_REQUIRES(mutex_) { return store_ && !failed_; }
  bool is_stored() const CLIPS_REQUIRES(mutex_) {
    return segments_.empty() && !waiting_ && !sending_ && removing_ == 0;
  }
  std::function<void()> take_when_stored() CLIPS_REQUIRES(mutex_) {
    return usable() && is_stored() ? std::exchange(when_stored_, nullptr) : nullptr;
  }

  void pump() CLIPS_REQUIRES(mutex_) {
    if (!store_ || failed_ || sending_ || !waiting_) return;
    if (!segments_.empty() && *segments_.begin() < waiting_->after) return;
    Playlist playlist = std::move(*waiting_);
    waiting_.reset();
    overtaken_.clear();
    sending_ = true;
    Body body = body_of(std::move(playlist.data));
    const auto bytes = body.size();
    store_->put(playlist.name, options_.playlist_headers, std::move(body),
                [core = shared_from_this(), name = playlist.name, bytes,
                 removals = std::move(playlist.removals)](Result<Stored> result) {
                  const bool stored = result.has_value();
                  core->ended(name, bytes, std::move(result),
                              [&]() CLIPS_NO_THREAD_SAFETY_ANALYSIS {
                                core->sending_ = false;
                                if (stored) core->start_removals(removals);
                              });
                });
  }

  void start_removals(const std::vector<std::string>& names) CLIPS_REQUIRES(mutex_) {
    if (!store_) return;
    for (const auto& name : names) {
      removing_++;
      // A segment that stays is a nuisance and no failure of the stream.
      store_->remove(name, [core = shared_from_this()](Result<bool>) {
        std::function<void()> stored;
        {
          const MutexLock lock(core->mutex_);
          core->removing_--;
          stored = core->take_when_stored();
        }
        if (stored) stored();
      });
    }
  }

  template <typename Update>
  void ended(const std::string& name, std::uint64_t bytes, Result<Stored> result, Update&& update)
      CLIPS_EXCLUDES(mutex_) {
    Callbacks callbacks;
    bool first_failure = false;
    {
      const MutexLock lock(mutex_);
      callbacks = callbacks_;
      first_failure = !result && !std::exchange(failed_, failed_ || !result);
    }
    if (result && callbacks.published) callbacks.published({name, bytes, std::move(*result)});
    if (first_failure && callbacks.failed) callbacks.failed({std::move(result.error()), name});
    // After it was told, so that EOS comes behind the last message.
    std::function<void()> stored;
    {
      const MutexLock lock(mutex_);
      update();
      pump();
      stored = take_when_stored();
      changed_.notify_all();
    }
    if (stored) stored();
  }

  Mutex mutex_;
  ConditionVariable changed_;
  HlsStore* store_ CLIPS_GUARDED_BY(mutex_);
  const Options options_;
  Callbacks callbacks_ CLIPS_GUARDED_BY(mutex_);
  std::set<std::uint64_t> segments_ CLIPS_GUARDED_BY(mutex_);  // on their way
  std::uint64_t next_segment_ CLIPS_GUARDED_BY(mutex_) = 0;
  std::function<void()> when_stored_ CLIPS_GUARDED_BY(mutex_);
  std::optional<Playlist> waiting_ CLIPS_GUARDED_BY(mutex_);
  // Removals of playlists that were replaced before they were sent, and of the one that waits.
  std::vector<std::string> overtaken_ CLIPS_GUARDED_BY(mutex_);
  std::vector<std::string> removals_ CLIPS_GUARDED_BY(mutex_);
  unsigned removing_ CLIPS_GUARDED_BY(mutex_) = 0;
  bool sending_ CLIPS_GUARDED_BY(mutex_) = false;
  bool failed_ CLIPS_GUARDED_BY(mutex_) = false;
  bool interrupted_ CLIPS_GUARDED_BY(mutex_) = false;
};

HlsPublisher::HlsPublisher(std::shared_ptr<HlsStore> store, Options options, Callbacks callbacks)
    : store_(std::move(store)),
      core_(std::make_shared<Core>(store_.get(), std::move(options), std::move(callbacks))) {}

HlsPublisher::~HlsPublisher() {
  close();
}

bool HlsPublisher::segment(const std::string& name, std::vector<std::byte> data) {
  return core_->segment(name, std::move(data));
}
bool HlsPublisher::playlist(const std::string& name, std::vector<std::byte> data) {
  return core_->playlist(name, std::move(data));
}
void HlsPublisher::remove(const std::string& name) {
  core_->remove(name);
}
void HlsPublisher::wait_for_room() {
  core_->wait_for_room();
}
void HlsPublisher::when_stored(std::function<void()> done) {
  core_->when_stored(std::move(done));
}
void HlsPublisher::interrupt() {
  core_->interrupt();
}

void HlsPublisher::close() {
  if (!store_) return;
  core_->close();
  store_->cancel_all();
  store_.reset();
}

}  // namespace clips::s3
