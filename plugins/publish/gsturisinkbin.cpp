// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-urisinkbin
 * @title: urisinkbin
 *
 * The sink for a path or URI: a path or `file://` goes to filepublishsink, `s3://bucket/key` to
 * s3sink, `fd://N` to the open descriptor N (a pipe, so not seekable; a reader that goes away is
 * an error and not a SIGPIPE). Whatever it is, EOS is posted only after the output is whole and
 * durable, and the message `published` comes before it.
 *
 * The sink is made on the way to PAUSED. The signal `sink-setup` then hands it out, for properties
 * that urisinkbin does not have, and it is the child `sink` of the bin.
 *
 * Element message `published`: `uri` (string), `bytes` (uint64), and what the sink adds (see
 * there).
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! x264enc ! mp4mux ! urisinkbin uri=a.mp4
 * ]| A file, there when it is complete.
 * |[
 * gst-launch-1.0 -q videotestsrc num-buffers=100 ! x264enc ! mpegtsmux ! urisinkbin uri=fd://1 |
 * cat >a.ts
 * ]| To a pipe.
 */
#include "gsturisinkbin.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "common/display_name.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/local_path.hpp"
#include "common/next_file.hpp"
#include "common/redact.hpp"
#include "common/thread_annotations.hpp"
#include "common/uri_handler.hpp"
#include "gstfdpublishsink.h"
#include "gstfilepublishsink.h"

GST_DEBUG_CATEGORY_STATIC(uri_sink_bin_debug);
#define GST_CAT_DEFAULT uri_sink_bin_debug

namespace {

struct Settings {
  std::string uri;
  clips::NextFile next_file = clips::NextFile::never;
};

struct Private {
  clips::Mutex mutex;  // a leaf: nothing is called with it held
  Settings settings CLIPS_GUARDED_BY(mutex);
  GstPad* pad = nullptr;   // the ghost pad; the bin owns it
  clips::ElementRef sink;  // only state changes touch it, one at a time
};

enum Property { prop_0, prop_uri, prop_next_file };
enum Signal { signal_sink_setup, n_signals };
guint signals[n_signals];

constexpr const gchar* protocols[] = {"file", "fd", "s3", nullptr};
constexpr clips::UriHandler urisinkbin_uri_handler{GST_URI_SINK, protocols, clips::uri_of_property,
                                                   clips::set_uri_property};

}  // namespace

struct _GstClipsUriSinkBin {
  GstBin parent;
};
using GstClipsUriSinkBinPrivate = Private;

#define gst_clips_uri_sink_bin_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_CODE(GstClipsUriSinkBin, gst_clips_uri_sink_bin, GST_TYPE_BIN,
                              G_ADD_PRIVATE(GstClipsUriSinkBin) G_IMPLEMENT_INTERFACE(
                                  GST_TYPE_URI_HANDLER,
                                  clips::init_uri_handler<urisinkbin_uri_handler>))

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_uri_sink_bin_get_instance_private(static_cast<GstClipsUriSinkBin*>(self)));
}

// The scheme in lower case, empty for a path: a name such as "a:b.mp4" is one.
std::string scheme_of(std::string_view uri) {
  const std::size_t end = uri.find("://");
  if (end == std::string_view::npos || end == 0 || !g_ascii_isalpha(uri.front())) return {};
  std::string scheme;
  for (const char c : uri.substr(0, end)) {
    if (!g_ascii_isalnum(c) && c != '+' && c != '-' && c != '.') return {};
    scheme += g_ascii_tolower(c);
  }
  return scheme;
}

// For messages: a URL of a kind that is not written to may still carry a signature.
std::string shown(const Settings& settings) {
  return clips::display_name(clips::redact(settings.uri));
}

GstElement* make_fd_sink(gpointer self, const Settings& settings) {
  const std::string_view text = std::string_view(settings.uri).substr(strlen("fd://"));
  int fd = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (text.empty() || status != std::errc() || end != text.data() + text.size() || fd < 0) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("%s is not a descriptor: write fd:// and a number, such as fd://1.",
                       shown(settings).c_str()),
                      (nullptr));
    return nullptr;
  }
  if (settings.next_file != clips::NextFile::never) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("A descriptor holds one stream: next-file=buffer needs a path or an s3:// "
                       "URI."),
                      (nullptr));
    return nullptr;
  }
  return gst_clips_fd_publish_sink_new(fd);
}

GstElement* make_s3_sink(gpointer self, const Settings& settings) {
  // A discontinued plugin had an element of this name that cannot do what is promised here.
  const auto factory = clips::Ref<GstElementFactory>::adopt(gst_element_factory_find("s3sink"));
  const char* plugin =
      factory ? gst_plugin_feature_get_plugin_name(GST_PLUGIN_FEATURE(factory.get())) : nullptr;
  GstElement* sink = plugin && strcmp(plugin, "clipss3") == 0
                         ? gst_element_factory_create(factory.get(), nullptr)
                         : nullptr;
  if (!sink) {
    gst_element_post_message(
        GST_ELEMENT_CAST(self),
        gst_message_new_element(
            GST_OBJECT_CAST(self),
            gst_structure_new("missing-plugin", "type", G_TYPE_STRING, "element", "detail",
                              G_TYPE_STRING, "s3sink", "name", G_TYPE_STRING, "s3sink", nullptr)));
    GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN,
                      ("Could not write %s: the plugin clipss3 with the element s3sink is not "
                       "installed.",
                       shown(settings).c_str()),
                      (nullptr));
    return nullptr;
  }
  g_object_set(sink, "location", settings.uri.c_str(), nullptr);
  gst_util_set_object_arg(G_OBJECT(sink), "next-file",
                          settings.next_file == clips::NextFile::buffer ? "buffer" : "never");
  return sink;
}

