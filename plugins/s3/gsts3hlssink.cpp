// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-s3hlssink
 * @title: s3hlssink
 *
 * Writes an HLS stream (MPEG-TS segments and a playlist) to S3: hlssink2, whose files go up in
 * parallel. A playlist goes up only after the segments that it names, so that a player never finds
 * one that is not there; EOS is posted after the store has the final playlist.
 *
 * Element message `published` for each segment and playlist: `uri` (string), `bytes` (uint64),
 * `etag` (string, without quotes), `version-id` (string).
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! x264enc key-int-max=60 ! h264parse !
 *   s3hlssink uri=s3://bucket/live/index.m3u8 playlist-length=5 max-files=10
 * ]| A live stream of which the last ten segments are kept.
 */
#include "gsts3hlssink.h"

#include <gio/gio.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common/display_name.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "gsts3common.h"
#include "hls_publisher.hpp"
#include "object_headers.hpp"

GST_DEBUG_CATEGORY_STATIC(s3_hls_sink_debug);
#define GST_CAT_DEFAULT s3_hls_sink_debug

namespace {

using namespace clips::s3;

struct Settings {
  Config config;
  Location location;
  std::string segment_name = "segment{index:05}.ts";
  std::string segment_cache_control = "public, max-age=31536000, immutable";
  std::string playlist_cache_control = "no-cache";
  std::string storage_class;
  std::string acl;
  unsigned max_inflight = HlsPublisher::Options{}.max_inflight;
  unsigned target_duration = 15;
  unsigned playlist_length = 5;
  unsigned max_files = 10;
  bool send_keyframe_requests = true;
};

struct Private {
  clips::Mutex mutex;  // a leaf
  Settings settings CLIPS_GUARDED_BY(mutex);
  std::shared_ptr<HlsPublisher> publisher CLIPS_GUARDED_BY(mutex);
  GstElement* hls = nullptr;  // the bin owns it; null if it is not installed
  bool hls_used = false;
};

enum Property {
  prop_0,
  prop_uri,
  prop_segment_name,
  prop_segment_cache_control,
  prop_playlist_cache_control,
  prop_storage_class,
  prop_acl,
  prop_max_inflight,
  prop_target_duration,
  prop_playlist_length,
  prop_max_files,
  prop_send_keyframe_requests,
};

// Objects beside the playlist.
class BucketStore final : public HlsStore {
 public:
  BucketStore(std::unique_ptr<Client> client, ObjectName playlist)
      : client_(std::move(client)), playlist_(std::move(playlist)) {}

  CallId put(const std::string& name, Headers headers, Body body,
             Completion<Stored> done) override {
    return client_->put_object(object(name), std::move(headers), std::move(body), std::move(done));
  }
  CallId remove(const std::string& name, Completion<bool> done) override {
    return client_->delete_object(object(name), std::move(done));
  }
  void cancel_all() override { client_->cancel_all(); }

  ObjectName object(const std::string& name) const {
    ObjectName object = playlist_;
    object.key = playlist_.key.substr(0, playlist_.key.rfind('/') + 1) + name;
    return object;
  }

 private:
  std::unique_ptr<Client> client_;
  ObjectName playlist_;
};

// The template of segment-name in the syntax of splitmuxsink; empty when it is none.
std::string printf_template(const std::string& name) {
  std::string format;
  int numbers = 0;
  for (std::size_t at = 0; at < name.size(); at++) {
    if (name[at] == '%') {
      format += "%%";
    } else if (name[at] == '}') {
      return {};
    } else if (name[at] != '{') {
      format += name[at];
    } else {
      const std::size_t end = name.find('}', at);
      if (end == std::string::npos) return {};
      const std::string token = name.substr(at + 1, end - at - 1);
      if (token == "index") {
        format += "%d";
      } else if (token.size() == 8 && token.starts_with("index:0") && g_ascii_isdigit(token[7]) &&
                 token[7] != '0') {
        format += std::string("%0") + token[7] + "d";
      } else {
        return {};
      }
      numbers++;
      at = end;
    }
  }
  return numbers == 1 ? format : std::string();
}

std::string unquoted(const std::string& etag) {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"'
             ? etag.substr(1, etag.size() - 2)
             : etag;
}

}  // namespace

