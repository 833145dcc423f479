// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-cliprange
 * @title: cliprange
 *
 * Selects the range [start, stop) from the coded streams of a demuxer that can seek: it seeks by
 * itself, keeps the packets that the range needs, and gives them a timeline that begins at 0. For
 * pipelines with a demuxer and a muxer or decoders of their own.
 *
 * |[
 * gst-launch-1.0 filesrc location=film.mkv ! matroskademux name=d \
 *     d.video_0 ! h264parse ! c.video_sink_0  d.audio_0 ! c.audio_sink_0 \
 *     cliprange name=c start=60000000000 stop=70000000000 \
 *     c.video_0 ! avdec_h264 ! autovideosink  c.audio_0 ! decodebin ! autoaudiosink
 * ]| plays ten seconds, from exactly the first picture of the range on.
 *
 * Messages `clip-range` and `clip-done`, modes and limits: docs/elements/cliprange.md.
 */
#include "gstcliprange.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <new>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "gstrangeproperties.hpp"
#include "gstrangetypes.hpp"
#include "rangeselector.hpp"

GST_DEBUG_CATEGORY_STATIC(clip_range_debug);
#define GST_CAT_DEFAULT clip_range_debug

namespace clips {
template <>
struct RefTraits<GstMiniObject> : MiniObjectTraits<GstMiniObject> {};
}  // namespace clips

namespace {

using namespace clips;
using namespace clips::cut;

// Where the clip's time 0 lies among the timestamps, so that decode times and hidden pictures in
// front of it have one.
constexpr int64_t kBase = 3600 * int64_t{GST_SECOND};
// What waits for a slow reader, unless another stream waits for this one.
constexpr gsize kQueueBytes = 4 << 20;
constexpr size_t kQueueItems = 400;

using ItemRef = Ref<GstMiniObject>;

// A sink pad and its source pad.
struct Twin {
  GstClipsClipRange* owner = nullptr;  // pads are activated before they have a parent
  GstPad* sink = nullptr;
  GstPad* src = nullptr;
  TrackKind kind = TrackKind::Other;
  size_t track = 0;

  GstSegment segment{};
  CapsRef caps;
  EventRef stream_start;
  std::vector<EventRef> tags;
  bool open = false;  // what comes is from the place that was asked for
  bool eos = false;
  bool ts = false;               // see source_is_ts()
  std::optional<int64_t> first;  // the first timestamp where the source began
  int64_t next_pts = 0;          // for packets without a timestamp

  std::deque<ItemRef> out;
  gsize bytes = 0;
  bool started = false;  // the sticky events are in `out`
  bool done = false;     // EOS is
  bool fresh = true;     // no packet yet
  bool flushing = true;
  GstFlowReturn flow = GST_FLOW_OK;
};

enum class Phase {
  Waiting,  // for the streams to say what they are
  Seeking,  // the source is being sent to its place; what comes meanwhile is dropped
  Running,
};

struct Private {
  // Guards everything below; never held while anything is pushed, posted or queried.
  Mutex mutex;
  ConditionVariable changed;
  RangeProperties properties CLIPS_GUARDED_BY(mutex);
  std::vector<std::shared_ptr<Twin>> twins CLIPS_GUARDED_BY(mutex);
  guint next_pad[3] CLIPS_GUARDED_BY(mutex) = {};
  Phase phase CLIPS_GUARDED_BY(mutex) = Phase::Waiting;
  bool running CLIPS_GUARDED_BY(mutex) = false;
  bool failed CLIPS_GUARDED_BY(mutex) = false;
  bool finished CLIPS_GUARDED_BY(mutex) = false;
  // How far timestamps of a transport stream are ahead of the source's timeline.
  int64_t anchor CLIPS_GUARDED_BY(mutex) = 0;
  uint64_t run CLIPS_GUARDED_BY(mutex) = 0;  // seeks of an earlier run are void
  guint32 seek_seqnum CLIPS_GUARDED_BY(mutex) = GST_SEQNUM_INVALID;
  uint64_t seeks CLIPS_GUARDED_BY(mutex) = 0;
  std::unique_ptr<RangeSelector> selector CLIPS_GUARDED_BY(mutex);
  std::unique_ptr<FrameCounter> counter CLIPS_GUARDED_BY(mutex);
  RangeSelector::Settings settings CLIPS_GUARDED_BY(mutex);
  std::string reason CLIPS_GUARDED_BY(mutex);
  std::chrono::steady_clock::time_point began CLIPS_GUARDED_BY(mutex);
};

// What has to be done once the lock is released.
using Todo = std::vector<std::function<void()>>;

void perform(Todo& todo) {
  for (const auto& task : todo) task();
  todo.clear();
}

GstStaticPadTemplate templates[] = {
    GST_STATIC_PAD_TEMPLATE(
        "video_sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
        GST_STATIC_CAPS("video/x-h264; video/x-h265; video/x-h266; video/x-vp8; "
                        "video/x-vp9; video/x-av1; video/mpeg; video/x-prores; "
                        "video/x-dnxhd; video/x-theora; image/jpeg; "
                        "video/x-raw(ANY)")),
    GST_STATIC_PAD_TEMPLATE(
        "audio_sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
        GST_STATIC_CAPS("audio/mpeg; audio/x-opus; audio/x-vorbis; audio/x-ac3; "
                        "audio/x-eac3; audio/x-flac; audio/x-alac; "
                        "audio/x-alaw; audio/x-mulaw; audio/x-speex; "
                        "audio/x-dts; audio/x-true-hd; audio/x-raw(ANY)")),
    GST_STATIC_PAD_TEMPLATE("text_sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                            GST_STATIC_CAPS("text/x-raw; application/x-subtitle-vtt; "
                                            "application/x-ssa; application/x-ass; "
                                            "application/x-teletext; subpicture/x-dvd; "
                                            "subpicture/x-dvb; subpicture/x-pgs; "
                                            "closedcaption/x-cea-608; closedcaption/x-cea-708")),
    GST_STATIC_PAD_TEMPLATE("video_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
    GST_STATIC_PAD_TEMPLATE("audio_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
    GST_STATIC_PAD_TEMPLATE("text_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
};
constexpr const char* kKindNames[] = {"video", "audio", "text"};

}  // namespace

struct _GstClipsClipRange {
  GstElement parent;
};

using GstClipsClipRangePrivate = Private;
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsClipRange, gst_clips_clip_range, GST_TYPE_ELEMENT)

namespace {

Private& priv(GstClipsClipRange* self) {
  return *static_cast<Private*>(gst_clips_clip_range_get_instance_private(self));
}

Twin& twin_of(GstPad* pad) {
  return *static_cast<Twin*>(gst_pad_get_element_private(pad));
}

// -- Looking upstream ------------------------------------------------------------------------

// The pad of a real element that feeds a sink pad, through ghost pads.
PadRef feeder(const PadRef& sink) {
  auto pad = PadRef::adopt(gst_pad_get_peer(sink.get()));
  while (pad && GST_IS_PROXY_PAD(pad.get())) {
    if (GST_IS_GHOST_PAD(pad.get())) {
      pad = PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD_CAST(pad.get())));
    } else {
      const auto outer =
          PadRef::adopt(GST_PAD_CAST(gst_proxy_pad_get_internal(GST_PROXY_PAD(pad.get()))));
      pad = outer ? PadRef::adopt(gst_pad_get_peer(outer.get())) : PadRef();
    }
  }
  return pad;
}

