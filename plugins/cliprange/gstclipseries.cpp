// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-clipseries
 * @title: clipseries
 *
 * Cuts many ranges out of one source into a file each, one after the other, from one open and one
 * index of the source. A range that fails does not hinder the others: each ends with the element
 * message `clip-result`. Without pads; it posts EOS when all is done, and an error instead if some
 * range failed.
 *
 * |[
 * gst-launch-1.0 clipseries uri=file:///film.mp4 output=/tmp/clip-{index}.mp4 ranges="0-2.5,10-12"
 * ]| makes clip-0.mp4 and clip-1.mp4.
 *
 * Fields and errors: docs/elements/clipseries.md.
 */
#include "gstclipseries.h"

#include <string>
#include <thread>
#include <vector>

#include "common/display_name.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/name_template.hpp"
#include "common/thread_annotations.hpp"
#include "gstrangetypes.hpp"
#include "rangelist.hpp"

GST_DEBUG_CATEGORY_STATIC(clip_series_debug);
#define GST_CAT_DEFAULT clip_series_debug

namespace {

using namespace clips;
using namespace clips::cut;

struct Settings {
  std::string uri;
  std::string output;
  std::string ranges;
  std::string cut_list;
  Mode mode = Mode::Auto;
  Fallback fallback = Fallback::Exact;
  guint64 tolerance = 500'000;
};

struct Job {
  Settings settings;
  std::vector<ListedRange> ranges;
  std::vector<std::string> outputs;
};

struct Private {
  // Guards what follows; never held while the inner pipeline changes state.
  Mutex mutex;
  Settings settings CLIPS_GUARDED_BY(mutex);
  guint clips CLIPS_GUARDED_BY(mutex) = 0;
  guint failed CLIPS_GUARDED_BY(mutex) = 0;
  guint done CLIPS_GUARDED_BY(mutex) = 0;
  bool cancelled CLIPS_GUARDED_BY(mutex) = false;
  BusRef bus CLIPS_GUARDED_BY(mutex);  // of the inner pipeline, to wake the worker
  // Touched by state changes only, one at a time.
  Job job;
  std::thread worker;
};

enum Property : guint {
  kUri = 1,
  kOutput,
  kRanges,
  kCutList,
  kMode,
  kFallback,
  kTolerance,
  kClips,
  kFailed,
};

}  // namespace

struct _GstClipsClipSeries {
  GstElement parent;
};

using GstClipsClipSeriesPrivate = Private;
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsClipSeries, gst_clips_clip_series, GST_TYPE_ELEMENT)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_clip_series_get_instance_private(GST_CLIPS_CLIP_SERIES(self)));
}

Settings settings_of(Private& p) {
  MutexLock lock(p.mutex);
  return p.settings;
}

Result<Job> plan(const Settings& settings) {
  if (settings.uri.empty())
    return fail(Fault::Settings, "There is no source. Set the property 'uri'.");
  if (settings.output.empty())
    return fail(Fault::Settings, "There is no place for the clips. Set the property 'output'.");
  if (settings.ranges.empty() && settings.cut_list.empty())
    return fail(Fault::Settings,
                "It is not said what to cut. Give ranges, such as 12.5-15, or a cut list.");
  if (!settings.ranges.empty() && !settings.cut_list.empty())
    return fail(Fault::Settings, "Give ranges or a cut list, not both.");
  Job job;
  job.settings = settings;
  if (settings.cut_list.empty()) {
    auto ranges = parse_ranges(settings.ranges);
    if (!ranges) return tl::make_unexpected(ranges.error());
    job.ranges = std::move(*ranges);
  } else {
    gchar* text = nullptr;
    gsize length = 0;
    GError* raw = nullptr;
    g_file_get_contents(settings.cut_list.c_str(), &text, &length, &raw);
    const GString_ document(text);
    const ErrorPtr error(raw);
    if (error)
      return fail(g_error_matches(error.get(), G_FILE_ERROR, G_FILE_ERROR_NOENT) ? Fault::NotFound
                                                                                 : Fault::Read,
                  "Could not read the cut list: " + std::string(error->message) + ".");
    auto ranges = ranges_of_cutlist({document.get(), length});
    if (!ranges) return tl::make_unexpected(ranges.error());
    job.ranges = std::move(*ranges);
  }
  if (job.ranges.empty()) return fail(Fault::Settings, "There are no ranges to cut.");
  if (job.ranges.size() == 1 && settings.output.find('{') == std::string::npos) {
    job.outputs.push_back(settings.output);
    return job;
  }
  const auto name = NameTemplate::parse(settings.output);
  if (!name)
    return fail(Fault::Settings, "The output " + display_name(settings.output) +
                                     " cannot name several clips: " + name.error() + ".");
  if (name->needs_pts()) return fail(Fault::Settings, "Clips are named by {index}, not by {pts}.");
  for (size_t i = 0; i < job.ranges.size(); ++i) job.outputs.push_back(name->render(i, 0));
  return job;
}

