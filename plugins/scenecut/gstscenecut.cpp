// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-scenecut
 * @title: scenecut
 *
 * Finds the scene cuts of a video that passes through. Frames leave as they came: the same
 * buffers, no copy, no pixel touched. The analysis reads a small area-averaged image that is made
 * straight from the planes of any common raw format, so no converter is needed before or behind.
 *
 * Frames are counted from 0 in presentation order, from the first frame after a start or a flush;
 * frames that lie outside the segment are not counted. A boundary at frame k means that k is the
 * first frame of the new scene.
 *
 * With #GstClipsSceneCut:force-key-units a downstream force-key-unit event goes before the first
 * frame of each new scene, so that an encoder puts a key frame exactly there. Frames then wait
 * until it is known whether they start a scene; the element reports this as latency.
 *
 * The request pad `cuts` delivers the list of all cuts as one document at EOS. It has a thread of
 * its own, so that it needs no queue. Without a single frame there is no document: an error says
 * so.
 *
 * Element message `scenecut`, one a boundary, in order: `index` (uint, from 0), `frame` (uint64),
 * `timestamp`, `stream-time`, `running-time` (uint64 ns, GST_CLOCK_TIME_NONE when not known),
 * `kind` (string: `cut`, `dissolve`, `fade`), `start-frame`, `end-frame` (uint64, the half-open
 * range of the transition, both equal to `frame` for a cut), `score` (double, 0 to 1).
 *
 * Element message `scenecut-scores`, with #GstClipsSceneCut:post-scores, one for some hundred
 * frames: `frame` (uint64, the first of them), `scores` (array of double, 0 to 1, one a frame).
 *
 * Element message `scenecut-summary`, at EOS: `frames` (uint64), `cuts` (uint). A TOC event with
 * one chapter a clip goes downstream before EOS.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 -m filesrc location=film.mp4 ! decodebin ! scenecut ! fakesink
 * ]| Prints each scene cut.
 * |[
 * gst-launch-1.0 filesrc location=film.mp4 ! decodebin ! scenecut name=s cutlist-format=csv !
 * fakesink s.cuts ! filesink location=cuts.csv
 * ]| Writes the cut list.
 * |[
 * gst-launch-1.0 filesrc location=film.mp4 ! decodebin ! scenecut force-key-units=true ! x264enc !
 *   mp4mux ! filesink location=out.mp4
 * ]| Encodes with a key frame on each cut.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstscenecut.h"

#include <gst/video/video.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "cutlist.hpp"
#include "tracker.hpp"

GST_DEBUG_CATEGORY_STATIC(scene_cut_debug);
#define GST_CAT_DEFAULT scene_cut_debug

namespace clips {
template <>
struct RefTraits<GstUri> : MiniObjectTraits<GstUri> {};
}  // namespace clips

namespace {

using clips::Ref;
using clips::scenecut::Comparison;
using clips::scenecut::Found;
using clips::scenecut::FrameTime;
using clips::scenecut::FrameView;
using clips::scenecut::PixelFormat;
using clips::scenecut::SceneTracker;

static_assert(clips::kNoTime == GST_CLOCK_TIME_NONE);

enum class Method { adaptive, correl, chisqr, intersect, bhattacharyya };

struct Settings {
  Method method = Method::adaptive;
  double threshold = 0;
  guint64 min_duration = 0;
  bool gradual = true;
  bool force_key_units = false;
  bool post_messages = true;
  bool post_scores = false;
  clips::CutListFormat cutlist_format = clips::CutListFormat::json;
};

// A frame or an event on its way; frames that are analysed have a number.
struct Item {
  Ref<GstBuffer> buffer;
  Ref<GstEvent> event;
  std::optional<guint64> frame;
  FrameTime time;
};

// Between READY and PAUSED; only the streaming thread of the sink pad uses it, and state changes
// and flushes while that thread is not in it.
struct State {
  Settings settings;
  GstSegment segment;
  GstVideoInfo info;
  std::optional<PixelFormat> format;
  bool full_range = false;
  std::optional<SceneTracker> tracker;
  std::vector<float> scores;      // not posted yet
  guint64 first_score_frame = 0;  // the frame of scores[0]
  std::deque<Item> queue;         // in order; empty but with force-key-units
  std::deque<guint64> scene_starts;
  guint64 next_timestamp = GST_CLOCK_TIME_NONE;  // for frames without one
  guint width = 0, height = 0;                   // of the first frame
  std::string uri;
  bool ended = false;
  guint forced = 0;

  State() {
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_video_info_init(&info);
  }
};

// What the streaming thread tells the thread of the cuts pad.
struct CutsPort {
  GstPad* pad = nullptr;   // the element owns it
  bool stopping = true;    // flushing or not active
  bool started = false;    // upstream has named its stream
  bool greeted = false;    // stream-start, caps and segment are sent
  bool wake_peer = false;  // a sink that waits for data needs a gap to finish its preroll
  bool ended = false;
  std::optional<std::string> document;
  std::string stream_id;
  guint group_id = 0;
  clips::CutListFormat format = clips::CutListFormat::json;
};

struct Private {
  clips::Mutex mutex;  // a leaf: nothing is called with it held
  clips::ConditionVariable changed;
  Settings settings CLIPS_GUARDED_BY(mutex);
  CutsPort cuts CLIPS_GUARDED_BY(mutex);
  // What latency queries answer; they come from any thread.
  GstClockTime latency CLIPS_GUARDED_BY(mutex) = 0;
  std::atomic<guint64> frames = 0;
  std::atomic<guint> found = 0;
  State state;
};

enum Property {
  prop_0,
  prop_method,
  prop_threshold,
  prop_min_duration,
  prop_gradual,
  prop_force_key_units,
  prop_post_messages,
  prop_post_scores,
  prop_cutlist_format,
  prop_frames,
  prop_cuts,
};

// The names of scenecut::PixelFormat.
#define SCENE_CUT_FORMATS                                                                        \
  "{ I420, YV12, NV12, NV21, Y42B, Y41B, Y444, NV16, NV61, NV24, YUY2, YVYU, UYVY, VYUY, AYUV, " \
  "I420_10LE, I420_10BE, I422_10LE, I422_10BE, Y444_10LE, Y444_10BE, I420_12LE, I422_12LE, "     \
  "Y444_12LE, P010_10LE, P010_10BE, P012_LE, P016_LE, GRAY8, GRAY16_LE, GRAY16_BE, RGB, BGR, "   \
  "RGBx, BGRx, xRGB, xBGR, RGBA, BGRA, ARGB, ABGR, GBR }"

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(SCENE_CUT_FORMATS)));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(SCENE_CUT_FORMATS)));
GstStaticPadTemplate cuts_template =
    GST_STATIC_PAD_TEMPLATE("cuts", GST_PAD_SRC, GST_PAD_REQUEST,
                            GST_STATIC_CAPS("application/json; text/csv; text/plain; text/vtt"));