PadRef sink_behind(GstPad* src) {
  PadRef found;
  GstIterator* links = gst_pad_iterate_internal_links(src);
  if (!links) return found;
  GValue item = G_VALUE_INIT;
  if (gst_iterator_next(links, &item) == GST_ITERATOR_OK) {
    found = PadRef::retain(GST_PAD_CAST(g_value_get_object(&item)));
    g_value_unset(&item);
  }
  gst_iterator_free(links);
  return found;
}

// Whether a pad is fed by tsdemux, whose stream time counts from the first clock reference, 0.7 s
// and more before the first picture.
bool source_is_ts(GstPad* sink) {
  constexpr int kMostElements = 16;
  auto pad = PadRef::retain(sink);
  for (int i = 0; i < kMostElements; ++i) {
    const PadRef source = feeder(pad);
    if (!source) return false;
    const auto element = ElementRef::adopt(gst_pad_get_parent_element(source.get()));
    GstElementFactory* factory = element ? gst_element_get_factory(element.get()) : nullptr;
    if (!factory) return false;
    if (g_strcmp0(GST_OBJECT_NAME(factory), "tsdemux") == 0) return true;
    if (gst_element_factory_list_is_type(factory, GST_ELEMENT_FACTORY_TYPE_DEMUXER)) return false;
    pad = sink_behind(source.get());
    if (!pad) return false;
  }
  return false;
}

bool can_seek(GstPad* sink) {
  const auto query = QueryRef::adopt(gst_query_new_seeking(GST_FORMAT_TIME));
  gboolean seekable = FALSE;
  if (gst_pad_peer_query(sink, query.get()))
    gst_query_parse_seeking(query.get(), nullptr, &seekable, nullptr, nullptr);
  return seekable;
}

int64_t preroll_of(GstCaps* caps) {
  const GstStructure* s = gst_caps_get_structure(caps, 0);
  if (gst_structure_has_name(s, "audio/x-opus")) return 80 * GST_MSECOND;
  for (const char* independent :
       {"audio/x-raw", "audio/x-flac", "audio/x-alac", "audio/x-alaw", "audio/x-mulaw"})
    if (gst_structure_has_name(s, independent)) return 0;
  gint rate = 0;
  if (!gst_structure_get_int(s, "rate", &rate) || rate <= 0) rate = 8000;
  // Two packets of MP3, one of anything else.
  constexpr gint64 kSamples = 2 * 1152;
  return kSamples * int64_t{GST_SECOND} / rate;
}

// Whether a decoder has to begin anew between the two.
bool parameters_differ(GstCaps* a, GstCaps* b) {
  const GstStructure* x = gst_caps_get_structure(a, 0);
  const GstStructure* y = gst_caps_get_structure(b, 0);
  if (!gst_structure_has_name(y, gst_structure_get_name(x))) return true;
  for (const char* field : {"codec_data", "width", "height", "rate", "channels", "stream-format"}) {
    const GValue* v = gst_structure_get_value(x, field);
    const GValue* w = gst_structure_get_value(y, field);
    if (v && w && gst_value_compare(v, w) != GST_VALUE_EQUAL) return true;
  }
  return false;
}

// -- Selecting -------------------------------------------------------------------------------

void fail(GstClipsClipRange* self, Private& p, const Error& error, Todo& todo)
    CLIPS_REQUIRES(p.mutex) {
  if (p.failed) return;
  p.failed = true;
  p.changed.notify_all();
  todo.push_back([self, error] { post_error(GST_ELEMENT_CAST(self), error); });
}

void queue(Twin& twin, GstMiniObject* item) {
  if (twin.flow != GST_FLOW_OK) {
    // Nobody takes it any more.
    gst_mini_object_unref(item);
    return;
  }
  if (GST_IS_BUFFER(item)) twin.bytes += gst_buffer_get_size(GST_BUFFER_CAST(item));
  twin.out.push_back(ItemRef::adopt(item));
}

void start_twin(Private& p, Twin& twin) CLIPS_REQUIRES(p.mutex) {
  if (twin.started) return;
  twin.started = true;
  GstEvent* start = twin.stream_start ? EventRef(twin.stream_start).release()
                                      : gst_event_new_stream_start(GST_PAD_NAME(twin.src));
  queue(twin, GST_MINI_OBJECT_CAST(start));
  if (twin.caps) queue(twin, GST_MINI_OBJECT_CAST(gst_event_new_caps(twin.caps.get())));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = segment.position = static_cast<guint64>(kBase);
  const auto& beginning = p.selector->beginning();
  const auto length =
      twin.kind == TrackKind::Video ? beginning.picture_length : beginning.sound_length;
  if (p.settings.hide && length) segment.stop = static_cast<guint64>(kBase + *length);
  queue(twin, GST_MINI_OBJECT_CAST(gst_event_new_segment(&segment)));
  for (const EventRef& tag : twin.tags) queue(twin, GST_MINI_OBJECT_CAST(EventRef(tag).release()));
}

