// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-uricleanbin
 * @title: uricleanbin
 *
 * A source that leaves alone what needs no work. If the file at `uri` is a clean movie (an MP4,
 * Matroska, MPEG-TS, FLV or AVI of progressive 8-bit 4:2:0 H.264 and AAC) it has one pad, with the
 * bytes of a finished MP4 of the same packets and times, index in front: `clipexport mode=whole`.
 * Anything else is decoded, one pad a stream: `uridecodebin`. The pads come on the way to PAUSED or
 * later, then `no-more-pads`.
 *
 * The index is read during the change to PAUSED, and the element message `clean-input` says how it
 * was decided. See docs/elements/uricleanbin.md.
 *
 * |[
 * gst-launch-1.0 uricleanbin uri=file:///video.mp4 ! video/quicktime ! filesink location=a.mp4
 * ]|
 */
#include "gsturicleanbin.h"

#include "clean.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "container.hpp"
#include "cutter.hpp"
#include "gsturireader.hpp"

GST_DEBUG_CATEGORY_STATIC(uri_clean_bin_debug);
#define GST_CAT_DEFAULT uri_clean_bin_debug

namespace {

using namespace clips;
using namespace clips::cut;

struct Settings {
  std::string uri;
  bool sound = true;
  CapsRef conversion;
};

struct Private {
  Mutex mutex;  // a leaf: nothing is called with it held
  Settings settings CLIPS_GUARDED_BY(mutex);
  ElementRef child;  // only state changes touch it, one at a time
};

enum Property : guint { kUri = 1, kSound, kConversion };

guint unknown_type_signal = 0;

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);

}  // namespace

struct _GstClipsUriCleanBin {
  GstBin parent;
};

using GstClipsUriCleanBinPrivate = Private;
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsUriCleanBin, gst_clips_uri_clean_bin, GST_TYPE_BIN)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_uri_clean_bin_get_instance_private(GST_CLIPS_URI_CLEAN_BIN(self)));
}

// Why the source is not copied; empty if it is. What cannot be read is left to the decoder's
// source, which says what is wrong with it.
std::string why_decoded(const Settings& settings) {
  if (settings.conversion) return "its pictures are to be converted";
  UriReader reader;
  if (const auto opened = reader.open(settings.uri, [](GstElement*) {}); !opened)
    return "its index could not be read";
  auto movie = read_movie(reader, settings.uri);
  if (!movie)
    return movie.error().fault == Fault::WrongType ? "it is no MP4, Matroska, MPEG-TS, FLV or AVI"
                                                   : "its index could not be read";
  const std::string reason = why_not_clean(*movie, settings.sound);
  if (!reason.empty()) return reason;
  // What cannot be laid out, because the source is cut off, say, must not fail once it streams.
  Options options;
  options.request.mode = Mode::Whole;
  const auto laid_out =
      make_clip(std::make_shared<const Movie>(std::move(*movie)), reader, options, nullptr);
  return laid_out ? "" : "it is damaged";
}

// What a clean movie comes as; clipexport by itself could also make another file of it.
gboolean answer_for_copy(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_CAPS) return gst_pad_query_default(pad, parent, query);
  GstCaps* filter = nullptr;
  gst_query_parse_caps(query, &filter);
  auto caps = CapsRef::adopt(gst_caps_from_string("video/quicktime, variant=(string)iso"));
  if (filter) caps = CapsRef::adopt(gst_caps_intersect(filter, caps.get()));
  gst_query_set_caps_result(query, caps.get());
  return TRUE;
}

void expose(GstElement* self, GstPad* inner, const char* name, bool copy) {
  GstPadTemplate* one = gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(self), "src_%u");
  GstPad* pad = gst_ghost_pad_new_from_template(name, inner, one);
  if (copy) gst_pad_set_query_function(pad, answer_for_copy);
  gst_pad_set_active(pad, TRUE);
  // Which stream it is and whether it is the default stands in events that have gone by.
  gst_pad_sticky_events_foreach(
      inner,
      [](GstPad*, GstEvent** event, gpointer data) -> gboolean {
        gst_pad_store_sticky_event(GST_PAD_CAST(data), *event);
        return TRUE;
      },
      pad);
  gst_element_add_pad(self, pad);
}