// What one clip came to.
struct Outcome {
  StructurePtr range, published;
  MessageRef error;
  bool cancelled = false;
};

bool is_cancelled(Private& p) {
  MutexLock lock(p.mutex);
  return p.cancelled;
}

Outcome run_one(Private& p, GstElement* pipeline, GstBus* bus) {
  Outcome outcome;
  bool over = gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE;
  while (!is_cancelled(p)) {
    const auto message =
        MessageRef::adopt(over ? gst_bus_pop(bus) : gst_bus_timed_pop(bus, GST_CLOCK_TIME_NONE));
    if (!message) break;
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) over = true;
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR && !outcome.error) {
      outcome.error = message;
      over = true;
    }
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ELEMENT) {
      const GstStructure* s = gst_message_get_structure(message.get());
      if (gst_structure_has_name(s, "clip-range")) outcome.range.reset(gst_structure_copy(s));
      if (gst_structure_has_name(s, "published")) outcome.published.reset(gst_structure_copy(s));
    }
  }
  // READY keeps the source open for the next one.
  gst_element_set_state(pipeline, GST_STATE_READY);
  gst_bus_set_flushing(bus, TRUE);
  gst_bus_set_flushing(bus, FALSE);
  outcome.cancelled = is_cancelled(p);
  return outcome;
}

void post(GstElement* self, GstStructure* structure) {
  gst_element_post_message(self, gst_message_new_element(GST_OBJECT_CAST(self), structure));
}

void say_result(GstElement* self, size_t index, const std::string& output, const Outcome& outcome) {
  GstStructure* s =
      gst_structure_new("clip-result", "index", G_TYPE_UINT64, static_cast<guint64>(index),
                        "output", G_TYPE_STRING, display_name(output).c_str(), "status",
                        G_TYPE_STRING, outcome.error ? "failed" : "published", nullptr);
  const auto copy = [&](const GstStructure* from, const char* field) {
    if (const GValue* value = from ? gst_structure_get_value(from, field) : nullptr)
      gst_structure_set_value(s, field, value);
  };
  for (const char* field : {"start", "stop", "frames", "mode", "reason"})
    copy(outcome.range.get(), field);
  for (const char* field : {"uri", "bytes"}) copy(outcome.published.get(), field);
  if (outcome.error) {
    GError* raw = nullptr;
    gst_message_parse_error(outcome.error.get(), &raw, nullptr);
    const ErrorPtr error(raw);
    gst_structure_set(s, "message", G_TYPE_STRING, error->message, "domain", G_TYPE_STRING,
                      g_quark_to_string(error->domain), "code", G_TYPE_INT, error->code, nullptr);
  }
  post(self, s);
}

void set_range(GstElement* clip, const ListedRange& range) {
  g_object_set(clip, "start", range.start, "stop",
               range.stop ? *range.stop : guint64{GST_CLOCK_TIME_NONE}, "start-frame",
               range.start_frame, "stop-frame", range.stop_frame, nullptr);
}

Result<ElementRef> make_pipeline(const Settings& settings) {
  auto pipeline = ElementRef::sink(gst_pipeline_new("series"));
  GstElement* clip = gst_element_factory_make("clipexport", "clip");
  GstElement* sink = gst_element_factory_make("urisinkbin", "sink");
  for (GstElement* element : {clip, sink})
    if (element) gst_bin_add(GST_BIN(pipeline.get()), element);
  if (!clip || !sink || !gst_element_link(clip, sink))
    return fail(Fault::Missing, "The element urisinkbin is not installed.");
  g_object_set(clip, "uri", settings.uri.c_str(), "mode", static_cast<gint>(settings.mode),
               "fallback", static_cast<gint>(settings.fallback), "tolerance", settings.tolerance,
               nullptr);
  return pipeline;
}

