// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "common/thread_annotations.hpp"
#include "gsturireader.hpp"

namespace clips::cut {

// The reader of a source element, where unlock() and unlock_stop() of the base class, which come
// from another thread than the streaming one, can reach it.
class ReaderSlot {
 public:
  // What stopped the run before this one is over.
  void begin_run() { unlocked_ = false; }

  // A reader that comes while the element is unlocked is cancelled at once.
  void set(std::shared_ptr<UriReader> reader) {
    const MutexLock lock(mutex_);
    if (reader && unlocked_) reader->cancel();
    std::swap(reader_, reader);  // The old one goes after the lock.
  }
  std::shared_ptr<UriReader> get() const {
    const MutexLock lock(mutex_);
    return reader_;
  }

  // Under the lock only the pointer is fetched: cancel() wakes threads that may want the lock.
  void unlock() {
    if (const auto reader = set_unlocked(true)) reader->cancel();
  }
  void unlock_stop() {
    if (const auto reader = set_unlocked(false)) reader->resume();
  }
  // For what has to end too and is no reader.
  const std::atomic<bool>& unlocked() const { return unlocked_; }

 private:
  std::shared_ptr<UriReader> set_unlocked(bool unlocked) {
    const MutexLock lock(mutex_);
    unlocked_ = unlocked;
    return reader_;
  }

  mutable Mutex mutex_;  // a leaf, held for moments
  std::shared_ptr<UriReader> reader_ CLIPS_GUARDED_BY(mutex_);
  std::atomic<bool> unlocked_{false};  // written under the lock
};

}  // namespace clips::cut
