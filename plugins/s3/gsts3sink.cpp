// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-s3sink
 * @title: s3sink
 *
 * Writes an object to S3 or a store that speaks like it. The object is there when it is complete:
 * EOS is posted after the store has confirmed it, and whatever else ends the stream leaves nothing,
 * neither an object nor an upload.
 *
 * Parts go in parallel while the stream is written; a short stream is one request. Memory stays at
 * about (`max-inflight` + 2) x `part-size`, and 8 MiB for muxers that go back.
 *
 * Muxers may go back: into the first 8 MiB (or part) until the end, and into the part that is being
 * filled (in Matroska into the whole current cluster). With `faststart=auto` an MP4 that mp4mux
 * writes with its index at the end gets it in front, without a temporary file: the index is held
 * back, moved before the media and goes up with the first part, which is sent last. A rewrite
 * anywhere else is an error.
 *
 * Limits: nothing can be read before EOS; 10 000 parts, which grow with the object unless
 * `faststart=false`; EOS after an ERROR of any element of the pipeline is not success.
 *
 * Element message `part-done` for each part: `uri` (string), `part-number` (uint), `bytes`
 * (uint64), `etag` (string). Element message `published` before EOS, once an object: `uri`
 * (string), `bytes` (uint64), `etag` (string, without quotes), `version-id` (string, empty if the
 * bucket keeps no versions), `index` (uint64), `partial` (boolean, only with `on-error=complete`).
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=300 ! x264enc ! mp4mux ! s3sink uri=s3://bucket/a.mp4
 * ]| A progressive MP4. Credentials come from the environment, ~/.aws or the machine's role.
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=5 ! jpegenc ! s3sink next-file=buffer
 * uri=s3://bucket/still-{index:03}.jpg
 * ]| Five objects.
 */
#include "gsts3sink.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "common/display_name.hpp"
#include "common/error_watch.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/name_template.hpp"
#include "common/next_file.hpp"
#include "common/thread_annotations.hpp"
#include "common/uri_handler.hpp"
#include "gsts3common.h"
#include "object_headers.hpp"
#include "object_queue.hpp"
#include "object_writer.hpp"

GST_DEBUG_CATEGORY_STATIC(s3_sink_debug);
#define GST_CAT_DEFAULT s3_sink_debug

namespace {

using namespace clips::s3;
using clips::NextFile;

enum class OnError { abort, complete, keep };

// How long a stop waits for the store to take an upload back. What takes longer goes on behind it.
constexpr auto kStopPatience = std::chrono::milliseconds(60);

// For muxers that go back. mp4mux reserves 550 bytes for each second and track, twice: an hour.
constexpr std::uint64_t kLeastHead = std::uint64_t{8} << 20;

struct Settings {
  Config config;
  Location location;
  ObjectSettings object;
  std::uint64_t part_size = WriteModel::Options{}.part_size;
  unsigned max_inflight = ObjectWriter::Options{}.max_inflight;
  Faststart faststart = Faststart::automatic;
  Checksum checksum = Checksum::none;
  bool if_none_match = false;
  OnError on_error = OnError::abort;
  NextFile next_file = NextFile::never;
};

// Between open() and close(), for the streaming thread.
struct State {
  Settings settings;
  ObjectName object;
  std::optional<clips::NameTemplate> name_template;
  std::string caps_type;
  std::uint64_t buffers = 0;
  bool failed = false;     // posted an error
  bool published = false;  // the store has confirmed
};

struct Private {
  clips::Mutex mutex;  // a leaf, but for the calls that wake a writer
  Settings settings CLIPS_GUARDED_BY(mutex);
  // The streaming thread makes these and uses them without the lock; other threads look.
  std::shared_ptr<Client> client CLIPS_GUARDED_BY(mutex);
  std::shared_ptr<ObjectWriter> writer CLIPS_GUARDED_BY(mutex);
  std::shared_ptr<ObjectQueue> queue CLIPS_GUARDED_BY(mutex);
  bool interrupted CLIPS_GUARDED_BY(mutex) = false;
  State state;
  std::atomic<bool> asked_seekable = false;
  std::atomic<bool> many = false;
  std::atomic<std::uint64_t> position = 0;
  clips::ErrorWatch error_watch;
};

enum Property {
  prop_0,
  prop_uri,
  prop_location,
  prop_bucket,
  prop_key,
  prop_part_size,
  prop_max_inflight,
  prop_faststart,
  prop_content_type,
  prop_cache_control,
  prop_content_disposition,
  prop_content_encoding,
  prop_content_language,
  prop_metadata,
  prop_tagging,
  prop_storage_class,
  prop_acl,
  prop_sse,
  prop_sse_kms_key_id,
  prop_checksum,
  prop_if_none_match,
  prop_on_error,
  prop_next_file,
  prop_stats,
};

template <typename Enum>
GEnumValue enum_value(Enum value, const char* name, const char* nick) {
  return {static_cast<int>(value), name, nick};
}

GType faststart_type() {
  static const GEnumValue values[] = {
      enum_value(Faststart::automatic, "Index first where an MP4 allows it", "auto"),
      enum_value(Faststart::required, "Index first, or an error", "true"),
      enum_value(Faststart::off, "As the muxer writes it, in equal parts", "false"),
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsS3SinkFaststart", values);
  return type;
}

GType checksum_type() {
  static const GEnumValue values[] = {enum_value(Checksum::none, "None", "none"),
                                      enum_value(Checksum::crc32c, "CRC-32C", "crc32c"),
                                      enum_value(Checksum::crc64nvme, "CRC-64/NVME", "crc64nvme"),
                                      enum_value(Checksum::sha256, "SHA-256", "sha256"),
                                      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsS3SinkChecksum", values);
  return type;
}

GType on_error_type() {
  static const GEnumValue values[] = {
      enum_value(OnError::abort, "Take the upload back", "abort"),
      enum_value(OnError::complete, "Complete the object with what there is", "complete"),
      enum_value(OnError::keep, "Leave the unfinished upload at the store", "keep"),
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsS3SinkOnError", values);
  return type;
}

GType next_file_type() {
  static const GType type = clips::register_next_file(
      "GstClipsS3SinkNextFile", "One object for the whole stream", "An object for each buffer");
  return type;
}

gboolean uri_set_uri(GstURIHandler* self, const gchar* uri, GError** error);
constexpr const gchar* protocols[] = {"s3", nullptr};
constexpr clips::UriHandler s3sink_uri_handler{GST_URI_SINK, protocols, clips::uri_of_property,
                                               uri_set_uri};

std::string unquoted(const std::string& etag) {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"'
             ? etag.substr(1, etag.size() - 2)
             : etag;
}

}  // namespace

struct _GstClipsS3Sink {
  GstBaseSink parent;
};
using GstClipsS3SinkPrivate = Private;

#define gst_clips_s3_sink_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_CODE(
    GstClipsS3Sink, gst_clips_s3_sink, GST_TYPE_BASE_SINK,
    G_ADD_PRIVATE(GstClipsS3Sink)
        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, clips::init_uri_handler<s3sink_uri_handler>))

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_s3_sink_get_instance_private(static_cast<GstClipsS3Sink*>(self)));
}