GType method_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(Method::adaptive), "Cuts, dissolves and fades, robust", "adaptive"},
      {static_cast<int>(Method::correl), "Correlation of BGR histograms", "correl"},
      {static_cast<int>(Method::chisqr), "Chi-square distance of BGR histograms", "chisqr"},
      {static_cast<int>(Method::intersect), "Intersection of BGR histograms", "intersect"},
      {static_cast<int>(Method::bhattacharyya), "Bhattacharyya distance of BGR histograms",
       "bhattacharyya"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsSceneCutMethod", values);
  return type;
}

GType cutlist_format_type() {
  static const GType type = [] {
    const auto formats = clips::cutlist_formats();
    static std::vector<GEnumValue> values;
    for (const auto& info : formats)
      values.push_back({static_cast<int>(info.format),
                        g_intern_string(std::string(info.description).c_str()),
                        g_intern_string(std::string(info.name).c_str())});
    values.push_back({0, nullptr, nullptr});
    return g_enum_register_static("GstClipsCutListFormat", values.data());
  }();
  return type;
}

SceneTracker::Config tracker_config(const Settings& settings) {
  SceneTracker::Config config;
  config.threshold = settings.threshold;
  config.min_duration = settings.min_duration;
  config.gradual = settings.gradual;
  config.scores = settings.post_scores;
  switch (settings.method) {
    case Method::adaptive:
      break;
    case Method::correl:
      config.parity = Comparison::kCorrel;
      break;
    case Method::chisqr:
      config.parity = Comparison::kChiSqr;
      break;
    case Method::intersect:
      config.parity = Comparison::kIntersect;
      break;
    case Method::bhattacharyya:
      config.parity = Comparison::kBhattacharyya;
      break;
  }
  return config;
}

const char* method_nick(Method method) {
  return g_enum_get_value(G_ENUM_CLASS(g_type_class_peek(method_type())), static_cast<int>(method))
      ->value_nick;
}

// A cut list is filed and sent around: it must not carry the passwords and signatures of a URL.
std::string without_secrets(const char* uri) {
  if (std::string_view(uri).find_first_of("@?#") == std::string_view::npos) return uri;
  const Ref<GstUri> parsed = Ref<GstUri>::adopt(gst_uri_from_string(uri));
  if (!parsed) return {};
  gst_uri_set_userinfo(parsed.get(), nullptr);
  gst_uri_set_query_string(parsed.get(), nullptr);
  gst_uri_set_fragment(parsed.get(), nullptr);
  const clips::GString_ text(gst_uri_to_string(parsed.get()));
  return text ? text.get() : "";
}

}  // namespace

struct _GstClipsSceneCut {
  GstElement parent;
  GstPad* sink;
  GstPad* src;
};
using GstClipsSceneCutPrivate = Private;

#define gst_clips_scene_cut_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsSceneCut, gst_clips_scene_cut, GST_TYPE_ELEMENT)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_scene_cut_get_instance_private(static_cast<GstClipsSceneCut*>(self)));
}

GstClipsSceneCut* scene_cut(gpointer self) {
  return static_cast<GstClipsSceneCut*>(self);
}

// --- the cuts pad -------------------------------------------------------------------------------

// What its thread does next; the pushes happen without the lock.
struct CutsWork {
  bool stop = false;
  bool greet = false;
  bool wake_peer = false;
  std::optional<std::string> document;
  std::string stream_id;
  guint group_id = 0;
  clips::CutListFormat format = clips::CutListFormat::json;
};

CutsWork next_cuts_work(Private& p) {
  clips::MutexLock lock(p.mutex);
  CutsPort& cuts = p.cuts;
  CutsWork work;
  while (true) {
    work.stop = cuts.stopping;
    work.greet = cuts.started && !cuts.greeted;
    work.wake_peer = cuts.started && cuts.wake_peer;
    if (work.stop || work.greet || work.wake_peer || (cuts.document && !cuts.ended)) break;
    p.changed.wait(p.mutex);
  }
  if (work.stop) return work;
  cuts.greeted = true;
  cuts.wake_peer = false;
  // The gap first: a sink that blocks in its preroll does so before the document.
  if (!work.greet && !work.wake_peer) {
    work.document = cuts.document;
    cuts.ended = true;
  }
  work.stream_id = cuts.stream_id;
  work.group_id = cuts.group_id;
  work.format = cuts.format;
  return work;
}

