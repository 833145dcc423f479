// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-constantrate
 * @title: constantrate
 *
 * Gives a video a constant frame rate by repeating and dropping frames. The first frame keeps its
 * time; from there on there is a frame every 1/framerate, each the source's frame that is nearest
 * in time (of two equally near ones the earlier). There are exactly duration * framerate of them,
 * to the nearest whole number and at least one, where the duration reaches to the end of the
 * source's last frame. videorate ends with one or two frames more or less, depending on whether
 * the segment states its stop.
 *
 * It holds one or two frames back, and needs timestamps. A new segment begins anew.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 filesrc location=film.mp4 ! decodebin ! constantrate framerate=25/1 ! x264enc !
 *   mp4mux ! filesink location=film25.mp4
 * ]| Twenty-five frames a second, whatever the film has.
 */
#include "gstconstantrate.h"

#include <gst/video/video.h>

#include <algorithm>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "frame_grid.hpp"

GST_DEBUG_CATEGORY_STATIC(constant_rate_debug);
#define GST_CAT_DEFAULT constant_rate_debug

namespace {

using clips::BufferRef;
using clips::CapsRef;
using clips::EventRef;

struct Rate {
  gint numerator = 25;
  gint denominator = 1;
};

struct Frame {
  BufferRef buffer;
  CapsRef caps;  // as they leave
};

using Grid = clips::media::FrameGrid<Frame>;

Grid grid_of(const Rate& rate) {
  return {static_cast<guint64>(rate.numerator), static_cast<guint64>(rate.denominator)};
}

// Only the streaming thread uses it.
struct State {
  Rate rate;
  Grid grid = grid_of({});
  CapsRef caps;       // of the frames that come, as they leave
  CapsRef told_caps;  // that went downstream
  GstSegment segment{};
  GstClockTime default_duration = GST_CLOCK_TIME_NONE;  // by the caps
  GstClockTime last = GST_CLOCK_TIME_NONE;              // PTS of the last frame
  GstClockTime end = GST_CLOCK_TIME_NONE;               // of the last frame
  GstFlowReturn flow = GST_FLOW_OK;                     // of what was last pushed
};

struct Private {
  Rate rate;  // under the object's lock
  State state;
};

enum Property { prop_0, prop_framerate };

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                             GST_STATIC_CAPS("video/x-raw(ANY)"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS("video/x-raw(ANY)"));

}  // namespace

struct _GstClipsConstantRate {
  GstElement parent;
  GstPad* sink;
  GstPad* src;
};
using GstClipsConstantRatePrivate = Private;

#define gst_clips_constant_rate_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsConstantRate, gst_clips_constant_rate, GST_TYPE_ELEMENT)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_constant_rate_get_instance_private(static_cast<GstClipsConstantRate*>(self)));
}

Rate rate_of(GstClipsConstantRate* self) {
  GST_OBJECT_LOCK(self);
  const Rate rate = priv(self).rate;
  GST_OBJECT_UNLOCK(self);
  return rate;
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  if (id != prop_framerate) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    return;
  }
  GST_OBJECT_LOCK(object);
  priv(object).rate = {gst_value_get_fraction_numerator(value),
                       gst_value_get_fraction_denominator(value)};
  GST_OBJECT_UNLOCK(object);
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  if (id != prop_framerate) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    return;
  }
  const Rate rate = rate_of(GST_CLIPS_CONSTANT_RATE(object));
  gst_value_set_fraction(value, rate.numerator, rate.denominator);
}

// The caps with this rate; without one of any rate.
CapsRef with_rate(const GstCaps* caps, const Rate* rate) {
  auto changed = CapsRef::adopt(gst_caps_copy(caps));
  for (guint i = 0; i < gst_caps_get_size(changed.get()); ++i) {
    GstStructure* video = gst_caps_get_structure(changed.get(), i);
    gst_structure_remove_fields(video, "framerate", "max-framerate", nullptr);
    if (rate)
      gst_structure_set(video, "framerate", GST_TYPE_FRACTION, rate->numerator, rate->denominator,
                        nullptr);
  }
  return changed;
}