std::string uri_of(gpointer self) {
  return clips::display_name(object_uri(priv(self).state.object));
}

// Errors: one each, and none after the first.

GstFlowReturn fail(gpointer self, const Error& error, const std::string& uri) {
  auto& state = priv(self).state;
  if (!state.failed) post_error(GST_ELEMENT_CAST(self), error, "write", clips::display_name(uri));
  state.failed = true;
  return GST_FLOW_ERROR;
}

GstFlowReturn fail(gpointer self, const WriteError& error) {
  auto& state = priv(self).state;
  if (std::exchange(state.failed, true)) return GST_FLOW_ERROR;
  const std::string uri = uri_of(self);
  switch (error.kind) {
    case WriteError::Kind::rewrite:
      GST_ELEMENT_ERROR(
          self, RESOURCE, SEEK,
          ("Could not write %s: the stream goes back to a place that was sent already. Use a "
           "larger part-size or a format that does not, such as fragmented MP4 in its default "
           "mode.",
           uri.c_str()),
          ("rewrite at byte %" G_GUINT64_FORMAT, error.position));
      break;
    case WriteError::Kind::gap:
      GST_ELEMENT_ERROR(self, RESOURCE, SEEK,
                        ("Could not write %s: the stream leaves a gap that is longer than a "
                         "part.",
                         uri.c_str()),
                        ("jump to byte %" G_GUINT64_FORMAT, error.position));
      break;
    case WriteError::Kind::too_long:
      GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT,
                        ("Could not write %s: an upload has 10000 parts at most. Set a larger "
                         "part-size.",
                         uri.c_str()),
                        ("full at byte %" G_GUINT64_FORMAT, error.position));
      break;
    case WriteError::Kind::moov:
      GST_ELEMENT_ERROR(self, STREAM, MUX,
                        ("Could not write %s with its index in front: %s. Use faststart=auto.",
                         uri.c_str(), error.reason.c_str()),
                        (nullptr));
      break;
  }
  return GST_FLOW_ERROR;
}

GstFlowReturn fail(gpointer self, const WriteFailure& failure) {
  if (const auto* error = std::get_if<WriteError>(&failure)) return fail(self, *error);
  return fail(self, std::get<Error>(failure), object_uri(priv(self).state.object));
}

// Messages

void post_published(gpointer self, const std::string& uri, std::uint64_t index, std::uint64_t bytes,
                    const Stored& stored, bool partial) {
  const std::string shown = clips::display_name(uri);
  GST_INFO_OBJECT(self, "published %s, %" G_GUINT64_FORMAT " bytes", shown.c_str(), bytes);
  GstStructure* fields = gst_structure_new(
      "published", "uri", G_TYPE_STRING, shown.c_str(), "bytes", G_TYPE_UINT64, bytes, "etag",
      G_TYPE_STRING, unquoted(stored.etag).c_str(), "version-id", G_TYPE_STRING,
      stored.version_id.c_str(), "index", G_TYPE_UINT64, index, nullptr);
  if (partial) gst_structure_set(fields, "partial", G_TYPE_BOOLEAN, TRUE, nullptr);
  gst_element_post_message(GST_ELEMENT_CAST(self),
                           gst_message_new_element(GST_OBJECT_CAST(self), fields));
}

