// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Clang's thread-safety attributes (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html) and a
// mutex that carries them; std::mutex has none in libstdc++. The clang lane builds with
// -Wthread-safety -Werror.

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define CLIPS_TSA(x) __attribute__((x))
#else
#define CLIPS_TSA(x)
#endif

#define CLIPS_CAPABILITY(x) CLIPS_TSA(capability(x))
#define CLIPS_SCOPED_CAPABILITY CLIPS_TSA(scoped_lockable)
#define CLIPS_GUARDED_BY(x) CLIPS_TSA(guarded_by(x))
#define CLIPS_PT_GUARDED_BY(x) CLIPS_TSA(pt_guarded_by(x))
#define CLIPS_REQUIRES(...) CLIPS_TSA(requires_capability(__VA_ARGS__))
#define CLIPS_EXCLUDES(...) CLIPS_TSA(locks_excluded(__VA_ARGS__))
#define CLIPS_ACQUIRE(...) CLIPS_TSA(acquire_capability(__VA_ARGS__))
#define CLIPS_RELEASE(...) CLIPS_TSA(release_capability(__VA_ARGS__))
#define CLIPS_NO_THREAD_SAFETY_ANALYSIS CLIPS_TSA(no_thread_safety_analysis)

namespace clips {

class CLIPS_CAPABILITY("mutex") Mutex {
 public:
  void lock() CLIPS_ACQUIRE() { mutex_.lock(); }
  void unlock() CLIPS_RELEASE() { mutex_.unlock(); }
  // For std::condition_variable; the lock stays held from the analysis' point of view.
  std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

class CLIPS_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) CLIPS_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() CLIPS_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable to be waited on with the Mutex held.
class ConditionVariable {
 public:
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

  void wait(Mutex& mutex) CLIPS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.native(), std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }

  template <typename Clock, typename Duration>
  std::cv_status wait_until(Mutex& mutex, const std::chrono::time_point<Clock, Duration>& when)
      CLIPS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.native(), std::adopt_lock);
    const auto status = condition_.wait_until(lock, when);
    lock.release();
    return status;
  }

 private:
  std::condition_variable condition_;
};

}  // namespace clips
