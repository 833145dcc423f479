// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-clipframes
 * @title: clipframes
 *
 * A source of single decoded frames of a video: those at 25, 50 and 75 % of a range, at given
 * times, of given numbers, the first ones, every k-th, or some spread evenly. Each is exactly the
 * frame that is asked for; as little as possible is read and decoded for it.
 *
 * |[
 * gst-launch-1.0 clipframes uri=file:///film.mp4 select=midpoint ! videoconvert ! pngenc \
 *     ! filesink location=middle.png
 * ]| writes the frame in the middle.
 *
 * A buffer's timestamp is its stream time in the source, its offset the number of the frame.
 * Element message `clip-frame`, one a frame, before it is pushed: `index` (uint64, from 0), `frame`
 * (uint64: number in display order), `stream-time` (uint64 ns). `clip-frames-done` at the end:
 * `frames` (uint64: given), `decoded` (uint64: decoded for that). docs/elements/clipframes.md has
 * the rest.
 */
#include "gstclipframes.h"

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/redact.hpp"
#include "common/thread_annotations.hpp"
#include "gstframereader.hpp"
#include "gstrangeproperties.hpp"
#include "gstrangetypes.hpp"
#include "gstreaderslot.hpp"

GST_DEBUG_CATEGORY_STATIC(clip_frames_debug);
#define GST_CAT_DEFAULT clip_frames_debug

namespace {

using namespace clips;
using namespace clips::cut;

struct Settings {
  std::string uri;
  RangeBounds range;
  Pick pick = Pick::Multi;
  std::string times;
  std::string frames;
  guint count = 8;
  guint step = 25;
  bool decode_all = true;
};

// Lives from the change to PAUSED to stop(); the streaming thread's alone.
struct State {
  std::unique_ptr<FrameReader> frames;
  guint64 given = 0;
};

struct Private {
  Mutex mutex;  // guards settings and what queries answer; held for moments only
  Settings settings CLIPS_GUARDED_BY(mutex);
  std::optional<guint64> count CLIPS_GUARDED_BY(mutex);
  std::optional<guint64> end CLIPS_GUARDED_BY(mutex);  // stream time
  ReaderSlot reader;
  State state;
};

enum Property : guint {
  kUri = RangeBounds::kFirstFree,
  kSelect,
  kTimes,
  kFrames,
  kCount,
  kStep,
  kDecodeAll,
};

guint source_setup_signal = 0;

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw"));

GType pick_get_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(Pick::Midpoint), "The frame at 50 %", "midpoint"},
      {static_cast<gint>(Pick::Multi), "The frames at 25, 50 and 75 %", "multi"},
      {static_cast<gint>(Pick::Times), "The frames shown at given times", "times"},
      {static_cast<gint>(Pick::Frames), "The frames of given numbers", "frames"},
      {static_cast<gint>(Pick::First), "The first count frames", "first"},
      {static_cast<gint>(Pick::Every), "The first frame and every step-th behind it", "every"},
      {static_cast<gint>(Pick::Even), "The middles of count equal parts", "even"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsFrameSelect", values);
  return type;
}

}  // namespace

struct _GstClipsClipFrames {
  GstPushSrc parent;
};

using GstClipsClipFramesPrivate = Private;
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsClipFrames, gst_clips_clip_frames, GST_TYPE_PUSH_SRC)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_clip_frames_get_instance_private(GST_CLIPS_CLIP_FRAMES(self)));
}

Settings settings_of(Private& p) {
  const MutexLock lock(p.mutex);
  return p.settings;
}

Result<FrameRequest> request_of(const Settings& settings) {
  if (settings.uri.empty())
    return fail(Fault::Settings, "There is no source. Set the property 'uri'.");
  FrameRequest request;
  request.uri = settings.uri;
  request.range = settings.range.request();
  request.selection.pick = settings.pick;
  request.selection.count = settings.count;
  request.selection.step = settings.step;
  request.selection.tolerance = settings.range.tolerance;
  if (settings.pick == Pick::Times) {
    auto times = parse_times(settings.times);
    if (!times) return tl::make_unexpected(times.error());
    request.selection.times = std::move(*times);
  }
  if (settings.pick == Pick::Frames) {
    auto frames = parse_frames(settings.frames);
    if (!frames) return tl::make_unexpected(frames.error());
    request.selection.frames = std::move(*frames);
  }
  return request;
}

