// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>

#include "exit_code.hpp"

namespace clips::tool {

// What went wrong, as it is shown and reported.
struct Problem {
  // The element's path in the pipeline; empty when the runner itself found it.
  std::string source;
  // "resource", "stream", "core", "library", or "usage" for the runner's own.
  std::string domain;
  // The error code's nick: "not-found", "no-space-left", ...
  std::string code;
  std::string message;
  ExitCode exit = ExitCode::failed;
  // Follows from an error that another element has posted or will post, such as a source's
  // "Internal data stream error".
  bool consequence = false;
};

// An error or a warning message of the bus, with the exit code that its source and code call for:
// what a source, demuxer or decoder reports is the input's fault, what a sink reports the output's.
Problem problem_of(GstMessage* message);

// The same for an error without a message, such as one of the library's.
Problem problem_of(const GError& error, ExitCode exit);

Problem usage_problem(std::string message, std::string code = "invalid");

}  // namespace clips::tool