void on_pad_added(GstElement*, GstPad* inner, gpointer data) {
  auto* self = static_cast<GstElement*>(data);
  guard(self, [&] {
    if (GST_PAD_IS_SRC(inner)) expose(self, inner, GST_PAD_NAME(inner), false);
  });
}

void on_pad_removed(GstElement*, GstPad* inner, gpointer data) {
  auto* self = static_cast<GstElement*>(data);
  guard(self, [&] {
    if (!GST_PAD_IS_SRC(inner)) return;
    const auto pad = PadRef::adopt(gst_element_get_static_pad(self, GST_PAD_NAME(inner)));
    if (pad) gst_element_remove_pad(self, pad.get());
  });
}

void on_no_more_pads(GstElement*, gpointer data) {
  gst_element_no_more_pads(static_cast<GstElement*>(data));
}

void on_unknown_type(GstElement*, GstPad* pad, GstCaps* caps, gpointer data) {
  g_signal_emit(data, unknown_type_signal, 0, pad, caps);
}

void remove_child(GstElement* self) {
  Private& p = priv(self);
  const ElementRef child = std::move(p.child);
  p.child.reset();
  if (!child) return;
  g_signal_handlers_disconnect_by_data(child.get(), self);
  gst_element_set_state(child.get(), GST_STATE_NULL);
  while (self->srcpads)
    gst_element_remove_pad(self, PadRef::retain(GST_PAD_CAST(self->srcpads->data)).get());
  gst_bin_remove(GST_BIN_CAST(self), child.get());
}

// Decides, and makes what reads the source. Without a thread of its own: the child starts as if
// it had always been there, after everything downstream.
bool add_child(GstElement* self) {
  Private& p = priv(self);
  Settings settings;
  {
    const MutexLock lock(p.mutex);
    settings = p.settings;
  }
  if (settings.uri.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("There is no source. Set the property 'uri'."),
                      (nullptr));
    return false;
  }
  const std::string reason = why_decoded(settings);
  const bool clean = reason.empty();
  GST_INFO_OBJECT(self, "%s", clean ? "copied" : reason.c_str());
  gst_element_post_message(
      self, gst_message_new_element(
                GST_OBJECT_CAST(self),
                gst_structure_new("clean-input", "clean", G_TYPE_BOOLEAN, gboolean{clean}, "reason",
                                  G_TYPE_STRING, reason.c_str(), nullptr)));
  const char* factory = clean ? "clipexport" : "uridecodebin";
  p.child = ElementRef::sink(gst_element_factory_make(factory, clean ? "copy" : "decode"));
  if (!p.child) {
    GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN,
                      ("The element %s is not installed. Install the plugin that has it.", factory),
                      (nullptr));
    return false;
  }
  g_object_set(p.child.get(), "uri", settings.uri.c_str(), nullptr);
  gst_bin_add(GST_BIN_CAST(self), p.child.get());
  if (clean) {
    gst_util_set_object_arg(G_OBJECT(p.child.get()), "mode", "whole");
    const auto pad = PadRef::adopt(gst_element_get_static_pad(p.child.get(), "src"));
    expose(self, pad.get(), "src_0", true);
    gst_element_no_more_pads(self);
    return true;
  }
  g_signal_connect(p.child.get(), "pad-added", G_CALLBACK(on_pad_added), self);
  g_signal_connect(p.child.get(), "pad-removed", G_CALLBACK(on_pad_removed), self);
  g_signal_connect(p.child.get(), "no-more-pads", G_CALLBACK(on_no_more_pads), self);
  g_signal_connect(p.child.get(), "unknown-type", G_CALLBACK(on_unknown_type), self);
  return true;
}

}  // namespace

static void gst_clips_uri_clean_bin_init(GstClipsUriCleanBin* self) {
  construct_private<Private>(gst_clips_uri_clean_bin_get_instance_private(self));
  // What the child is must not change what the bin is.
  gst_bin_set_suppressed_flags(
      GST_BIN_CAST(self),
      static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SOURCE | GST_ELEMENT_FLAG_SINK));
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
}

