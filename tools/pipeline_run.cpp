// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipeline_run.hpp"

#include <gst/pbutils/pbutils.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string_view>
#include <vector>

#include "common/handles.hpp"
#include "interrupts.hpp"
#include "lib/faststartfile.hpp"
#include "lib/inputwatch.hpp"
#include "lib/tlstrust.hpp"
#include "process.hpp"
#include "remove_outputs.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

constexpr guint progress_interval_ms = 200;
// How long the streams may take to end after an interrupt that asks for it: two seconds are
// promised for all, and stopping takes its part.
constexpr guint finish_timeout_ms = 1500;
constexpr guint stall_interval_ms = 1000;
// How long outputs may take to be removed: after an interrupt two seconds are promised for all.
constexpr std::chrono::milliseconds removal_time{30'000};
constexpr std::chrono::milliseconds removal_time_interrupted{1200};

// What the process has used of its processors, in ns.
std::uint64_t cpu_time() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(used.tv_nsec);
}

// The type for which a decoder is said to be missing, if that is not one that media have: a page of
// a server, a text, an archive. Empty otherwise.
std::string type_of_no_media(GstMessage* message) {
  const GstStructure* structure = gst_message_get_structure(message);
  const GValue* detail = gst_structure_get_value(structure, "detail");
  if (!detail || !GST_VALUE_HOLDS_CAPS(detail)) return {};
  const GstCaps* caps = gst_value_get_caps(detail);
  if (gst_caps_is_any(caps) || gst_caps_is_empty(caps)) return {};
  const std::string name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
  for (const char* other :
       {"text/", "application/pdf", "application/zip", "application/x-gzip", "application/x-bzip",
        "application/x-tar", "application/x-rar", "application/msword", "application/x-executable",
        "application/postscript", "application/xml", "application/json"})
    if (name.starts_with(other)) return name;
  return {};
}

bool is_local(const std::string& input) {
  return input.find("://") == std::string::npos || input.starts_with("file://");
}

bool is_of_class(GstElement* element, std::string_view first, std::string_view second) {
  const gchar* text = gst_element_get_metadata(element, GST_ELEMENT_METADATA_KLASS);
  const std::string_view klass = text ? text : "";
  return klass.find(first) != std::string_view::npos &&
         klass.find(second) != std::string_view::npos;
}

bool carries_video(GstPad* pad) {
  const auto caps = CapsRef::adopt(gst_pad_get_current_caps(pad));
  if (!caps || gst_caps_is_empty(caps.get()) || gst_caps_is_any(caps.get())) return false;
  const std::string_view name = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  return name.starts_with("video/") || name.starts_with("image/");
}

class Run {
 public:
  Run(GstElement* pipeline, Reporter& reporter, const RunOptions& options)
      : pipeline_(ElementRef::retain(pipeline)), reporter_(reporter), options_(options) {}

  int run();

 private:
  void attend(GstElement* element);
  void count_buffers(GstPad* pad, std::atomic<std::uint64_t>* counter);
  void note_flow(GstElement* element);
  void look_for_stall();
  void take(GstMessage* message);
  void fail(Problem problem);
  void interrupt(int signal);
  void update_progress();
  void draw_dot(const char* name);
  int finish();
  int verdict();
  void remove_published();

  ElementRef pipeline_;
  Reporter& reporter_;
  const RunOptions& options_;
  GMainLoop* loop_ = nullptr;
  const gint64 started_ = g_get_monotonic_time();
  bool ended_ = false;
  // The outputs are results of their own: one that fails takes no other with it.
  bool each_by_itself_ = false;
  bool drawn_ = false;
  int signal_ = 0;
  std::vector<Problem> problems_;
  std::vector<std::string> missing_;
  std::vector<std::string> published_;  // URIs
  std::string no_media_;                // what the input is if it is no media at all
  // Counted by streaming threads.
  std::atomic<std::uint64_t> decoded_{0};
  std::atomic<std::uint64_t> muxed_{0};
  // What sources have given, decoders made, and sinks been given.
  std::atomic<std::uint64_t> flow_{0};
  // A sink has all: it may now take its time to store it.
  std::atomic<bool> storing_{false};
  // Seconds without flow, and what flow and processor time were before.
  unsigned still_ = 0;
  std::uint64_t flow_before_ = 0;
  std::uint64_t cpu_before_ = 0;
};

