// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-filepublishsink
 * @title: filepublishsink
 *
 * Writes a file that appears under its name only when it is complete and safely on the disk, and
 * replaces an old file of that name in one step. The bytes go to a file without a name in the
 * target's directory; at EOS it is synced and gets its name. Whatever else ends the stream (an
 * error anywhere in the pipeline, an interrupt, a state change, kill -9) leaves nothing.
 *
 * Muxers that go back and rewrite (mp4mux, matroskamux, wavenc, ...) are served: the sink answers
 * the SEEKING query in bytes and follows SEGMENT events in bytes.
 *
 * Limits: the target must be a regular file or not exist; a pipe or device is written with
 * urisinkbin and `fd://N`. A pipeline that posts an ERROR publishes nothing more, even if the
 * error comes from another branch: EOS that follows an error does not mean that the data is whole.
 *
 * Element message `published`, before EOS, one a file: `uri` (string), `bytes` (uint64), `index`
 * (uint64, counts files from 0), `digest` (string, `sha256:` and 64 hex digits; only with
 * `digest=sha256`).
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! x264enc ! mp4mux ! filepublishsink location=a.mp4
 * ]| a.mp4 is there after EOS and not before.
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=5 ! jpegenc ! filepublishsink next-file=buffer
 *   location='still-{index:03}.jpg'
 * ]| Five files, each whole from the moment it is visible.
 */
#include "gstfilepublishsink.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "atomic_file.hpp"
#include "common/display_name.hpp"
#include "common/error_watch.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/local_path.hpp"
#include "common/name_template.hpp"
#include "common/next_file.hpp"
#include "common/thread_annotations.hpp"
#include "common/uri_handler.hpp"

GST_DEBUG_CATEGORY_STATIC(file_publish_sink_debug);
#define GST_CAT_DEFAULT file_publish_sink_debug

namespace {

using clips::publish::AtomicFile;
using clips::publish::FileError;

enum class Digest { none, sha256 };

struct Settings {
  std::string location;
  clips::NextFile next_file = clips::NextFile::never;
  Digest digest = Digest::none;
  bool post_messages = true;
};

// Between open() and close(); only the streaming thread uses it, which those two do not overlap.
struct State {
  Settings settings;
  std::optional<clips::NameTemplate> name_template;
  std::optional<AtomicFile> file;
  std::uint64_t files = 0;
  bool failed = false;  // posted an error: EOS must not publish any more
};

struct Private {
  clips::Mutex mutex;  // a leaf: nothing is called with it held
  Settings settings CLIPS_GUARDED_BY(mutex);
  State state;
  // For queries, which come from any thread.
  std::atomic<bool> many = false;
  std::atomic<std::uint64_t> position = 0;
  clips::ErrorWatch error_watch;
};

enum Property { prop_0, prop_location, prop_next_file, prop_digest, prop_post_messages };

GType digest_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(Digest::none), "No digest", "none"},
      {static_cast<int>(Digest::sha256), "SHA-256 of the file", "sha256"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsFilePublishSinkDigest", values);
  return type;
}

gchar* uri_get_uri(GstURIHandler* self);
gboolean uri_set_uri(GstURIHandler* self, const gchar* uri, GError** error);
constexpr const gchar* protocols[] = {"file", nullptr};
constexpr clips::UriHandler filepublishsink_uri_handler{GST_URI_SINK, protocols, uri_get_uri,
                                                        uri_set_uri};

std::string directory_of(const std::string& path) {
  const clips::GString_ name(g_path_get_dirname(path.c_str()));
  return name.get();
}

}  // namespace

GType gst_clips_publish_next_file_get_type() {
  static const GType type = clips::register_next_file(
      "GstClipsPublishNextFile", "One file for the whole stream", "A file for each buffer");
  return type;
}

struct _GstClipsFilePublishSink {
  GstBaseSink parent;
};
using GstClipsFilePublishSinkPrivate = Private;