// A stream into memory that hands its bytes over at the end.

typedef struct _GstClipsS3HlsStream GstClipsS3HlsStream;
typedef struct {
  GOutputStreamClass parent;
} GstClipsS3HlsStreamClass;

namespace {
struct Stream {
  std::shared_ptr<HlsPublisher> publisher;
  std::string name;
  bool is_playlist = false;
  bool handed_over = false;
  std::vector<std::byte> data;
};
}  // namespace

struct _GstClipsS3HlsStream {
  GOutputStream parent;
};
using GstClipsS3HlsStreamPrivate = Stream;

static GType gst_clips_s3_hls_stream_get_type(void);
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsS3HlsStream, gst_clips_s3_hls_stream, G_TYPE_OUTPUT_STREAM)

namespace {

Stream& stream_of(gpointer self) {
  return *static_cast<Stream*>(
      gst_clips_s3_hls_stream_get_instance_private(static_cast<GstClipsS3HlsStream*>(self)));
}

gssize stream_write(GOutputStream* self, const void* data, gsize size, GCancellable*,
                    GError** error) {
  try {
    auto& stream = stream_of(self);
    const auto* bytes = static_cast<const std::byte*>(data);
    stream.data.insert(stream.data.end(), bytes, bytes + size);
    return static_cast<gssize>(size);
  } catch (const std::bad_alloc&) {
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "Out of memory");
    return -1;
  }
}

// giostreamsink flushes at EOS and does not close; hlssink2 closes what it writes itself.
gboolean hand_over(GOutputStream* self, GCancellable*, GError** error) {
  auto& stream = stream_of(self);
  if (stream.handed_over || stream.data.empty()) return TRUE;
  stream.handed_over = true;
  const bool taken = stream.is_playlist
                         ? stream.publisher->playlist(stream.name, std::move(stream.data))
                         : stream.publisher->segment(stream.name, std::move(stream.data));
  if (taken) return TRUE;
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The upload has ended");
  return FALSE;
}

