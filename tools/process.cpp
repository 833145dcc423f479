// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

namespace clips::tool {

bool die_with_parent() {
  const pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // A parent that ended before the call sends nothing: then this process has a new one.
  return getppid() == parent;
}

std::uint64_t peak_rss_kib() {
  // Not getrusage(): its figure begins with what the parent held when it forked.
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") {
      std::uint64_t kib = 0;
      status >> kib;
      return kib;
    }
  }
  return 0;
}

}  // namespace clips::tool