#define gst_clips_file_publish_sink_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_CODE(
    GstClipsFilePublishSink, gst_clips_file_publish_sink, GST_TYPE_BASE_SINK,
    G_ADD_PRIVATE(GstClipsFilePublishSink)
        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER,
                              clips::init_uri_handler<filepublishsink_uri_handler>))

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(gst_clips_file_publish_sink_get_instance_private(
      static_cast<GstClipsFilePublishSink*>(self)));
}

// The one error of a failure: a sentence with the file's name, and the code a program can act on.
GstFlowReturn post_error(gpointer self, const std::string& path, FileError error) {
  auto& state = priv(self).state;
  state.failed = true;
  state.file.reset();
  const std::string name = clips::display_name(path);
  const std::string folder = clips::display_name(directory_of(path));
  const char* reason = g_strerror(error.code);
  const bool full = error.code == ENOSPC || error.code == EDQUOT;
  const bool denied = error.code == EACCES || error.code == EPERM;

  if (error.kind == FileError::Kind::missing_directory) {
    GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND,
                      ("Could not write %s: the directory %s does not exist. Create it or choose "
                       "another location.",
                       name.c_str(), folder.c_str()),
                      ("%s", reason));
  } else if (error.kind == FileError::Kind::not_a_file) {
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE,
                      ("Could not write %s: it is %s and not a file. Choose another location.",
                       name.c_str(), error.code == EISDIR ? "a directory" : "a device or pipe"),
                      ("%s", reason));
  } else if (full) {
    GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT,
                      ("Could not write %s: no space is left on the disk of %s. Free some or "
                       "choose another location.",
                       name.c_str(), folder.c_str()),
                      ("%s", reason));
  } else if (error.kind == FileError::Kind::open && denied) {
    GST_ELEMENT_ERROR(self, RESOURCE, NOT_AUTHORIZED,
                      ("Could not write %s: no permission to make files in the directory %s.",
                       name.c_str(), folder.c_str()),
                      ("%s", reason));
  } else if (error.kind == FileError::Kind::open) {
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE,
                      ("Could not write %s: the directory %s takes no new file (%s).", name.c_str(),
                       folder.c_str(), reason),
                      ("errno %d", error.code));
  } else if (error.kind == FileError::Kind::publish) {
    GST_ELEMENT_ERROR(self, RESOURCE, CLOSE,
                      ("Could not give the finished file its name %s (%s).", name.c_str(), reason),
                      ("errno %d", error.code));
  } else {
    GST_ELEMENT_ERROR(self, RESOURCE, WRITE, ("Could not write %s (%s).", name.c_str(), reason),
                      ("errno %d", error.code));
  }
  return GST_FLOW_ERROR;
}

clips::publish::FileResult<AtomicFile> create_file(const State& state, const std::string& path) {
  auto file = AtomicFile::create(path);
  if (file && state.settings.digest == Digest::sha256) file->want_sha256();
  return file;
}

// Gives the open file its name and tells so; false after an error was posted.
bool publish(gpointer self, AtomicFile file, const std::string& path) {
  auto& state = priv(self).state;
  const auto published = file.publish();
  if (!published) {
    post_error(self, path, published.error());
    return false;
  }
  GST_INFO_OBJECT(self, "published %s, %" G_GUINT64_FORMAT " bytes",
                  clips::display_name(path).c_str(), published->bytes);
  if (state.settings.post_messages) {
    const clips::GString_ absolute(g_canonicalize_filename(path.c_str(), nullptr));
    const clips::GString_ uri(g_filename_to_uri(absolute.get(), nullptr, nullptr));
    clips::StructurePtr fields(gst_structure_new("published", "uri", G_TYPE_STRING, uri.get(),
                                                 "bytes", G_TYPE_UINT64, published->bytes, "index",
                                                 G_TYPE_UINT64, state.files, nullptr));
    if (!published->sha256.empty()) {
      const std::string digest = "sha256:" + published->sha256;
      gst_structure_set(fields.get(), "digest", G_TYPE_STRING, digest.c_str(), nullptr);
    }
    gst_element_post_message(GST_ELEMENT_CAST(self),
                             gst_message_new_element(GST_OBJECT_CAST(self), fields.release()));
  }
  state.files++;
  return true;
}