void tell_caps(GstClipsConstantRate* self, const CapsRef& caps) {
  State& state = priv(self).state;
  if (state.told_caps.get() == caps.get()) return;
  state.told_caps = caps;
  gst_pad_push_event(self->src, gst_event_new_caps(caps.get()));
}

// What gives a frame to its place.
auto emitter(GstClipsConstantRate* self) {
  return [self](Frame frame, guint64 place) {
    State& state = priv(self).state;
    if (state.flow != GST_FLOW_OK) return;
    tell_caps(self, frame.caps);
    frame.buffer.replace(gst_buffer_make_writable(frame.buffer.release()));
    GstBuffer* buffer = frame.buffer.get();
    GST_BUFFER_PTS(buffer) = state.grid.time(place);
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer) = state.grid.time(place + 1) - state.grid.time(place);
    GST_BUFFER_OFFSET(buffer) = GST_BUFFER_OFFSET_NONE;
    GST_BUFFER_OFFSET_END(buffer) = GST_BUFFER_OFFSET_NONE;
    if (place > 0) GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT);
    GST_LOG_OBJECT(self, "place %" G_GUINT64_FORMAT ": %" GST_PTR_FORMAT, place, buffer);
    state.flow = gst_pad_push(self->src, frame.buffer.release());
  };
}

// The places up to the end of the last frame; then the grid is empty.
void finish(GstClipsConstantRate* self) {
  State& state = priv(self).state;
  if (state.grid.empty()) return;
  GstClockTime end = state.end;
  if (GST_CLOCK_TIME_IS_VALID(state.segment.stop) && state.segment.stop > state.last)
    end = std::min(end, state.segment.stop);
  state.grid.finish(end, emitter(self));
}

void begin(State& state, const Rate& rate) {
  state.rate = rate;
  state.grid = grid_of(rate);
  state.last = state.end = GST_CLOCK_TIME_NONE;
  state.flow = GST_FLOW_OK;
}

GstFlowReturn chain(GstPad*, GstObject* object, GstBuffer* raw) {
  auto* self = GST_CLIPS_CONSTANT_RATE(object);
  auto buffer = BufferRef::adopt(raw);
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    State& state = priv(self).state;
    const GstClockTime pts = GST_BUFFER_PTS(buffer.get());
    if (!GST_CLOCK_TIME_IS_VALID(pts) || state.segment.format != GST_FORMAT_TIME || !state.caps) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                        ("A frame has no timestamp, so its place at another frame rate is not "
                         "known. Keep the source's own frames."),
                        (nullptr));
      return GST_FLOW_ERROR;
    }
    const GstClockTime duration = GST_BUFFER_DURATION(buffer.get());
    if (!GST_CLOCK_TIME_IS_VALID(state.last) || pts >= state.last) {
      // Without a duration of its own a frame lasts as long as the one before it.
      GstClockTime length =
          GST_CLOCK_TIME_IS_VALID(state.last) ? pts - state.last : state.default_duration;
      if (GST_CLOCK_TIME_IS_VALID(duration) && duration > 0) length = duration;
      state.last = pts;
      state.end = GST_CLOCK_TIME_IS_VALID(length) ? pts + length : pts;
    }
    state.grid.add({std::move(buffer), state.caps}, pts, emitter(self));
    return state.flow;
  });
}