void Run::count_buffers(GstPad* pad, std::atomic<std::uint64_t>* counter) {
  const auto types =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST);
  gst_pad_add_probe(
      pad, types,
      [](GstPad* probed, GstPadProbeInfo* info, gpointer data) {
        if (!carries_video(probed)) return GST_PAD_PROBE_REMOVE;
        auto* count = static_cast<std::atomic<std::uint64_t>*>(data);
        *count += info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST
                      ? gst_buffer_list_length(GST_PAD_PROBE_INFO_BUFFER_LIST(info))
                      : 1;
        return GST_PAD_PROBE_OK;
      },
      counter, nullptr);
}

void Run::note_flow(GstElement* element) {
  const bool sink = GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SINK);
  const auto pad = PadRef::adopt(gst_element_get_static_pad(element, sink ? "sink" : "src"));
  if (!pad) return;
  const auto types =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
  gst_pad_add_probe(
      pad.get(), types,
      [](GstPad* probed, GstPadProbeInfo* info, gpointer data) {
        auto* self = static_cast<Run*>(data);
        ++self->flow_;
        if (GST_PAD_IS_SINK(probed) && info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM &&
            GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS)
          self->storing_ = true;
        return GST_PAD_PROBE_OK;
      },
      this, nullptr);
}

// Nothing flows and nothing computes: a server that has gone silent, a share that hangs, two
// elements that wait for each other. What computes may be slow, but is no stall.
void Run::look_for_stall() {
  constexpr std::uint64_t busy_ns = stall_interval_ms * 1'000'000u / 20;
  const std::uint64_t flow = flow_;
  const std::uint64_t cpu = cpu_time();
  const bool moves = flow != std::exchange(flow_before_, flow) ||
                     cpu - std::exchange(cpu_before_, cpu) > busy_ns || storing_;
  still_ = moves ? 0 : still_ + 1;
  if (still_ != options_.stall_seconds) return;
  const bool local = is_local(options_.input_name);
  Problem problem;
  problem.domain = "stall";
  problem.code = "no-progress";
  problem.message = "Nothing has moved for " + std::to_string(still_) + " seconds; " +
                    (local ? "the run was given up."
                           : one_line(redact(options_.input_name)) + " gives no more data.");
  problem.exit = local ? ExitCode::failed : ExitCode::bad_input;
  fail(std::move(problem));
}

// Called for every element, also from streaming threads while bins build their insides.
void Run::attend(GstElement* element) {
  if (options_.on_element) options_.on_element(element);
  watch_input(element);
  limit_decoding_errors(element);
  trust_certificate_file(element);
  use_nameless_faststart_file(element);
  if (GST_IS_BIN(element)) return;
  if (is_of_class(element, "Decoder", "Video") ||
      GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SOURCE) ||
      GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SINK))
    note_flow(element);
  // Sources of its own, that no bin shows.
  if (g_signal_lookup("source-setup", G_OBJECT_TYPE(element)) != 0) {
    const auto source_setup = +[](GstElement*, GstElement* source, gpointer data) {
      auto* self = static_cast<Run*>(data);
      trust_certificate_file(source);
      self->note_flow(source);
    };
    g_signal_connect(element, "source-setup", G_CALLBACK(source_setup), this);
  }
  if (is_of_class(element, "Decoder", "Video")) {
    if (const auto pad = PadRef::adopt(gst_element_get_static_pad(element, "src")))
      count_buffers(pad.get(), &decoded_);
  } else if (is_of_class(element, "Muxer", "")) {
    const auto pad_added = +[](GstElement*, GstPad* pad, gpointer data) {
      auto* self = static_cast<Run*>(data);
      if (GST_PAD_IS_SINK(pad)) self->count_buffers(pad, &self->muxed_);
    };
    g_signal_connect(element, "pad-added", G_CALLBACK(pad_added), this);
    // What was linked before this.
    gst_element_foreach_sink_pad(
        element,
        [](GstElement*, GstPad* pad, gpointer data) -> gboolean {
          auto* self = static_cast<Run*>(data);
          self->count_buffers(pad, &self->muxed_);
          return TRUE;
        },
        this);
  }
}

void Run::draw_dot(const char* name) {
  if (options_.dot_directory.empty()) return;
  const GString_ dot(gst_debug_bin_to_dot_data(GST_BIN(pipeline_.get()), GST_DEBUG_GRAPH_SHOW_ALL));
  const std::string path = options_.dot_directory + "/" + name + ".dot";
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << redact(dot.get());
  if (!file.flush()) {
    Problem problem;
    problem.domain = "resource";
    problem.code = "open-write";
    problem.message = one_line("Could not write the graph to " + path + ".");
    reporter_.warning(problem);
  }
}

