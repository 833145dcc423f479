// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstdemuxtimes.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/thread_annotations.hpp"
#include "matroskatracks.hpp"
#include "mpeg4packed.hpp"

namespace clips {

namespace {

struct Demuxer {
  // Guards all of it: with random access several threads may read.
  Mutex mutex;
  // What stands in the head of a Matroska file, learned from what the demuxer reads.
  MatroskaTracks tracks CLIPS_GUARDED_BY(mutex);
  // Bytes pushed so far, for a source that does not number them.
  std::uint64_t pushed CLIPS_GUARDED_BY(mutex) = 0;
  // The position that all streams start at, once the first segment is known.
  std::optional<GstClockTime> origin CLIPS_GUARDED_BY(mutex);
  bool sought CLIPS_GUARDED_BY(mutex) = false;
};
using SharedDemuxer = std::shared_ptr<Demuxer>;

// One stream of the demuxer.
struct Stream {
  SharedDemuxer demuxer;
  std::uint64_t number = 0;  // in a Matroska file
};

void free_stream(gpointer data) {
  delete static_cast<Stream*>(data);
}
void free_demuxer(gpointer data) {
  delete static_cast<SharedDemuxer*>(data);
}
void free_demuxer_of_signal(gpointer data, GClosure*) {
  free_demuxer(data);
}

bool learn(Demuxer& demuxer, GstBuffer* buffer) {
  const MutexLock lock(demuxer.mutex);
  const BufferMap map(buffer, GST_MAP_READ);
  if (map) {
    const bool numbered = GST_BUFFER_OFFSET_IS_VALID(buffer);
    demuxer.tracks.feed(numbered ? GST_BUFFER_OFFSET(buffer) : demuxer.pushed,
                        std::as_bytes(std::span(map.data(), map.size())));
  }
  demuxer.pushed += gst_buffer_get_size(buffer);
  return demuxer.tracks.done();
}

GstPadProbeReturn read_head(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto& demuxer = **static_cast<SharedDemuxer*>(data);
  return guard(GST_OBJECT_PARENT(pad), GST_PAD_PROBE_OK, [&] {
    bool done = false;
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
      GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
      for (guint i = 0; i < gst_buffer_list_length(list); ++i)
        done = learn(demuxer, gst_buffer_list_get(list, i));
    } else if (GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info)) {
      done = learn(demuxer, buffer);
    }
    return done ? GST_PAD_PROBE_REMOVE : GST_PAD_PROBE_OK;
  });
}

// matroskademux ends its stream identifiers with "/NUMBER:UID".
std::uint64_t number_of(std::string_view stream_id) {
  const auto slash = stream_id.rfind('/');
  const auto text = stream_id.substr(slash == std::string_view::npos ? 0 : slash + 1);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// A first block later than this is a gap that the file means.
constexpr GstClockTime latest_start = GST_SECOND;

// Whether the segment had to be changed.
bool correct(GstSegment& segment, const Stream& stream) {
  if (segment.format != GST_FORMAT_TIME || segment.rate != 1) return false;
  const GstClockTime start = segment.start;
  Demuxer& demuxer = *stream.demuxer;
  const MutexLock lock(demuxer.mutex);
  // matroskademux makes the first position stream time 0; flvdemux keeps it.
  const bool keeps = segment.time == segment.start;
  if (!demuxer.sought && segment.base == 0 && (keeps || segment.time == 0)) {
    if (!demuxer.origin) demuxer.origin = start <= latest_start ? 0 : start;
    segment.start = *demuxer.origin;
    segment.time = keeps ? segment.start : 0;
  }
  // What is at `delay` in the file belongs to time 0; what comes before it is not to be heard.
  const GstClockTime delay = demuxer.tracks.delay(stream.number);
  segment.start += delay;
  if (GST_CLOCK_TIME_IS_VALID(segment.stop)) segment.stop += delay;
  if (GST_CLOCK_TIME_IS_VALID(segment.position))
    segment.position = std::max(segment.position, segment.start);
  return segment.start != start;
}

GstPadProbeReturn watch_events(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto& stream = *static_cast<Stream*>(data);
  return guard(GST_OBJECT_PARENT(pad), GST_PAD_PROBE_OK, [&] {
    GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_SEEK: {
        const MutexLock lock(stream.demuxer->mutex);
        stream.demuxer->sought = true;
        break;
      }
      case GST_EVENT_STREAM_START: {
        const gchar* id = nullptr;
        gst_event_parse_stream_start(event, &id);
        stream.number = number_of(id);
        break;
      }
      case GST_EVENT_SEGMENT: {
        GstSegment segment;
        gst_event_copy_segment(event, &segment);
        if (!correct(segment, stream)) break;
        GstEvent* corrected = gst_event_new_segment(&segment);
        gst_event_set_seqnum(corrected, gst_event_get_seqnum(event));
        gst_event_unref(event);
        GST_PAD_PROBE_INFO_DATA(info) = corrected;
        break;
      }
      default:
        break;
    }
    return GST_PAD_PROBE_OK;
  });
}