void stream_finalize(GObject* self) {
  clips::destroy_private<Stream>(&stream_of(self));
  G_OBJECT_CLASS(gst_clips_s3_hls_stream_parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_s3_hls_stream_init(GstClipsS3HlsStream* self) {
  clips::construct_private<Stream>(gst_clips_s3_hls_stream_get_instance_private(self));
}

static void gst_clips_s3_hls_stream_class_init(GstClipsS3HlsStreamClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = stream_finalize;
  G_OUTPUT_STREAM_CLASS(klass)->write_fn = stream_write;
  G_OUTPUT_STREAM_CLASS(klass)->flush = hand_over;
  G_OUTPUT_STREAM_CLASS(klass)->close_fn = hand_over;
}

// The element

struct _GstClipsS3HlsSink {
  GstBin parent;
};
using GstClipsS3HlsSinkPrivate = Private;

#define gst_clips_s3_hls_sink_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsS3HlsSink, gst_clips_s3_hls_sink, GST_TYPE_BIN)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_s3_hls_sink_get_instance_private(static_cast<GstClipsS3HlsSink*>(self)));
}

std::shared_ptr<HlsPublisher> current_publisher(gpointer self) {
  auto& p = priv(self);
  const clips::MutexLock lock(p.mutex);
  return p.publisher;
}

GOutputStream* make_stream(gpointer self, const char* location, bool is_playlist) {
  auto publisher = current_publisher(self);
  if (!publisher) return nullptr;
  auto* object = G_OUTPUT_STREAM(g_object_new(gst_clips_s3_hls_stream_get_type(), nullptr));
  auto& stream = stream_of(object);
  stream.publisher = std::move(publisher);
  stream.name = location;
  stream.is_playlist = is_playlist;
  return object;
}

GOutputStream* get_fragment_stream(GstElement*, const char* location, gpointer self) {
  return make_stream(self, location, false);
}

GOutputStream* get_playlist_stream(GstElement*, const char* location, gpointer self) {
  return make_stream(self, location, true);
}

void delete_fragment(GstElement* hls, const char* location, gpointer self) {
  // hlssink2's own handler would take a local file of that name away.
  g_signal_stop_emission_by_name(hls, "delete-fragment");
  if (const auto publisher = current_publisher(self)) publisher->remove(location);
}

void post_published(GstElement* self, const std::string& uri, const HlsPublisher::Done& done) {
  GST_INFO_OBJECT(self, "published %s, %" G_GUINT64_FORMAT " bytes", uri.c_str(), done.bytes);
  gst_element_post_message(
      self,
      gst_message_new_element(
          GST_OBJECT_CAST(self),
          gst_structure_new("published", "uri", G_TYPE_STRING, uri.c_str(), "bytes", G_TYPE_UINT64,
                            done.bytes, "etag", G_TYPE_STRING, unquoted(done.stored.etag).c_str(),
                            "version-id", G_TYPE_STRING, done.stored.version_id.c_str(), nullptr)));
}

bool fail(GstElement* self, Error error, const Settings& settings) {
  post_error(self, error, "write", clips::display_name(settings.location.uri()));
  return false;
}

void add_hls(GstElement* self) {
  auto& p = priv(self);
  p.hls_used = false;
  p.hls = gst_element_factory_make("hlssink2", nullptr);
  if (!p.hls) return;
  gst_bin_add(GST_BIN(self), p.hls);
  g_signal_connect(p.hls, "get-fragment-stream", G_CALLBACK(get_fragment_stream), self);
  g_signal_connect(p.hls, "get-playlist-stream", G_CALLBACK(get_playlist_stream), self);
  g_signal_connect(p.hls, "delete-fragment", G_CALLBACK(delete_fragment), self);
}

// hlssink2 of GStreamer 1.22 writes a playlist of one segment when it runs a second time.
void renew_hls(GstElement* self) {
  auto& p = priv(self);
  GstElement* old = p.hls;
  add_hls(self);
  for (const char* name : {"video", "audio"}) {
    const auto pad = clips::PadRef::adopt(gst_element_get_static_pad(self, name));
    if (!pad) continue;
    const auto before = clips::PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD(pad.get())));
    const auto target = clips::PadRef::adopt(gst_element_request_pad_simple(p.hls, name));
    gst_ghost_pad_set_target(GST_GHOST_PAD(pad.get()), target.get());
    if (before) gst_element_release_request_pad(old, before.get());
  }
  gst_element_set_state(old, GST_STATE_NULL);
  gst_bin_remove(GST_BIN(self), old);
}