void note_extent(Private& p) {
  const auto count = p.state.frames->count();
  const auto end = p.state.frames->end();
  const MutexLock lock(p.mutex);
  p.count = count;
  p.end = end;
}

// By the index where there is one. Where there is none, or what it says does not suit, the source
// is decoded; that may take long, so it is for the streaming thread alone.
Result<bool> open_frames(gpointer self, const FrameRequest& request, bool may_decode) {
  Private& p = priv(self);
  const UriReader::Setup setup = [self](GstElement* source) {
    g_signal_emit(self, source_setup_signal, 0, source);
  };
  auto reader = std::make_shared<UriReader>();
  p.reader.set(reader);
  auto opened = reader->open(request.uri, setup);
  // A source that cannot jump has no index to read, but may be decoded from its begin.
  auto frames = opened ? read_indexed(reader, request)
                       : Result<std::unique_ptr<FrameReader>>(tl::make_unexpected(opened.error()));
  if (!frames &&
      (frames.error().fault == Fault::Unsupported || frames.error().fault == Fault::NotSeekable)) {
    if (!settings_of(p).decode_all) return tl::make_unexpected(frames.error());
    if (!may_decode) return true;
    GST_INFO_OBJECT(self, "decoded from the begin: %s", redact(frames.error().message).c_str());
    p.reader.set({});
    reader.reset();
    frames = read_decoded(request, p.reader.unlocked(), setup);
  }
  if (!frames) return tl::make_unexpected(frames.error());
  p.state.frames = std::move(*frames);
  note_extent(p);
  return true;
}

void close_frames(Private& p) {
  p.state = State{};
  p.reader.set({});
  const MutexLock lock(p.mutex);
  p.count.reset();
  p.end.reset();
}

void post(gpointer self, GstStructure* structure) {
  gst_element_post_message(GST_ELEMENT_CAST(self),
                           gst_message_new_element(GST_OBJECT_CAST(self), structure));
}

GstFlowReturn create(GstPushSrc* src, GstBuffer** buffer) {
  Private& p = priv(src);
  State& state = p.state;
  const auto failed = [&](const Error& error) {
    if (error.fault != Fault::Cancelled) post_error(GST_ELEMENT_CAST(src), error);
    // Not GST_FLOW_ERROR: for that the base class posts a second error and sends EOS downstream.
    return GST_FLOW_FLUSHING;
  };
  if (!state.frames) {
    const auto request = request_of(settings_of(p));
    if (!request) return failed(request.error());
    const auto opened = open_frames(src, *request, true);
    if (!opened) return failed(opened.error());
  }
  auto frame = state.frames->next();
  if (!frame) return failed(frame.error());
  if (!*frame) {
    note_extent(p);
    post(src, gst_structure_new("clip-frames-done", "frames", G_TYPE_UINT64, state.given, "decoded",
                                G_TYPE_UINT64, guint64{state.frames->decoded()}, nullptr));
    return GST_FLOW_EOS;
  }
  PickedFrame& picked = **frame;
  if (picked.caps && !gst_base_src_set_caps(GST_BASE_SRC_CAST(src), picked.caps.get()))
    return GST_FLOW_NOT_NEGOTIATED;
  if (state.given == 0) {
    // The base class sends it behind the segment.
    if (auto tags = state.frames->tags())
      gst_element_send_event(GST_ELEMENT_CAST(src), gst_event_new_tag(tags.release()));
  }
  post(src, gst_structure_new("clip-frame", "index", G_TYPE_UINT64, state.given++, "frame",
                              G_TYPE_UINT64, guint64{picked.number}, "stream-time", G_TYPE_UINT64,
                              guint64{picked.time}, nullptr));
  *buffer = picked.buffer.release();
  return GST_FLOW_OK;
}

}  // namespace

static void gst_clips_clip_frames_init(GstClipsClipFrames* self) {
  construct_private<Private>(gst_clips_clip_frames_get_instance_private(self));
  gst_base_src_set_format(GST_BASE_SRC_CAST(self), GST_FORMAT_TIME);
  gst_base_src_set_live(GST_BASE_SRC_CAST(self), FALSE);
}