void pad_added(GstElement*, GstPad* pad, gpointer data) {
  guard(GST_OBJECT_PARENT(pad), [&] {
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_BOTH, watch_events,
                      new Stream{*static_cast<SharedDemuxer*>(data)}, free_stream);
  });
}

// One picture stream of an AVI; only its streaming thread uses it.
struct AviPictures {
  bool reorders = false;  // may show pictures in another order than they are stored in
  bool mpeg4 = false;
  bool first = true;  // of a segment
  // A picture that came in the packet of the one before it.
  BufferRef waiting;
};

void free_avi_pictures(gpointer data) {
  delete static_cast<AviPictures*>(data);
}

void learn_codec(AviPictures& pictures, const GstCaps* caps) {
  const GstStructure* fields = gst_caps_get_structure(caps, 0);
  const std::string_view name = gst_structure_get_name(fields);
  gint version = 4;
  gst_structure_get_int(fields, "mpegversion", &version);
  const bool divx = name == "video/x-divx" || name == "video/x-xvid";
  pictures.mpeg4 = divx || (name == "video/mpeg" && version == 4);
  pictures.reorders =
      divx || name == "video/mpeg" || name == "video/x-h264" || name == "video/x-h265";
}

// Each packet with one picture, in the order of decoding; the times stay those of the packets.
BufferRef unpack(AviPictures& pictures, BufferRef packet) {
  std::optional<std::size_t> second;
  if (const BufferMap map(packet.get(), GST_MAP_READ); map)
    second = second_picture(std::as_bytes(std::span(map.data(), map.size())));
  const gsize size = gst_buffer_get_size(packet.get());
  constexpr auto bytes = GST_BUFFER_COPY_MEMORY;
  if (second) {
    pictures.waiting =
        BufferRef::adopt(gst_buffer_copy_region(packet.get(), bytes, *second, size - *second));
    gst_buffer_resize(packet.get(), 0, static_cast<gssize>(*second));
  } else if (pictures.waiting) {
    BufferRef now = std::move(pictures.waiting);
    if (!is_placeholder(size)) pictures.waiting = packet;
    gst_buffer_copy_into(now.get(), packet.get(), GST_BUFFER_COPY_METADATA, 0, -1);
    GST_BUFFER_FLAG_SET(now.get(), GST_BUFFER_FLAG_DELTA_UNIT);
    return now;
  }
  return packet;
}

GstPadProbeReturn time_avi_pictures(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto& pictures = *static_cast<AviPictures*>(data);
  return guard(GST_OBJECT_PARENT(pad), GST_PAD_PROBE_OK, [&] {
    if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
      GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
      if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        GstCaps* caps = nullptr;
        gst_event_parse_caps(event, &caps);
        learn_codec(pictures, caps);
      } else if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        pictures.first = true;
        pictures.waiting.reset();
      }
    } else if (pictures.reorders) {
      auto packet = BufferRef::adopt(gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info)));
      if (pictures.mpeg4) {
        packet = unpack(pictures, std::move(packet));
        packet.replace(gst_buffer_make_writable(packet.release()));
      }
      // The first one tells decoders that the times in order of decoding are those of showing.
      GST_BUFFER_PTS(packet.get()) =
          pictures.first ? GST_BUFFER_DTS(packet.get()) : GST_CLOCK_TIME_NONE;
      pictures.first = false;
      GST_PAD_PROBE_INFO_DATA(info) = packet.release();
    }
    return GST_PAD_PROBE_OK;
  });
}

void avi_pad_added(GstElement*, GstPad* pad, gpointer) {
  guard(GST_OBJECT_PARENT(pad), [&] {
    const auto types = static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                    GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
    auto* pictures = new AviPictures;
    if (const auto caps = CapsRef::adopt(gst_pad_get_current_caps(pad)))
      learn_codec(*pictures, caps.get());
    gst_pad_add_probe(pad, types, time_avi_pictures, pictures, free_avi_pictures);
  });
}

}  // namespace

void correct_demuxer_times(GstElement* element) {
  const GstElementFactory* factory = gst_element_get_factory(element);
  const std::string_view name = factory ? GST_OBJECT_NAME(factory) : "";
  if (name == "avidemux")
    g_signal_connect(element, "pad-added", G_CALLBACK(avi_pad_added), nullptr);
  if (name != "matroskademux" && name != "flvdemux") return;
  const auto demuxer = std::make_shared<Demuxer>();
  if (name == "matroskademux") {
    const auto pad = PadRef::adopt(gst_element_get_static_pad(element, "sink"));
    const auto types =
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_PUSH | GST_PAD_PROBE_TYPE_PULL |
                                     GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST);
    gst_pad_add_probe(pad.get(), types, read_head, new SharedDemuxer(demuxer), free_demuxer);
  }
  g_signal_connect_data(element, "pad-added", G_CALLBACK(pad_added), new SharedDemuxer(demuxer),
                        free_demuxer_of_signal, static_cast<GConnectFlags>(0));
}

}  // namespace clips