void greet_cuts_peer(GstPad* pad, const CutsWork& work) {
  GstEvent* start = gst_event_new_stream_start(work.stream_id.c_str());
  gst_event_set_group_id(start, work.group_id);
  gst_event_set_stream_flags(start, GST_STREAM_FLAG_SPARSE);
  gst_pad_push_event(pad, start);
  const std::string media(clips::cutlist_format_info(work.format).media_type);
  gst_pad_push_event(
      pad,
      gst_event_new_caps(clips::CapsRef::adopt(gst_caps_new_empty_simple(media.c_str())).get()));
  // Time, although these are bytes: only so may a gap say that nothing comes for now.
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(pad, gst_event_new_segment(&segment));
}

void cuts_loop(gpointer data) {
  GstPad* pad = static_cast<GstPad*>(data);
  const auto self = clips::ElementRef::adopt(gst_pad_get_parent_element(pad));
  if (!self) {
    gst_pad_pause_task(pad);
    return;
  }
  clips::guard(self.get(), [&] {
    CutsWork work = next_cuts_work(priv(self.get()));
    if (work.stop) {
      gst_pad_pause_task(pad);
      return;
    }
    if (work.greet) greet_cuts_peer(pad, work);
    if (work.wake_peer) gst_pad_push_event(pad, gst_event_new_gap(0, GST_CLOCK_TIME_NONE));
    if (!work.document) return;
    if (!work.document->empty()) {
      const std::string& text = *work.document;
      GstBuffer* buffer = gst_buffer_new_allocate(nullptr, text.size(), nullptr);
      gst_buffer_fill(buffer, 0, text.data(), text.size());
      GST_BUFFER_PTS(buffer) = 0;
      GST_BUFFER_OFFSET(buffer) = 0;
      GST_BUFFER_OFFSET_END(buffer) = text.size();
      const GstFlowReturn flow = gst_pad_push(pad, buffer);
      // A sink that failed has said so itself.
      GST_DEBUG_OBJECT(pad, "pushed %" G_GSIZE_FORMAT " bytes: %s", text.size(),
                       gst_flow_get_name(flow));
    }
    gst_pad_push_event(pad, gst_event_new_eos());
  });
}

// The stream begins (again): what was sent or kept belongs to the one before.
void rewind_cuts(Private& p, bool stopping) {
  clips::MutexLock lock(p.mutex);
  p.cuts.stopping = stopping;
  p.cuts.greeted = false;
  p.cuts.wake_peer = true;
  p.cuts.ended = false;
  p.cuts.document.reset();
  p.changed.notify_all();
}

void stop_cuts(Private& p) {
  clips::MutexLock lock(p.mutex);
  p.cuts.stopping = true;
  p.changed.notify_all();
}

void start_cuts(Private& p) {
  clips::MutexLock lock(p.mutex);
  p.cuts.stopping = false;
  p.cuts.greeted = false;
  p.cuts.wake_peer = true;
  p.cuts.ended = false;
}

gboolean cuts_activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  return clips::guard<gboolean>(parent, FALSE, [&]() -> gboolean {
    Private& p = priv(parent);
    if (active) {
      start_cuts(p);
      return gst_pad_start_task(pad, cuts_loop, pad, nullptr);
    }
    stop_cuts(p);
    return gst_pad_stop_task(pad);
  });
}

void cuts_linked(GstPad*, GstPad*, gpointer self) {
  clips::guard(self, [&] {
    Private& p = priv(self);
    clips::MutexLock lock(p.mutex);
    p.cuts.wake_peer = true;
    // A sink that comes after the end still gets the document.
    if (p.cuts.ended) p.cuts.ended = p.cuts.greeted = false;
    p.changed.notify_all();
  });
}

clips::PadRef cuts_pad(gpointer self) {
  Private& p = priv(self);
  clips::MutexLock lock(p.mutex);
  return clips::PadRef::retain(p.cuts.pad);
}

GstPad* request_new_pad(GstElement* element, GstPadTemplate* templ, const gchar*, const GstCaps*) {
  return clips::guard<GstPad*>(element, nullptr, [&]() -> GstPad* {
    if (cuts_pad(element)) return nullptr;
    Private& p = priv(element);
    GstPad* pad = gst_pad_new_from_template(templ, "cuts");
    gst_pad_set_activatemode_function(pad, cuts_activate_mode);
    gst_pad_use_fixed_caps(pad);
    g_signal_connect(pad, "linked", G_CALLBACK(cuts_linked), element);
    {
      clips::MutexLock lock(p.mutex);
      p.cuts.pad = pad;
    }
    // The element activates the pad that is added while it runs only when told to.
    GstState state = GST_STATE_NULL;
    GstState pending = GST_STATE_VOID_PENDING;
    GST_OBJECT_LOCK(element);
    state = GST_STATE(element);
    pending = GST_STATE_NEXT(element);
    GST_OBJECT_UNLOCK(element);
    gst_element_add_pad(element, pad);
    if (state >= GST_STATE_PAUSED || pending >= GST_STATE_PAUSED) gst_pad_set_active(pad, TRUE);
    return pad;
  });
}

void release_pad(GstElement* element, GstPad* pad) {
  clips::guard(element, [&] {
    Private& p = priv(element);
    {
      clips::MutexLock lock(p.mutex);
      if (p.cuts.pad != pad) return;
      p.cuts.pad = nullptr;
    }
    gst_pad_set_active(pad, FALSE);
    gst_element_remove_pad(element, pad);
  });
}

// --- analysis -----------------------------------------------------------------------------------