// The memories of a buffer, mapped for as long as the object lives.
class MappedMemories {
 public:
  explicit MappedMemories(GstBuffer* buffer) { add(buffer); }
  MappedMemories(const MappedMemories&) = delete;
  MappedMemories& operator=(const MappedMemories&) = delete;
  ~MappedMemories() {
    for (auto& map : maps_) gst_memory_unmap(map.memory, &map);
  }
  std::span<const iovec> pieces() const { return pieces_; }
  bool complete() const { return complete_; }
  void add(GstBuffer* buffer) {
    for (guint i = 0; i < gst_buffer_n_memory(buffer); i++) {
      GstMapInfo map;
      if (!gst_memory_map(gst_buffer_peek_memory(buffer, i), &map, GST_MAP_READ)) {
        complete_ = false;
        return;
      }
      maps_.push_back(map);
      pieces_.push_back({map.data, map.size});
    }
  }

 private:
  std::vector<GstMapInfo> maps_;
  std::vector<iovec> pieces_;
  bool complete_ = true;
};

GstFlowReturn post_unreadable(gpointer self) {
  priv(self).state.failed = true;
  GST_ELEMENT_ERROR(self, RESOURCE, READ,
                    ("The memory of a buffer cannot be read. Put a download element (such as "
                     "gldownload) before this sink."),
                    (nullptr));
  return GST_FLOW_ERROR;
}

GstFlowReturn write_one_object(gpointer self, GstBuffer* buffer) {
  auto& state = priv(self).state;
  if (priv(self).error_watch.failed()) {
    GST_INFO_OBJECT(self, "a buffer after an error, nothing is published");
    // Not GST_FLOW_ERROR, for which the source would post another error.
    return GST_FLOW_FLUSHING;
  }
  if (state.name_template->needs_pts() && !GST_BUFFER_PTS_IS_VALID(buffer)) {
    state.failed = true;
    GST_ELEMENT_ERROR(
        self, STREAM, FORMAT,
        ("A buffer has no timestamp, so {pts} cannot stand in its name. Use {index}."),
        ("buffer %" G_GUINT64_FORMAT, state.files));
    return GST_FLOW_ERROR;
  }
  const std::string path = state.name_template->render(state.files, GST_BUFFER_PTS(buffer));
  const MappedMemories memories(buffer);
  if (!memories.complete()) return post_unreadable(self);
  auto file = create_file(state, path);
  if (!file) return post_error(self, path, file.error());
  if (auto done = file->write(memories.pieces()); !done)
    return post_error(self, path, done.error());
  return publish(self, std::move(*file), path) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

GstFlowReturn write(gpointer self, const MappedMemories& memories) {
  auto& state = priv(self).state;
  if (!memories.complete()) return post_unreadable(self);
  if (!state.file) return GST_FLOW_EOS;
  if (auto done = state.file->write(memories.pieces()); !done)
    return post_error(self, state.settings.location, done.error());
  priv(self).position = state.file->position();
  return GST_FLOW_OK;
}

// Base class virtual functions

bool open(GstElement* self) {
  return clips::guard(self, false, [&] {
    auto& p = priv(self);
    p.state = State{};
    {
      const clips::MutexLock lock(p.mutex);
      p.state.settings = p.settings;
    }
    const auto& settings = p.state.settings;
    p.many = settings.next_file == clips::NextFile::buffer;
    p.position = 0;
    if (settings.location.empty()) {
      GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("No file name: set the property \"location\"."),
                        (nullptr));
      return false;
    }
    if (settings.next_file == clips::NextFile::buffer) {
      auto parsed = clips::NameTemplate::parse(settings.location);
      if (!parsed) {
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                          ("The name template %s cannot be used: %s.",
                           clips::display_name(settings.location).c_str(),
                           clips::display_name(parsed.error()).c_str()),
                          (nullptr));
        return false;
      }
      p.state.name_template = std::move(*parsed);
    } else {
      // Made now, so that a place that cannot be written stops the pipeline before it works.
      auto file = create_file(p.state, settings.location);
      if (!file) {
        post_error(self, settings.location, file.error());
        return false;
      }
      p.state.file = std::move(*file);
    }
    p.error_watch.start(self);
    return true;
  });
}