bool open(GstElement* self) {
  auto& p = priv(self);
  if (!p.hls) {
    GST_ELEMENT_ERROR(
        self, CORE, MISSING_PLUGIN,
        ("The element hlssink2 is missing. Install the package of GStreamer's \"bad\" "
         "plugins."),
        (nullptr));
    return false;
  }
  Settings settings;
  {
    const clips::MutexLock lock(p.mutex);
    settings = p.settings;
  }
  auto object = settings.location.object();
  if (!object) return fail(self, object.error(), settings);
  const std::string format = printf_template(settings.segment_name);
  if (format.empty())
    return fail(
        self,
        Error{.kind = ErrorKind::settings,
              .reason = "segment-name needs {index} or {index:05} once, and no other brace"},
        settings);

  const ObjectSettings common{.storage_class = settings.storage_class, .acl = settings.acl};
  ObjectSettings segment = common;
  segment.content_type = "video/mp2t";
  segment.cache_control = settings.segment_cache_control;
  ObjectSettings playlist = common;
  playlist.content_type = "application/vnd.apple.mpegurl";
  playlist.cache_control = settings.playlist_cache_control;
  auto segment_headers = object_headers(segment);
  auto playlist_headers = object_headers(playlist);
  if (!segment_headers || !playlist_headers) {
    return fail(
        self,
        Error{.kind = ErrorKind::settings,
              .reason = segment_headers ? playlist_headers.error() : segment_headers.error()},
        settings);
  }
  auto client = make_client(self, GST_CAT_DEFAULT, settings.config);
  if (!client) return fail(self, client.error(), settings);

  const auto store = std::make_shared<BucketStore>(std::move(*client), *object);
  const auto uri = [place = *object](const std::string& name) {
    ObjectName file = place;
    file.key = place.key.substr(0, place.key.rfind('/') + 1) + name;
    return clips::display_name(object_uri(file));
  };
  HlsPublisher::Callbacks callbacks;
  callbacks.published = [element = clips::ElementRef::retain(self),
                         uri](const HlsPublisher::Done& done) {
    post_published(element.get(), uri(done.name), done);
  };
  callbacks.failed = [element = clips::ElementRef::retain(self),
                      uri](const HlsPublisher::Failure& failure) {
    post_error(element.get(), failure.error, "write", uri(failure.name));
  };
  auto publisher = std::make_shared<HlsPublisher>(
      store,
      HlsPublisher::Options{.max_inflight = settings.max_inflight,
                            .segment_headers = std::move(*segment_headers),
                            .playlist_headers = std::move(*playlist_headers)},
      std::move(callbacks));
  if (std::exchange(p.hls_used, true)) {
    renew_hls(self);
    p.hls_used = true;
  }
  const std::string list = object->key.substr(object->key.rfind('/') + 1);
  g_object_set(p.hls, "location", format.c_str(), "playlist-location", list.c_str(),
               "target-duration", settings.target_duration, "playlist-length",
               settings.playlist_length, "max-files", settings.max_files, "send-keyframe-requests",
               static_cast<gboolean>(settings.send_keyframe_requests), nullptr);
  const clips::MutexLock lock(p.mutex);
  p.publisher = std::move(publisher);
  return true;
}

// A splitmuxsink that is stopped while it begins a file forgets that it was stopped and waits for
// ever (GStreamer 1.22); it does not wait for streams that are being flushed.
void flush(GstElement* self) {
  for (const char* name : {"video", "audio"}) {
    const auto pad = clips::PadRef::adopt(gst_element_get_static_pad(self, name));
    if (!pad) continue;
    const auto target = clips::PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD(pad.get())));
    if (target) gst_pad_send_event(target.get(), gst_event_new_flush_start());
  }
}

GstStateChangeReturn change_state(GstElement* self, GstStateChange transition) {
  return clips::guard(self, GST_STATE_CHANGE_FAILURE, [&] {
    auto& p = priv(self);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open(self))
      return GST_STATE_CHANGE_FAILURE;
    // First the waits in the streaming threads, which the way down has to join.
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
      if (const auto publisher = current_publisher(self)) publisher->interrupt();
      flush(self);
    }
    const auto result = GST_ELEMENT_CLASS(parent_class)->change_state(self, transition);
    const bool failed_to_pause =
        transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || failed_to_pause) {
      std::shared_ptr<HlsPublisher> publisher;
      {
        const clips::MutexLock lock(p.mutex);
        publisher.swap(p.publisher);
      }
      if (publisher) publisher->close();
    }
    return result;
  });
}

// EOS of the streams goes on as EOS of the element when the store has the last playlist. Nothing
// waits here: hlssink2 posts it with the lock of its sink held, which a state change needs.
void handle_message(GstBin* self, GstMessage* message) {
  clips::guard(self, [&] {
    const auto publisher =
        GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS ? current_publisher(self) : nullptr;
    if (!publisher) {
      GST_BIN_CLASS(parent_class)->handle_message(self, message);
      return;
    }
    publisher->when_stored([element = clips::ElementRef::retain(GST_ELEMENT_CAST(self)),
                            eos = clips::MessageRef::adopt(message)]() mutable {
      GST_BIN_CLASS(parent_class)->handle_message(GST_BIN_CAST(element.get()), eos.release());
    });
  });
}