void post_found(gpointer self, const Found& found) {
  const clips::Cut& cut = found.cut;
  gst_element_post_message(
      GST_ELEMENT(self),
      gst_message_new_element(
          GST_OBJECT(self),
          gst_structure_new("scenecut", "index", G_TYPE_UINT, static_cast<guint>(found.index),
                            "frame", G_TYPE_UINT64, cut.frame, "timestamp", G_TYPE_UINT64,
                            found.time.timestamp, "stream-time", G_TYPE_UINT64,
                            found.time.stream_time, "running-time", G_TYPE_UINT64,
                            found.time.running_time, "kind", G_TYPE_STRING,
                            std::string(clips::cut_kind_name(cut.kind)).c_str(), "start-frame",
                            G_TYPE_UINT64, cut.start_frame, "end-frame", G_TYPE_UINT64,
                            cut.end_frame, "score", G_TYPE_DOUBLE, cut.score, nullptr)));
}

// A message a second or so, and not one a frame.
constexpr std::size_t kScoresInMessage = 256;

void post_scores(gpointer self, bool rest) {
  State& state = priv(self).state;
  const auto certain = state.tracker->take_scores();
  state.scores.insert(state.scores.end(), certain.begin(), certain.end());
  while (!state.scores.empty() && (rest || state.scores.size() >= kScoresInMessage)) {
    const std::size_t count = std::min(state.scores.size(), kScoresInMessage);
    GValue all = G_VALUE_INIT;
    gst_value_array_init(&all, static_cast<guint>(count));
    for (std::size_t i = 0; i < count; ++i) {
      GValue one = G_VALUE_INIT;
      g_value_init(&one, G_TYPE_DOUBLE);
      g_value_set_double(&one, state.scores[i]);
      gst_value_array_append_and_take_value(&all, &one);
    }
    GstStructure* said = gst_structure_new("scenecut-scores", "frame", G_TYPE_UINT64,
                                           state.first_score_frame, nullptr);
    gst_structure_take_value(said, "scores", &all);
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), said));
    state.first_score_frame += count;
    state.scores.erase(state.scores.begin(),
                       state.scores.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

void report(gpointer self, bool ended = false) {
  Private& p = priv(self);
  State& state = p.state;
  if (!state.tracker) return;
  for (const guint64 frame : state.tracker->take_scene_starts())
    if (state.settings.force_key_units) state.scene_starts.push_back(frame);
  for (const Found& found : state.tracker->take()) {
    GST_DEBUG_OBJECT(self, "scene at frame %" G_GUINT64_FORMAT ", score %f", found.cut.frame,
                     found.cut.score);
    if (state.settings.post_messages) post_found(self, found);
  }
  if (state.settings.post_scores) post_scores(self, ended);
  p.frames = state.tracker->frames();
  p.found = static_cast<guint>(state.tracker->found());
}

// No scene list is lost because the pictures themselves go nowhere.
GstFlowReturn push_frame(gpointer self, GstBuffer* buffer) {
  const GstFlowReturn flow = gst_pad_push(scene_cut(self)->src, buffer);
  if (flow != GST_FLOW_NOT_LINKED) return flow;
  const clips::PadRef cuts = cuts_pad(self);
  return cuts && gst_pad_is_linked(cuts.get()) ? GST_FLOW_OK : flow;
}

GstFlowReturn send(gpointer self, Item item) {
  State& state = priv(self).state;
  if (item.event) {
    gst_pad_push_event(scene_cut(self)->src, item.event.release());
    return GST_FLOW_OK;
  }
  auto& starts = state.scene_starts;
  while (item.frame && !starts.empty() && starts.front() <= *item.frame) {
    if (starts.front() == *item.frame) {
      GST_LOG_OBJECT(self, "key unit for frame %" G_GUINT64_FORMAT, *item.frame);
      gst_pad_push_event(scene_cut(self)->src, gst_video_event_new_downstream_force_key_unit(
                                                   item.time.timestamp, item.time.stream_time,
                                                   item.time.running_time, TRUE, ++state.forced));
    }
    starts.pop_front();
  }
  return push_frame(self, item.buffer.release());
}

// Lets out what is decided.
GstFlowReturn release_queue(gpointer self) {
  State& state = priv(self).state;
  const guint64 decided = state.tracker ? state.tracker->decided() : 0;
  while (!state.queue.empty() &&
         (!state.queue.front().frame || *state.queue.front().frame < decided)) {
    Item item = std::move(state.queue.front());
    state.queue.pop_front();
    const GstFlowReturn flow = send(self, std::move(item));
    if (flow != GST_FLOW_OK) return flow;
  }
  return GST_FLOW_OK;
}

GstFlowReturn forward(gpointer self, Item item) {
  State& state = priv(self).state;
  if (state.queue.empty() && !(item.frame && state.settings.force_key_units))
    return send(self, std::move(item));
  state.queue.push_back(std::move(item));
  return release_queue(self);
}

FrameTime time_of(State& state, GstBuffer* buffer) {
  FrameTime time;
  const auto& info = state.info;
  time.duration = GST_BUFFER_DURATION(buffer);
  if (!GST_CLOCK_TIME_IS_VALID(time.duration) && GST_VIDEO_INFO_FPS_N(&info) > 0)
    time.duration = gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(&info),
                                              GST_VIDEO_INFO_FPS_N(&info));
  if (state.segment.format != GST_FORMAT_TIME) return time;
  time.timestamp = GST_BUFFER_PTS(buffer);
  // Frames without a timestamp follow each other at the rate of the caps.
  if (!GST_CLOCK_TIME_IS_VALID(time.timestamp) && GST_CLOCK_TIME_IS_VALID(time.duration))
    time.timestamp =
        GST_CLOCK_TIME_IS_VALID(state.next_timestamp) ? state.next_timestamp : state.segment.start;
  if (!GST_CLOCK_TIME_IS_VALID(time.timestamp)) return time;
  if (GST_CLOCK_TIME_IS_VALID(time.duration)) state.next_timestamp = time.timestamp + time.duration;
  time.stream_time = gst_segment_to_stream_time(&state.segment, GST_FORMAT_TIME, time.timestamp);
  time.running_time = gst_segment_to_running_time(&state.segment, GST_FORMAT_TIME, time.timestamp);
  return time;
}

