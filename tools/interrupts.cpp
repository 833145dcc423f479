// SPDX-License-Identifier: LGPL-2.1-or-later
#include "interrupts.hpp"

#include <glib.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <thread>
#include <utility>

#include "common/thread_annotations.hpp"

namespace clips::tool {

namespace {

// Two seconds are promised; the rest is for the process to be gone.
constexpr timespec patience{1, 800'000'000};

struct Shared {
  // Guards the listener only; never held while it is called.
  Mutex mutex;
  Interrupts::Listener listener CLIPS_GUARDED_BY(mutex);
  std::atomic<int> received{0};
};

Shared& shared() {
  // Never destroyed: the thread outlives main().
  static auto* instance = new Shared;
  return *instance;
}

gboolean call_listener(gpointer) {
  Interrupts::Listener listener;
  {
    const MutexLock lock(shared().mutex);
    listener = shared().listener;
  }
  if (listener) listener(shared().received.load());
  return G_SOURCE_REMOVE;
}

// Without a time it waits for ever. A process that was stopped and goes on waits anew.
int next_signal(const sigset_t& signals, const timespec* time) {
  int signal = 0;
  do signal = time ? sigtimedwait(&signals, nullptr, time) : sigwaitinfo(&signals, nullptr);
  while (signal < 0 && errno == EINTR);
  return signal;
}

void wait_for_signals(sigset_t signals) {
  const int first = next_signal(signals, nullptr);
  if (first < 0) return;
  shared().received = first;
  bool listening = false;
  {
    const MutexLock lock(shared().mutex);
    listening = static_cast<bool>(shared().listener);
  }
  if (!listening) _exit(128 + first);
  // Not g_main_context_invoke(): between two iterations it would call from this thread.
  g_idle_add_full(G_PRIORITY_HIGH, call_listener, nullptr, nullptr);
  const int second = next_signal(signals, &patience);
  _exit(128 + (second > 0 ? second : first));
}

}  // namespace

void Interrupts::install() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    // nohup and background jobs of a shell have said that the signal is not for us.
    if (action.sa_handler != SIG_IGN) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A reader that goes away must not end the process before it has cleaned up.
  std::signal(SIGPIPE, SIG_IGN);
  std::thread(wait_for_signals, signals).detach();
}

void Interrupts::listen(Listener listener) {
  const MutexLock lock(shared().mutex);
  shared().listener = std::move(listener);
}

int Interrupts::received() noexcept {
  return shared().received.load();
}

}  // namespace clips::tool