void post_part_done(GstElement* self, const std::string& uri, const ObjectWriter::PartDone& part) {
  GST_DEBUG_OBJECT(self, "part %d of %s is stored, %" G_GUINT64_FORMAT " bytes", part.number,
                   uri.c_str(), part.bytes);
  gst_element_post_message(
      self, gst_message_new_element(
                GST_OBJECT_CAST(self),
                gst_structure_new("part-done", "uri", G_TYPE_STRING, uri.c_str(), "part-number",
                                  G_TYPE_UINT, static_cast<guint>(part.number), "bytes",
                                  G_TYPE_UINT64, part.bytes, "etag", G_TYPE_STRING,
                                  unquoted(part.etag).c_str(), nullptr)));
}

// The object

// Content-Type and the rest for `key`; nothing after an error was posted.
std::optional<Headers> headers_for(gpointer self, const std::string& key) {
  const auto& state = priv(self).state;
  ObjectSettings settings = state.settings.object;
  if (settings.content_type.empty()) settings.content_type = state.caps_type;
  if (settings.content_type.empty()) settings.content_type = content_type_of_key(key);
  if (settings.content_type.empty()) settings.content_type = "application/octet-stream";
  auto headers = object_headers(settings);
  if (headers) return std::move(*headers);
  fail(self, Error{.kind = ErrorKind::settings, .reason = headers.error()},
       object_uri(state.object));
  return std::nullopt;
}

std::shared_ptr<ObjectWriter> current_writer(gpointer self) {
  auto& p = priv(self);
  const clips::MutexLock lock(p.mutex);
  return p.writer;
}

// Made with the first byte, when the caps are known; null after an error was posted.
std::shared_ptr<ObjectWriter> need_writer(gpointer self) {
  auto& p = priv(self);
  if (auto writer = current_writer(self)) {
    if (p.asked_seekable) writer->set_rewritable();
    return writer;
  }
  auto headers = headers_for(self, p.state.object.key);
  if (!headers) return nullptr;
  const auto& settings = p.state.settings;
  ObjectWriter::Options options;
  options.max_inflight = settings.max_inflight;
  options.checksum = settings.checksum;
  options.headers = std::move(*headers);
  options.if_none_match = settings.if_none_match;
  options.model.faststart = settings.faststart;
  const clips::MutexLock lock(p.mutex);
  if (settings.faststart == Faststart::automatic && p.client->wants_equal_parts())
    options.model.faststart = Faststart::off;
  options.model.part_size = settings.part_size;
  options.model.head_size = kLeastHead;
  auto store = std::make_shared<ClientStore>(p.client, p.state.object);
  p.writer = std::make_shared<ObjectWriter>(
      std::move(store), std::move(options),
      [element = clips::ElementRef::retain(GST_ELEMENT_CAST(self)), uri = uri_of(self)](
          const ObjectWriter::PartDone& part) { post_part_done(element.get(), uri, part); });
  if (p.asked_seekable) p.writer->set_rewritable();
  if (p.interrupted) p.writer->interrupt();
  return p.writer;
}

GstFlowReturn write(GstBaseSink* self, GstBuffer* buffer) {
  const auto writer = need_writer(self);
  if (!writer) return GST_FLOW_ERROR;
  const clips::BufferMap map(buffer, GST_MAP_READ);
  if (!map) {
    return fail(self,
                Error{.kind = ErrorKind::settings,
                      .reason = "the memory of a buffer cannot be read; put a download "
                                "element before this sink"},
                object_uri(priv(self).state.object));
  }
  std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(map.data()), map.size());
  for (bool first = true; !rest.empty();) {
    const auto taken = writer->write(rest, first);
    if (!taken) return fail(self, taken.error());
    if (*taken) {
      rest = rest.subspan(**taken);
      first = false;
      continue;
    }
    // Interrupted: paused, or on the way down. Only the base class knows.
    const GstFlowReturn waited = gst_base_sink_wait_preroll(self);
    if (waited != GST_FLOW_OK) return waited;
  }
  priv(self).position = writer->position();
  return GST_FLOW_OK;
}

// Waits until the store has the whole object, and tells.
GstFlowReturn finish(GstBaseSink* self) {
  auto& state = priv(self).state;
  const auto writer = need_writer(self);
  if (!writer) return GST_FLOW_ERROR;
  while (true) {
    const auto finished = writer->finish();
    if (!finished) return fail(self, finished.error());
    if (*finished) {
      state.published = true;
      post_published(self, object_uri(state.object), 0, (*finished)->bytes, (*finished)->stored,
                     false);
      return GST_FLOW_OK;
    }
    const GstFlowReturn waited = gst_base_sink_wait_preroll(self);
    if (waited != GST_FLOW_OK) return waited;
  }
}