// Frames that nobody will see are passed on, but they are no frames of the video.
bool is_shown(const State& state, GstBuffer* buffer) {
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DECODE_ONLY)) return false;
  if (state.segment.format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer)) return true;
  const GstClockTime start = GST_BUFFER_PTS(buffer);
  const GstClockTime end =
      GST_BUFFER_DURATION_IS_VALID(buffer) ? start + GST_BUFFER_DURATION(buffer) : start;
  return gst_segment_clip(&state.segment, GST_FORMAT_TIME, start, end, nullptr, nullptr);
}

// Only the planes that the format has are named; the view is good while the frame is mapped.
FrameView view_of(const State& state, const GstVideoFrame& frame) {
  FrameView view;
  view.format = *state.format;
  view.width = static_cast<std::uint32_t>(GST_VIDEO_FRAME_WIDTH(&frame));
  view.height = static_cast<std::uint32_t>(GST_VIDEO_FRAME_HEIGHT(&frame));
  view.interlaced = GST_VIDEO_FRAME_IS_INTERLACED(&frame);
  for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(&frame) && i < view.planes.size(); ++i)
    view.planes[i] = {static_cast<const std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, i)),
                      GST_VIDEO_FRAME_PLANE_STRIDE(&frame, i)};
  return view;
}

class MappedFrame {
 public:
  MappedFrame(const GstVideoInfo& info, GstBuffer* buffer)
      : mapped_(gst_video_frame_map(
            &frame_, &info, buffer,
            static_cast<GstMapFlags>(int{GST_MAP_READ} | int{GST_VIDEO_FRAME_MAP_FLAG_NO_REF}))) {}
  MappedFrame(const MappedFrame&) = delete;
  MappedFrame& operator=(const MappedFrame&) = delete;
  ~MappedFrame() {
    if (mapped_) gst_video_frame_unmap(&frame_);
  }
  explicit operator bool() const { return mapped_; }
  const GstVideoFrame& operator*() const { return frame_; }

 private:
  GstVideoFrame frame_;
  bool mapped_;
};

std::string source_uri(gpointer self) {
  const auto query = clips::QueryRef::adopt(gst_query_new_uri());
  if (!gst_pad_peer_query(scene_cut(self)->sink, query.get())) return {};
  gchar* text = nullptr;
  gst_query_parse_uri(query.get(), &text);
  const clips::GString_ uri(text);
  return uri ? without_secrets(uri.get()) : std::string();
}

clips::FrameRate frame_rate(const GstVideoInfo& info) {
  if (GST_VIDEO_INFO_FPS_N(&info) <= 0 || GST_VIDEO_INFO_FPS_D(&info) <= 0) return {};
  return {static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_N(&info)),
          static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_D(&info))};
}

GstFlowReturn chain(GstPad* pad, GstObject* self, GstBuffer* raw) {
  auto buffer = clips::BufferRef::adopt(raw);
  return clips::guard(self, GST_FLOW_ERROR, [&]() -> GstFlowReturn {
    State& state = priv(self).state;
    if (!state.format) {
      GST_ELEMENT_ERROR(self, CORE, NEGOTIATION,
                        ("A frame came before its format. Put a decoder before scenecut."),
                        (nullptr));
      return GST_FLOW_NOT_NEGOTIATED;
    }
    // Backwards there are no first frames of scenes.
    if (state.segment.rate < 0 || !is_shown(state, buffer.get()))
      return forward(self, {std::move(buffer), {}, {}, {}});

    Item item{std::move(buffer), {}, {}, {}};
    item.time = time_of(state, item.buffer.get());
    {
      const MappedFrame frame(state.info, item.buffer.get());
      if (!frame) {
        GST_ELEMENT_ERROR(self, RESOURCE, READ,
                          ("Could not read a video frame, so its scene cannot be told."),
                          ("gst_video_frame_map() failed"));
        return GST_FLOW_ERROR;
      }
      if (!state.tracker) {
        state.tracker.emplace(tracker_config(state.settings));
        state.width = static_cast<guint>(GST_VIDEO_INFO_WIDTH(&state.info));
        state.height = static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&state.info));
        state.uri = source_uri(self);
      }
      state.tracker->set_rate(frame_rate(state.info));
      item.frame = state.tracker->frames();
      state.tracker->push(view_of(state, *frame), state.full_range, item.time);
    }
    report(self);
    return forward(self, std::move(item));
  });
}

// --- end of stream ------------------------------------------------------------------------------

void push_toc(gpointer self, const clips::CutList& list) {
  const auto toc = Ref<GstToc>::adopt(gst_toc_new(GST_TOC_SCOPE_GLOBAL));
  for (const clips::Clip& clip : list.clips()) {
    const std::string number = std::to_string(clip.index + 1);
    GstTocEntry* entry = gst_toc_entry_new(GST_TOC_ENTRY_TYPE_CHAPTER, ("clip-" + number).c_str());
    if (clip.start != clips::kNoTime && clip.end != clips::kNoTime)
      gst_toc_entry_set_start_stop_times(entry, static_cast<gint64>(clip.start),
                                         static_cast<gint64>(clip.end));
    gst_toc_entry_set_tags(entry,
                           gst_tag_list_new(GST_TAG_TITLE, ("Clip " + number).c_str(), nullptr));
    gst_toc_append_entry(toc.get(), entry);
  }
  gst_pad_push_event(scene_cut(self)->src, gst_event_new_toc(toc.get(), FALSE));
}