void say_range(GstClipsClipRange* self, Private& p, Todo& todo) CLIPS_REQUIRES(p.mutex) {
  const auto& beginning = p.selector->beginning();
  Report report;
  report.mode = p.settings.hide ? Mode::Edit : Mode::Copy;
  report.reason = p.reason;
  report.start = beginning.zero;
  report.stop = p.settings.request.stop ? static_cast<int64_t>(*p.settings.request.stop) : 0;
  p.properties.actual_start = static_cast<guint64>(std::max<int64_t>(0, beginning.zero));
  bool pictures = false;
  for (const auto& twin : p.twins) {
    pictures |= twin->kind == TrackKind::Video;
    const gchar* media =
        twin->caps ? gst_structure_get_name(gst_caps_get_structure(twin->caps.get(), 0)) : "empty";
    report.tracks.push_back(std::string(kKindNames[static_cast<size_t>(twin->kind)]) + " " + media);
  }
  GstStructure* s = describe(report, p.properties.request());
  if (!p.settings.request.stop)
    gst_structure_set(s, "stop", G_TYPE_UINT64, GST_CLOCK_TIME_NONE, nullptr);
  if (pictures)
    gst_structure_set(s, "key-frame", G_TYPE_UINT64,
                      static_cast<guint64>(std::max<int64_t>(0, beginning.key_frame)),
                      "lead-frames", G_TYPE_UINT64, static_cast<guint64>(beginning.lead),
                      "lead-hidden", G_TYPE_BOOLEAN, p.settings.hide ? TRUE : FALSE, nullptr);
  GST_INFO_OBJECT(self, "clip-range: %" GST_PTR_FORMAT, s);
  todo.push_back([self, s] {
    gst_element_post_message(GST_ELEMENT_CAST(self),
                             gst_message_new_element(GST_OBJECT_CAST(self), s));
  });
}

void say_done(GstClipsClipRange* self, Private& p, Todo& todo) CLIPS_REQUIRES(p.mutex) {
  p.properties.actual_stop = static_cast<guint64>(std::max<int64_t>(0, p.selector->actual_stop()));
  p.properties.actual_frames = p.selector->frames();
  const auto wall = std::chrono::steady_clock::now() - p.began;
  GstStructure* s = gst_structure_new(
      "clip-done", "start", G_TYPE_UINT64, p.properties.actual_start, "stop", G_TYPE_UINT64,
      p.properties.actual_stop, "frames", G_TYPE_UINT64, p.properties.actual_frames,
      "stop-past-end", G_TYPE_BOOLEAN, p.selector->stop_past_end() ? TRUE : FALSE, "seeks",
      G_TYPE_UINT64, static_cast<guint64>(p.seeks), "wall", G_TYPE_UINT64,
      static_cast<guint64>(std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count()),
      nullptr);
  todo.push_back([self, s] {
    gst_element_post_message(GST_ELEMENT_CAST(self),
                             gst_message_new_element(GST_OBJECT_CAST(self), s));
  });
}

void seek_source(GstClipsClipRange* self, uint64_t run, uint64_t number, int64_t target);
void loop(gpointer data);

struct SeekCall {
  uint64_t run;
  uint64_t number;  // of the seek, in the run
  int64_t target;
};

// From here on what comes is dropped, until each stream was flushed.
void schedule_seek(GstClipsClipRange* self, Private& p, int64_t target, Todo& todo)
    CLIPS_REQUIRES(p.mutex) {
  p.phase = Phase::Seeking;
  p.selector->restart(target);
  for (const auto& twin : p.twins) twin->open = twin->eos = false;
  ++p.seeks;
  GST_DEBUG_OBJECT(self, "seek %" G_GUINT64_FORMAT " to %" GST_TIME_FORMAT, p.seeks,
                   GST_TIME_ARGS(target));
  const uint64_t run = p.run, number = p.seeks;
  // Never from this thread: it may be the demuxer's own, in the middle of its work.
  todo.push_back([self, run, number, target] {
    gst_element_call_async(
        GST_ELEMENT_CAST(self),
        [](GstElement* element, gpointer data) {
          const auto& call = *static_cast<SeekCall*>(data);
          seek_source(GST_CLIPS_CLIP_RANGE(element), call.run, call.number, call.target);
        },
        new SeekCall{run, number, target},
        [](gpointer data) { delete static_cast<SeekCall*>(data); });
  });
}

// Takes from the selector what is decided.
void pump(GstClipsClipRange* self, Private& p, Todo& todo) CLIPS_REQUIRES(p.mutex) {
  if (p.failed || !p.selector || p.phase == Phase::Waiting) return;
  switch (p.selector->step()) {
    case RangeSelector::Step::Seek:
      schedule_seek(self, p, p.selector->seek_target(), todo);
      return;
    case RangeSelector::Step::Failed:
      fail(self, p, p.selector->error(), todo);
      return;
    case RangeSelector::Step::Begin:
      say_range(self, p, todo);
      break;
    case RangeSelector::Step::Wait:
      break;
  }
  if (!p.selector->begun() || p.finished) return;
  bool all_done = !p.twins.empty();
  for (const auto& each : p.twins) {
    Twin& twin = *each;
    while (auto packet = p.selector->take(twin.track)) {
      start_twin(p, twin);
      auto buffer = std::move(*std::static_pointer_cast<BufferRef>(packet->payload));
      buffer.replace(gst_buffer_make_writable(buffer.release()));
      const auto stamp = [](int64_t time) {
        return time + kBase < 0 ? GST_CLOCK_TIME_NONE : static_cast<GstClockTime>(time + kBase);
      };
      GST_BUFFER_PTS(buffer.get()) = stamp(packet->pts);
      GST_BUFFER_DTS(buffer.get()) = packet->dts ? stamp(*packet->dts) : GST_CLOCK_TIME_NONE;
      GST_BUFFER_DURATION(buffer.get()) =
          packet->duration > 0 ? static_cast<GstClockTime>(packet->duration) : GST_CLOCK_TIME_NONE;
      if (packet->hidden) GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DECODE_ONLY);
      if (twin.fresh)
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
      else
        GST_BUFFER_FLAG_UNSET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
      twin.fresh = false;
      queue(twin, GST_MINI_OBJECT_CAST(buffer.release()));
    }
    if (p.selector->finished(twin.track) && !twin.done) {
      start_twin(p, twin);
      queue(twin, GST_MINI_OBJECT_CAST(gst_event_new_eos()));
      twin.done = true;
    }
    all_done &= twin.done;
  }
  p.changed.notify_all();
  if (all_done) {
    p.finished = true;
    say_done(self, p, todo);
  }
}

