// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-s3src
 * @title: s3src
 * @short_description: Reads an object of an S3 store
 *
 * s3src reads one object of Amazon S3 or a store that speaks like it (Ceph, MinIO, R2, B2, GCS). It
 * works in pull mode as in push mode and seeks anywhere. Reads go through a cache; sequential
 * reading opens up parallel requests ahead of the reader, reading here and there does not.
 *
 * The object is pinned by the first reply: if it is replaced while it is read, the element ends
 * with an error and never hands out bytes of both. Set #s3src:version-id to read on in a versioned
 * bucket.
 *
 * Credentials come from the standard chain of the AWS tools: environment, shared files, container
 * and instance metadata.
 *
 * Who reads in pull mode and knows what comes next says so with the custom upstream event
 * `read-range` (fields `offset`, `end`: uint64; `anew`: boolean, what is in the cache is asked for
 * again): up to 8 MiB then come with one request, and nothing behind them is read ahead.
 *
 * Nothing is asked of the store before the first byte or the size is wanted downstream, so that
 * state changes never wait for the network.
 *
 * Errors carry the fields `http-status-code` (uint), `s3-error-code` and `request-id` (strings) in
 * their details, each where known, and `replaced` (boolean) where the object is no longer the one
 * that it was. Requests that fail and are tried again give one warning a cause.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 s3src uri=s3://videos/in.mp4 ! decodebin ! videoconvert ! autovideosink
 * ]| Plays an object.
 * |[
 * gst-launch-1.0 s3src uri=s3://videos/in.mp4 endpoint-uri=https://ceph.example ! filesink
 *   location=in.mp4
 * ]| Downloads an object from a store of one's own.
 */
#include "gsts3src.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "common/uri_handler.hpp"
#include "gsts3common.h"
#include "reader.hpp"

GST_DEBUG_CATEGORY_STATIC(s3_src_debug);
#define GST_CAT_DEFAULT s3_src_debug

namespace {

using namespace clips;

enum Property : guint {
  prop_0,
  prop_uri,
  prop_bucket,
  prop_key,
  prop_version_id,
  prop_etag,
  prop_object_size,
  prop_cache_size,
  prop_stats,
};

// In push mode; larger than a page of the cache, small against it.
constexpr guint kBlockSize = 256 << 10;
constexpr guint64 kMostCacheSize = guint64{1} << 30;

struct Settings {
  s3::Location location;
  std::string version_id;
  std::string etag;
  guint64 object_size = 0;  // 0: not known
  guint64 cache_size = 24 << 20;
  s3::Config connection;
};

// Between start() and stop(). Members go in reverse order: the reader before its client.
struct Session {
  std::string uri;
  std::unique_ptr<s3::Client> client;
  std::unique_ptr<s3::Reader> reader;
  std::atomic<bool> failed{false};  // the one error was posted
  std::atomic<bool> size_known{false};
};

struct Private {
  Mutex mutex;  // held for nothing but a look at what stands below
  Settings settings CLIPS_GUARDED_BY(mutex);
  std::atomic<bool> error_posted{false};  // since start()
  // Shared with the streaming thread and what unlocks it. Others look under the lock: a handler of
  // messages asks in the client's thread, which must not come to be the one to end the client.
  std::shared_ptr<Session> session CLIPS_GUARDED_BY(mutex);
};

gboolean set_uri(GstURIHandler* handler, const gchar* uri, GError** error);
constexpr const gchar* protocols[] = {"s3", nullptr};
constexpr UriHandler s3src_uri_handler{GST_URI_SRC, protocols, uri_of_property, set_uri};

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

}  // namespace

struct _GstClipsS3Src {
  GstBaseSrc parent;
};
using GstClipsS3SrcPrivate = Private;

#define gst_clips_s3_src_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_CODE(GstClipsS3Src, gst_clips_s3_src, GST_TYPE_BASE_SRC,
                              G_ADD_PRIVATE(GstClipsS3Src)
                                  G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER,
                                                        init_uri_handler<s3src_uri_handler>))

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_s3_src_get_instance_private(static_cast<GstClipsS3Src*>(self)));
}

std::shared_ptr<Session> session_of(gpointer self) {
  Private& p = priv(self);
  MutexLock lock(p.mutex);
  return p.session;
}

// Posts the one error of a session. A cancelled read is none.
GstFlowReturn fail(gpointer self, Session& session, const s3::Error& error) {
  if (error.kind == s3::ErrorKind::cancelled) return GST_FLOW_FLUSHING;
  if (!session.failed.exchange(true)) {
    s3::post_error(GST_ELEMENT_CAST(self), error, "read", session.uri);
  }
  return GST_FLOW_ERROR;
}