void deliver_document(gpointer self, const clips::CutList& list) {
  Private& p = priv(self);
  const State& state = p.state;
  auto document = clips::write_cutlist(list, state.settings.cutlist_format);
  if (!document) {
    // The list is what was asked for: without it nothing may look like success.
    if (const clips::PadRef pad = cuts_pad(self); pad && gst_pad_is_linked(pad.get()))
      GST_ELEMENT_ERROR(
          self, STREAM, FORMAT,
          ("Could not make the cut list: %s", document.error().message.c_str()),
          ("format %s",
           std::string(clips::cutlist_format_info(state.settings.cutlist_format).name).c_str()));
    return;
  }
  clips::MutexLock lock(p.mutex);
  p.cuts.document = std::move(*document);
  p.changed.notify_all();
}

// Ends the analysis; the frames that waited for it go out. When downstream refuses them there is
// neither summary nor list: the video has not ended well.
void finish(gpointer self) {
  Private& p = priv(self);
  State& state = p.state;
  clips::CutList list;
  if (state.tracker) {
    state.tracker->finish();
    report(self, true);
    list = state.tracker->list();
  }
  const GstFlowReturn flow = release_queue(self);
  // What downstream did not want must not hold up the EOS behind it.
  state.queue.clear();
  state.ended = true;
  if (flow != GST_FLOW_OK && flow != GST_FLOW_EOS) return;
  list.source.uri = state.uri;
  list.source.width = state.width;
  list.source.height = state.height;
  list.detector.method = method_nick(state.settings.method);
  list.detector.version = PACKAGE_VERSION;
  if (!list.clips().empty()) push_toc(self, list);
  if (state.settings.post_messages)
    gst_element_post_message(
        GST_ELEMENT(self),
        gst_message_new_element(
            GST_OBJECT(self),
            gst_structure_new("scenecut-summary", "frames", G_TYPE_UINT64, list.source.frames,
                              "cuts", G_TYPE_UINT, static_cast<guint>(list.cuts.size()), nullptr)));
  deliver_document(self, list);
}

// --- events and queries -------------------------------------------------------------------------

// A new start: what was found belongs to what came before.
void reset(gpointer self) {
  Private& p = priv(self);
  State& state = p.state;
  state.queue.clear();
  state.scene_starts.clear();
  state.tracker.reset();
  state.scores.clear();
  state.first_score_frame = 0;
  state.next_timestamp = GST_CLOCK_TIME_NONE;
  state.ended = false;
  state.forced = 0;
  p.frames = 0;
  p.found = 0;
  clips::MutexLock lock(p.mutex);
  state.settings = p.settings;
  p.cuts.format = state.settings.cutlist_format;
}

void update_latency(gpointer self) {
  Private& p = priv(self);
  const State& state = p.state;
  GstClockTime latency = 0;
  if (state.settings.force_key_units) {
    gint numerator = GST_VIDEO_INFO_FPS_N(&state.info);
    gint denominator = GST_VIDEO_INFO_FPS_D(&state.info);
    // A variable rate has no frame duration; 25 a second is the slowest that is usual.
    if (numerator <= 0 || denominator <= 0) {
      numerator = 25;
      denominator = 1;
    }
    const std::size_t frames = SceneTracker::lookahead(tracker_config(state.settings));
    latency = gst_util_uint64_scale(frames * GST_SECOND, static_cast<guint64>(denominator),
                                    static_cast<guint64>(numerator));
  }
  {
    clips::MutexLock lock(p.mutex);
    if (p.latency == latency) return;
    p.latency = latency;
  }
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

// GstVideoInfo drops the range together with a matrix that is not stated ("1:0:0:0", which decoders
// of full-range video send), so the caps are asked first.
bool has_full_range(const GstVideoInfo& info, const GstCaps* caps) {
  GstVideoColorimetry stated{};
  const gchar* text = gst_structure_get_string(gst_caps_get_structure(caps, 0), "colorimetry");
  if (text && gst_video_colorimetry_from_string(&stated, text) &&
      stated.range != GST_VIDEO_COLOR_RANGE_UNKNOWN)
    return stated.range == GST_VIDEO_COLOR_RANGE_0_255;
  return info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
}

bool set_caps(gpointer self, GstCaps* caps) {
  State& state = priv(self).state;
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps)) return false;
  const auto format = clips::scenecut::pixel_format_from_name(
      gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info)));
  if (!format) return false;
  state.info = info;
  state.format = format;
  state.full_range = has_full_range(info, caps);
  update_latency(self);
  return true;
}

void start_stream(gpointer self, GstEvent* event) {
  Private& p = priv(self);
  // A new stream after the end of one, without a flush: playlists do that.
  if (p.state.ended) {
    reset(self);
    rewind_cuts(p, false);
  }
  guint group_id = 0;
  if (!gst_event_parse_group_id(event, &group_id)) group_id = gst_util_group_id_next();
  const gchar* upstream = nullptr;
  gst_event_parse_stream_start(event, &upstream);
  clips::MutexLock lock(p.mutex);
  p.cuts.stream_id = std::string(upstream ? upstream : "scenecut") + "/cuts";
  p.cuts.group_id = group_id;
  p.cuts.started = true;
  p.changed.notify_all();
}

void flush_start(gpointer self, GstEvent* event) {
  gst_pad_push_event(scene_cut(self)->src, gst_event_ref(event));
  if (const clips::PadRef cuts = cuts_pad(self)) {
    gst_pad_push_event(cuts.get(), gst_event_ref(event));
    stop_cuts(priv(self));
    gst_pad_pause_task(cuts.get());
  }
}