// Many objects

struct MappedBuffer {
  explicit MappedBuffer(GstBuffer* mapped)
      : buffer(clips::BufferRef::retain(mapped)), map(mapped, GST_MAP_READ) {}
  clips::BufferRef buffer;
  clips::BufferMap map;
};

std::shared_ptr<ObjectQueue> current_queue(gpointer self) {
  auto& p = priv(self);
  const clips::MutexLock lock(p.mutex);
  return p.queue;
}

GstFlowReturn write_one_object(GstBaseSink* self, GstBuffer* buffer) {
  // Not GST_FLOW_ERROR, for which the source would post another error.
  if (priv(self).error_watch.failed()) return GST_FLOW_FLUSHING;
  auto& state = priv(self).state;
  if (state.name_template->needs_pts() && !GST_BUFFER_PTS_IS_VALID(buffer)) {
    state.failed = true;
    GST_ELEMENT_ERROR(
        self, STREAM, FORMAT,
        ("A buffer has no timestamp, so {pts} cannot stand in its name. Use {index}."),
        ("buffer %" G_GUINT64_FORMAT, state.buffers));
    return GST_FLOW_ERROR;
  }
  ObjectName object = state.object;
  object.key = state.name_template->render(state.buffers, GST_BUFFER_PTS(buffer));
  auto headers = headers_for(self, object.key);
  if (!headers) return GST_FLOW_ERROR;
  const auto owner = std::make_shared<MappedBuffer>(buffer);
  if (!owner->map) {
    return fail(self,
                Error{.kind = ErrorKind::settings,
                      .reason = "the memory of a buffer cannot be read; put a download "
                                "element before this sink"},
                object_uri(object));
  }
  Body body;
  body.pieces = {{reinterpret_cast<const std::byte*>(owner->map.data()), owner->map.size()}};
  body.owner = owner;
  if (state.settings.if_none_match) headers->push_back({"If-None-Match", "*"});
  if (state.settings.checksum != Checksum::none)
    headers->push_back({checksum_names(state.settings.checksum).header,
                        checksum_of(state.settings.checksum, body.pieces)});
  const auto queue = current_queue(self);
  while (true) {
    const auto taken = queue->put(state.buffers, object, *headers, body);
    if (!taken) return fail(self, taken.error().error, taken.error().uri);
    if (*taken) break;
    const GstFlowReturn waited = gst_base_sink_wait_preroll(self);
    if (waited != GST_FLOW_OK) return waited;
  }
  state.buffers++;
  return GST_FLOW_OK;
}

GstFlowReturn finish_all(GstBaseSink* self) {
  const auto queue = current_queue(self);
  while (true) {
    const auto finished = queue->finish();
    if (!finished) return fail(self, finished.error().error, finished.error().uri);
    if (*finished) {
      priv(self).state.published = true;
      return GST_FLOW_OK;
    }
    const GstFlowReturn waited = gst_base_sink_wait_preroll(self);
    if (waited != GST_FLOW_OK) return waited;
  }
}

// State changes

bool open(GstElement* self) {
  return clips::guard(self, false, [&] {
    auto& p = priv(self);
    p.state = State{};
    p.position = 0;
    p.asked_seekable = false;
    auto& state = p.state;
    {
      const clips::MutexLock lock(p.mutex);
      state.settings = p.settings;
      p.interrupted = false;
    }
    p.many = state.settings.next_file == NextFile::buffer;
    auto object = state.settings.location.object();
    if (!object) {
      fail(self, object.error(), state.settings.location.uri());
      return false;
    }
    state.object = std::move(*object);
    if (p.many) {
      auto parsed = clips::NameTemplate::parse(state.object.key);
      if (!parsed) {
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                          ("The name template %s cannot be used: %s.", uri_of(self).c_str(),
                           clips::display_name(parsed.error()).c_str()),
                          (nullptr));
        return false;
      }
      state.name_template = std::move(*parsed);
    }
    if (!headers_for(self, state.object.key)) return false;
    auto client = make_client(self, GST_CAT_DEFAULT, state.settings.config);
    if (!client) {
      fail(self, client.error(), object_uri(state.object));
      return false;
    }
    {
      const clips::MutexLock lock(p.mutex);
      p.client = std::move(*client);
      if (p.many)
        p.queue = std::make_shared<ObjectQueue>(
            p.client, state.settings.max_inflight,
            [element = clips::ElementRef::retain(self)](const ObjectQueue::Done& done) {
              post_published(element.get(), done.uri, done.index, done.bytes, done.stored, false);
            });
    }
    p.error_watch.start(self);
    return true;
  });
}

// For on-error=complete: the object with what has come so far.
void complete_partial(GstElement* self, ObjectWriter& writer) {
  auto& state = priv(self).state;
  if (state.failed || writer.progress().bytes_written == 0) return;
  writer.resume();
  const auto finished = writer.finish();
  if (!finished) {
    fail(self, finished.error());
  } else if (*finished) {
    state.published = true;
    post_published(self, object_uri(state.object), 0, (*finished)->bytes, (*finished)->stored,
                   true);
  }
}