// Whether every stream that counts has said what it is.
bool all_known(Private& p) CLIPS_REQUIRES(p.mutex) {
  for (const auto& twin : p.twins)
    if (twin->kind != TrackKind::Text && !twin->eos &&
        (!twin->caps || twin->segment.format != GST_FORMAT_TIME || (twin->ts && !twin->first)))
      return false;
  return true;
}

void make_selector(Private& p) CLIPS_REQUIRES(p.mutex) {
  p.selector = std::make_unique<RangeSelector>(p.settings);
  for (const auto& twin : p.twins) {
    twin->track = p.selector->add_track(twin->kind);
    if (twin->caps && twin->kind == TrackKind::Audio)
      p.selector->set_preroll(twin->track, preroll_of(twin->caps.get()));
  }
}

// Leaves the phase Waiting if all is known that has to be.
void try_start(GstClipsClipRange* self, Private& p, Todo& todo) CLIPS_REQUIRES(p.mutex) {
  if (p.phase != Phase::Waiting || p.failed || !p.running || !all_known(p)) return;
  std::optional<int64_t> first;
  for (const auto& twin : p.twins)
    if (twin->ts && twin->first) first = std::min(first.value_or(*twin->first), *twin->first);
  p.anchor = first.value_or(0);
  if (p.counter) {
    if (!p.counter->complete()) return;
    const auto time = [&counter = *p.counter](gint64 frame) { return counter.time_of(frame); };
    if (p.properties.start_frame >= 0 && !time(p.properties.start_frame)) {
      const std::string count = std::to_string(p.counter->count());
      fail(
          self, p,
          Error{Fault::Range,
                "The range starts at frame " + std::to_string(p.properties.start_frame) +
                    ", but the source ends at frame " + count + ". Give a start inside the source.",
                {}},
          todo);
      return;
    }
    const auto on_timeline = [anchor = p.anchor](int64_t at) {
      return static_cast<uint64_t>(at - anchor);
    };
    if (p.properties.start_frame >= 0)
      p.settings.request.start = on_timeline(*time(p.properties.start_frame));
    if (p.properties.stop_frame >= 0) {
      const auto stop = time(p.properties.stop_frame);
      p.settings.request.stop = stop ? std::optional(on_timeline(*stop)) : std::nullopt;
    }
  }
  make_selector(p);
  // Whatever came so far was dropped.
  schedule_seek(self, p, p.selector->first_seek().value_or(0), todo);
}

// In a thread of the element's pool: sends the source to its place.
void seek_source(GstClipsClipRange* self, uint64_t run, uint64_t number, int64_t target) {
  Private& p = priv(self);
  std::vector<PadRef> pads;
  EventRef seek;
  {
    MutexLock lock(p.mutex);
    if (p.run != run || p.seeks != number || !p.running || p.failed) return;
    for (const TrackKind kind : {TrackKind::Video, TrackKind::Audio, TrackKind::Text})
      for (const auto& twin : p.twins)
        if (twin->kind == kind) pads.push_back(PadRef::retain(twin->sink));
    seek = EventRef::adopt(
        gst_event_new_seek(1.0, GST_FORMAT_TIME,
                           static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT |
                                                     GST_SEEK_FLAG_SNAP_BEFORE),
                           // No stop: qtdemux 1.22 ends too early with one.
                           GST_SEEK_TYPE_SET, target, GST_SEEK_TYPE_NONE, -1));
    p.seek_seqnum = gst_event_get_seqnum(seek.get());
  }
  bool sought = false, seekable = false;
  for (const PadRef& pad : pads) {
    {
      // Most sources serve all streams with one seek; some pads have one of their own.
      MutexLock lock(p.mutex);
      // What the source delivers may ask for another seek before it returns from this one.
      if (p.run != run || p.seeks != number || !p.running) return;
      bool open = false;
      for (const auto& twin : p.twins)
        if (twin->sink == pad.get()) open = twin->open;
      if (open) continue;
    }
    if (!can_seek(pad.get())) continue;
    seekable = true;
    if (gst_pad_push_event(pad.get(), EventRef(seek).release())) sought = true;
  }
  Todo todo;
  {
    MutexLock lock(p.mutex);
    if (p.run != run || p.seeks != number || !p.running) return;
    if (!sought) {
      fail(self, p,
           Error{Fault::NotSeekable,
                 seekable ? "The source says that it can seek, but refuses to."
                          : "The source cannot seek, so no range can be cut out of it.",
                 "seek to " + seconds(static_cast<uint64_t>(target))},
           todo);
    } else if (p.phase == Phase::Seeking) {
      for (const auto& twin : p.twins) twin->open = true;
      p.phase = Phase::Running;
      pump(self, p, todo);
    }
  }
  perform(todo);
}

void reset_twin(Twin& twin) {
  twin.open = twin.eos = twin.started = twin.done = false;
  twin.fresh = true;
  twin.out.clear();
  twin.bytes = 0;
  twin.flow = GST_FLOW_OK;
  twin.first.reset();
  gst_segment_init(&twin.segment, GST_FORMAT_UNDEFINED);
}