static void gst_clips_clip_frames_finalize(GObject* object) {
  destroy_private<Private>(&priv(object));
  G_OBJECT_CLASS(gst_clips_clip_frames_parent_class)->finalize(object);
}

static void gst_clips_clip_frames_set_property(GObject* object, guint id, const GValue* value,
                                               GParamSpec* pspec) {
  guard(object, [&] {
    Private& p = priv(object);
    const auto text = [&] {
      const gchar* string = g_value_get_string(value);
      return std::string(string ? string : "");
    };
    const MutexLock lock(p.mutex);
    Settings& s = p.settings;
    if (s.range.set(id, value)) return;
    switch (id) {
      case kUri:
        s.uri = text();
        break;
      case kSelect:
        s.pick = static_cast<Pick>(g_value_get_enum(value));
        break;
      case kTimes:
        s.times = text();
        break;
      case kFrames:
        s.frames = text();
        break;
      case kCount:
        s.count = g_value_get_uint(value);
        break;
      case kStep:
        s.step = g_value_get_uint(value);
        break;
      case kDecodeAll:
        s.decode_all = g_value_get_boolean(value);
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

static void gst_clips_clip_frames_get_property(GObject* object, guint id, GValue* value,
                                               GParamSpec* pspec) {
  guard(object, [&] {
    const Settings s = settings_of(priv(object));
    const auto set_text = [&](const std::string& text) {
      g_value_set_string(value, text.empty() ? nullptr : text.c_str());
    };
    if (s.range.get(id, value)) return;
    switch (id) {
      case kUri:
        set_text(s.uri);
        break;
      case kSelect:
        g_value_set_enum(value, static_cast<gint>(s.pick));
        break;
      case kTimes:
        set_text(s.times);
        break;
      case kFrames:
        set_text(s.frames);
        break;
      case kCount:
        g_value_set_uint(value, s.count);
        break;
      case kStep:
        g_value_set_uint(value, s.step);
        break;
      case kDecodeAll:
        g_value_set_boolean(value, s.decode_all);
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

// A local file's index is read while the state changes, so that its errors fail the change:
// gst-launch 1.22 waits for ever if an error comes before its main loop runs.
static GstStateChangeReturn gst_clips_clip_frames_change_state(GstElement* element,
                                                               GstStateChange transition) {
  return guard(element, GST_STATE_CHANGE_FAILURE, [&]() -> GstStateChangeReturn {
    auto* parent = GST_ELEMENT_CLASS(gst_clips_clip_frames_parent_class);
    if (transition != GST_STATE_CHANGE_READY_TO_PAUSED)
      return parent->change_state(element, transition);
    Private& p = priv(element);
    p.reader.begin_run();
    const auto request = request_of(settings_of(p));
    Result<bool> ready = request ? Result<bool>(true) : tl::make_unexpected(request.error());
    if (ready && request->uri.starts_with("file:")) ready = open_frames(element, *request, false);
    if (!ready) {
      close_frames(p);
      post_error(element, ready.error());
      return GST_STATE_CHANGE_FAILURE;
    }
    const GstStateChangeReturn changed = parent->change_state(element, transition);
    if (changed == GST_STATE_CHANGE_FAILURE) close_frames(p);
    return changed;
  });
}

static gboolean gst_clips_clip_frames_stop(GstBaseSrc* src) {
  return guard(src, FALSE, [&] {
    close_frames(priv(src));
    return TRUE;
  });
}

static gboolean gst_clips_clip_frames_unlock(GstBaseSrc* src) {
  return guard(src, FALSE, [&] {
    priv(src).reader.unlock();
    return TRUE;
  });
}

static gboolean gst_clips_clip_frames_unlock_stop(GstBaseSrc* src) {
  return guard(src, FALSE, [&] {
    priv(src).reader.unlock_stop();
    return TRUE;
  });
}

static gboolean gst_clips_clip_frames_is_seekable(GstBaseSrc*) {
  return FALSE;
}

// How many frames come, for elements that need to know before the last one, and when their source
// or its range ends.
static gboolean gst_clips_clip_frames_query(GstBaseSrc* src, GstQuery* query) {
  return guard(src, gboolean{FALSE}, [&]() -> gboolean {
    GstFormat format = GST_FORMAT_UNDEFINED;
    if (GST_QUERY_TYPE(query) == GST_QUERY_DURATION) {
      gst_query_parse_duration(query, &format, nullptr);
      Private& p = priv(src);
      const MutexLock lock(p.mutex);
      if (format == GST_FORMAT_DEFAULT && p.count) {
        gst_query_set_duration(query, format, static_cast<gint64>(*p.count));
        return TRUE;
      }
      if (format == GST_FORMAT_TIME && p.end) {
        gst_query_set_duration(query, format, static_cast<gint64>(*p.end));
        return TRUE;
      }
    }
    return GST_BASE_SRC_CLASS(gst_clips_clip_frames_parent_class)->query(src, query);
  });
}

// What the frames are is known with the first one; create() says it.
static gboolean gst_clips_clip_frames_negotiate(GstBaseSrc*) {
  return TRUE;
}

static GstFlowReturn gst_clips_clip_frames_create(GstPushSrc* src, GstBuffer** buffer) {
  return guard(src, GST_FLOW_ERROR, [&] { return create(src, buffer); });
}

static void gst_clips_clip_frames_class_init(GstClipsClipFramesClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* base_class = GST_BASE_SRC_CLASS(klass);
  object_class->finalize = gst_clips_clip_frames_finalize;
  object_class->set_property = gst_clips_clip_frames_set_property;
  object_class->get_property = gst_clips_clip_frames_get_property;

  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const Settings d;
  const auto install = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(object_class, id, spec);
  };
  install(kUri, g_param_spec_string("uri", "URI", "URI of the source: file, http(s), s3, ...",
                                    nullptr, writable));
  RangeBounds::install(object_class);
  install(kSelect, g_param_spec_enum("select", "Select", "Which frames of the range are given.",
                                     pick_get_type(), static_cast<gint>(d.pick), writable));
  install(kTimes, g_param_spec_string("times", "Times",
                                      "Stream times for select=times, with commas between: "
                                      "\"12.5,1:02:03.5,400ms\". Without a unit they are seconds.",
                                      nullptr, writable));
  install(kFrames, g_param_spec_string("frames", "Frames",
                                       "Numbers for select=frames, with commas between: \"0,105\". "
                                       "Frames are counted from 0 in display order, over the "
                                       "whole source.",
                                       nullptr, writable));
  install(kCount,
          g_param_spec_uint("count", "Count", "How many frames select=first and select=even give.",
                            1, 1'000'000, d.count, writable));
  install(kStep, g_param_spec_uint("step", "Step",
                                   "From one frame to the next with select=every, in frames.", 1,
                                   G_MAXUINT, d.step, writable));
  install(kDecodeAll,
          g_param_spec_boolean("decode-all", "Decode all",
                               "Whether a source whose frames are not found by an index may be "
                               "decoded from its begin; if not, it is an error.",
                               d.decode_all, writable));

  /**
   * GstClipsClipFrames::source-setup:
   * @source: the element that reads the URI
   *
   * Emitted before the source starts, for properties that a URI cannot carry.
   */
  source_setup_signal = g_signal_new("source-setup", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0,
                                     nullptr, nullptr, nullptr, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);

  element_class->change_state = gst_clips_clip_frames_change_state;
  base_class->stop = gst_clips_clip_frames_stop;
  base_class->unlock = gst_clips_clip_frames_unlock;
  base_class->unlock_stop = gst_clips_clip_frames_unlock_stop;
  base_class->is_seekable = gst_clips_clip_frames_is_seekable;
  base_class->query = gst_clips_clip_frames_query;
  base_class->negotiate = gst_clips_clip_frames_negotiate;
  GST_PUSH_SRC_CLASS(klass)->create = gst_clips_clip_frames_create;

  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Clip frames", "Source/Video/Network",
      "Gives single frames of a video, exactly those that are asked for", "gst-plugins-clips");
  gst_type_mark_as_plugin_api(pick_get_type(), static_cast<GstPluginAPIFlags>(0));
  GST_DEBUG_CATEGORY_INIT(clip_frames_debug, "clipframes", 0, "Clip frames");
}
