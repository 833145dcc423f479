// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-hlspublishsink
 * @title: hlspublishsink
 *
 * Writes a whole video as HTTP Live Streaming (RFC 8216): MPEG-TS segments, their playlists and,
 * for several variants, the multivariant playlist, to a folder or a prefix in S3. The playlist
 * that a player opens is written last, when everything that it names is stored; without it the
 * stream is not there, and what a run that failed had stored is removed.
 *
 * Each segment begins with a key frame: the first one at or after a multiple of
 * `target-duration`, counted from the first picture. Have the encoder put one exactly there with
 * forcekeyunits; all variants of one video are then cut at the same frames.
 *
 * Element message `published` for each segment and playlist, as of urisinkbin.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=300 ! forcekeyunits interval=4000000000 !
 *   x264enc ! h264parse ! hlspublishsink uri=film-hls
 * ]| film-hls/index.m3u8 and three segments.
 */
#include "gsthlspublishsink.h"

#include <glib/gstdio.h>
#include <gst/video/video-event.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/display_name.hpp"
#include "common/error_watch.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/local_path.hpp"
#include "common/thread_annotations.hpp"
#include "gsthlssegmenter.h"
#include "gsturisinkbin.h"
#include "hls_playlist.hpp"

GST_DEBUG_CATEGORY_STATIC(hls_publish_sink_debug);
#define GST_CAT_DEFAULT hls_publish_sink_debug

namespace {

using clips::publish::HlsSegment;
using clips::publish::HlsVariant;

// Pictures are decoded before they are shown: a second of room keeps all times positive.
constexpr gint64 kRoom = GST_SECOND;
// The one variant of a stream without a multivariant playlist.
constexpr int kOnly = -1;
// An interrupt must be over in two seconds, with what it removes.
constexpr gint64 kRemovalTime = 1500 * G_TIME_SPAN_MILLISECOND;

struct Settings {
  std::string uri;
  guint target_duration = 4;
  guint samples = 1024;
};

struct Variant {
  int index = kOnly;
  // A bin that goes has let go of its children when its pads are given back.
  clips::ElementRef mux, segmenter, sink;
  clips::ElementRef queue;  // of the sound
  HlsVariant facts;
  std::vector<GstClockTime> starts;  // of the segments, as timestamps of their first pictures
  GstClockTime end = 0;
  std::vector<gsize> sizes;
  clips::MessageRef ended;  // its EOS, kept back until the playlists are there
};

struct Private {
  clips::Mutex mutex;  // a leaf
  Settings settings CLIPS_GUARDED_BY(mutex);
  std::map<int, std::unique_ptr<Variant>> variants CLIPS_GUARDED_BY(mutex);
  std::vector<std::string> written CLIPS_GUARDED_BY(mutex);  // URIs
  std::vector<std::string> folders CLIPS_GUARDED_BY(mutex);  // that this run made, inner ones last
  std::string codec CLIPS_GUARDED_BY(mutex);                 // of the sound
  GstClockTime priming CLIPS_GUARDED_BY(mutex) = 0;          // of the sound
  GstClockTime sound_start CLIPS_GUARDED_BY(mutex) = GST_CLOCK_TIME_NONE;
  bool unpublished CLIPS_GUARDED_BY(mutex) = false;
  bool complete CLIPS_GUARDED_BY(mutex) = false;
  bool stopping CLIPS_GUARDED_BY(mutex) = false;
  clips::ErrorWatch errors;
  clips::ElementRef tee;  // of the sound
};

enum Property { prop_0, prop_uri, prop_target_duration, prop_samples };

GstStaticPadTemplate video_template = GST_STATIC_PAD_TEMPLATE(
    "video", GST_PAD_SINK, GST_PAD_REQUEST,
    GST_STATIC_CAPS("video/x-h264, stream-format = (string) byte-stream, alignment = (string) au"));
GstStaticPadTemplate variant_template = GST_STATIC_PAD_TEMPLATE(
    "video_%u", GST_PAD_SINK, GST_PAD_REQUEST,
    GST_STATIC_CAPS("video/x-h264, stream-format = (string) byte-stream, alignment = (string) au"));
GstStaticPadTemplate audio_template =
    GST_STATIC_PAD_TEMPLATE("audio", GST_PAD_SINK, GST_PAD_REQUEST,
                            GST_STATIC_CAPS("audio/mpeg, mpegversion = (int) 4, "
                                            "stream-format = (string) adts"));

}  // namespace