void flush_stop(gpointer self, GstEvent* event) {
  State& state = priv(self).state;
  reset(self);
  gst_segment_init(&state.segment, GST_FORMAT_TIME);
  gst_pad_push_event(scene_cut(self)->src, gst_event_ref(event));
  if (const clips::PadRef cuts = cuts_pad(self)) {
    gst_pad_push_event(cuts.get(), gst_event_ref(event));
    rewind_cuts(priv(self), false);
    gst_pad_start_task(cuts.get(), cuts_loop, cuts.get(), nullptr);
  }
}

gboolean sink_event(GstPad*, GstObject* self, GstEvent* raw) {
  auto event = clips::EventRef::adopt(raw);
  return clips::guard<gboolean>(self, FALSE, [&]() -> gboolean {
    State& state = priv(self).state;
    switch (GST_EVENT_TYPE(event.get())) {
      case GST_EVENT_FLUSH_START:
        flush_start(self, event.get());
        return TRUE;
      case GST_EVENT_FLUSH_STOP:
        flush_stop(self, event.get());
        return TRUE;
      case GST_EVENT_STREAM_START:
        start_stream(self, event.get());
        break;
      case GST_EVENT_SEGMENT:
        gst_event_copy_segment(event.get(), &state.segment);
        state.next_timestamp = GST_CLOCK_TIME_NONE;
        break;
      case GST_EVENT_CAPS: {
        GstCaps* caps = nullptr;
        gst_event_parse_caps(event.get(), &caps);
        if (!set_caps(self, caps)) return FALSE;
        break;
      }
      case GST_EVENT_EOS:
        if (!state.ended) finish(self);
        break;
      default:
        break;
    }
    // Out-of-band events overtake, as everywhere.
    const bool in_order =
        gst_event_type_get_flags(GST_EVENT_TYPE(event.get())) & GST_EVENT_TYPE_SERIALIZED;
    if (!in_order || state.queue.empty())
      return gst_pad_push_event(scene_cut(self)->src, event.release());
    state.queue.push_back({{}, std::move(event), {}, {}});
    return TRUE;
  });
}

gboolean sink_query(GstPad* pad, GstObject* self, GstQuery* query) {
  return clips::guard<gboolean>(self, FALSE, [&]() -> gboolean {
    State& state = priv(self).state;
    switch (GST_QUERY_TYPE(query)) {
      case GST_QUERY_ALLOCATION: {
        // Downstream answers for the frames, which leave as they come. While frames of the old
        // caps wait, it does not know the new ones yet.
        if (!state.queue.empty() || !gst_pad_peer_query(scene_cut(self)->src, query)) return FALSE;
        if (!state.settings.force_key_units) return TRUE;
        // Buffers that wait here are missing in the pool.
        const auto held =
            static_cast<guint>(SceneTracker::lookahead(tracker_config(state.settings))) + 1;
        for (guint i = 0; i < gst_query_get_n_allocation_pools(query); ++i) {
          GstBufferPool* pool = nullptr;
          guint size = 0, minimum = 0, maximum = 0;
          gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &minimum, &maximum);
          gst_query_set_nth_allocation_pool(query, i, pool, size, minimum + held,
                                            maximum == 0 ? 0 : maximum + held);
          if (pool) gst_object_unref(pool);
        }
        return TRUE;
      }
      case GST_QUERY_DRAIN:
        if (!state.queue.empty()) return FALSE;
        break;
      default:
        break;
    }
    return gst_pad_query_default(pad, self, query);
  });
}

gboolean src_query(GstPad* pad, GstObject* self, GstQuery* query) {
  return clips::guard<gboolean>(self, FALSE, [&]() -> gboolean {
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(pad, self, query);
    if (!gst_pad_peer_query(scene_cut(self)->sink, query)) return FALSE;
    GstClockTime latency = 0;
    {
      Private& p = priv(self);
      clips::MutexLock lock(p.mutex);
      latency = p.latency;
    }
    gboolean live = FALSE;
    GstClockTime minimum = 0;
    GstClockTime maximum = 0;
    gst_query_parse_latency(query, &live, &minimum, &maximum);
    gst_query_set_latency(query, live, minimum + latency,
                          GST_CLOCK_TIME_IS_VALID(maximum) ? maximum + latency : maximum);
    return TRUE;
  });
}

// --- element ------------------------------------------------------------------------------------