// Before hlssink2, where a wait holds no lock of a sink: no more segments than can be sent.
GstPadProbeReturn wait_for_room(GstPad*, GstPadProbeInfo*, gpointer self) {
  if (const auto publisher = current_publisher(self)) publisher->wait_for_room();
  return GST_PAD_PROBE_OK;
}

GstPad* request_new_pad(GstElement* self, GstPadTemplate* pad_template, const gchar*,
                        const GstCaps*) {
  auto& p = priv(self);
  if (!p.hls) return nullptr;
  const char* name = GST_PAD_TEMPLATE_NAME_TEMPLATE(pad_template);
  if (const auto taken = clips::PadRef::adopt(gst_element_get_static_pad(self, name)))
    return nullptr;
  const auto target = clips::PadRef::adopt(gst_element_request_pad_simple(p.hls, name));
  if (!target) return nullptr;
  GstPad* pad = gst_ghost_pad_new_from_template(name, target.get(), pad_template);
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      wait_for_room, self, nullptr);
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(self, pad);
  return pad;
}

void release_pad(GstElement* self, GstPad* pad) {
  auto& p = priv(self);
  const auto target = clips::PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD(pad)));
  gst_pad_set_active(pad, FALSE);
  gst_element_remove_pad(self, pad);
  if (target && p.hls) gst_element_release_request_pad(p.hls, target.get());
}

// Properties

std::string text_of(const GValue* value) {
  const char* text = g_value_get_string(value);
  return text ? text : "";
}

void set_text(GValue* value, const std::string& text) {
  g_value_set_string(value, text.empty() ? nullptr : text.c_str());
}

void set_property(GObject* self, guint id, const GValue* value, GParamSpec* pspec) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    const clips::MutexLock lock(p.mutex);
    auto& settings = p.settings;
    switch (id) {
      case prop_uri:
        // A wrong one is told at the start, which can post an error.
        settings.location.set_uri(g_value_get_string(value), nullptr);
        break;
      case prop_segment_name:
        settings.segment_name = text_of(value);
        break;
      case prop_segment_cache_control:
        settings.segment_cache_control = text_of(value);
        break;
      case prop_playlist_cache_control:
        settings.playlist_cache_control = text_of(value);
        break;
      case prop_storage_class:
        settings.storage_class = text_of(value);
        break;
      case prop_acl:
        settings.acl = text_of(value);
        break;
      case prop_max_inflight:
        settings.max_inflight = g_value_get_uint(value);
        break;
      case prop_target_duration:
        settings.target_duration = g_value_get_uint(value);
        break;
      case prop_playlist_length:
        settings.playlist_length = g_value_get_uint(value);
        break;
      case prop_max_files:
        settings.max_files = g_value_get_uint(value);
        break;
      case prop_send_keyframe_requests:
        settings.send_keyframe_requests = g_value_get_boolean(value);
        break;
      default:
        if (!set_connection_property(settings.config, id, value))
          G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, pspec);
    }
  });
}

void get_property(GObject* self, guint id, GValue* value, GParamSpec* pspec) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    Settings settings;
    {
      const clips::MutexLock lock(p.mutex);
      settings = p.settings;
    }
    switch (id) {
      case prop_uri:
        set_text(value, settings.location.uri());
        break;
      case prop_segment_name:
        set_text(value, settings.segment_name);
        break;
      case prop_segment_cache_control:
        set_text(value, settings.segment_cache_control);
        break;
      case prop_playlist_cache_control:
        set_text(value, settings.playlist_cache_control);
        break;
      case prop_storage_class:
        set_text(value, settings.storage_class);
        break;
      case prop_acl:
        set_text(value, settings.acl);
        break;
      case prop_max_inflight:
        g_value_set_uint(value, settings.max_inflight);
        break;
      case prop_target_duration:
        g_value_set_uint(value, settings.target_duration);
        break;
      case prop_playlist_length:
        g_value_set_uint(value, settings.playlist_length);
        break;
      case prop_max_files:
        g_value_set_uint(value, settings.max_files);
        break;
      case prop_send_keyframe_requests:
        g_value_set_boolean(value, settings.send_keyframe_requests);
        break;
      default:
        if (!get_connection_property(settings.config, id, value))
          G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, pspec);
    }
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