// Begins from scratch; the streams and their caps stay.
void reset(Private& p) CLIPS_REQUIRES(p.mutex) {
  ++p.run;
  p.phase = Phase::Waiting;
  p.failed = p.finished = false;
  p.selector.reset();
  p.seek_seqnum = GST_SEQNUM_INVALID;
  p.seeks = 0;
  p.anchor = 0;
  p.began = std::chrono::steady_clock::now();
  p.properties.actual_start = p.properties.actual_stop = GST_CLOCK_TIME_NONE;
  p.properties.actual_frames = 0;
  p.settings.request = p.properties.request();
  const bool frames = p.properties.start_frame >= 0 || p.properties.stop_frame >= 0;
  p.counter =
      frames ? std::make_unique<FrameCounter>(p.properties.start_frame, p.properties.stop_frame)
             : nullptr;
  for (const auto& twin : p.twins) reset_twin(*twin);
}

// -- Sink pads -------------------------------------------------------------------------------

// A packet with its place on the source's timeline.
StreamPacket packet_of(Twin& twin, int64_t anchor, GstBuffer* buffer) {
  StreamPacket packet;
  const auto stream_time = [&](GstClockTime time) -> int64_t {
    if (twin.ts) return static_cast<int64_t>(time) - anchor;
    guint64 value = 0;
    const gint sign = gst_segment_to_stream_time_full(&twin.segment, GST_FORMAT_TIME, time, &value);
    return sign < 0 ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  };
  const GstClockTime pts = GST_BUFFER_PTS(buffer), dts = GST_BUFFER_DTS(buffer);
  if (GST_CLOCK_TIME_IS_VALID(pts))
    packet.pts = stream_time(pts);
  else if (GST_CLOCK_TIME_IS_VALID(dts))
    packet.pts = stream_time(dts);
  else
    packet.pts = twin.next_pts;
  if (GST_CLOCK_TIME_IS_VALID(dts)) packet.dts = stream_time(dts);
  if (GST_BUFFER_DURATION_IS_VALID(buffer))
    packet.duration = static_cast<int64_t>(GST_BUFFER_DURATION(buffer));
  twin.next_pts = packet.pts + packet.duration;
  packet.key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  return packet;
}

bool is_first_video(Private& p, const Twin& twin) CLIPS_REQUIRES(p.mutex) {
  for (const auto& each : p.twins)
    if (each->kind == TrackKind::Video) return each.get() == &twin;
  return false;
}

// A range from the source's beginning is taken as it comes. The beginning of a transport stream has
// to be found first.
bool needs_no_seek(Private& p, const Twin& twin) CLIPS_REQUIRES(p.mutex) {
  return !p.counter && p.settings.request.start == 0 && !twin.ts;
}

// Another stream has nothing to give while this one's queue is full.
bool another_starves(Private& p, const Twin& twin) CLIPS_REQUIRES(p.mutex) {
  for (const auto& each : p.twins)
    if (each.get() != &twin && !each->done && each->out.empty() && each->flow == GST_FLOW_OK)
      return true;
  return false;
}

GstFlowReturn chain(GstPad* pad, GstObject* parent, GstBuffer* raw) {
  auto buffer = BufferRef::adopt(raw);
  auto* self = GST_CLIPS_CLIP_RANGE(parent);
  return guard(self, GST_FLOW_ERROR, [&]() -> GstFlowReturn {
    Private& p = priv(self);
    Twin& twin = twin_of(pad);
    Todo todo;
    GstFlowReturn flow = GST_FLOW_OK;
    {
      MutexLock lock(p.mutex);
      if (p.failed) return GST_FLOW_ERROR;
      if (!p.running) return GST_FLOW_FLUSHING;
      if (p.phase == Phase::Waiting && needs_no_seek(p, twin)) {
        make_selector(p);
        p.phase = Phase::Running;
        for (const auto& each : p.twins) {
          each->open = true;
          if (each->eos) p.selector->end(each->track);
        }
      }
      if (p.phase == Phase::Waiting) {
        if (twin.ts && !twin.first && GST_BUFFER_PTS_IS_VALID(raw))
          twin.first = static_cast<int64_t>(GST_BUFFER_PTS(raw));
        if (p.counter && is_first_video(p, twin)) p.counter->add(packet_of(twin, 0, raw));
        try_start(self, p, todo);
      } else if (twin.open && twin.segment.format == GST_FORMAT_TIME && !twin.done) {
        StreamPacket packet = packet_of(twin, p.anchor, raw);
        packet.payload = std::make_shared<BufferRef>(std::move(buffer));
        p.selector->add(twin.track, std::move(packet));
        pump(self, p, todo);
        while (p.running && !p.failed && p.phase == Phase::Running && twin.flow == GST_FLOW_OK &&
               (twin.bytes >= kQueueBytes || twin.out.size() >= kQueueItems) && todo.empty() &&
               !another_starves(p, twin))
          p.changed.wait(p.mutex);
      }
      flow = p.failed                                 ? GST_FLOW_ERROR
             : !p.running                             ? GST_FLOW_FLUSHING
             : twin.flow != GST_FLOW_OK               ? twin.flow
             : twin.done && p.phase == Phase::Running ? GST_FLOW_EOS
                                                      : GST_FLOW_OK;
    }
    perform(todo);
    return flow;
  });
}

// Whether all streams have ended, and earlier than the source has promised.
bool ends_too_early(Private& p, gint64 duration) CLIPS_REQUIRES(p.mutex) {
  constexpr int64_t kSlack = GST_SECOND / 2;
  if (duration <= 0 || !p.selector->begun()) return false;
  for (const auto& twin : p.twins)
    if (!twin->eos && !twin->done) return false;
  const auto& stop = p.settings.request.stop;
  const int64_t wanted = stop ? std::min<int64_t>(duration, static_cast<int64_t>(*stop)) : duration;
  return p.selector->latest() < wanted - kSlack;
}

// A flush that nobody here has asked for: the range is looked for anew.
void foreign_flush(Private& p, Twin& twin, EventRef event) {
  if (GST_EVENT_TYPE(event.get()) == GST_EVENT_FLUSH_START) {
    {
      MutexLock lock(p.mutex);
      twin.flushing = true;
      p.changed.notify_all();
    }
    gst_pad_push_event(twin.src, event.release());
    gst_pad_pause_task(twin.src);
    return;
  }
  gst_pad_push_event(twin.src, event.release());
  {
    MutexLock lock(p.mutex);
    if (p.phase != Phase::Waiting) reset(p);
    reset_twin(twin);
    twin.flushing = false;
  }
  if (gst_pad_is_active(twin.src)) gst_pad_start_task(twin.src, loop, twin.src, nullptr);
}