// Asks the store, the first time. The base class learns the size as soon as it is known.
s3::Result<s3::ObjectInfo> open_object(gpointer self, Session& session) {
  auto info = session.reader->open();
  if (info && !session.size_known.exchange(true)) {
    auto* base = GST_BASE_SRC_CAST(self);
    GST_OBJECT_LOCK(base);
    base->segment.duration = info->size;
    GST_OBJECT_UNLOCK(base);
    GST_INFO_OBJECT(self, "%s has %" G_GUINT64_FORMAT " bytes", session.uri.c_str(), info->size);
    gst_element_post_message(GST_ELEMENT_CAST(self),
                             gst_message_new_duration_changed(GST_OBJECT_CAST(self)));
  }
  return info;
}

gboolean set_uri(GstURIHandler* handler, const gchar* uri, GError** error) {
  return guard(handler, gboolean{FALSE}, [&]() -> gboolean {
    Private& p = priv(handler);
    MutexLock lock(p.mutex);
    if (p.session) {
      g_set_error_literal(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                          "The URI can only be set while the element is stopped.");
      return FALSE;
    }
    return p.settings.location.set_uri(uri, error);
  });
}

GstStructure* stats_of(gpointer self) {
  s3::ClientStats stats;
  {
    Private& p = priv(self);
    MutexLock lock(p.mutex);
    if (p.session) stats = p.session->client->stats();
  }
  return gst_structure_new("s3-stats", "requests", G_TYPE_UINT64, guint64{stats.requests},
                           "retries", G_TYPE_UINT64, guint64{stats.retries}, "bytes-received",
                           G_TYPE_UINT64, guint64{stats.bytes_received}, nullptr);
}

}  // namespace

static void gst_clips_s3_src_init(GstClipsS3Src* self) {
  construct_private<Private>(&priv(self));
  gst_base_src_set_blocksize(GST_BASE_SRC_CAST(self), kBlockSize);
}

static void gst_clips_s3_src_finalize(GObject* object) {
  destroy_private<Private>(&priv(object));
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_clips_s3_src_set_property(GObject* object, guint id, const GValue* value,
                                          GParamSpec* pspec) {
  guard(object, [&] {
    Private& p = priv(object);
    const gchar* text = G_VALUE_HOLDS_STRING(value) ? g_value_get_string(value) : nullptr;
    MutexLock lock(p.mutex);
    Settings& settings = p.settings;
    switch (id) {
      case prop_uri:
        // A wrong one is told by start(), which can post an error.
        settings.location.set_uri(text, nullptr);
        break;
      case prop_bucket:
        settings.location.bucket = text ? text : "";
        break;
      case prop_key:
        settings.location.key = text ? text : "";
        break;
      case prop_version_id:
        settings.version_id = text ? text : "";
        break;
      case prop_etag:
        settings.etag = text ? text : "";
        break;
      case prop_object_size:
        settings.object_size = g_value_get_uint64(value);
        break;
      case prop_cache_size:
        settings.cache_size = g_value_get_uint64(value);
        break;
      default:
        if (!s3::set_connection_property(settings.connection, id, value)) {
          G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        }
    }
  });
}

static void gst_clips_s3_src_get_property(GObject* object, guint id, GValue* value,
                                          GParamSpec* pspec) {
  guard(object, [&] {
    if (id == prop_stats) {
      g_value_take_boxed(value, stats_of(object));
      return;
    }
    Private& p = priv(object);
    Settings settings;
    std::shared_ptr<Session> session;
    {
      MutexLock lock(p.mutex);
      settings = p.settings;
      session = p.session;
    }
    const auto info = session ? session->reader->info() : std::nullopt;
    const auto give = [value](const std::string& text) {
      g_value_set_string(value, text.empty() ? nullptr : text.c_str());
    };
    switch (id) {
      case prop_uri:
        give(settings.location.uri());
        break;
      case prop_bucket:
        give(settings.location.bucket);
        break;
      case prop_key:
        give(settings.location.key);
        break;
      case prop_version_id:
        give(settings.version_id);
        break;
      case prop_etag:
        give(info ? info->etag : settings.etag);
        break;
      case prop_object_size:
        g_value_set_uint64(value, info ? info->size : settings.object_size);
        break;
      case prop_cache_size:
        g_value_set_uint64(value, settings.cache_size);
        break;
      default:
        if (!s3::get_connection_property(settings.connection, id, value)) {
          G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        }
    }
  });
}

static gboolean gst_clips_s3_src_start(GstBaseSrc* base) {
  return guard(base, gboolean{FALSE}, [&]() -> gboolean {
    Private& p = priv(base);
    p.error_posted = false;
    Settings settings;
    {
      MutexLock lock(p.mutex);
      settings = p.settings;
    }
    auto session = std::make_shared<Session>();
    session->uri = settings.location.uri();
    auto object = settings.location.object();
    if (!object) {
      fail(base, *session, object.error());
      return FALSE;
    }
    object->version_id = settings.version_id;
    auto client =
        s3::make_client(GST_ELEMENT_CAST(base), GST_CAT_DEFAULT, std::move(settings.connection));
    if (!client) {
      fail(base, *session, client.error());
      return FALSE;
    }
    session->client = std::move(*client);
    std::optional<s3::ObjectInfo> known;
    if (!settings.etag.empty() && settings.object_size > 0) {
      known.emplace();
      known->etag = settings.etag;
      known->size = settings.object_size;
    }
    session->reader = std::make_unique<s3::Reader>(*session->client, std::move(*object),
                                                   settings.cache_size, std::move(known));
    MutexLock lock(p.mutex);
    p.session = std::move(session);
    return TRUE;
  });
}

static gboolean gst_clips_s3_src_stop(GstBaseSrc* base) {
  return guard(base, gboolean{FALSE}, [&]() -> gboolean {
    Private& p = priv(base);
    std::shared_ptr<Session> session;
    {
      MutexLock lock(p.mutex);
      session = std::move(p.session);
      p.session.reset();
    }
    // unlock() may still hold it.
    if (session) session->reader->set_flushing(true);
    return TRUE;
  });
}

static gboolean gst_clips_s3_src_unlock(GstBaseSrc* base) {
  if (const auto session = session_of(base)) session->reader->set_flushing(true);
  return TRUE;
}

static gboolean gst_clips_s3_src_unlock_stop(GstBaseSrc* base) {
  if (const auto session = session_of(base)) session->reader->set_flushing(false);
  return TRUE;
}

// One error a failure: the base class posts another, "Internal data stream error", for each that
// create() or start() returns.
static gboolean gst_clips_s3_src_post_message(GstElement* element, GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR && priv(element).error_posted.exchange(true)) {
    gst_message_unref(message);
    return TRUE;
  }
  return GST_ELEMENT_CLASS(parent_class)->post_message(element, message);
}

