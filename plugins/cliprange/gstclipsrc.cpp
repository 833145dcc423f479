// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-clipsrc
 * @title: clipsrc
 *
 * A source of the coded, parsed streams of one range of whatever stands at `uri`: source, demuxer,
 * parsers and `cliprange` in one bin. The first picture of the range is at time 0.
 *
 * |[
 * gst-launch-1.0 clipsrc uri=file:///film.mkv start=60000000000 stop=70000000000 name=c \
 *     c.video_0 ! decodebin ! autovideosink  c.audio_0 ! decodebin ! autoaudiosink
 * ]| plays ten seconds, from exactly the first picture of the range on.
 *
 * Messages are those of the elements inside. Modes and limits: docs/elements/clipsrc.md.
 */
#include "gstclipsrc.h"

#include <atomic>
#include <string>
#include <vector>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "gstrangeproperties.hpp"
#include "gstrangetypes.hpp"

GST_DEBUG_CATEGORY_STATIC(clip_src_debug);
#define GST_CAT_DEFAULT clip_src_debug

namespace {

using namespace clips;
using namespace clips::cut;

struct Settings {
  std::string uri;
  RangeProperties range;
  gint quality = 16;
  std::string encoder;
  std::string index_cache = "memory";
};

struct Private {
  Mutex mutex;  // a leaf: nothing is called with it held
  Settings settings CLIPS_GUARDED_BY(mutex);
  // Touched by state changes, one at a time, and read by the streaming threads that they start.
  ElementRef streams;  // cliprange
  ElementRef range;    // what cuts: that, or clipexport in the modes that encode
  std::vector<ElementRef> children;
  std::atomic<bool> failed{false};
};

enum Property : guint { kUri = RangeProperties::kFirstFree, kQuality, kEncoder, kIndexCache };

guint source_setup_signal = 0;

GstStaticPadTemplate templates[] = {
    GST_STATIC_PAD_TEMPLATE("video_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
    GST_STATIC_PAD_TEMPLATE("audio_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
    GST_STATIC_PAD_TEMPLATE("text_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
};

}  // namespace

struct _GstClipsClipSrc {
  GstBin parent;
};

using GstClipsClipSrcPrivate = Private;
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsClipSrc, gst_clips_clip_src, GST_TYPE_BIN)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(gst_clips_clip_src_get_instance_private(GST_CLIPS_CLIP_SRC(self)));
}

// "video", "audio", "text", or nothing for what cannot be cut.
const char* kind_of(GstPad* pad) {
  auto caps = CapsRef::adopt(gst_pad_get_current_caps(pad));
  if (!caps) caps = CapsRef::adopt(gst_pad_query_caps(pad, nullptr));
  if (!caps || gst_caps_is_empty(caps.get()) || gst_caps_is_any(caps.get())) return nullptr;
  const std::string name = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  if (name.starts_with("video/") || name.starts_with("image/")) return "video";
  if (name.starts_with("audio/")) return "audio";
  if (name.starts_with("text/") || name.starts_with("subpicture/") ||
      name.starts_with("closedcaption/") || name.starts_with("application/x-s") ||
      name.starts_with("application/x-teletext"))
    return "text";
  return nullptr;
}

void expose(GstElement* self, GstPad* inner, const std::string& name, GstPadTemplate* templ) {
  GstPad* pad = gst_ghost_pad_new_from_template(name.c_str(), inner, templ);
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(self, pad);
}

// Every stream is linked: a demuxer reads on to the end of the source for one that is not.
void drop_stream(GstElement* self, GstPad* pad) {
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  if (!sink) return;
  g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
  gst_bin_add(GST_BIN(self), sink);
  gst_element_sync_state_with_parent(sink);
  const auto into = PadRef::adopt(gst_element_get_static_pad(sink, "sink"));
  gst_pad_link(pad, into.get());
}

void take_stream(GstElement* self, GstPad* pad) {
  Private& p = priv(self);
  const char* kind = kind_of(pad);
  if (!kind) {
    drop_stream(self, pad);
    return;
  }
  GstPadTemplate* templ = gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(self),
                                                             (std::string(kind) + "_%u").c_str());
  const auto sink = PadRef::adopt(
      gst_element_request_pad_simple(p.streams.get(), (std::string(kind) + "_sink_%u").c_str()));
  if (!sink || gst_pad_link(pad, sink.get()) != GST_PAD_LINK_OK) {
    if (sink) gst_element_release_request_pad(p.streams.get(), sink.get());
    drop_stream(self, pad);
    return;
  }
  std::string name = GST_PAD_NAME(sink.get());
  name.erase(name.find("_sink"), 5);
  const auto twin = PadRef::adopt(gst_element_get_static_pad(p.streams.get(), name.c_str()));
  expose(self, twin.get(), name, templ);
}