void take_caps(GstClipsClipRange* self, Private& p, Twin& twin, GstCaps* caps, Todo& todo)
    CLIPS_REQUIRES(p.mutex) {
  const bool begun = p.selector && p.selector->begun() && twin.started;
  if (begun && !twin.done && twin.caps && parameters_differ(twin.caps.get(), caps)) {
    fail(self, p,
         Error{Fault::Changed,
               "The parameters of a stream change inside the range, so it cannot be one clip. Cut "
               "before and behind the change.",
               GST_PAD_NAME(twin.sink)},
         todo);
    return;
  }
  twin.caps = CapsRef::retain(caps);
  if (p.selector && twin.kind == TrackKind::Audio)
    p.selector->set_preroll(twin.track, preroll_of(caps));
  if (begun && !twin.done) {
    queue(twin, GST_MINI_OBJECT_CAST(gst_event_new_caps(caps)));
    p.changed.notify_all();
  }
}

gboolean sink_event(GstPad* pad, GstObject* parent, GstEvent* raw) {
  auto event = EventRef::adopt(raw);
  auto* self = GST_CLIPS_CLIP_RANGE(parent);
  return guard(self, FALSE, [&]() -> gboolean {
    Private& p = priv(self);
    Twin& twin = twin_of(pad);
    const bool ours = [&] {
      MutexLock lock(p.mutex);
      return p.phase == Phase::Seeking || gst_event_get_seqnum(raw) == p.seek_seqnum;
    }();
    Todo todo;
    switch (GST_EVENT_TYPE(raw)) {
      case GST_EVENT_FLUSH_START:
      case GST_EVENT_FLUSH_STOP: {
        if (!ours) {
          // Chain may wait for room: foreign_flush() wakes it.
          foreign_flush(p, twin, std::move(event));
          return TRUE;
        }
        MutexLock lock(p.mutex);
        twin.open = GST_EVENT_TYPE(raw) == GST_EVENT_FLUSH_STOP;
        twin.eos = false;
        gst_segment_init(&twin.segment, GST_FORMAT_UNDEFINED);
        return TRUE;
      }
      case GST_EVENT_STREAM_START: {
        MutexLock lock(p.mutex);
        twin.stream_start = std::move(event);
        return TRUE;
      }
      case GST_EVENT_CAPS: {
        GstCaps* caps = nullptr;
        gst_event_parse_caps(raw, &caps);
        MutexLock lock(p.mutex);
        take_caps(self, p, twin, caps, todo);
        if (!needs_no_seek(p, twin)) try_start(self, p, todo);
        break;
      }
      case GST_EVENT_SEGMENT: {
        const bool ts = source_is_ts(pad);
        MutexLock lock(p.mutex);
        gst_event_copy_segment(raw, &twin.segment);
        if (twin.segment.format != GST_FORMAT_TIME) {
          fail(self, p,
               Error{Fault::NotSeekable,
                     "The source has no timeline; put a demuxer or parser in front.",
                     "segment format is not time"},
               todo);
          break;
        }
        twin.ts = ts;
        if (!needs_no_seek(p, twin)) try_start(self, p, todo);
        break;
      }
      case GST_EVENT_TAG: {
        MutexLock lock(p.mutex);
        twin.tags.push_back(event);
        if (twin.started && !twin.done) {
          queue(twin, GST_MINI_OBJECT_CAST(event.release()));
          p.changed.notify_all();
        }
        return TRUE;
      }
      case GST_EVENT_EOS: {
        gint64 duration = -1;
        if (source_is_ts(pad) || !gst_pad_peer_query_duration(pad, GST_FORMAT_TIME, &duration))
          duration = -1;  // that of a transport stream is a guess
        MutexLock lock(p.mutex);
        if (p.failed || !p.running) return TRUE;
        twin.eos = true;
        if (p.phase == Phase::Waiting) {
          if (p.counter && is_first_video(p, twin)) p.counter->end();
          if (!needs_no_seek(p, twin)) {
            try_start(self, p, todo);
          } else if (std::all_of(p.twins.begin(), p.twins.end(),
                                 [](const auto& each) { return each->eos; })) {
            make_selector(p);
            p.phase = Phase::Running;
            for (const auto& each : p.twins) p.selector->end(each->track);
            pump(self, p, todo);
          }
        } else if (twin.open) {
          if (ends_too_early(p, duration))
            fail(self, p,
                 Error{Fault::Truncated,
                       "The source is truncated: it ends before the range does. Fetch it again.",
                       "promised " + seconds(static_cast<uint64_t>(duration))},
                 todo);
          p.selector->end(twin.track);
          pump(self, p, todo);
        }
        break;
      }
      default:
        // Gaps, tables of contents and the like speak of the source's own times.
        return TRUE;
    }
    perform(todo);
    return TRUE;
  });
}

gboolean sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  // What downstream has waits behind queues here, and its memory does not suit a demuxer's packets.
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION || GST_QUERY_TYPE(query) == GST_QUERY_DRAIN)
    return FALSE;
  return gst_pad_query_default(pad, parent, query);
}

// -- Source pads -----------------------------------------------------------------------------