// Drops the object that is being written, if it is not stored.
void drop_writer(GstElement* self, bool may_complete) {
  auto& p = priv(self);
  const auto writer = current_writer(self);
  if (!writer) return;
  const OnError on_error = p.state.settings.on_error;
  if (may_complete && on_error == OnError::complete && !p.state.published)
    complete_partial(self, *writer);
  // The client logs in the element's name, so the element lives as long.
  writer->close(on_error == OnError::keep && may_complete ? ObjectWriter::Unfinished::keep
                                                          : ObjectWriter::Unfinished::abort,
                kStopPatience,
                std::make_shared<clips::ElementRef>(clips::ElementRef::retain(self)));
  const clips::MutexLock lock(p.mutex);
  p.writer.reset();
}

void close(GstElement* self) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    p.error_watch.stop();
    std::shared_ptr<Client> client;
    // A writer that is not done hands its client, with the element, to the background. So this
    // reference goes first: the client must not end in one of its own completions.
    {
      const clips::MutexLock lock(p.mutex);
      client.swap(p.client);
    }
    client.reset();
    drop_writer(self, true);
    if (const auto queue = current_queue(self)) queue->close();
    {
      const clips::MutexLock lock(p.mutex);
      p.queue.reset();
    }
    p.state = State{};
  });
}

// Not start() and stop(): where start() fails the base class adds a second error of its own.
GstStateChangeReturn change_state(GstElement* self, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open(self))
    return GST_STATE_CHANGE_FAILURE;
  const auto result = GST_ELEMENT_CLASS(parent_class)->change_state(self, transition);
  const bool failed_to_pause =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || failed_to_pause) close(self);
  return result;
}

void set_interrupted(gpointer self, bool interrupted) {
  auto& p = priv(self);
  const clips::MutexLock lock(p.mutex);
  p.interrupted = interrupted;
  if (p.writer) interrupted ? p.writer->interrupt() : p.writer->resume();
  if (p.queue) interrupted ? p.queue->interrupt() : p.queue->resume();
}

gboolean unlock(GstBaseSink* self) {
  set_interrupted(self, true);
  return TRUE;
}

gboolean unlock_stop(GstBaseSink* self) {
  set_interrupted(self, false);
  return TRUE;
}

// Data

gboolean set_caps(GstBaseSink* self, GstCaps* caps) {
  return clips::guard(self, FALSE, [&]() -> gboolean {
    if (gst_caps_is_empty(caps) || gst_caps_is_any(caps)) return TRUE;
    const GstStructure* first = gst_caps_get_structure(caps, 0);
    const char* variant = gst_structure_get_string(first, "variant");
    priv(self).state.caps_type =
        content_type_of_caps(gst_structure_get_name(first), variant ? variant : "");
    return TRUE;
  });
}

GstFlowReturn render(GstBaseSink* self, GstBuffer* buffer) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    const auto& state = priv(self).state;
    if (state.failed) return GST_FLOW_ERROR;
    return state.name_template ? write_one_object(self, buffer) : write(self, buffer);
  });
}

gboolean event(GstBaseSink* self, GstEvent* event) {
  const bool handled = clips::guard(self, false, [&] {
    auto& p = priv(self);
    if (p.many || p.state.failed) return true;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
      const GstSegment* segment = nullptr;
      gst_event_parse_segment(event, &segment);
      // Muxers only: a time segment says nothing about places in the object.
      if (segment->format != GST_FORMAT_BYTES) return true;
      if (segment->start == 0 && !current_writer(self)) return true;
      const auto writer = need_writer(self);
      if (!writer) return false;
      if (const auto done = writer->seek(segment->start); !done) {
        fail(self, done.error());
        return false;
      }
      p.position = segment->start;
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
      drop_writer(GST_ELEMENT_CAST(self), false);
      p.state.published = false;
      p.position = 0;
    }
    return true;
  });
  if (!handled) {
    gst_event_unref(event);
    return FALSE;
  }
  return GST_BASE_SINK_CLASS(parent_class)->event(self, event);
}

// The base class posts EOS when this returns OK, so EOS says that the store has the object.
GstFlowReturn wait_event(GstBaseSink* self, GstEvent* event) {
  const GstFlowReturn waited = GST_BASE_SINK_CLASS(parent_class)->wait_event(self, event);
  if (waited != GST_FLOW_OK || GST_EVENT_TYPE(event) != GST_EVENT_EOS) return waited;
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    auto& p = priv(self);
    if (p.state.failed) return GST_FLOW_ERROR;
    if (p.error_watch.failed()) {
      GST_INFO_OBJECT(self, "EOS after an error is not success");
      return GST_FLOW_ERROR;
    }
    return p.many ? finish_all(self) : finish(self);
  });
}