struct _GstClipsHlsPublishSink {
  GstBin parent;
};
using GstClipsHlsPublishSinkPrivate = Private;

#define gst_clips_hls_publish_sink_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsHlsPublishSink, gst_clips_hls_publish_sink, GST_TYPE_BIN)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_hls_publish_sink_get_instance_private(static_cast<GstClipsHlsPublishSink*>(self)));
}

// Places

struct Place {
  std::string folder;    // a path, or a URI without a slash at its end
  std::string playlist;  // its name in the folder
  bool local = true;

  std::string of(const std::string& name) const { return folder + "/" + name; }
};

Place place_of(const std::string& uri) {
  Place place;
  place.local = uri.find("://") == std::string::npos || gst_uri_has_protocol(uri.c_str(), "file");
  place.folder = uri;
  place.playlist = "index.m3u8";
  if (uri.ends_with(".m3u8")) {
    const auto slash = uri.rfind('/');
    place.folder = slash == std::string::npos ? "." : uri.substr(0, slash);
    place.playlist = uri.substr(slash == std::string::npos ? 0 : slash + 1);
  }
  while (place.folder.size() > 1 && place.folder.ends_with('/')) place.folder.pop_back();
  return place;
}

std::string variant_folder(int index) {
  return index == kOnly ? std::string() : "v" + std::to_string(index) + "/";
}

// The path of a local place; null after an error was posted.
clips::GString_ path_of(gpointer self, const std::string& uri) {
  if (uri.find("://") == std::string::npos) return clips::GString_(g_strdup(uri.c_str()));
  auto path = clips::local_path(uri.c_str());
  if (!path)
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("%s is not the URI of a local file.", clips::display_name(uri).c_str()),
                      (nullptr));
  return path;
}

bool make_folder(gpointer self, const std::string& folder) {
  const auto path = path_of(self, folder);
  if (!path) return false;
  if (g_mkdir(path.get(), 0777) == 0) {
    auto& p = priv(self);
    const clips::MutexLock lock(p.mutex);
    p.folders.emplace_back(path.get());
    return true;
  }
  const int code = errno;
  if (code == EEXIST) return true;
  GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE,
                    ("Could not make the folder %s: %s. Make the folder above it, or name one "
                     "that can be written to.",
                     clips::display_name(path.get()).c_str(), g_strerror(code)),
                    ("errno %d", code));
  return false;
}

// What is at `uri` is no longer there, or never was.
void remove_outputs(gpointer self, const std::vector<std::string>& uris) {
  std::vector<const gchar*> objects;
  for (const auto& uri : uris) {
    if (gst_uri_has_protocol(uri.c_str(), "s3")) {
      objects.push_back(uri.c_str());
      continue;
    }
    const auto path = uri.find("://") == std::string::npos ? clips::GString_(g_strdup(uri.c_str()))
                                                           : clips::local_path(uri.c_str());
    if (path && g_unlink(path.get()) != 0 && errno != ENOENT)
      GST_WARNING_OBJECT(self, "could not remove %s: %s", path.get(), g_strerror(errno));
  }
  if (objects.empty()) return;
  objects.push_back(nullptr);
  const auto sink = clips::ElementRef::sink(gst_element_factory_make("s3sink", nullptr));
  if (!sink) return;
  gboolean removed = FALSE;
  g_signal_emit_by_name(sink.get(), "delete-objects", objects.data(),
                        static_cast<guint64>(kRemovalTime) * 1000, &removed);
  if (!removed) GST_WARNING_OBJECT(self, "could not remove every object of a run that failed");
}

// One document, published by a pipeline of its own: the sinks of the bin have ended by then.

void forward_error(gpointer self, GstMessage* message) {
  GError* error = nullptr;
  gchar* debug = nullptr;
  const GstStructure* details = nullptr;
  gst_message_parse_error(message, &error, &debug);
  gst_message_parse_error_details(message, &details);
  const clips::ErrorPtr error_owner(error);
  const clips::GString_ debug_owner(debug);
  gst_element_post_message(
      GST_ELEMENT_CAST(self),
      gst_message_new_error_with_details(GST_OBJECT_CAST(self), error, debug,
                                         details ? gst_structure_copy(details) : nullptr));
}