bool start(gpointer self) {
  Private& p = priv(self);
  p.state = State();
  reset(self);
  {
    clips::MutexLock lock(p.mutex);
    p.cuts.started = false;
    p.cuts.document.reset();
    p.latency = 0;
  }
  const Settings& settings = p.state.settings;
  if (settings.method == Method::adaptive && settings.threshold > 1) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("A threshold of %g is out of range: the method adaptive takes 0 to 1.",
                       settings.threshold),
                      (nullptr));
    return false;
  }
  return true;
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  return clips::guard(element, GST_STATE_CHANGE_FAILURE, [&] {
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(element))
      return GST_STATE_CHANGE_FAILURE;
    const GstStateChangeReturn result =
        GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
    // Only now has the streaming thread left. The counts stay readable until the next start.
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) priv(element).state = State();
    return result;
  });
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  clips::guard(object, [&] {
    Private& p = priv(object);
    clips::MutexLock lock(p.mutex);
    Settings& settings = p.settings;
    switch (id) {
      case prop_method:
        settings.method = static_cast<Method>(g_value_get_enum(value));
        break;
      case prop_threshold:
        settings.threshold = g_value_get_double(value);
        break;
      case prop_min_duration:
        settings.min_duration = g_value_get_uint64(value);
        break;
      case prop_gradual:
        settings.gradual = g_value_get_boolean(value);
        break;
      case prop_force_key_units:
        settings.force_key_units = g_value_get_boolean(value);
        break;
      case prop_post_messages:
        settings.post_messages = g_value_get_boolean(value);
        break;
      case prop_post_scores:
        settings.post_scores = g_value_get_boolean(value);
        break;
      case prop_cutlist_format:
        settings.cutlist_format = static_cast<clips::CutListFormat>(g_value_get_enum(value));
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
  });
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  clips::guard(object, [&] {
    Private& p = priv(object);
    Settings settings;
    {
      clips::MutexLock lock(p.mutex);
      settings = p.settings;
    }
    switch (id) {
      case prop_method:
        g_value_set_enum(value, static_cast<int>(settings.method));
        break;
      case prop_threshold:
        g_value_set_double(value, settings.threshold);
        break;
      case prop_min_duration:
        g_value_set_uint64(value, settings.min_duration);
        break;
      case prop_gradual:
        g_value_set_boolean(value, settings.gradual);
        break;
      case prop_force_key_units:
        g_value_set_boolean(value, settings.force_key_units);
        break;
      case prop_post_messages:
        g_value_set_boolean(value, settings.post_messages);
        break;
      case prop_post_scores:
        g_value_set_boolean(value, settings.post_scores);
        break;
      case prop_cutlist_format:
        g_value_set_enum(value, static_cast<int>(settings.cutlist_format));
        break;
      case prop_frames:
        g_value_set_uint64(value, p.frames);
        break;
      case prop_cuts:
        g_value_set_uint(value, p.found);
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
  });
}

void install_properties(GObjectClass* klass) {
  const Settings defaults;
  const auto settable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const auto readable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_property(
      klass, prop_method,
      g_param_spec_enum("method", "Method",
                        "How scenes are told apart: adaptive, or a comparison of the BGR "
                        "histograms of neighbouring frames as OpenCV computes it",
                        method_type(), static_cast<int>(defaults.method), settable));
  g_object_class_install_property(
      klass, prop_threshold,
      g_param_spec_double("threshold", "Threshold",
                          "Decision threshold in the unit of the method (adaptive: the least "
                          "score, 0 to 1); 0 = the method's own",
                          0, G_MAXDOUBLE, defaults.threshold, settable));
  g_object_class_install_property(
      klass, prop_min_duration,
      g_param_spec_uint64("min-duration", "Minimum duration",
                          "Shortest clip in nanoseconds; boundaries that would leave a shorter one "
                          "are dropped, the less certain first",
                          0, G_MAXUINT64 - 1, defaults.min_duration, settable));
  g_object_class_install_property(
      klass, prop_gradual,
      g_param_spec_boolean("gradual", "Gradual transitions",
                           "Report dissolves and fades too, as one boundary with start and end "
                           "(method adaptive)",
                           defaults.gradual, settable));
  g_object_class_install_property(
      klass, prop_force_key_units,
      g_param_spec_boolean(
          "force-key-units", "Force key units",
          "Send a downstream force-key-unit event before the first frame of each "
          "new scene; frames wait for the look-ahead, which is reported as latency",
          defaults.force_key_units, settable));
  g_object_class_install_property(
      klass, prop_post_messages,
      g_param_spec_boolean("post-messages", "Post messages",
                           "Post the element messages scenecut and scenecut-summary",
                           defaults.post_messages, settable));
  g_object_class_install_property(
      klass, prop_post_scores,
      g_param_spec_boolean("post-scores", "Post scores",
                           "Post the element message scenecut-scores with the scores of all frames",
                           defaults.post_scores, settable));
  g_object_class_install_property(
      klass, prop_cutlist_format,
      g_param_spec_enum("cutlist-format", "Cut list format",
                        "Format of the document that the pad cuts delivers at EOS",
                        cutlist_format_type(), static_cast<int>(defaults.cutlist_format),
                        settable));
  g_object_class_install_property(
      klass, prop_frames,
      g_param_spec_uint64("frames", "Frames", "Number of frames analysed since the last start", 0,
                          G_MAXUINT64, 0, readable));
  g_object_class_install_property(
      klass, prop_cuts,
      g_param_spec_uint("cuts", "Cuts", "Number of boundaries found since the last start", 0,
                        G_MAXUINT, 0, readable));
}

}  // namespace

static void gst_clips_scene_cut_init(GstClipsSceneCut* self) {
  clips::construct_private<Private>(gst_clips_scene_cut_get_instance_private(self));
  GstElement* element = GST_ELEMENT(self);
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  gst_pad_set_query_function(self->sink, sink_query);
  GST_PAD_SET_PROXY_CAPS(self->sink);
  gst_element_add_pad(element, self->sink);
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_query_function(self->src, src_query);
  GST_PAD_SET_PROXY_CAPS(self->src);
  gst_element_add_pad(element, self->src);
}

static void gst_clips_scene_cut_finalize(GObject* object) {
  clips::destroy_private<Private>(gst_clips_scene_cut_get_instance_private(
      static_cast<GstClipsSceneCut*>(static_cast<gpointer>(object))));
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_clips_scene_cut_class_init(GstClipsSceneCutClass* klass) {
  GST_DEBUG_CATEGORY_INIT(scene_cut_debug, "scenecut", 0, "scenecut element");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_clips_scene_cut_finalize;
  element_class->change_state = change_state;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  install_properties(object_class);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_add_static_pad_template(element_class, &cuts_template);
  gst_element_class_set_static_metadata(
      element_class, "Scene cut detector", "Filter/Analyzer/Video",
      "Finds the scene cuts of a video that passes through", "The gst-plugins-clips authors");
  gst_type_mark_as_plugin_api(method_type(), static_cast<GstPluginAPIFlags>(0));
  gst_type_mark_as_plugin_api(cutlist_format_type(), static_cast<GstPluginAPIFlags>(0));
}