static gboolean gst_clips_s3_src_is_seekable(GstBaseSrc*) {
  return TRUE;
}

// Never waits: the base class asks this within a state change.
static gboolean gst_clips_s3_src_get_size(GstBaseSrc* base, guint64* size) {
  return guard(base, gboolean{FALSE}, [&]() -> gboolean {
    Private& p = priv(base);
    MutexLock lock(p.mutex);
    const auto info = p.session ? p.session->reader->info() : std::nullopt;
    if (!info) return FALSE;
    *size = info->size;
    return TRUE;
  });
}

static gboolean gst_clips_s3_src_query(GstBaseSrc* base, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_DURATION) {
    GstFormat format = GST_FORMAT_UNDEFINED;
    gst_query_parse_duration(query, &format, nullptr);
    const auto session = session_of(base);
    if (format == GST_FORMAT_BYTES && session) {
      // A demuxer in pull mode asks this first and gives up without an answer.
      return guard(base, gboolean{FALSE}, [&]() -> gboolean {
        const auto info = open_object(base, *session);
        if (!info) {
          fail(base, *session, info.error());
          return FALSE;
        }
        gst_query_set_duration(query, GST_FORMAT_BYTES, static_cast<gint64>(info->size));
        return TRUE;
      });
    }
  }
  return GST_BASE_SRC_CLASS(parent_class)->query(base, query);
}

// "read-range": what is read next, by who reads in pull mode and knows.
static gboolean gst_clips_s3_src_event(GstBaseSrc* base, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_UPSTREAM &&
      gst_event_has_name(event, "read-range")) {
    return guard(base, gboolean{FALSE}, [&]() -> gboolean {
      guint64 offset = 0, end = 0;
      gboolean anew = FALSE;
      const auto session = session_of(base);
      if (!session ||
          !gst_structure_get(gst_event_get_structure(event), "offset", G_TYPE_UINT64, &offset,
                             "end", G_TYPE_UINT64, &end, "anew", G_TYPE_BOOLEAN, &anew, nullptr)) {
        return FALSE;
      }
      session->reader->expect(offset, end, anew);
      return TRUE;
    });
  }
  return GST_BASE_SRC_CLASS(parent_class)->event(base, event);
}