bool publish(gpointer self, const std::string& uri, const std::string& text) {
  auto& p = priv(self);
  const auto pipeline = clips::ElementRef::sink(gst_pipeline_new(nullptr));
  GstElement* source = gst_element_factory_make("appsrc", nullptr);
  if (!source) {
    GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN,
                      ("The element appsrc is not installed. Install GStreamer's base plugins."),
                      (nullptr));
    return false;
  }
  auto* sink = GST_ELEMENT(g_object_new(GST_CLIPS_TYPE_URI_SINK_BIN, nullptr));
  gst_bin_add_many(GST_BIN(pipeline.get()), source, sink, nullptr);
  gst_element_link(source, sink);
  g_object_set(sink, "uri", uri.c_str(), nullptr);
  g_signal_connect(sink, "sink-setup", G_CALLBACK(+[](GstElement*, GstElement* inner, gpointer) {
                     // A playlist is what changes when a video is encoded anew.
                     if (g_object_class_find_property(G_OBJECT_GET_CLASS(inner), "cache-control"))
                       g_object_set(inner, "cache-control", "no-cache", nullptr);
                   }),
                   nullptr);
  const auto buffer = clips::BufferRef::adopt(gst_buffer_new_memdup(text.data(), text.size()));
  GstFlowReturn flow = GST_FLOW_OK;
  g_signal_emit_by_name(source, "push-buffer", buffer.get(), &flow);
  g_signal_emit_by_name(source, "end-of-stream", &flow);
  const auto bus = clips::BusRef::adopt(gst_element_get_bus(pipeline.get()));
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  bool done = false;
  bool over = false;
  while (!over) {
    {
      const clips::MutexLock lock(p.mutex);
      if (p.stopping) break;
    }
    const auto message = clips::MessageRef::adopt(gst_bus_timed_pop_filtered(
        bus.get(), 20 * GST_MSECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT)));
    if (!message) continue;
    switch (GST_MESSAGE_TYPE(message.get())) {
      case GST_MESSAGE_ERROR:
        forward_error(self, message.get());
        over = true;
        break;
      case GST_MESSAGE_EOS:
        done = over = true;
        break;
      default:
        if (!gst_message_has_name(message.get(), "published")) break;
        {
          const clips::MutexLock lock(p.mutex);
          p.written.push_back(uri);
        }
        gst_element_post_message(
            GST_ELEMENT_CAST(self),
            gst_message_new_element(GST_OBJECT_CAST(self),
                                    gst_structure_copy(gst_message_get_structure(message.get()))));
    }
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return done;
}

// The end

// The segments with their durations; false when the stream is not what it must be.
bool finish_variant(gpointer self, Variant& variant) {
  auto& facts = variant.facts;
  if (variant.starts.empty() || variant.starts.size() != variant.sizes.size()) {
    GST_ELEMENT_ERROR(
        self, STREAM, MUX,
        ("The video could not be cut into segments: it has no key frame where they "
         "begin."),
        ("%zu key frames, %zu segments", variant.starts.size(), variant.sizes.size()));
    return false;
  }
  facts.segments.clear();
  for (std::size_t i = 0; i < variant.starts.size(); ++i) {
    const auto next = i + 1 < variant.starts.size() ? variant.starts[i + 1] : variant.end;
    const clips::GString_ name(g_strdup_printf("segment%05zu.ts", i));
    facts.segments.push_back(
        {name.get(), next > variant.starts[i] ? next - variant.starts[i] : 0, variant.sizes[i]});
  }
  return true;
}

bool publish_playlists(gpointer self) {
  auto& p = priv(self);
  std::vector<HlsVariant> variants;
  std::vector<int> indices;
  Place place;
  {
    const clips::MutexLock lock(p.mutex);
    place = place_of(p.settings.uri);
    for (auto& [index, variant] : p.variants) {
      variants.push_back(variant->facts);
      indices.push_back(index);
      if (!p.codec.empty()) variants.back().codecs.push_back(p.codec);
    }
  }
  if (indices.size() == 1 && indices.front() == kOnly)
    return publish(self, place.of(place.playlist), media_playlist(variants.front().segments));
  for (std::size_t i = 0; i < variants.size(); ++i) {
    variants[i].playlist = variant_folder(indices[i]) + "index.m3u8";
    if (!publish(self, place.of(variants[i].playlist), media_playlist(variants[i].segments)))
      return false;
  }
  return publish(self, place.of(place.playlist), multivariant_playlist(variants));
}