GstElement* make_file_sink(gpointer self, const Settings& settings, const std::string& scheme) {
  std::string path = settings.uri;
  if (!scheme.empty()) {
    const clips::GString_ name = clips::local_path(settings.uri.c_str());
    if (!name) {
      GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                        ("%s is not the URI of a local file.", shown(settings).c_str()), (nullptr));
      return nullptr;
    }
    path = name.get();
  }
  auto* sink = GST_ELEMENT(g_object_new(GST_CLIPS_TYPE_FILE_PUBLISH_SINK, nullptr));
  g_object_set(sink, "location", path.c_str(), "next-file", static_cast<int>(settings.next_file),
               nullptr);
  return sink;
}

// A new sink for the URI; null after an error was posted.
GstElement* make_sink(gpointer self, const Settings& settings) {
  if (settings.uri.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("No output: set the property \"uri\"."),
                      (nullptr));
    return nullptr;
  }
  const std::string scheme = scheme_of(settings.uri);
  if (scheme.empty() || scheme == "file") return make_file_sink(self, settings, scheme);
  if (scheme == "fd") return make_fd_sink(self, settings);
  if (scheme == "s3") return make_s3_sink(self, settings);
  GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                    ("Could not write %s: %s:// is none of file://, s3:// and fd://.",
                     shown(settings).c_str(), scheme.c_str()),
                    (nullptr));
  return nullptr;
}

bool add_sink(GstElement* self) {
  auto& p = priv(self);
  Settings settings;
  {
    const clips::MutexLock lock(p.mutex);
    settings = p.settings;
  }
  GstElement* sink = make_sink(self, settings);
  if (!sink) return false;
  gst_object_set_name(GST_OBJECT(sink), "sink");
  p.sink = clips::ElementRef::sink(sink);
  gst_bin_add(GST_BIN(self), sink);
  const auto target = clips::PadRef::adopt(gst_element_get_static_pad(sink, "sink"));
  gst_ghost_pad_set_target(GST_GHOST_PAD(p.pad), target.get());
  g_signal_emit(self, signals[signal_sink_setup], 0, sink);
  return true;
}

void remove_sink(GstElement* self) {
  auto& p = priv(self);
  if (!p.sink) return;
  gst_ghost_pad_set_target(GST_GHOST_PAD(p.pad), nullptr);
  gst_element_set_state(p.sink.get(), GST_STATE_NULL);
  gst_bin_remove(GST_BIN(self), p.sink.get());
  p.sink.reset();
}

GstStateChangeReturn change_state(GstElement* self, GstStateChange transition) {
  return clips::guard(self, GST_STATE_CHANGE_FAILURE, [&] {
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !add_sink(self))
      return GST_STATE_CHANGE_FAILURE;
    const auto result = GST_ELEMENT_CLASS(parent_class)->change_state(self, transition);
    const bool failed_to_pause =
        transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || failed_to_pause) remove_sink(self);
    return result;
  });
}

// Properties

void set_property(GObject* self, guint id, const GValue* value, GParamSpec* pspec) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    const clips::MutexLock lock(p.mutex);
    switch (id) {
      case prop_uri: {
        const char* uri = g_value_get_string(value);
        p.settings.uri = uri ? uri : "";
        break;
      }
      case prop_next_file:
        p.settings.next_file = static_cast<clips::NextFile>(g_value_get_enum(value));
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, pspec);
    }
  });
}

void get_property(GObject* self, guint id, GValue* value, GParamSpec* pspec) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    const clips::MutexLock lock(p.mutex);
    switch (id) {
      case prop_uri:
        g_value_set_string(value, p.settings.uri.empty() ? nullptr : p.settings.uri.c_str());
        break;
      case prop_next_file:
        g_value_set_enum(value, static_cast<int>(p.settings.next_file));
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, pspec);
    }
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_uri_sink_bin_init(GstClipsUriSinkBin* self) {
  auto* p = clips::construct_private<Private>(gst_clips_uri_sink_bin_get_instance_private(self));
  auto* pad_template = gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(self), "sink");
  p->pad = gst_ghost_pad_new_no_target_from_template("sink", pad_template);
  gst_element_add_pad(GST_ELEMENT(self), p->pad);
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
}

static void gst_clips_uri_sink_bin_class_init(GstClipsUriSinkBinClass* klass) {
  GST_DEBUG_CATEGORY_INIT(uri_sink_bin_debug, "urisinkbin", 0, "the sink for a path or URI");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  element_class->change_state = change_state;

  constexpr auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                  GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, prop_uri,
      g_param_spec_string("uri", "URI",
                          "Where to: a path, file://, s3://bucket/key or fd://N; with "
                          "next-file=buffer a template with the tokens {index}, {index:05} and "
                          "{pts} (nanoseconds). Taken up on the way to PAUSED.",
                          nullptr, flags));
  clips::install_next_file_property(object_class, prop_next_file,
                                    gst_clips_publish_next_file_get_type(),
                                    "When the sink goes on to a new file or object.");

  // Emitted with the sink on the way to PAUSED, before it starts: set its own properties here.
  signals[signal_sink_setup] =
      g_signal_new("sink-setup", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr,
                   nullptr, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);

  gst_element_class_set_static_metadata(
      element_class, "URI sink", "Generic/Bin/Sink",
      "Picks the sink for a path or URI; the output is visible when it is whole",
      "The gst-plugins-clips developers");
  static GstStaticPadTemplate sink_template =
      GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
}