// The worker: never touches the element's own state, so that a state change may wait for it.
void work(GstElement* self) {
  Private& p = priv(self);
  const Job& job = p.job;
  const auto pipeline = make_pipeline(job.settings);
  if (!pipeline) {
    post_error(self, pipeline.error());
    return;
  }
  const auto bus = BusRef::adopt(gst_element_get_bus(pipeline->get()));
  {
    MutexLock lock(p.mutex);
    p.bus = bus;
  }
  const auto clip = ElementRef::adopt(gst_bin_get_by_name(GST_BIN(pipeline->get()), "clip"));
  const auto sink = ElementRef::adopt(gst_bin_get_by_name(GST_BIN(pipeline->get()), "sink"));
  MessageRef first_error;
  size_t failures = 0;
  bool cancelled = false;
  for (size_t i = 0; i < job.ranges.size() && !cancelled; ++i) {
    set_range(clip.get(), job.ranges[i]);
    g_object_set(sink.get(), "uri", job.outputs[i].c_str(), nullptr);
    const Outcome outcome = run_one(p, pipeline->get(), bus.get());
    cancelled = outcome.cancelled;
    if (cancelled) break;
    if (outcome.error) {
      ++failures;
      if (!first_error) first_error = outcome.error;
    }
    {
      MutexLock lock(p.mutex);
      p.failed = static_cast<guint>(failures);
      p.done = static_cast<guint>(i + 1);
    }
    if (outcome.published) post(self, gst_structure_copy(outcome.published.get()));
    say_result(self, i, job.outputs[i], outcome);
  }
  {
    MutexLock lock(p.mutex);
    p.bus.reset();
  }
  gst_element_set_state(pipeline->get(), GST_STATE_NULL);
  if (cancelled) return;
  if (!first_error) {
    gst_element_post_message(self, gst_message_new_eos(GST_OBJECT_CAST(self)));
    return;
  }
  GError* raw = nullptr;
  gst_message_parse_error(first_error.get(), &raw, nullptr);
  const ErrorPtr error(raw);
  const std::string text =
      job.ranges.size() == 1
          ? error->message
          : std::to_string(failures) + " of " + std::to_string(job.ranges.size()) +
                " clips could not be made; the first of them: " + error->message;
  // In the name of the element that failed: who it is tells a caller which side is at fault.
  const ErrorPtr said(g_error_new_literal(error->domain, error->code, text.c_str()));
  gst_element_post_message(
      self, gst_message_new_error(GST_MESSAGE_SRC(first_error.get()), said.get(), nullptr));
}

void stop_worker(Private& p) {
  {
    MutexLock lock(p.mutex);
    p.cancelled = true;
    // Wakes the worker, wherever it waits.
    if (p.bus)
      gst_bus_post(p.bus.get(), gst_message_new_application(
                                    nullptr, gst_structure_new_empty("clip-series-cancel")));
  }
  if (p.worker.joinable()) p.worker.join();
}

}  // namespace

static void gst_clips_clip_series_init(GstClipsClipSeries* self) {
  construct_private<Private>(gst_clips_clip_series_get_instance_private(self));
  // A pipeline ends when its sinks say so.
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
}

static void gst_clips_clip_series_finalize(GObject* object) {
  destroy_private<Private>(&priv(object));
  G_OBJECT_CLASS(gst_clips_clip_series_parent_class)->finalize(object);
}