bool all_ended(Private& p) CLIPS_REQUIRES(p.mutex) {
  return std::all_of(p.variants.begin(), p.variants.end(),
                     [](const auto& entry) { return bool(entry.second->ended); });
}

// In the thread of the sink that is done last.
void finish(GstBin* self) {
  auto& p = priv(self);
  std::vector<Variant*> variants;
  {
    const clips::MutexLock lock(p.mutex);
    if (p.errors.failed() || p.stopping) return;
    for (auto& [index, variant] : p.variants) variants.push_back(variant.get());
  }
  for (auto* variant : variants)
    if (!finish_variant(self, *variant)) return;
  if (!publish_playlists(self)) return;
  {
    const clips::MutexLock lock(p.mutex);
    p.complete = true;
  }
  // Now the bin may count them.
  for (auto* variant : variants)
    GST_BIN_CLASS(parent_class)->handle_message(self, variant->ended.release());
}

// Keeps the end of a variant back until all of them have ended; true for the last one.
bool keep_end(Private& p, clips::MessageRef& message) {
  const clips::MutexLock lock(p.mutex);
  for (auto& [index, variant] : p.variants) {
    if (GST_MESSAGE_SRC(message.get()) != GST_OBJECT_CAST(variant->sink.get())) continue;
    variant->ended = std::move(message);
    return all_ended(p);
  }
  return false;
}

void note_published(Private& p, GstMessage* message) {
  const char* uri = gst_structure_get_string(gst_message_get_structure(message), "uri");
  const clips::MutexLock lock(p.mutex);
  if (uri) p.written.emplace_back(uri);
}

void handle_message(GstBin* self, GstMessage* raw) {
  auto message = clips::MessageRef::adopt(raw);
  clips::guard(self, [&] {
    auto& p = priv(self);
    if (GST_MESSAGE_TYPE(raw) == GST_MESSAGE_ELEMENT && gst_message_has_name(raw, "published"))
      note_published(p, raw);
    const bool last = GST_MESSAGE_TYPE(raw) == GST_MESSAGE_EOS && keep_end(p, message);
    if (message) GST_BIN_CLASS(parent_class)->handle_message(self, message.release());
    if (last) finish(self);
  });
}

// The start

void on_segment(gpointer self, Variant& variant, gsize bytes) {
  auto& p = priv(self);
  Place place;
  {
    const clips::MutexLock lock(p.mutex);
    variant.sizes.push_back(bytes);
    if (std::exchange(p.unpublished, true)) return;
    place = place_of(p.settings.uri);
  }
  // An older stream under this name goes before its first segment is replaced.
  remove_outputs(self, {place.of(place.playlist)});
}

GstPadProbeReturn watch_video(GstPad* pad, GstPadProbeInfo* info, Private& p, Variant& variant) {
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      const GstStructure* structure = gst_caps_get_structure(caps, 0);
      const clips::MutexLock lock(p.mutex);
      gst_structure_get_int(structure, "width", &variant.facts.width);
      gst_structure_get_int(structure, "height", &variant.facts.height);
      gst_structure_get_fraction(structure, "framerate", &variant.facts.rate_numerator,
                                 &variant.facts.rate_denominator);
    }
    // The segments begin where this element says.
    return gst_video_event_is_force_key_unit(event) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  }
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  if (!GST_BUFFER_PTS_IS_VALID(buffer)) return GST_PAD_PROBE_OK;
  const GstClockTime pts = GST_BUFFER_PTS(buffer);
  const bool is_key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  bool begins = false;
  guint count = 0;
  {
    const clips::MutexLock lock(p.mutex);
    const GstClockTime duration =
        GST_BUFFER_DURATION_IS_VALID(buffer) ? GST_BUFFER_DURATION(buffer) : 0;
    variant.end = std::max(variant.end, pts + duration);
    if (is_key) {
      const GstClockTime target = p.settings.target_duration * GST_SECOND;
      auto& starts = variant.starts;
      begins = starts.empty() ||
               (pts > starts.back() &&
                (pts - starts.front()) / target > (starts.back() - starts.front()) / target);
      if (begins) starts.push_back(pts);
      count = static_cast<guint>(starts.size());
    }
  }
  if (begins && count == 1) {
    const clips::BufferMap map(buffer, GST_MAP_READ);
    const clips::MutexLock lock(p.mutex);
    variant.facts.codecs = {clips::publish::h264_codec({map.data(), map.size()})};
    if (variant.facts.codecs.front().empty()) variant.facts.codecs.clear();
  }
  if (begins && count > 1) {
    // mpegtsmux hands it on right before the packets of this picture, with new tables first.
    const auto target = clips::PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD(pad)));
    const auto segment_event =
        clips::EventRef::adopt(gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0));
    const GstSegment* segment = nullptr;
    if (segment_event) gst_event_parse_segment(segment_event.get(), &segment);
    const GstClockTime running =
        segment ? gst_segment_to_running_time(segment, GST_FORMAT_TIME, pts) : pts;
    gst_pad_send_event(target.get(), gst_video_event_new_downstream_force_key_unit(
                                         pts, pts, running, TRUE, count - 1));
  }
  return GST_PAD_PROBE_OK;
}