gboolean query(GstBaseSink* self, GstQuery* query) {
  auto& p = priv(self);
  GstFormat format;
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_SEEKING:
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT) return FALSE;
      // Who asks is a muxer that will go back: from now on the first part is kept.
      p.asked_seekable = !p.many;
      gst_query_set_seeking(query, format, !p.many, 0, -1);
      return TRUE;
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT) break;
      gst_query_set_position(query, format, static_cast<gint64>(p.position.load()));
      return TRUE;
    case GST_QUERY_FORMATS:
      gst_query_set_formats(query, 2, GST_FORMAT_DEFAULT, GST_FORMAT_BYTES);
      return TRUE;
    case GST_QUERY_URI: {
      gchar* uri = nullptr;
      g_object_get(self, "uri", &uri, nullptr);
      const clips::GString_ owned(uri);
      gst_query_set_uri(query, uri);
      return TRUE;
    }
    default:
      break;
  }
  return GST_BASE_SINK_CLASS(parent_class)->query(self, query);
}

// Properties

std::string text_of(const GValue* value) {
  const char* text = g_value_get_string(value);
  return text ? text : "";
}

void set_text(GValue* value, const std::string& text) {
  g_value_set_string(value, text.empty() ? nullptr : text.c_str());
}

// The fields of a structure as text.
std::map<std::string, std::string> read_structure(const GValue* value) {
  std::map<std::string, std::string> fields;
  const GstStructure* structure = gst_value_get_structure(value);
  if (!structure) return fields;
  for (int i = 0; i < gst_structure_n_fields(structure); i++) {
    const char* name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    const GValue* field = gst_structure_get_value(structure, name);
    if (G_VALUE_HOLDS_STRING(field)) {
      fields[name] = text_of(field);
    } else {
      const clips::GString_ text(gst_value_serialize(field));
      if (text) fields[name] = text.get();
    }
  }
  return fields;
}

void write_structure(GValue* value, const char* name,
                     const std::map<std::string, std::string>& fields) {
  if (fields.empty()) return;
  GstStructure* structure = gst_structure_new_empty(name);
  for (const auto& [field, text] : fields)
    gst_structure_set(structure, field.c_str(), G_TYPE_STRING, text.c_str(), nullptr);
  g_value_take_boxed(value, structure);
}

GstStructure* make_stats(gpointer self) {
  auto& p = priv(self);
  std::shared_ptr<ObjectWriter> writer;
  ClientStats client;
  {
    const clips::MutexLock lock(p.mutex);
    writer = p.writer;
    if (p.client) client = p.client->stats();
  }
  const auto progress = writer ? writer->progress() : ObjectWriter::Progress{};
  return gst_structure_new("s3sink-stats", "bytes-written", G_TYPE_UINT64, progress.bytes_written,
                           "bytes-stored", G_TYPE_UINT64, progress.bytes_stored, "bytes-retained",
                           G_TYPE_UINT64, progress.bytes_retained, "parts-stored", G_TYPE_UINT64,
                           progress.parts_stored, "parts-in-flight", G_TYPE_UINT,
                           progress.parts_in_flight, "bytes-sent", G_TYPE_UINT64, client.bytes_sent,
                           "requests", G_TYPE_UINT64, client.requests, "retries", G_TYPE_UINT64,
                           client.retries, nullptr);
}