void on_stream(GstElement*, GstPad* pad, gpointer data) {
  auto* self = static_cast<GstElement*>(data);
  guard(self, [&] {
    if (GST_PAD_IS_SRC(pad)) take_stream(self, pad);
  });
}

void on_no_more_streams(GstElement*, gpointer data) {
  gst_element_no_more_pads(static_cast<GstElement*>(data));
}

void on_bytes(GstElement*, GstPad* pad, gpointer data) {
  auto* parser = static_cast<GstElement*>(data);
  const auto sink = PadRef::adopt(gst_element_get_static_pad(parser, "sink"));
  if (!gst_pad_is_linked(sink.get())) gst_pad_link(pad, sink.get());
}

void on_source(GstElement*, GstElement* source, gpointer data) {
  g_signal_emit(data, source_setup_signal, 0, source);
}

Result<GstElement*> add_child(GstElement* self, const char* factory, const char* name) {
  GstElement* child = gst_element_factory_make(factory, name);
  if (!child)
    return fail(Fault::Missing, std::string("The element ") + factory + " is not installed.");
  gst_bin_add(GST_BIN(self), child);
  priv(self).children.push_back(ElementRef::retain(child));
  return child;
}

void copy_range(const RangeProperties& from, GstElement* to) {
  g_object_set(to, "start", from.start, "stop", from.stop, "start-frame", from.start_frame,
               "stop-frame", from.stop_frame, "mode", static_cast<gint>(from.mode), "snap",
               static_cast<gint>(from.snap), "tolerance", from.tolerance, "max-lead-in",
               from.max_lead_in, "fallback", static_cast<gint>(from.fallback), nullptr);
}

void take_down(GstElement* self) {
  Private& p = priv(self);
  std::vector<GstPad*> pads;
  GST_OBJECT_LOCK(self);
  for (GList* item = self->srcpads; item; item = item->next)
    pads.push_back(GST_PAD_CAST(item->data));
  GST_OBJECT_UNLOCK(self);
  for (GstPad* pad : pads) gst_element_remove_pad(self, pad);
  p.range.reset();
  p.streams.reset();
  p.children.clear();
  while (GList* item = GST_BIN_CHILDREN(self)) {
    const auto child = ElementRef::retain(GST_ELEMENT_CAST(item->data));
    gst_element_set_state(child.get(), GST_STATE_NULL);
    gst_bin_remove(GST_BIN(self), child.get());
  }
}