// Moves the sound ahead by its start-up samples. The packets that hold nothing else go: players
// count from the earliest packet, and the first picture should be at 0. What the decoder misses of
// them is the overlap with the next one, so that one fades in.
GstPadProbeReturn watch_sound(GstPad* pad, GstPadProbeInfo* info, Private& p) {
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
    GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    const clips::MutexLock lock(p.mutex);
    if (p.priming > 0 && GST_BUFFER_PTS_IS_VALID(buffer)) {
      if (!GST_CLOCK_TIME_IS_VALID(p.sound_start)) p.sound_start = GST_BUFFER_PTS(buffer);
      // A nanosecond, since timestamps are rounded.
      if (GST_BUFFER_PTS(buffer) + 1 < p.sound_start + p.priming) return GST_PAD_PROBE_DROP;
    }
    if (!p.codec.empty()) return GST_PAD_PROBE_OK;
    const clips::BufferMap map(buffer, GST_MAP_READ);
    p.codec = clips::publish::adts_codec({map.data(), map.size()});
    return GST_PAD_PROBE_OK;
  }
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  gint rate = 0;
  if (!gst_structure_get_int(gst_caps_get_structure(caps, 0), "rate", &rate) || rate <= 0)
    return GST_PAD_PROBE_OK;
  GstClockTime priming = 0;
  {
    const clips::MutexLock lock(p.mutex);
    priming = p.priming =
        gst_util_uint64_scale_round(p.settings.samples, GST_SECOND, static_cast<guint64>(rate));
  }
  const auto target = clips::PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD(pad)));
  gst_pad_set_offset(target.get(), kRoom - static_cast<gint64>(priming));
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn on_video(GstPad* pad, GstPadProbeInfo* info, gpointer variant) {
  const auto self = clips::ElementRef::adopt(gst_pad_get_parent_element(pad));
  if (!self) return GST_PAD_PROBE_OK;
  return clips::guard(self.get(), GST_PAD_PROBE_OK, [&] {
    return watch_video(pad, info, priv(self.get()), *static_cast<Variant*>(variant));
  });
}

GstPadProbeReturn on_sound(GstPad* pad, GstPadProbeInfo* info, gpointer) {
  const auto self = clips::ElementRef::adopt(gst_pad_get_parent_element(pad));
  if (!self) return GST_PAD_PROBE_OK;
  return clips::guard(self.get(), GST_PAD_PROBE_OK,
                      [&] { return watch_sound(pad, info, priv(self.get())); });
}

clips::ElementRef add_child(GstElement* self, GstElement* child) {
  gst_bin_add(GST_BIN(self), child);
  return clips::ElementRef::retain(child);
}

clips::ElementRef make_child(GstElement* self, const char* factory) {
  if (GstElement* child = gst_element_factory_make(factory, nullptr)) return add_child(self, child);
  GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN,
                    ("The element %s is not installed. Install the plugin that has it.", factory),
                    (nullptr));
  return {};
}