void take_caps(GstClipsConstantRate* self, GstEvent* event) {
  State& state = priv(self).state;
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  gint numerator = 0;
  gint denominator = 1;
  state.default_duration = GST_CLOCK_TIME_NONE;
  if (gst_structure_get_fraction(gst_caps_get_structure(caps, 0), "framerate", &numerator,
                                 &denominator) &&
      numerator > 0)
    state.default_duration = gst_util_uint64_scale_int(GST_SECOND, denominator, numerator);
  if (state.grid.empty()) begin(state, rate_of(self));
  state.caps = with_rate(caps, &state.rate);
  // Frames that are held back go before those of other caps.
  if (state.grid.empty()) tell_caps(self, state.caps);
}

gboolean sink_event(GstPad* pad, GstObject* object, GstEvent* raw) {
  auto* self = GST_CLIPS_CONSTANT_RATE(object);
  auto event = EventRef::adopt(raw);
  return clips::guard(self, gboolean{FALSE}, [&]() -> gboolean {
    State& state = priv(self).state;
    switch (GST_EVENT_TYPE(event.get())) {
      case GST_EVENT_CAPS:
        take_caps(self, event.get());
        return TRUE;
      case GST_EVENT_SEGMENT:
        finish(self);
        begin(state, rate_of(self));
        gst_event_copy_segment(event.get(), &state.segment);
        break;
      case GST_EVENT_EOS:
        finish(self);
        break;
      case GST_EVENT_GAP:
        // It is filled when the next frame comes.
        return TRUE;
      case GST_EVENT_FLUSH_STOP:
        begin(state, rate_of(self));
        break;
      default:
        break;
    }
    return gst_pad_event_default(pad, object, event.release());
  });
}

// Any rate comes in, the one leaves; all else is what the other side takes.
gboolean query_caps(GstClipsConstantRate* self, GstPad* pad, GstQuery* query) {
  const Rate rate = rate_of(self);
  const Rate* leaves = pad == self->src ? &rate : nullptr;
  GstCaps* filter = nullptr;
  gst_query_parse_caps(query, &filter);
  const auto wider = filter ? with_rate(filter, nullptr) : CapsRef();
  const auto found =
      CapsRef::adopt(gst_pad_peer_query_caps(leaves ? self->sink : self->src, wider.get()));
  auto caps = with_rate(found.get(), leaves);
  if (filter)
    caps = CapsRef::adopt(gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST));
  gst_query_set_caps_result(query, caps.get());
  return TRUE;
}

gboolean query(GstPad* pad, GstObject* object, GstQuery* query) {
  auto* self = GST_CLIPS_CONSTANT_RATE(object);
  return clips::guard(self, gboolean{FALSE}, [&]() -> gboolean {
    if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) return query_caps(self, pad, query);
    return gst_pad_query_default(pad, object, query);
  });
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  const GstStateChangeReturn done =
      GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) priv(element).state = {};
  return done;
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_constant_rate_init(GstClipsConstantRate* self) {
  clips::construct_private<Private>(gst_clips_constant_rate_get_instance_private(self));
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  gst_pad_set_query_function(self->sink, query);
  GST_PAD_SET_PROXY_ALLOCATION(self->sink);
  gst_element_add_pad(GST_ELEMENT_CAST(self), self->sink);
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_query_function(self->src, query);
  gst_pad_use_fixed_caps(self->src);
  gst_element_add_pad(GST_ELEMENT_CAST(self), self->src);
}

static void gst_clips_constant_rate_class_init(GstClipsConstantRateClass* klass) {
  GST_DEBUG_CATEGORY_INIT(constant_rate_debug, "constantrate", 0, "constant frame rate");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  g_object_class_install_property(
      object_class, prop_framerate,
      gst_param_spec_fraction("framerate", "Frame rate",
                              "Frames per second that leave, from 1/2147483647 to 2147483647/1.", 1,
                              G_MAXINT, G_MAXINT, 1, 25, 1,
                              static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                       GST_PARAM_MUTABLE_READY)));
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Constant frame rate", "Filter/Effect/Video",
                                        "Repeats and drops frames for a constant frame rate",
                                        "The gst-plugins-clips developers");
  element_class->change_state = change_state;
}