static GstFlowReturn gst_clips_s3_src_create(GstBaseSrc* base, guint64 offset, guint length,
                                             GstBuffer** out) {
  return guard(base, GST_FLOW_ERROR, [&]() -> GstFlowReturn {
    const auto session = session_of(base);
    if (!session) return GST_FLOW_FLUSHING;
    if (session->failed) return GST_FLOW_ERROR;
    const auto info = open_object(base, *session);
    if (!info) return fail(base, *session, info.error());
    if (offset >= info->size) return GST_FLOW_EOS;
    const auto wanted = std::min<guint64>(length, info->size - offset);
    BufferRef buffer;
    if (*out) {
      buffer = BufferRef::retain(*out);
    } else {
      buffer = BufferRef::adopt(gst_buffer_new_allocate(nullptr, wanted, nullptr));
      if (!buffer) throw std::bad_alloc();
    }
    std::size_t got = 0;
    {
      BufferMap map(buffer.get(), GST_MAP_WRITE);
      if (!map) throw std::bad_alloc();
      const std::span room(reinterpret_cast<std::byte*>(map.data()),
                           std::min<std::size_t>(map.size(), wanted));
      const auto result = session->reader->read(offset, room);
      if (!result) return fail(base, *session, result.error());
      got = *result;
    }
    gst_buffer_resize(buffer.get(), 0, static_cast<gssize>(got));
    GST_BUFFER_OFFSET(buffer.get()) = offset;
    GST_BUFFER_OFFSET_END(buffer.get()) = offset + got;
    if (!*out) *out = buffer.release();
    return GST_FLOW_OK;
  });
}

static void gst_clips_s3_src_class_init(GstClipsS3SrcClass* klass) {
  GST_DEBUG_CATEGORY_INIT(s3_src_debug, "s3src", 0, "S3 source");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* base_class = GST_BASE_SRC_CLASS(klass);
  object_class->finalize = gst_clips_s3_src_finalize;
  object_class->set_property = gst_clips_s3_src_set_property;
  object_class->get_property = gst_clips_s3_src_get_property;

  constexpr auto kFlags =
      GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
  const auto text = [&](guint id, const char* name, const char* nick, const char* blurb) {
    g_object_class_install_property(object_class, id,
                                    g_param_spec_string(name, nick, blurb, nullptr, kFlags));
  };
  text(prop_uri, "uri", "URI",
       "The object, s3://bucket/key; the key stands as it is, without escapes.");
  text(prop_bucket, "bucket", "Bucket", "The bucket, together with key, instead of uri.");
  text(prop_key, "key", "Key", "The key of the object, at most 1024 bytes.");
  text(prop_version_id, "version-id", "Version",
       "The version to read in a versioned bucket. Unset: the current one.");
  text(prop_etag, "etag", "ETag",
       "The ETag that the object must have, with its quotes. Unset: that of the first reply, which "
       "can be read here then.");
  g_object_class_install_property(
      object_class, prop_object_size,
      g_param_spec_uint64("object-size", "Object size",
                          "Bytes of the object, 0 where not known. Set together with etag, nothing "
                          "is asked of the store before bytes are read.",
                          0, G_MAXUINT64, 0, kFlags));
  g_object_class_install_property(
      object_class, prop_cache_size,
      g_param_spec_uint64("cache-size", "Cache size",
                          "Most bytes of the object held in memory, those on their way included.",
                          s3::Reader::kLeastCapacity, kMostCacheSize, Settings{}.cache_size,
                          kFlags));
  g_object_class_install_property(
      object_class, prop_stats,
      g_param_spec_boxed("stats", "Statistics",
                         "What was asked of the store since the element was started: requests, "
                         "retries and bytes-received (uint64).",
                         GST_TYPE_STRUCTURE,
                         GParamFlags(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  s3::install_connection_properties(object_class);

  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "S3 source", "Source/Network",
                                        "Reads an object of an S3 store",
                                        "The gst-plugins-clips team");

  element_class->post_message = GST_DEBUG_FUNCPTR(gst_clips_s3_src_post_message);
  base_class->start = GST_DEBUG_FUNCPTR(gst_clips_s3_src_start);
  base_class->stop = GST_DEBUG_FUNCPTR(gst_clips_s3_src_stop);
  base_class->unlock = GST_DEBUG_FUNCPTR(gst_clips_s3_src_unlock);
  base_class->unlock_stop = GST_DEBUG_FUNCPTR(gst_clips_s3_src_unlock_stop);
  base_class->is_seekable = GST_DEBUG_FUNCPTR(gst_clips_s3_src_is_seekable);
  base_class->get_size = GST_DEBUG_FUNCPTR(gst_clips_s3_src_get_size);
  base_class->event = GST_DEBUG_FUNCPTR(gst_clips_s3_src_event);
  base_class->query = GST_DEBUG_FUNCPTR(gst_clips_s3_src_query);
  base_class->create = GST_DEBUG_FUNCPTR(gst_clips_s3_src_create);
}