void set_property(GObject* self, guint id, const GValue* value, GParamSpec* pspec) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    const clips::MutexLock lock(p.mutex);
    auto& settings = p.settings;
    switch (id) {
      case prop_uri:
      case prop_location:
        // A wrong one is told at the start, which can post an error.
        settings.location.set_uri(g_value_get_string(value), nullptr);
        break;
      case prop_bucket:
        settings.location.bucket = text_of(value);
        break;
      case prop_key:
        settings.location.key = text_of(value);
        break;
      case prop_part_size:
        settings.part_size = g_value_get_uint64(value);
        break;
      case prop_max_inflight:
        settings.max_inflight = g_value_get_uint(value);
        break;
      case prop_faststart:
        settings.faststart = static_cast<Faststart>(g_value_get_enum(value));
        break;
      case prop_content_type:
        settings.object.content_type = text_of(value);
        break;
      case prop_cache_control:
        settings.object.cache_control = text_of(value);
        break;
      case prop_content_disposition:
        settings.object.content_disposition = text_of(value);
        break;
      case prop_content_encoding:
        settings.object.content_encoding = text_of(value);
        break;
      case prop_content_language:
        settings.object.content_language = text_of(value);
        break;
      case prop_metadata:
        settings.object.metadata = read_structure(value);
        break;
      case prop_tagging:
        settings.object.tags = read_structure(value);
        break;
      case prop_storage_class:
        settings.object.storage_class = text_of(value);
        break;
      case prop_acl:
        settings.object.acl = text_of(value);
        break;
      case prop_sse:
        settings.object.sse = text_of(value);
        break;
      case prop_sse_kms_key_id:
        settings.object.sse_kms_key_id = text_of(value);
        break;
      case prop_checksum:
        settings.checksum = static_cast<Checksum>(g_value_get_enum(value));
        break;
      case prop_if_none_match:
        settings.if_none_match = g_value_get_boolean(value);
        break;
      case prop_on_error:
        settings.on_error = static_cast<OnError>(g_value_get_enum(value));
        break;
      case prop_next_file:
        settings.next_file = static_cast<NextFile>(g_value_get_enum(value));
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
    if (id == prop_stats) {
      g_value_take_boxed(value, make_stats(self));
      return;
    }
    Settings settings;
    {
      const clips::MutexLock lock(p.mutex);
      settings = p.settings;
    }
    switch (id) {
      case prop_uri:
      case prop_location:
        set_text(value, settings.location.uri());
        break;
      case prop_bucket:
        set_text(value, settings.location.bucket);
        break;
      case prop_key:
        set_text(value, settings.location.key);
        break;
      case prop_part_size:
        g_value_set_uint64(value, settings.part_size);
        break;
      case prop_max_inflight:
        g_value_set_uint(value, settings.max_inflight);
        break;
      case prop_faststart:
        g_value_set_enum(value, static_cast<int>(settings.faststart));
        break;
      case prop_content_type:
        set_text(value, settings.object.content_type);
        break;
      case prop_cache_control:
        set_text(value, settings.object.cache_control);
        break;
      case prop_content_disposition:
        set_text(value, settings.object.content_disposition);
        break;
      case prop_content_encoding:
        set_text(value, settings.object.content_encoding);
        break;
      case prop_content_language:
        set_text(value, settings.object.content_language);
        break;
      case prop_metadata:
        write_structure(value, "metadata", settings.object.metadata);
        break;
      case prop_tagging:
        write_structure(value, "tagging", settings.object.tags);
        break;
      case prop_storage_class:
        set_text(value, settings.object.storage_class);
        break;
      case prop_acl:
        set_text(value, settings.object.acl);
        break;
      case prop_sse:
        set_text(value, settings.object.sse);
        break;
      case prop_sse_kms_key_id:
        set_text(value, settings.object.sse_kms_key_id);
        break;
      case prop_checksum:
        g_value_set_enum(value, static_cast<int>(settings.checksum));
        break;
      case prop_if_none_match:
        g_value_set_boolean(value, settings.if_none_match);
        break;
      case prop_on_error:
        g_value_set_enum(value, static_cast<int>(settings.on_error));
        break;
      case prop_next_file:
        g_value_set_enum(value, static_cast<int>(settings.next_file));
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

gboolean uri_set_uri(GstURIHandler* self, const gchar* uri, GError** error) {
  auto& p = priv(self);
  const clips::MutexLock lock(p.mutex);
  return p.settings.location.set_uri(uri, error);
}

void install_properties(GObjectClass* klass) {
  const Settings defaults;
  constexpr auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                  GST_PARAM_MUTABLE_READY);
  const auto text = [&](guint id, const char* name, const char* nick, const char* blurb) {
    g_object_class_install_property(klass, id,
                                    g_param_spec_string(name, nick, blurb, nullptr, flags));
  };
  const auto enumeration = [&](guint id, const char* name, const char* nick, const char* blurb,
                               GType type, int value) {
    g_object_class_install_property(klass, id,
                                    g_param_spec_enum(name, nick, blurb, type, value, flags));
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
  };
  text(prop_uri, "uri", "URI",
       "The object, s3://bucket/key; with next-file=buffer the key is a template with the tokens "
       "{index}, {index:05} and {pts} (nanoseconds).");
  text(prop_location, "location", "Location", "The same as uri, as splitmuxsink sets it.");
  text(prop_bucket, "bucket", "Bucket", "The bucket, together with key instead of uri.");
  text(prop_key, "key", "Key", "The object's key, together with bucket instead of uri.");
  g_object_class_install_property(
      klass, prop_part_size,
      g_param_spec_uint64("part-size", "Part size",
                          "Bytes of a part. Parts double every 900, so that the object's length is "
                          "not limited; with faststart=false they stay equal.",
                          kMinPartSize, kMaxPartSize, defaults.part_size, flags));
  g_object_class_install_property(
      klass, prop_max_inflight,
      g_param_spec_uint("max-inflight", "Maximum in flight",
                        "Parts (or objects, with next-file=buffer) that are sent at a time.", 1, 64,
                        defaults.max_inflight, flags));
  enumeration(prop_faststart, "faststart", "Fast start",
              "Whether the index (moov) of an MP4 that a muxer writes is put in front.",
              faststart_type(), static_cast<int>(defaults.faststart));
  text(prop_content_type, "content-type", "Content type",
       "Content-Type of the object. Unset: by the caps, then by the ending of the key.");
  text(prop_cache_control, "cache-control", "Cache control", "Cache-Control of the object.");
  text(prop_content_disposition, "content-disposition", "Content disposition",
       "Content-Disposition of the object.");
  text(prop_content_encoding, "content-encoding", "Content encoding",
       "Content-Encoding of the object.");
  text(prop_content_language, "content-language", "Content language",
       "Content-Language of the object.");
  g_object_class_install_property(
      klass, prop_metadata,
      g_param_spec_boxed("metadata", "Metadata",
                         "Metadata of the object: each field becomes an x-amz-meta- header.",
                         GST_TYPE_STRUCTURE, flags));
  g_object_class_install_property(
      klass, prop_tagging,
      g_param_spec_boxed("tagging", "Tagging", "Tags of the object, a field each.",
                         GST_TYPE_STRUCTURE, flags));
  text(prop_storage_class, "storage-class", "Storage class",
       "Storage class of the object, e.g. STANDARD_IA. Unset: the bucket's default.");
  text(prop_acl, "acl", "ACL", "Canned access control list, e.g. public-read.");
  text(prop_sse, "sse", "Server-side encryption", "Server-side encryption: AES256 or aws:kms.");
  text(prop_sse_kms_key_id, "sse-kms-key-id", "SSE KMS key ID",
       "Key of the key management service, with sse=aws:kms.");
  enumeration(prop_checksum, "checksum", "Checksum",
              "Checksum that the store is to verify for each part.", checksum_type(),
              static_cast<int>(defaults.checksum));
  g_object_class_install_property(
      klass, prop_if_none_match,
      g_param_spec_boolean("if-none-match", "If none match",
                           "Fail if there is an object of that name (If-None-Match: *), instead of "
                           "replacing it.",
                           defaults.if_none_match, flags));
  enumeration(prop_on_error, "on-error", "On error",
              "What becomes of an upload whose stream ends without EOS or after an error.",
              on_error_type(), static_cast<int>(defaults.on_error));
  clips::install_next_file_property(klass, prop_next_file, next_file_type(),
                                    "When the sink goes on to a new object.");
  g_object_class_install_property(
      klass, prop_stats,
      g_param_spec_boxed("stats", "Statistics",
                         "Statistics: bytes-written, bytes-stored, bytes-retained, parts-stored, "
                         "parts-in-flight, bytes-sent, requests, retries.",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  install_connection_properties(klass);
}

}  // namespace

static void gst_clips_s3_sink_init(GstClipsS3Sink* self) {
  clips::construct_private<Private>(gst_clips_s3_sink_get_instance_private(self));
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
}

// At most that many requests for deletion at a time: more only queue in the store.
static constexpr std::size_t kDeletions = 16;

// Deletes objects with the connection of the element, for who has to take back what a run that
// failed had stored. False when not all are gone in time.
static gboolean delete_objects(GstElement* self, const gchar* const* uris, guint64 timeout) {
  return clips::guard(self, gboolean{FALSE}, [&] {
    Config config;
    {
      auto& p = priv(self);
      const clips::MutexLock lock(p.mutex);
      config = p.settings.config;
    }
    auto made = make_client(self, GST_CAT_DEFAULT, std::move(config));
    if (!made) return FALSE;
    const auto& client = *made;
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout);
    bool all = true;
    std::deque<std::future<Result<bool>>> waiting;
    const auto settle = [&] {
      if (waiting.front().wait_until(end) == std::future_status::timeout) client->cancel_all();
      all = waiting.front().get().has_value() && all;
      waiting.pop_front();
    };
    for (; *uris && std::chrono::steady_clock::now() < end; ++uris) {
      Location location;
      if (!location.set_uri(*uris, nullptr)) return FALSE;
      const auto object = location.object();
      if (!object) return FALSE;
      auto promise = std::make_shared<std::promise<Result<bool>>>();
      waiting.push_back(promise->get_future());
      client->delete_object(
          *object, [promise](Result<bool> result) { promise->set_value(std::move(result)); });
      if (waiting.size() == kDeletions) settle();
    }
    all = all && !*uris;
    while (!waiting.empty()) settle();
    return gboolean{all};
  });
}

static void gst_clips_s3_sink_class_init(GstClipsS3SinkClass* klass) {
  GST_DEBUG_CATEGORY_INIT(s3_sink_debug, "s3sink", 0, "objects that appear when they are complete");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* sink_class = GST_BASE_SINK_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_properties(object_class);

  gst_element_class_set_static_metadata(element_class, "S3 sink", "Sink/Network",
                                        "Writes an object to S3 that appears when it is complete",
                                        "The gst-plugins-clips developers");
  static GstStaticPadTemplate sink_template =
      GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  gst_element_class_add_static_pad_template(element_class, &sink_template);

  element_class->change_state = change_state;
  // Arguments: the URIs, and for how many nanoseconds to wait. Returns whether all are gone; one
  // that did not exist is.
  g_signal_new_class_handler("delete-objects", G_TYPE_FROM_CLASS(klass),
                             static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                             G_CALLBACK(delete_objects), nullptr, nullptr, nullptr, G_TYPE_BOOLEAN,
                             2, G_TYPE_STRV, G_TYPE_UINT64);
  sink_class->unlock = unlock;
  sink_class->unlock_stop = unlock_stop;
  sink_class->set_caps = set_caps;
  sink_class->render = render;
  sink_class->event = event;
  sink_class->wait_event = wait_event;
  sink_class->query = query;
}