void Run::fail(Problem problem) {
  problems_.push_back(std::move(problem));
  g_main_loop_quit(loop_);
}

void Run::take(GstMessage* message) {
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
      fail(problem_of(message));
      break;
    case GST_MESSAGE_WARNING:
      reporter_.warning(problem_of(message));
      break;
    case GST_MESSAGE_EOS:
      ended_ = true;
      g_main_loop_quit(loop_);
      break;
    case GST_MESSAGE_ELEMENT: {
      if (gst_is_missing_plugin_message(message)) {
        if (auto type = type_of_no_media(message); !type.empty()) {
          no_media_ = std::move(type);
          break;
        }
        const GString_ what(gst_missing_plugin_message_get_description(message));
        missing_.emplace_back(what.get());
        break;
      }
      const GstStructure* structure = gst_message_get_structure(message);
      if (structure && gst_structure_has_name(structure, "published")) {
        const gchar* uri = gst_structure_get_string(structure, "uri");
        if (uri) published_.emplace_back(uri);
      }
      if (!structure || (options_.on_message && options_.on_message(structure))) break;
      if (gst_structure_has_name(structure, "clip-result")) each_by_itself_ = true;
      const GString_ source(gst_object_get_path_string(GST_MESSAGE_SRC(message)));
      reporter_.element_message(structure, source.get());
      break;
    }
    case GST_MESSAGE_STATE_CHANGED: {
      GstState state = GST_STATE_NULL;
      gst_message_parse_state_changed(message, nullptr, &state, nullptr);
      if (GST_MESSAGE_SRC(message) == GST_OBJECT_CAST(pipeline_.get()) &&
          state == GST_STATE_PLAYING && !std::exchange(drawn_, true))
        draw_dot("playing");
      break;
    }
    default:
      break;
  }
}

void Run::interrupt(int signal) {
  signal_ = signal;
  if (!options_.finish_on_interrupt ||
      !gst_element_send_event(pipeline_.get(), gst_event_new_eos())) {
    g_main_loop_quit(loop_);
    return;
  }
  g_timeout_add(
      finish_timeout_ms,
      [](gpointer data) -> gboolean {
        g_main_loop_quit(static_cast<Run*>(data)->loop_);
        return G_SOURCE_REMOVE;
      },
      this);
}

void Run::update_progress() {
  gint64 position = -1;
  gint64 duration = -1;
  if (!gst_element_query_position(pipeline_.get(), GST_FORMAT_TIME, &position) || position < 0)
    return;
  if (!gst_element_query_duration(pipeline_.get(), GST_FORMAT_TIME, &duration)) duration = -1;
  std::optional<std::uint64_t> whole;
  if (duration > 0) whole = static_cast<std::uint64_t>(duration);
  reporter_.progress(static_cast<std::uint64_t>(position), whole);
}

int Run::run() {
  loop_ = g_main_loop_new(nullptr, FALSE);
  const auto element_added = +[](GstBin*, GstBin*, GstElement* element, gpointer data) {
    static_cast<Run*>(data)->attend(element);
  };
  g_signal_connect(pipeline_.get(), "deep-element-added", G_CALLBACK(element_added), this);
  std::unique_ptr<GstIterator, decltype(&gst_iterator_free)> elements(
      gst_bin_iterate_recurse(GST_BIN(pipeline_.get())), gst_iterator_free);
  const auto attend_value = +[](const GValue* value, gpointer data) {
    static_cast<Run*>(data)->attend(GST_ELEMENT_CAST(g_value_get_object(value)));
  };
  gst_iterator_foreach(elements.get(), attend_value, this);

  const auto bus = BusRef::adopt(gst_element_get_bus(pipeline_.get()));
  const guint watch = gst_bus_add_watch(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer data) -> gboolean {
        static_cast<Run*>(data)->take(message);
        return G_SOURCE_CONTINUE;
      },
      this);
  const guint timer = g_timeout_add(
      progress_interval_ms,
      [](gpointer data) -> gboolean {
        static_cast<Run*>(data)->update_progress();
        return G_SOURCE_CONTINUE;
      },
      this);
  guint stall_timer = 0;
  if (options_.stall_seconds > 0) {
    stall_timer = g_timeout_add(
        stall_interval_ms,
        [](gpointer data) -> gboolean {
          static_cast<Run*>(data)->look_for_stall();
          return G_SOURCE_CONTINUE;
        },
        this);
  }
  Interrupts::listen([this](int signal) { interrupt(signal); });

  if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    // The reason is on the bus; a failure without one gets a sentence in finish().
    g_idle_add_once([](gpointer data) { g_main_loop_quit(static_cast<GMainLoop*>(data)); }, loop_);
  }
  g_main_loop_run(loop_);

  g_source_remove(timer);
  if (stall_timer != 0) g_source_remove(stall_timer);
  g_source_remove(watch);
  // A source's complaint that the stream broke off may come before the reason for it.
  while (const auto message = MessageRef::adopt(gst_bus_pop_filtered(
             bus.get(), static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT))))
    take(message.get());
  if (!ended_ && signal_ == 0) draw_dot("error");
  if (!ended_ || !problems_.empty()) {
    // What was on its way to a store may become whole while the sinks stop. In NULL the bus would
    // forget that.
    gst_element_set_state(pipeline_.get(), GST_STATE_READY);
    while (const auto message =
               MessageRef::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT)))
      if (gst_message_has_name(message.get(), "published")) take(message.get());
  }
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  g_signal_handlers_disconnect_by_data(pipeline_.get(), this);
  const int status = finish();
  Interrupts::listen({});
  g_main_loop_unref(loop_);
  return status;
}

