// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <chrono>
#include <memory>

#include "common/thread_annotations.hpp"

namespace clips {

// Holds an error of a pipeline that is starting until the application's main loop turns.
//
// gst-launch-1.0 (1.22 to 1.26) ends its main loop from the thread that posts an error. Before the
// loop runs that does nothing, and the program then waits for ever: that is how a damaged input
// ends in one run of thirty on a busy machine, since it takes no longer to be found than a pipeline
// takes to start. An application without a main loop gets its error after kLongest.
class StartGate {
 public:
  static constexpr std::chrono::milliseconds kLongest{250};

  // The calling thread takes the element from READY to PAUSED; its errors are held by nobody.
  void close();
  // That thread is done.
  void left();
  // The application goes on: to PLAYING, or back.
  void open() { state_->open(); }
  // Returns when the gate is open, the default main context turns or kLongest has passed; from then
  // on at once. From any thread, before an error is posted.
  void wait();

 private:
  // The main context may still be at it when the gate is gone.
  struct State {
    void open() CLIPS_EXCLUDES(mutex);

    Mutex mutex;
    ConditionVariable opened;
    bool is_open CLIPS_GUARDED_BY(mutex) = true;
    GThread* starter CLIPS_GUARDED_BY(mutex) = nullptr;
  };

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace clips
