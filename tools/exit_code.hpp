// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace clips::tool {

// What the process returns; 128 + the signal's number stands beside these for an interrupted run.
enum class ExitCode : int {
  done = 0,
  failed = 1,
  usage = 2,
  missing_plugin = 3,
  bad_input = 4,
  not_published = 5,
};

}  // namespace clips::tool