void Run::remove_published() {
  if (remove_outputs(published_, signal_ != 0 ? removal_time_interrupted : removal_time)) return;
  Problem problem;
  problem.domain = "resource";
  problem.code = "delete";
  problem.message = "Not every output of this run could be removed again.";
  reporter_.warning(problem);
}

int Run::finish() {
  // The verdict comes last: whoever reads it may look at the outputs at once.
  const bool succeeded = problems_.empty() && ended_;
  if (!succeeded && options_.remove_published && !each_by_itself_) remove_published();
  return verdict();
}

int Run::verdict() {
  if (problems_.empty() && ended_) {
    const std::uint64_t frames = decoded_ > 0 ? decoded_.load() : muxed_.load();
    if (options_.frames) *options_.frames = frames;
    if (options_.more_follows) return static_cast<int>(ExitCode::done);
    const gint64 elapsed = g_get_monotonic_time() - started_;
    reporter_.done(static_cast<std::uint64_t>(elapsed) / 1000, frames, peak_rss_kib());
    return static_cast<int>(ExitCode::done);
  }
  if (signal_ != 0) {
    Problem problem;
    problem.domain = "interrupt";
    problem.code = signal_ == SIGINT ? "sigint" : signal_ == SIGTERM ? "sigterm" : "sighup";
    problem.message = "Interrupted; no output was kept.";
    reporter_.error(problem);
    return 128 + signal_;
  }
  Problem problem;
  const auto cause = std::find_if(problems_.begin(), problems_.end(),
                                  [](const Problem& p) { return !p.consequence; });
  if (cause != problems_.end()) {
    problem = *cause;
  } else if (!problems_.empty()) {
    problem = problems_.front();
  } else {
    problem.domain = "core";
    problem.code = "state-change";
    problem.message = "The pipeline could not be started, and no element said why.";
  }
  if (!missing_.empty() && problem.exit != ExitCode::not_published) {
    problem.exit = ExitCode::missing_plugin;
    std::string names;
    for (const std::string& name : missing_) names += (names.empty() ? "" : ", ") + name;
    problem.message = one_line("A GStreamer plugin is missing that provides: " + names +
                               ". Install it and try again.");
    problem.domain = "core";
    problem.code = "missing-plugin";
  }
  if (missing_.empty() && !no_media_.empty() && problem.exit != ExitCode::not_published) {
    problem.exit = ExitCode::bad_input;
    problem.message = "This is " + no_media_ + " and no video.";
    problem.domain = "stream";
    problem.code = "wrong-type";
  }
  // "This file contains no playable streams" leaves open which file.
  if (problem.exit == ExitCode::bad_input && !options_.input_name.empty()) {
    const GString_ base(g_path_get_basename(options_.input_name.c_str()));
    const std::string name = one_line(redact(options_.input_name));
    if (problem.message.find(name) == std::string::npos &&
        problem.message.find(one_line(redact(base.get()))) == std::string::npos)
      problem.message = name + ": " + problem.message;
  }
  reporter_.error(problem);
  return static_cast<int>(problem.exit);
}

}  // namespace

int run_pipeline(GstElement* pipeline, Reporter& reporter, const RunOptions& options) {
  return Run(pipeline, reporter, options).run();
}

}  // namespace clips::tool