// Links the sound to a variant, when both are there.
bool link_sound(GstElement* self, Variant& variant) {
  auto& p = priv(self);
  variant.queue = make_child(self, "queue");
  GstElement* queue = variant.queue.get();
  if (!queue) return false;
  // Encoders run apart by their look-ahead, which is counted in frames: no limit of time is right.
  g_object_set(queue, "max-size-buffers", 0U, "max-size-time", G_GUINT64_CONSTANT(0),
               "max-size-bytes", 16U << 20, nullptr);
  return gst_element_link(p.tee.get(), queue) && gst_element_link(queue, variant.mux.get()) &&
         gst_element_sync_state_with_parent(queue);
}

// The playlist must not be found before the segments are there, and a sink that waited for its
// first segment in PAUSED would hold up the others' pictures.
void set_up_sink(GstElement*, GstElement* sink, gpointer) {
  g_object_set(sink, "async", FALSE, nullptr);
}

GstPad* add_variant(GstElement* self, GstPadTemplate* pad_template, int index) {
  auto& p = priv(self);
  auto owned = std::make_unique<Variant>();
  Variant* variant = owned.get();
  variant->index = index;
  variant->mux = make_child(self, "mpegtsmux");
  if (!variant->mux) return nullptr;
  variant->segmenter = add_child(self, gst_clips_hls_segmenter_new([self, variant](gsize bytes) {
                                   on_segment(self, *variant, bytes);
                                 }));
  GstElement* sink = GST_ELEMENT(g_object_new(GST_CLIPS_TYPE_URI_SINK_BIN, nullptr));
  variant->sink = add_child(self, sink);
  gst_util_set_object_arg(G_OBJECT(sink), "next-file", "buffer");
  g_signal_connect(sink, "sink-setup", G_CALLBACK(set_up_sink), nullptr);
  GstElement* mux = variant->mux.get();
  if (!gst_element_link_many(mux, variant->segmenter.get(), sink, nullptr)) return nullptr;
  const auto target = clips::PadRef::adopt(gst_element_request_pad_simple(mux, "sink_%d"));
  gst_pad_set_offset(target.get(), kRoom);
  const std::string name = index == kOnly ? "video" : "video_" + std::to_string(index);
  auto* pad = gst_ghost_pad_new_from_template(name.c_str(), target.get(), pad_template);
  gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      on_video, variant, nullptr);
  {
    const clips::MutexLock lock(p.mutex);
    p.variants.emplace(index, std::move(owned));
  }
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(self, pad);
  return pad;
}

GstPad* add_sound(GstElement* self, GstPadTemplate* pad_template) {
  auto& p = priv(self);
  p.tee = make_child(self, "tee");
  if (!p.tee) return nullptr;
  const auto target = clips::PadRef::adopt(gst_element_get_static_pad(p.tee.get(), "sink"));
  auto* pad = gst_ghost_pad_new_from_template("audio", target.get(), pad_template);
  gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      on_sound, nullptr, nullptr);
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(self, pad);
  return pad;
}

// The folder and the name of a variant's segments; before its sink starts.
bool prepare(gpointer self, const Variant& variant) {
  auto& p = priv(self);
  Place place;
  {
    const clips::MutexLock lock(p.mutex);
    if (p.settings.uri.empty()) {
      place.folder.clear();
    } else {
      place = place_of(p.settings.uri);
    }
  }
  if (place.folder.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("No output: set the property \"uri\"."),
                      (nullptr));
    return false;
  }
  const std::string inner = variant_folder(variant.index);
  if (place.local) {
    if (!make_folder(self, place.folder)) return false;
    if (!inner.empty() && !make_folder(self, place.of(inner.substr(0, inner.size() - 1))))
      return false;
  }
  g_object_set(variant.sink.get(), "uri", place.of(inner + "segment{index:05}.ts").c_str(),
               nullptr);
  return true;
}

bool is_running(GstElement* self) {
  return GST_STATE(self) > GST_STATE_READY || GST_STATE_NEXT(self) > GST_STATE_READY;
}

bool start_children(GstElement* self) {
  bool started = true;
  GstIterator* children = gst_bin_iterate_recurse(GST_BIN(self));
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(children, &item) == GST_ITERATOR_OK) {
    auto* child = GST_ELEMENT(g_value_get_object(&item));
    started = gst_element_sync_state_with_parent(child) && started;
    g_value_unset(&item);
  }
  gst_iterator_free(children);
  return started;
}

