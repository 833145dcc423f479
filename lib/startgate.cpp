// SPDX-License-Identifier: LGPL-2.1-or-later
#include "startgate.hpp"

namespace clips {

void StartGate::State::open() {
  const MutexLock lock(mutex);
  is_open = true;
  opened.notify_all();
}

void StartGate::close() {
  const MutexLock lock(state_->mutex);
  state_->is_open = false;
  state_->starter = g_thread_self();
}

void StartGate::left() {
  const MutexLock lock(state_->mutex);
  state_->starter = nullptr;
}

void StartGate::wait() {
  using Shared = std::shared_ptr<State>;
  {
    const MutexLock lock(state_->mutex);
    if (state_->is_open || state_->starter == g_thread_self()) return;
  }
  if (g_main_context_is_owner(g_main_context_default())) return;
  GSource* turn = g_idle_source_new();
  g_source_set_priority(turn, G_PRIORITY_HIGH);
  g_source_set_callback(
      turn,
      [](gpointer state) -> gboolean {
        (*static_cast<Shared*>(state))->open();
        return G_SOURCE_REMOVE;
      },
      new Shared(state_), [](gpointer state) { delete static_cast<Shared*>(state); });
  g_source_attach(turn, nullptr);
  {
    const MutexLock lock(state_->mutex);
    const auto deadline = std::chrono::steady_clock::now() + kLongest;
    while (!state_->is_open &&
           state_->opened.wait_until(state_->mutex, deadline) != std::cv_status::timeout) {
    }
    state_->is_open = true;
  }
  g_source_destroy(turn);
  g_source_unref(turn);
}

}  // namespace clips
