// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <string>

#include "reporter.hpp"

namespace clips::tool {

struct RunOptions {
  // The first SIGINT or SIGTERM ends the stream, so that the outputs become whole, shorter files;
  // otherwise it leaves no output.
  bool finish_on_interrupt = false;
  // What to put in front of an input's error that does not name the input; may be empty.
  std::string input_name;
  // Folder for the graph as Graphviz text; empty for none.
  std::string dot_directory;
  // Files and objects that were published one by one are removed again when the run fails.
  bool remove_published = false;
  // How long nothing may move, in seconds, before the run is given up; 0: for ever.
  unsigned stall_seconds = 0;
  // A part of a larger task: success is not reported yet.
  bool more_follows = false;
  // Called with every element before it starts, from any thread.
  std::function<void(GstElement*)> on_element;
  // Called with every element message; what it returns true for is not reported.
  std::function<bool(const GstStructure*)> on_message;
  // Where to put how many frames were decoded, or muxed where none were.
  std::uint64_t* frames = nullptr;
};

// Runs a pipeline to its end and says through the reporter how it goes. Returns what the process
// returns. However it ends, the pipeline is in NULL again, so that its sinks have cleaned up.
int run_pipeline(GstElement* pipeline, Reporter& reporter, const RunOptions& options);

}  // namespace clips::tool