static void gst_clips_clip_series_set_property(GObject* object, guint id, const GValue* value,
                                               GParamSpec* pspec) {
  guard(object, [&] {
    Private& p = priv(object);
    MutexLock lock(p.mutex);
    Settings& s = p.settings;
    const auto text = [&] {
      const gchar* given = g_value_get_string(value);
      return std::string(given ? given : "");
    };
    switch (id) {
      case kUri:
        s.uri = text();
        break;
      case kOutput:
        s.output = text();
        break;
      case kRanges:
        s.ranges = text();
        break;
      case kCutList:
        s.cut_list = text();
        break;
      case kMode:
        s.mode = static_cast<Mode>(g_value_get_enum(value));
        break;
      case kFallback:
        s.fallback = static_cast<Fallback>(g_value_get_enum(value));
        break;
      case kTolerance:
        s.tolerance = g_value_get_uint64(value);
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

static void gst_clips_clip_series_get_property(GObject* object, guint id, GValue* value,
                                               GParamSpec* pspec) {
  Private& p = priv(object);
  const Settings s = settings_of(p);
  const auto text = [&](const std::string& what) {
    g_value_set_string(value, what.empty() ? nullptr : what.c_str());
  };
  switch (id) {
    case kUri:
      return text(s.uri);
    case kOutput:
      return text(s.output);
    case kRanges:
      return text(s.ranges);
    case kCutList:
      return text(s.cut_list);
    case kMode:
      return g_value_set_enum(value, static_cast<gint>(s.mode));
    case kFallback:
      return g_value_set_enum(value, static_cast<gint>(s.fallback));
    case kTolerance:
      return g_value_set_uint64(value, s.tolerance);
    case kClips: {
      MutexLock lock(p.mutex);
      return g_value_set_uint(value, p.clips);
    }
    case kFailed: {
      MutexLock lock(p.mutex);
      return g_value_set_uint(value, p.failed);
    }
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static GstStateChangeReturn gst_clips_clip_series_change_state(GstElement* element,
                                                               GstStateChange transition) {
  return guard(element, GST_STATE_CHANGE_FAILURE, [&]() -> GstStateChangeReturn {
    Private& p = priv(element);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
      auto job = plan(settings_of(p));
      if (!job) {
        post_error(element, job.error());
        return GST_STATE_CHANGE_FAILURE;
      }
      p.job = std::move(*job);
      MutexLock lock(p.mutex);
      p.cancelled = false;
      p.clips = static_cast<guint>(p.job.ranges.size());
      p.failed = p.done = 0;
    }
    if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING && !p.worker.joinable())
      p.worker = std::thread([element] { guard(element, [&] { work(element); }); });
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) stop_worker(p);
    return GST_ELEMENT_CLASS(gst_clips_clip_series_parent_class)->change_state(element, transition);
  });
}

static void gst_clips_clip_series_class_init(GstClipsClipSeriesClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->finalize = gst_clips_clip_series_finalize;
  object_class->set_property = gst_clips_clip_series_set_property;
  object_class->get_property = gst_clips_clip_series_get_property;
  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const auto readable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  const Settings d;
  const auto install = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(object_class, id, spec);
  };
  install(kUri, g_param_spec_string("uri", "URI", "URI of the source: file, http(s), s3, ...",
                                    nullptr, writable));
  install(kOutput,
          g_param_spec_string("output", "Output",
                              "Path or URI of the clips, with {index} or {index:05} in it.",
                              nullptr, writable));
  install(kRanges, g_param_spec_string("ranges", "Ranges",
                                       "The ranges, such as \"0-2.5, 1:00-1:10.5, 90-\".", nullptr,
                                       writable));
  install(kCutList,
          g_param_spec_string("cut-list", "Cut list", "Path of a cut list whose clips are cut.",
                              nullptr, writable));
  install(kMode, g_param_spec_enum("mode", "Mode", "How the clips are made exact.", mode_get_type(),
                                   static_cast<gint>(d.mode), writable));
  install(kFallback,
          g_param_spec_enum("fallback", "Fallback",
                            "What to do where the mode does not suit the source.",
                            fallback_get_type(), static_cast<gint>(d.fallback), writable));
  install(kTolerance,
          g_param_spec_uint64("tolerance", "Tolerance",
                              "A boundary this many nanoseconds or less behind a frame's timestamp "
                              "means that frame.",
                              0, GST_SECOND, d.tolerance, writable));
  install(kClips, g_param_spec_uint("clips", "Clips", "How many clips there are to be, once known.",
                                    0, G_MAXUINT, 0, readable));
  install(kFailed, g_param_spec_uint("failed", "Failed", "How many clips have failed so far.", 0,
                                     G_MAXUINT, 0, readable));
  element_class->change_state = gst_clips_clip_series_change_state;
  gst_element_class_set_static_metadata(
      element_class, "Clip series", "Editor/File/Network",
      "Cuts many ranges out of one source, each into a file of its own", "gst-plugins-clips");
  GST_DEBUG_CATEGORY_INIT(clip_series_debug, "clipseries", 0, "Clip series");
}