void loop(gpointer data) {
  auto* src = GST_PAD_CAST(data);
  Twin& twin = twin_of(src);
  GstClipsClipRange* self = twin.owner;
  guard(self, [&] {
    Private& p = priv(self);
    ItemRef item;
    {
      MutexLock lock(p.mutex);
      while (twin.out.empty() && !twin.flushing) p.changed.wait(p.mutex);
      if (twin.flushing) {
        gst_pad_pause_task(src);
        return;
      }
      item = std::move(twin.out.front());
      twin.out.pop_front();
      if (GST_IS_BUFFER(item.get())) twin.bytes -= gst_buffer_get_size(GST_BUFFER_CAST(item.get()));
      p.changed.notify_all();
    }
    if (GST_IS_EVENT(item.get())) {
      auto* event = GST_EVENT_CAST(item.release());
      const bool last = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
      gst_pad_push_event(src, event);
      if (last) gst_pad_pause_task(src);
      return;
    }
    const GstFlowReturn flow = gst_pad_push(src, GST_BUFFER_CAST(item.release()));
    if (flow == GST_FLOW_OK) return;
    bool nobody_else_says = false;
    {
      MutexLock lock(p.mutex);
      if (!twin.flushing) twin.flow = flow;
      nobody_else_says = twin.done && flow < GST_FLOW_EOS && !twin.flushing;
      twin.out.clear();
      twin.bytes = 0;
      p.changed.notify_all();
    }
    if (nobody_else_says) GST_ELEMENT_FLOW_ERROR(self, flow);
    // A decoder that has passed the segment's stop has all it wants, but waits to be told the end.
    if (flow == GST_FLOW_EOS) gst_pad_push_event(src, gst_event_new_eos());
    gst_pad_pause_task(src);
  });
}

gboolean activate_src(GstPad* pad, GstObject*, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  Twin& twin = twin_of(pad);
  Private& p = priv(twin.owner);
  {
    MutexLock lock(p.mutex);
    twin.flushing = !active;
    p.changed.notify_all();
  }
  return active ? gst_pad_start_task(pad, loop, pad, nullptr) : gst_pad_stop_task(pad);
}

// What comes from downstream is about the clip's times, which mean nothing upstream; a seek least
// of all, since it would undo the range.
gboolean src_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_SEEK:
    case GST_EVENT_QOS:
    case GST_EVENT_STEP:
    case GST_EVENT_NAVIGATION:
      gst_event_unref(event);
      return FALSE;
    default:
      return gst_pad_event_default(pad, parent, event);
  }
}

gboolean src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  Private& p = priv(GST_CLIPS_CLIP_RANGE(parent));
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_SEEKING: {
      GstFormat format = GST_FORMAT_TIME;
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      gst_query_set_seeking(query, format, FALSE, 0, -1);
      return TRUE;
    }
    case GST_QUERY_DURATION: {
      GstFormat format = GST_FORMAT_TIME;
      gst_query_parse_duration(query, &format, nullptr);
      if (format != GST_FORMAT_TIME) return FALSE;
      MutexLock lock(p.mutex);
      if (!p.selector || !p.selector->begun() || !p.selector->beginning().sound_length)
        return FALSE;
      gst_query_set_duration(query, format, *p.selector->beginning().sound_length);
      return TRUE;
    }
    case GST_QUERY_POSITION:
    case GST_QUERY_SEGMENT:
    case GST_QUERY_CONVERT:
      return FALSE;
    default:
      return gst_pad_query_default(pad, parent, query);
  }
}

GstIterator* internal_links(GstPad* pad, GstObject*) {
  const Twin& twin = twin_of(pad);
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_PAD);
  g_value_set_object(&value, GST_PAD_DIRECTION(pad) == GST_PAD_SRC ? twin.sink : twin.src);
  GstIterator* links = gst_iterator_new_single(GST_TYPE_PAD, &value);
  g_value_unset(&value);
  return links;
}

}  // namespace

// -- The element -----------------------------------------------------------------------------

static void gst_clips_clip_range_init(GstClipsClipRange* self) {
  construct_private<Private>(gst_clips_clip_range_get_instance_private(self));
}

static void gst_clips_clip_range_finalize(GObject* object) {
  destroy_private<Private>(&priv(GST_CLIPS_CLIP_RANGE(object)));
  G_OBJECT_CLASS(gst_clips_clip_range_parent_class)->finalize(object);
}

