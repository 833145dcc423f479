// SPDX-License-Identifier: LGPL-2.1-or-later
#include "publish_text.hpp"

#include <gst/gst.h>

#include <string_view>

#include "common/handles.hpp"
#include "pipeline_run.hpp"
#include "reporter.hpp"

namespace clips::tool {

int publish_text(const std::string& text, const char* path_or_uri, Reporter* larger) {
  Reporter own(ProgressMode::none);
  Reporter& reporter = larger ? *larger : own;
  GstElement* source = gst_element_factory_make("appsrc", nullptr);
  GstElement* sink = gst_element_factory_make("urisinkbin", nullptr);
  const auto pipeline = ElementRef::sink(gst_pipeline_new("pipeline"));
  if (source) gst_bin_add(GST_BIN(pipeline.get()), source);
  if (sink) gst_bin_add(GST_BIN(pipeline.get()), sink);
  if (!source || !sink || !gst_element_link(source, sink)) {
    Problem problem;
    problem.domain = "core";
    problem.code = "missing-plugin";
    problem.message = std::string("The element ") + (source ? "urisinkbin" : "appsrc") +
                      " is not installed. Install the plugin that has it.";
    problem.exit = ExitCode::missing_plugin;
    reporter.error(problem);
    return static_cast<int>(problem.exit);
  }
  g_object_set(sink, "uri", path_or_uri, nullptr);
  const auto buffer = BufferRef::adopt(gst_buffer_new_memdup(text.data(), text.size()));
  GstFlowReturn flow = GST_FLOW_OK;
  // Taken when the pipeline starts; appsrc queues until then.
  g_signal_emit_by_name(source, "push-buffer", buffer.get(), &flow);
  g_signal_emit_by_name(source, "end-of-stream", &flow);
  RunOptions options;
  options.more_follows = larger != nullptr;
  options.on_message = [larger](const GstStructure*) { return larger != nullptr; };
  return run_pipeline(pipeline.get(), reporter, options);
}

}  // namespace clips::tool