void install_properties(GObjectClass* klass) {
  const Settings defaults;
  constexpr auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                  GST_PARAM_MUTABLE_READY);
  const auto text = [&](guint id, const char* name, const char* nick, const char* blurb,
                        const char* value) {
    g_object_class_install_property(klass, id,
                                    g_param_spec_string(name, nick, blurb, value, flags));
  };
  const auto number = [&](guint id, const char* name, const char* nick, const char* blurb,
                          guint minimum, guint maximum, guint value) {
    g_object_class_install_property(
        klass, id, g_param_spec_uint(name, nick, blurb, minimum, maximum, value, flags));
  };
  text(prop_uri, "uri", "URI",
       "The playlist, s3://bucket/prefix/index.m3u8; the segments go beside it.", nullptr);
  text(prop_segment_name, "segment-name", "Segment name",
       "Name of the segments, beside the playlist, with {index} or {index:05} once.",
       defaults.segment_name.c_str());
  text(prop_segment_cache_control, "segment-cache-control", "Segment cache control",
       "Cache-Control of segments, which never change.", defaults.segment_cache_control.c_str());
  text(prop_playlist_cache_control, "playlist-cache-control", "Playlist cache control",
       "Cache-Control of the playlist, which changes with each segment.",
       defaults.playlist_cache_control.c_str());
  text(prop_storage_class, "storage-class", "Storage class", "Storage class of all objects.",
       nullptr);
  text(prop_acl, "acl", "ACL", "Canned access control list of all objects, e.g. public-read.",
       nullptr);
  number(prop_max_inflight, "max-inflight", "Maximum in flight",
         "Segments that are sent at a time.", 1, 64, defaults.max_inflight);
  number(prop_target_duration, "target-duration", "Target duration",
         "Length of a segment in seconds (0 = one segment).", 0, G_MAXUINT,
         defaults.target_duration);
  number(prop_playlist_length, "playlist-length", "Playlist length",
         "Segments that the playlist names (0 = all).", 0, G_MAXUINT, defaults.playlist_length);
  number(prop_max_files, "max-files", "Maximum files",
         "Segments that are kept in the store (0 = all).", 0, G_MAXUINT, defaults.max_files);
  g_object_class_install_property(
      klass, prop_send_keyframe_requests,
      g_param_spec_boolean("send-keyframe-requests", "Send key frame requests",
                           "Ask the encoder for a key frame where a segment is to begin.",
                           defaults.send_keyframe_requests, flags));
  install_connection_properties(klass);
}

}  // namespace

static void gst_clips_s3_hls_sink_init(GstClipsS3HlsSink* self) {
  clips::construct_private<Private>(gst_clips_s3_hls_sink_get_instance_private(self));
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
  add_hls(GST_ELEMENT(self));
}

static void gst_clips_s3_hls_sink_class_init(GstClipsS3HlsSinkClass* klass) {
  GST_DEBUG_CATEGORY_INIT(s3_hls_sink_debug, "s3hlssink", 0, "HLS to S3");
  auto* element_class = GST_ELEMENT_CLASS(klass);
  G_OBJECT_CLASS(klass)->set_property = set_property;
  G_OBJECT_CLASS(klass)->get_property = get_property;
  G_OBJECT_CLASS(klass)->finalize = finalize;
  install_properties(G_OBJECT_CLASS(klass));

  gst_element_class_set_static_metadata(element_class, "S3 HLS sink", "Sink/Network/Muxer",
                                        "Writes an HLS stream to S3",
                                        "The gst-plugins-clips developers");
  static GstStaticPadTemplate video_template =
      GST_STATIC_PAD_TEMPLATE("video", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY);
  static GstStaticPadTemplate audio_template =
      GST_STATIC_PAD_TEMPLATE("audio", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY);
  gst_element_class_add_static_pad_template(element_class, &video_template);
  gst_element_class_add_static_pad_template(element_class, &audio_template);
  element_class->change_state = change_state;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  GST_BIN_CLASS(klass)->handle_message = handle_message;
}