static void gst_clips_uri_clean_bin_finalize(GObject* object) {
  destroy_private<Private>(&priv(object));
  G_OBJECT_CLASS(gst_clips_uri_clean_bin_parent_class)->finalize(object);
}

static void gst_clips_uri_clean_bin_set_property(GObject* object, guint id, const GValue* value,
                                                 GParamSpec* pspec) {
  guard(object, [&] {
    Private& p = priv(object);
    const MutexLock lock(p.mutex);
    Settings& s = p.settings;
    switch (id) {
      case kUri: {
        const gchar* uri = g_value_get_string(value);
        s.uri = uri ? uri : "";
        break;
      }
      case kSound:
        s.sound = g_value_get_boolean(value);
        break;
      case kConversion:
        s.conversion =
            CapsRef::retain(static_cast<GstCaps*>(const_cast<gpointer>(g_value_get_boxed(value))));
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

static void gst_clips_uri_clean_bin_get_property(GObject* object, guint id, GValue* value,
                                                 GParamSpec* pspec) {
  Private& p = priv(object);
  const MutexLock lock(p.mutex);
  switch (id) {
    case kUri:
      g_value_set_string(value, p.settings.uri.empty() ? nullptr : p.settings.uri.c_str());
      break;
    case kSound:
      g_value_set_boolean(value, p.settings.sound);
      break;
    case kConversion:
      g_value_set_boxed(value, p.settings.conversion.get());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static GstStateChangeReturn gst_clips_uri_clean_bin_change_state(GstElement* element,
                                                                 GstStateChange transition) {
  return guard(element, GST_STATE_CHANGE_FAILURE, [&]() -> GstStateChangeReturn {
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !add_child(element)) {
      remove_child(element);
      return GST_STATE_CHANGE_FAILURE;
    }
    const GstStateChangeReturn changed =
        GST_ELEMENT_CLASS(gst_clips_uri_clean_bin_parent_class)->change_state(element, transition);
    const bool failed_start =
        transition == GST_STATE_CHANGE_READY_TO_PAUSED && changed == GST_STATE_CHANGE_FAILURE;
    if (failed_start || transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        transition == GST_STATE_CHANGE_READY_TO_NULL)
      remove_child(element);
    return changed;
  });
}

static void gst_clips_uri_clean_bin_class_init(GstClipsUriCleanBinClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->finalize = gst_clips_uri_clean_bin_finalize;
  object_class->set_property = gst_clips_uri_clean_bin_set_property;
  object_class->get_property = gst_clips_uri_clean_bin_get_property;
  element_class->change_state = gst_clips_uri_clean_bin_change_state;

  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, kUri,
      g_param_spec_string("uri", "URI", "URI of the source: file, http(s), s3, ...", nullptr,
                          writable));
  g_object_class_install_property(
      object_class, kSound,
      g_param_spec_boolean("sound", "Sound",
                           "Whether sound is wanted; if not, a movie with sound is decoded.",
                           Settings().sound, writable));
  g_object_class_install_property(
      object_class, kConversion,
      g_param_spec_boxed("conversion", "Conversion",
                         "What the pictures will be converted to; where it is set, every movie is "
                         "decoded.",
                         GST_TYPE_CAPS, writable));

  /**
   * GstClipsUriCleanBin::unknown-type:
   * @pad: the pad of the stream
   * @caps: what it is
   *
   * Emitted for a stream that nothing installed decodes, as by uridecodebin.
   */
  unknown_type_signal =
      g_signal_new("unknown-type", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr,
                   nullptr, G_TYPE_NONE, 2, GST_TYPE_PAD, GST_TYPE_CAPS);

  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Clean movie source", "Source/File/Network/Bin/Decoder",
      "Gives the bytes of a movie that is clean H.264 and AAC already, and decodes any other",
      "gst-plugins-clips");
  GST_DEBUG_CATEGORY_INIT(uri_clean_bin_debug, "uricleanbin", 0, "Clean movie source");
}