GstPad* request_new_pad(GstElement* self, GstPadTemplate* pad_template, const gchar* name,
                        const GstCaps*) {
  return clips::guard(self, static_cast<GstPad*>(nullptr), [&]() -> GstPad* {
    auto& p = priv(self);
    const std::string kind = GST_PAD_TEMPLATE_NAME_TEMPLATE(pad_template);
    std::vector<Variant*> variants;
    {
      const clips::MutexLock lock(p.mutex);
      for (auto& [index, variant] : p.variants) variants.push_back(variant.get());
    }
    GstPad* pad = nullptr;
    if (kind == "audio") {
      if (p.tee) return nullptr;
      pad = add_sound(self, pad_template);
      for (auto* variant : variants)
        if (pad && !link_sound(self, *variant)) return nullptr;
    } else {
      int index = kOnly;
      if (kind == "video_%u") {
        index = 0;
        if (name && sscanf(name, "video_%d", &index) == 1) {
          if (index < 0) return nullptr;
        } else {
          for (const auto* variant : variants) index = std::max(index, variant->index + 1);
        }
      }
      // Either the one stream or variants of it.
      for (const auto* variant : variants)
        if (variant->index == index || (variant->index == kOnly) != (index == kOnly))
          return nullptr;
      pad = add_variant(self, pad_template, index);
      if (!pad) return nullptr;
      Variant* variant = nullptr;
      {
        const clips::MutexLock lock(p.mutex);
        variant = p.variants.at(index).get();
      }
      if (p.tee && !link_sound(self, *variant)) return nullptr;
      if (is_running(self) && !prepare(self, *variant)) return nullptr;
    }
    if (pad && is_running(self) && !start_children(self)) return nullptr;
    return pad;
  });
}

void remove_child(GstElement* self, const clips::ElementRef& child) {
  gst_element_set_state(child.get(), GST_STATE_NULL);
  if (GST_OBJECT_PARENT(child.get()) == GST_OBJECT_CAST(self))
    gst_bin_remove(GST_BIN(self), child.get());
}

// Gives a request pad back by the pad that it is linked to.
void release_peer(const clips::ElementRef& child, const char* name) {
  const auto pad = clips::PadRef::adopt(gst_element_get_static_pad(child.get(), name));
  const auto peer = clips::PadRef::adopt(gst_pad_get_peer(pad.get()));
  const auto owner =
      peer ? clips::ElementRef::adopt(gst_pad_get_parent_element(peer.get())) : clips::ElementRef();
  if (owner) gst_element_release_request_pad(owner.get(), peer.get());
}

// Between the tee and a muxer, which would wait for what comes out of it.
void remove_queue(GstElement* self, const clips::ElementRef& queue) {
  if (!queue) return;
  release_peer(queue, "sink");
  release_peer(queue, "src");
  remove_child(self, queue);
}

void release_sound(GstElement* self) {
  auto& p = priv(self);
  std::vector<clips::ElementRef> queues;
  {
    const clips::MutexLock lock(p.mutex);
    for (auto& [index, variant] : p.variants) queues.push_back(std::exchange(variant->queue, {}));
    p.codec.clear();
    p.priming = 0;
    p.sound_start = GST_CLOCK_TIME_NONE;
  }
  for (const auto& queue : queues) remove_queue(self, queue);
  remove_child(self, std::exchange(p.tee, {}));
}

void release_variant(GstElement* self, int index) {
  auto& p = priv(self);
  std::unique_ptr<Variant> variant;
  bool others_wait = false;
  {
    const clips::MutexLock lock(p.mutex);
    const auto found = p.variants.find(index);
    if (found == p.variants.end()) return;
    variant = std::move(found->second);
    p.variants.erase(found);
    others_wait = !p.variants.empty() && !p.complete && all_ended(p);
  }
  remove_queue(self, variant->queue);
  for (const auto* child : {&variant->mux, &variant->segmenter, &variant->sink})
    remove_child(self, *child);
  if (others_wait) finish(GST_BIN(self));
}

void release_pad(GstElement* self, GstPad* pad) {
  clips::guard(self, [&] {
    const std::string name = GST_PAD_NAME(pad);
    gst_pad_set_active(pad, FALSE);
    gst_element_remove_pad(self, pad);
    if (name == "audio")
      release_sound(self);
    else
      release_variant(self, name == "video" ? kOnly : std::stoi(name.substr(strlen("video_"))));
  });
}

// States