void close(GstElement* self) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    p.error_watch.stop();
    if (p.state.file) GST_INFO_OBJECT(self, "stopped before EOS, nothing is published");
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

GstFlowReturn render(GstBaseSink* self, GstBuffer* buffer) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    if (priv(self).state.failed) return GST_FLOW_ERROR;
    if (priv(self).state.name_template) return write_one_object(self, buffer);
    return write(self, MappedMemories(buffer));
  });
}

GstFlowReturn render_list(GstBaseSink* self, GstBufferList* list) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    const guint count = gst_buffer_list_length(list);
    if (priv(self).state.name_template) {
      for (guint i = 0; i < count; i++) {
        const auto result = render(self, gst_buffer_list_get(list, i));
        if (result != GST_FLOW_OK) return result;
      }
      return GST_FLOW_OK;
    }
    if (priv(self).state.failed || count == 0)
      return priv(self).state.failed ? GST_FLOW_ERROR : GST_FLOW_OK;
    MappedMemories memories(gst_buffer_list_get(list, 0));
    for (guint i = 1; i < count; i++) memories.add(gst_buffer_list_get(list, i));
    return write(self, memories);
  });
}

gboolean event(GstBaseSink* self, GstEvent* event) {
  const bool handled = clips::guard(self, false, [&] {
    auto& state = priv(self).state;
    if (!state.file) return true;
    clips::publish::FileResult<> done;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
      const GstSegment* segment = nullptr;
      gst_event_parse_segment(event, &segment);
      // Muxers only: a time segment says nothing about places in the file.
      if (segment->format == GST_FORMAT_BYTES) done = state.file->seek(segment->start);
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
      done = state.file->restart();
    }
    if (!done) post_error(self, state.settings.location, done.error());
    if (state.file) priv(self).position = state.file->position();
    return done.has_value();
  });
  if (!handled) {
    gst_event_unref(event);
    return FALSE;
  }
  return GST_BASE_SINK_CLASS(parent_class)->event(self, event);
}

// The base class posts EOS when this returns OK, so EOS says that the file is there.
GstFlowReturn wait_event(GstBaseSink* self, GstEvent* event) {
  const GstFlowReturn waited = GST_BASE_SINK_CLASS(parent_class)->wait_event(self, event);
  if (waited != GST_FLOW_OK || GST_EVENT_TYPE(event) != GST_EVENT_EOS) return waited;
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    auto& p = priv(self);
    if (p.state.failed) return GST_FLOW_ERROR;
    if (p.error_watch.failed()) {
      GST_INFO_OBJECT(self, "EOS after an error, nothing is published");
      p.state.file.reset();
      return GST_FLOW_ERROR;
    }
    if (!p.state.file) return GST_FLOW_OK;
    AtomicFile file = std::move(*p.state.file);
    p.state.file.reset();
    return publish(self, std::move(file), p.state.settings.location) ? GST_FLOW_OK : GST_FLOW_ERROR;
  });
}

gboolean query(GstBaseSink* self, GstQuery* query) {
  const auto& p = priv(self);
  GstFormat format;
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_SEEKING: {
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT) return FALSE;
      gst_query_set_seeking(query, format, !p.many, 0, -1);
      return TRUE;
    }
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT) break;
      gst_query_set_position(query, format, static_cast<gint64>(p.position.load()));
      return TRUE;
    case GST_QUERY_FORMATS:
      gst_query_set_formats(query, 2, GST_FORMAT_DEFAULT, GST_FORMAT_BYTES);
      return TRUE;
    default:
      break;
  }
  return GST_BASE_SINK_CLASS(parent_class)->query(self, query);
}

