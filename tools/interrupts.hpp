// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>

namespace clips::tool {

// SIGINT, SIGTERM and SIGHUP, taken by a thread of their own so that a main thread which is stuck
// in a state change cannot hold the process: the first signal asks the listener to stop, and the
// process ends at once on the second one, or when the first has not ended it within 1.8 s.
// Without a listener the first one ends it.
class Interrupts {
 public:
  using Listener = std::function<void(int signal)>;

  // Call before any thread is started: threads inherit the blocked signals.
  static void install();

  // The listener is called once, on the default main context. Empty: none.
  static void listen(Listener listener);

  // The first signal; 0 when there was none.
  static int received() noexcept;
};

}  // namespace clips::tool