Result<bool> build(GstElement* self, const Settings& settings) {
  Private& p = priv(self);
  if (settings.uri.empty())
    return fail(Fault::Settings, "There is no source. Set the property 'uri'.");
  const Mode mode = settings.range.mode;
  if (mode == Mode::Whole)
    return fail(Fault::Settings, "clipsrc has no mode whole: it is a mode of clipexport.");
  const bool encodes = mode == Mode::Smart || mode == Mode::Exact;
  auto source = add_child(self, encodes ? "clipexport" : "urisourcebin", "source");
  if (!source) return tl::make_unexpected(source.error());
  auto parser = add_child(self, "parsebin", "parser");
  if (!parser) return tl::make_unexpected(parser.error());
  g_object_set(*source, "uri", settings.uri.c_str(), nullptr);
  if (encodes)
    g_object_set(*source, "quality", settings.quality, "encoder", settings.encoder.c_str(),
                 "index-cache", settings.index_cache.c_str(), nullptr);
  g_signal_connect(*source, "source-setup", G_CALLBACK(on_source), self);
  g_signal_connect(*parser, "pad-added", G_CALLBACK(on_stream), self);
  g_signal_connect(*parser, "no-more-pads", G_CALLBACK(on_no_more_streams), self);
  auto streams = add_child(self, "cliprange", "range");
  if (!streams) return tl::make_unexpected(streams.error());
  p.streams = ElementRef::retain(*streams);
  // Behind clipexport cliprange has nothing to cut and is a queue for each stream.
  p.range = encodes ? ElementRef::retain(*source) : p.streams;
  if (encodes)
    gst_element_link(*source, *parser);
  else
    g_signal_connect(*source, "pad-added", G_CALLBACK(on_bytes), *parser);
  copy_range(settings.range, p.range.get());
  return true;
}

Settings settings_of(Private& p) {
  MutexLock lock(p.mutex);
  return p.settings;
}

}  // namespace

static void gst_clips_clip_src_init(GstClipsClipSrc* self) {
  construct_private<Private>(gst_clips_clip_src_get_instance_private(self));
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
  gst_bin_set_suppressed_flags(
      GST_BIN(self), static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SOURCE | GST_ELEMENT_FLAG_SINK));
}

static void gst_clips_clip_src_finalize(GObject* object) {
  destroy_private<Private>(&priv(object));
  G_OBJECT_CLASS(gst_clips_clip_src_parent_class)->finalize(object);
}