// Properties

void set_property(GObject* self, guint id, const GValue* value, GParamSpec* pspec) {
  clips::guard(self, [&] {
    auto& p = priv(self);
    const clips::MutexLock lock(p.mutex);
    switch (id) {
      case prop_location: {
        const char* location = g_value_get_string(value);
        p.settings.location = location ? location : "";
        break;
      }
      case prop_next_file:
        p.settings.next_file = static_cast<clips::NextFile>(g_value_get_enum(value));
        break;
      case prop_digest:
        p.settings.digest = static_cast<Digest>(g_value_get_enum(value));
        break;
      case prop_post_messages:
        p.settings.post_messages = g_value_get_boolean(value);
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
      case prop_location:
        g_value_set_string(value,
                           p.settings.location.empty() ? nullptr : p.settings.location.c_str());
        break;
      case prop_next_file:
        g_value_set_enum(value, static_cast<int>(p.settings.next_file));
        break;
      case prop_digest:
        g_value_set_enum(value, static_cast<int>(p.settings.digest));
        break;
      case prop_post_messages:
        g_value_set_boolean(value, p.settings.post_messages);
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

// URI handler

gchar* uri_get_uri(GstURIHandler* self) {
  auto& p = priv(self);
  const clips::MutexLock lock(p.mutex);
  if (p.settings.location.empty()) return nullptr;
  const clips::GString_ path(g_canonicalize_filename(p.settings.location.c_str(), nullptr));
  return g_filename_to_uri(path.get(), nullptr, nullptr);
}

gboolean uri_set_uri(GstURIHandler* self, const gchar* uri, GError** error) {
  const clips::GString_ path = clips::local_path(uri);
  if (!path) {
    g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "%s is not the URI of a local file.",
                clips::display_name(uri).c_str());
    return FALSE;
  }
  g_object_set(self, "location", path.get(), nullptr);
  return TRUE;
}

}  // namespace

static void gst_clips_file_publish_sink_init(GstClipsFilePublishSink* self) {
  clips::construct_private<Private>(gst_clips_file_publish_sink_get_instance_private(self));
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
}

static void gst_clips_file_publish_sink_class_init(GstClipsFilePublishSinkClass* klass) {
  GST_DEBUG_CATEGORY_INIT(file_publish_sink_debug, "filepublishsink", 0,
                          "files that appear when they are complete");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* sink_class = GST_BASE_SINK_CLASS(klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;

  const Settings defaults;
  constexpr auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                  GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, prop_location,
      g_param_spec_string("location", "Location",
                          "The file's path; with next-file=buffer a template with the tokens "
                          "{index}, {index:05} and {pts} (nanoseconds).",
                          nullptr, flags));
  clips::install_next_file_property(object_class, prop_next_file,
                                    gst_clips_publish_next_file_get_type(),
                                    "When the sink goes on to a new file.");
  g_object_class_install_property(
      object_class, prop_digest,
      g_param_spec_enum("digest", "Digest",
                        "Digest of the file to put into the message \"published\". A stream that "
                        "a muxer rewrites is read back once for it.",
                        digest_type(), static_cast<int>(defaults.digest), flags));
  g_object_class_install_property(object_class, prop_post_messages,
                                  g_param_spec_boolean("post-messages", "Post messages",
                                                       "Whether to post the message \"published\".",
                                                       defaults.post_messages, flags));

  gst_element_class_set_static_metadata(
      element_class, "Publishing file sink", "Sink/File",
      "Writes a file that appears under its name only when it is complete",
      "The gst-plugins-clips developers");
  static GstStaticPadTemplate sink_template =
      GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  gst_element_class_add_static_pad_template(element_class, &sink_template);

  element_class->change_state = change_state;
  sink_class->render = render;
  sink_class->render_list = render_list;
  sink_class->event = event;
  sink_class->wait_event = wait_event;
  sink_class->query = query;
  gst_type_mark_as_plugin_api(digest_type(), static_cast<GstPluginAPIFlags>(0));
}