void begin(gpointer self) {
  auto& p = priv(self);
  p.errors.start(GST_ELEMENT_CAST(self));
  const clips::MutexLock lock(p.mutex);
  p.stopping = false;
}

// After the children have stopped.
void end(gpointer self) {
  auto& p = priv(self);
  p.errors.stop();
  std::vector<std::string> written;
  std::vector<std::string> folders;
  bool complete = false;
  {
    const clips::MutexLock lock(p.mutex);
    written = std::exchange(p.written, {});
    folders = std::exchange(p.folders, {});
    complete = std::exchange(p.complete, false);
    p.unpublished = false;
    p.codec.clear();
    p.priming = 0;
    p.sound_start = GST_CLOCK_TIME_NONE;
    for (auto& [index, variant] : p.variants) {
      variant->facts = {};
      variant->starts.clear();
      variant->sizes.clear();
      variant->end = 0;
      variant->ended.reset();
    }
  }
  if (complete) return;
  remove_outputs(self, written);
  // Only what is empty goes: others may have put something there.
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) g_rmdir(folder->c_str());
}

GstStateChangeReturn change_state(GstElement* self, GstStateChange transition) {
  return clips::guard(self, GST_STATE_CHANGE_FAILURE, [&] {
    auto& p = priv(self);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
      begin(self);
      std::vector<Variant*> variants;
      {
        const clips::MutexLock lock(p.mutex);
        for (auto& [index, variant] : p.variants) variants.push_back(variant.get());
      }
      for (const auto* variant : variants) {
        if (prepare(self, *variant)) continue;
        end(self);
        return GST_STATE_CHANGE_FAILURE;
      }
    }
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
      const clips::MutexLock lock(p.mutex);
      p.stopping = true;
    }
    const auto result = GST_ELEMENT_CLASS(parent_class)->change_state(self, transition);
    const bool failed_to_pause =
        transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || failed_to_pause) end(self);
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
      case prop_target_duration:
        p.settings.target_duration = g_value_get_uint(value);
        break;
      case prop_samples:
        p.settings.samples = g_value_get_uint(value);
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
        g_value_set_string(value, p.settings.uri.c_str());
        break;
      case prop_target_duration:
        g_value_set_uint(value, p.settings.target_duration);
        break;
      case prop_samples:
        g_value_set_uint(value, p.settings.samples);
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

static void gst_clips_hls_publish_sink_init(GstClipsHlsPublishSink* self) {
  clips::construct_private<Private>(gst_clips_hls_publish_sink_get_instance_private(self));
  // A sink before it has children, and whatever they are.
  gst_bin_set_suppressed_flags(
      GST_BIN(self), static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SOURCE | GST_ELEMENT_FLAG_SINK));
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
}

static void gst_clips_hls_publish_sink_class_init(GstClipsHlsPublishSinkClass* klass) {
  GST_DEBUG_CATEGORY_INIT(hls_publish_sink_debug, "hlspublishsink", 0, "HLS of a whole video");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  element_class->change_state = change_state;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  GST_BIN_CLASS(klass)->handle_message = handle_message;

  const Settings defaults;
  constexpr auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                  GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, prop_uri,
      g_param_spec_string("uri", "URI",
                          "The folder, as a path, file:// or s3://bucket/prefix; or the playlist "
                          "in it, with a name that ends in .m3u8 (index.m3u8 by default).",
                          nullptr, flags));
  g_object_class_install_property(
      object_class, prop_target_duration,
      g_param_spec_uint("target-duration", "Target duration",
                        "Seconds from the first picture of a segment to that of the next, where "
                        "there are key frames.",
                        1, 3600, defaults.target_duration, flags));
  g_object_class_install_property(
      object_class, prop_samples,
      g_param_spec_uint("samples", "Samples",
                        "Start-up samples at the head of the sound, by which it is moved ahead "
                        "(avenc_aac makes 1024; 0 for sound that was copied).",
                        0, 1 << 20, defaults.samples, flags));

  gst_element_class_add_static_pad_template(element_class, &video_template);
  gst_element_class_add_static_pad_template(element_class, &variant_template);
  gst_element_class_add_static_pad_template(element_class, &audio_template);
  gst_element_class_set_static_metadata(
      element_class, "HLS sink for whole videos", "Sink/Muxer",
      "Writes segments and playlists of HTTP Live Streaming, visible when they are complete",
      "The gst-plugins-clips developers");
}