static void gst_clips_clip_src_set_property(GObject* object, guint id, const GValue* value,
                                            GParamSpec* pspec) {
  guard(object, [&] {
    Private& p = priv(object);
    MutexLock lock(p.mutex);
    if (p.settings.range.set(id, value)) return;
    const gchar* text = G_VALUE_HOLDS_STRING(value) ? g_value_get_string(value) : nullptr;
    switch (id) {
      case kUri:
        p.settings.uri = text ? text : "";
        break;
      case kQuality:
        p.settings.quality = g_value_get_int(value);
        break;
      case kEncoder:
        p.settings.encoder = text ? text : "";
        break;
      case kIndexCache:
        p.settings.index_cache = text && *text ? text : "none";
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

static void gst_clips_clip_src_get_property(GObject* object, guint id, GValue* value,
                                            GParamSpec* pspec) {
  Private& p = priv(object);
  const Settings settings = settings_of(p);
  if (settings.range.get(id, value)) return;
  switch (id) {
    case kUri:
      g_value_set_string(value, settings.uri.empty() ? nullptr : settings.uri.c_str());
      break;
    case kQuality:
      g_value_set_int(value, settings.quality);
      break;
    case kEncoder:
      g_value_set_string(value, settings.encoder.empty() ? nullptr : settings.encoder.c_str());
      break;
    case kIndexCache:
      g_value_set_string(value, settings.index_cache.c_str());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

// The first error is the cause; what a demuxer says to a stream that was taken from it is not.
static void gst_clips_clip_src_handle_message(GstBin* bin, GstMessage* raw) {
  auto message = MessageRef::adopt(raw);
  guard(bin, [&] {
    Private& p = priv(bin);
    if (GST_MESSAGE_TYPE(raw) == GST_MESSAGE_ERROR && p.failed.exchange(true)) return;
    const bool of_streams = p.streams && GST_MESSAGE_SRC(raw) == GST_OBJECT_CAST(p.streams.get());
    if (GST_MESSAGE_TYPE(raw) == GST_MESSAGE_ELEMENT && of_streams &&
        p.range.get() != p.streams.get())
      return;
    if (GST_MESSAGE_TYPE(raw) == GST_MESSAGE_ELEMENT && p.range &&
        GST_MESSAGE_SRC(raw) == GST_OBJECT_CAST(p.range.get())) {
      guint64 start = 0, stop = 0, frames = 0;
      g_object_get(p.range.get(), "actual-start", &start, "actual-stop", &stop, "actual-frames",
                   &frames, nullptr);
      MutexLock lock(p.mutex);
      p.settings.range.actual_start = start;
      p.settings.range.actual_stop = stop;
      p.settings.range.actual_frames = frames;
    }
    GST_BIN_CLASS(gst_clips_clip_src_parent_class)->handle_message(bin, message.release());
  });
}

static GstStateChangeReturn gst_clips_clip_src_change_state(GstElement* element,
                                                            GstStateChange transition) {
  return guard(element, GST_STATE_CHANGE_FAILURE, [&]() -> GstStateChangeReturn {
    Private& p = priv(element);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
      p.failed = false;
      {
        MutexLock lock(p.mutex);
        RangeProperties& range = p.settings.range;
        range.actual_start = range.actual_stop = GST_CLOCK_TIME_NONE;
        range.actual_frames = 0;
      }
      const auto built = build(element, settings_of(p));
      if (!built) {
        post_error(element, built.error());
        take_down(element);
        return GST_STATE_CHANGE_FAILURE;
      }
    }
    const GstStateChangeReturn changed =
        GST_ELEMENT_CLASS(gst_clips_clip_src_parent_class)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (transition == GST_STATE_CHANGE_READY_TO_PAUSED && changed == GST_STATE_CHANGE_FAILURE))
      take_down(element);
    return changed;
  });
}

static void gst_clips_clip_src_class_init(GstClipsClipSrcClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->finalize = gst_clips_clip_src_finalize;
  object_class->set_property = gst_clips_clip_src_set_property;
  object_class->get_property = gst_clips_clip_src_get_property;
  RangeProperties::install(object_class);
  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const Settings d;
  const auto install = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(object_class, id, spec);
  };
  install(kUri, g_param_spec_string("uri", "URI", "URI of the source: file, http(s), s3, ...",
                                    nullptr, writable));
  install(kQuality,
          g_param_spec_int("quality", "Quality",
                           "Quantizer of re-encoded pictures (modes smart and exact): 1 (best, "
                           "largest) to 51 (worst).",
                           1, 51, d.quality, writable));
  install(kEncoder,
          g_param_spec_string("encoder", "Encoder",
                              "Name of the element that re-encodes pictures (modes smart and "
                              "exact). Unset: x264enc or x265enc, as the source is coded.",
                              nullptr, writable));
  install(kIndexCache,
          g_param_spec_string("index-cache", "Index cache",
                              "Where indexes of sources are kept for later clips (modes smart and "
                              "exact): memory (of this process), the path of a folder, or none.",
                              d.index_cache.c_str(), writable));
  /**
   * GstClipsClipSrc::source-setup:
   * @source: the element that reads the URI
   *
   * Emitted before the source starts, for properties that a URI cannot carry.
   */
  source_setup_signal = g_signal_new("source-setup", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0,
                                     nullptr, nullptr, nullptr, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);
  element_class->change_state = gst_clips_clip_src_change_state;
  GST_BIN_CLASS(klass)->handle_message = gst_clips_clip_src_handle_message;
  for (GstStaticPadTemplate& each : templates)
    gst_element_class_add_static_pad_template(element_class, &each);
  gst_element_class_set_static_metadata(
      element_class, "Clip source", "Source/Demuxer/File/Network",
      "Delivers the coded streams of the range [start, stop) of a file, from time 0 on",
      "gst-plugins-clips");
  GST_DEBUG_CATEGORY_INIT(clip_src_debug, "clipsrc", 0, "Clip source");
}