static void gst_clips_clip_range_set_property(GObject* object, guint id, const GValue* value,
                                              GParamSpec* pspec) {
  auto* self = GST_CLIPS_CLIP_RANGE(object);
  guard(self, [&] {
    Private& p = priv(self);
    MutexLock lock(p.mutex);
    if (!p.properties.set(id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  });
}

static void gst_clips_clip_range_get_property(GObject* object, guint id, GValue* value,
                                              GParamSpec* pspec) {
  Private& p = priv(GST_CLIPS_CLIP_RANGE(object));
  MutexLock lock(p.mutex);
  if (!p.properties.get(id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static GstPad* gst_clips_clip_range_request_new_pad(GstElement* element, GstPadTemplate* templ,
                                                    const gchar* name, const GstCaps*) {
  auto* self = GST_CLIPS_CLIP_RANGE(element);
  return guard(self, static_cast<GstPad*>(nullptr), [&]() -> GstPad* {
    Private& p = priv(self);
    const std::string stem = GST_PAD_TEMPLATE_NAME_TEMPLATE(templ);
    auto twin = std::make_shared<Twin>();
    twin->owner = self;
    for (size_t kind = 0; kind < 3; ++kind)
      if (stem.rfind(kKindNames[kind], 0) == 0) twin->kind = static_cast<TrackKind>(kind);
    const auto kind = static_cast<size_t>(twin->kind);
    const std::string prefix = std::string(kKindNames[kind]) + "_sink_";
    guint number = 0;
    {
      MutexLock lock(p.mutex);
      number = p.next_pad[kind];
      if (name && std::string(name).rfind(prefix, 0) == 0)
        number = static_cast<guint>(g_ascii_strtoull(name + prefix.size(), nullptr, 10));
      p.next_pad[kind] = std::max(p.next_pad[kind], number + 1);
    }
    const std::string sink_name = prefix + std::to_string(number);
    const std::string src_name = std::string(kKindNames[kind]) + "_" + std::to_string(number);
    if (const auto taken = PadRef::adopt(gst_element_get_static_pad(element, sink_name.c_str())))
      return nullptr;
    gst_segment_init(&twin->segment, GST_FORMAT_UNDEFINED);
    twin->sink = gst_pad_new_from_template(templ, sink_name.c_str());
    twin->src = gst_pad_new_from_static_template(&templates[3 + kind], src_name.c_str());
    for (GstPad* pad : {twin->sink, twin->src}) {
      gst_pad_set_element_private(pad, twin.get());
      gst_pad_set_iterate_internal_links_function(pad, internal_links);
      GST_OBJECT_FLAG_SET(pad, GST_PAD_FLAG_PROXY_CAPS);
    }
    gst_pad_set_chain_function(twin->sink, chain);
    gst_pad_set_event_function(twin->sink, sink_event);
    gst_pad_set_query_function(twin->sink, sink_query);
    gst_pad_set_activatemode_function(twin->src, activate_src);
    gst_pad_set_event_function(twin->src, src_event);
    gst_pad_set_query_function(twin->src, src_query);
    {
      MutexLock lock(p.mutex);
      if (p.selector) {
        twin->track = p.selector->add_track(twin->kind);
        twin->open = p.phase == Phase::Running;
      }
      p.twins.push_back(twin);
    }
    GST_OBJECT_LOCK(self);
    const bool active = GST_STATE(self) > GST_STATE_READY || GST_STATE_NEXT(self) > GST_STATE_READY;
    GST_OBJECT_UNLOCK(self);
    if (active) {
      gst_pad_set_active(twin->src, TRUE);
      gst_pad_set_active(twin->sink, TRUE);
    }
    gst_element_add_pad(element, twin->sink);
    gst_element_add_pad(element, twin->src);
    return twin->sink;
  });
}

static void gst_clips_clip_range_release_pad(GstElement* element, GstPad* pad) {
  auto* self = GST_CLIPS_CLIP_RANGE(element);
  guard(self, [&] {
    Private& p = priv(self);
    Todo todo;
    std::shared_ptr<Twin> gone;
    {
      MutexLock lock(p.mutex);
      for (const auto& twin : p.twins)
        if (twin->sink == pad) gone = twin;
      if (!gone) return;
      gone->flushing = true;
      gone->flow = GST_FLOW_FLUSHING;
      p.changed.notify_all();
    }
    gst_pad_set_active(gone->sink, FALSE);
    gst_pad_set_active(gone->src, FALSE);
    {
      MutexLock lock(p.mutex);
      std::erase(p.twins, gone);
      // The others may have waited for this one.
      if (p.selector) p.selector->end(gone->track);
      try_start(self, p, todo);
      pump(self, p, todo);
    }
    perform(todo);
    gst_element_remove_pad(element, gone->src);
    gst_element_remove_pad(element, gone->sink);
  });
}

static GstStateChangeReturn gst_clips_clip_range_change_state(GstElement* element,
                                                              GstStateChange transition) {
  auto* self = GST_CLIPS_CLIP_RANGE(element);
  return guard(self, GST_STATE_CHANGE_FAILURE, [&]() -> GstStateChangeReturn {
    Private& p = priv(self);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
      Todo todo;
      {
        MutexLock lock(p.mutex);
        reset(p);
        p.running = true;
        const Mode mode = p.properties.mode;
        p.settings.hide = mode != Mode::Copy;
        p.reason = mode == Mode::Copy || mode == Mode::Edit
                       ? "asked for"
                       : "packets pass as they are; lead and tail are hidden from decoders";
        const bool encodes = mode == Mode::Smart || mode == Mode::Exact || mode == Mode::Whole;
        const Request& request = p.settings.request;
        if (encodes && p.properties.fallback != Fallback::Copy)
          fail(self, p,
               Error{Fault::Unsupported,
                     std::string("cliprange does not re-encode, so it has no mode ") +
                         mode_name(mode) + ". Use clipexport or clipsrc, or mode=edit.",
                     {}},
               todo);
        else if (!p.counter && request.stop && *request.stop <= request.start)
          fail(self, p,
               Error{Fault::Settings,
                     "The range is empty: start (" + seconds(request.start) +
                         ") is not before stop (" + seconds(*request.stop) + ").",
                     {}},
               todo);
        else if (request.start_frame >= 0 && request.stop_frame >= 0 &&
                 request.stop_frame <= request.start_frame)
          fail(self, p,
               Error{Fault::Settings,
                     "The range is empty: start-frame (" + std::to_string(request.start_frame) +
                         ") is not before stop-frame (" + std::to_string(request.stop_frame) + ").",
                     {}},
               todo);
        if (p.failed) p.running = false;
      }
      if (!todo.empty()) {
        perform(todo);
        return GST_STATE_CHANGE_FAILURE;
      }
    }
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
      MutexLock lock(p.mutex);
      p.running = false;
      ++p.run;
      p.changed.notify_all();
    }
    const GstStateChangeReturn changed =
        GST_ELEMENT_CLASS(gst_clips_clip_range_parent_class)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (transition == GST_STATE_CHANGE_READY_TO_PAUSED && changed == GST_STATE_CHANGE_FAILURE)) {
      MutexLock lock(p.mutex);
      p.running = false;
      p.selector.reset();
      p.counter.reset();
      for (const auto& twin : p.twins) {
        reset_twin(*twin);
        twin->caps.reset();
        twin->stream_start.reset();
        twin->tags.clear();
      }
    }
    return changed;
  });
}

static void gst_clips_clip_range_class_init(GstClipsClipRangeClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->finalize = gst_clips_clip_range_finalize;
  object_class->set_property = gst_clips_clip_range_set_property;
  object_class->get_property = gst_clips_clip_range_get_property;
  RangeProperties::install(object_class);
  element_class->request_new_pad = gst_clips_clip_range_request_new_pad;
  element_class->release_pad = gst_clips_clip_range_release_pad;
  element_class->change_state = gst_clips_clip_range_change_state;
  for (GstStaticPadTemplate& each : templates)
    gst_element_class_add_static_pad_template(element_class, &each);
  gst_element_class_set_static_metadata(
      element_class, "Range selector", "Filter/Editor",
      "Selects the packets of the range [start, stop) from streams whose source it seeks itself",
      "gst-plugins-clips");
  GST_DEBUG_CATEGORY_INIT(clip_range_debug, "cliprange", 0, "Range selector");
}
