// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-forcekeyunits
 * @title: forcekeyunits
 *
 * Asks the encoders behind it for key frames at even intervals: before the first frame at or after
 * each multiple of `interval`, counted from the first frame, goes a downstream force-key-unit
 * event. It travels with the frames, so however far an encoder is behind, the key frame is exactly
 * there, and encoders that stand side by side behind a tee make theirs of the same frames. (The
 * requests that hlssink2 and splitmuxsink send upstream come when they come.) Frames pass
 * untouched.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=300 ! forcekeyunits interval=4000000000 ! x264enc !
 *   h264parse ! hlspublishsink uri=film-hls
 * ]| Segments of four seconds.
 */
#include "gstforcekeyunits.h"

#include <gst/video/video.h>

#include <atomic>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"

GST_DEBUG_CATEGORY_STATIC(force_key_units_debug);
#define GST_CAT_DEFAULT force_key_units_debug

namespace {

// Only the streaming thread uses it.
struct State {
  GstClockTime first = GST_CLOCK_TIME_NONE;  // running time of the first frame
  guint64 intervals = 0;                     // that have begun
};

struct Private {
  std::atomic<guint64> interval = 4 * GST_SECOND;
  State state;
};

enum Property { prop_0, prop_interval };

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                             GST_STATIC_CAPS("video/x-raw(ANY)"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS("video/x-raw(ANY)"));

}  // namespace

struct _GstClipsForceKeyUnits {
  GstBaseTransform parent;
};
using GstClipsForceKeyUnitsPrivate = Private;

#define gst_clips_force_key_units_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsForceKeyUnits, gst_clips_force_key_units,
                                 GST_TYPE_BASE_TRANSFORM)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_force_key_units_get_instance_private(static_cast<GstClipsForceKeyUnits*>(self)));
}

void set_property(GObject* self, guint id, const GValue* value, GParamSpec* spec) {
  if (id == prop_interval)
    priv(self).interval = g_value_get_uint64(value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, spec);
}

void get_property(GObject* self, guint id, GValue* value, GParamSpec* spec) {
  if (id == prop_interval)
    g_value_set_uint64(value, priv(self).interval);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, spec);
}

GstFlowReturn transform_ip(GstBaseTransform* self, GstBuffer* buffer) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    auto& p = priv(self);
    const GstSegment& segment = self->segment;
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (segment.format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(pts)) return GST_FLOW_OK;
    const GstClockTime running = gst_segment_to_running_time(&segment, GST_FORMAT_TIME, pts);
    if (!GST_CLOCK_TIME_IS_VALID(running)) return GST_FLOW_OK;
    auto& state = p.state;
    if (!GST_CLOCK_TIME_IS_VALID(state.first)) {
      // An encoder begins with a key frame by itself.
      state.first = running;
      return GST_FLOW_OK;
    }
    if (running < state.first) return GST_FLOW_OK;
    const guint64 intervals = (running - state.first) / p.interval;
    if (intervals <= state.intervals) return GST_FLOW_OK;
    state.intervals = intervals;
    GST_LOG_OBJECT(self, "key frame at %" GST_TIME_FORMAT, GST_TIME_ARGS(running));
    gst_pad_push_event(GST_BASE_TRANSFORM_SRC_PAD(self),
                       gst_video_event_new_downstream_force_key_unit(
                           pts, gst_segment_to_stream_time(&segment, GST_FORMAT_TIME, pts), running,
                           TRUE, static_cast<guint>(intervals)));
    return GST_FLOW_OK;
  });
}

gboolean start(GstBaseTransform* self) {
  priv(self).state = {};
  return TRUE;
}

gboolean sink_event(GstBaseTransform* self, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) priv(self).state = {};
  return GST_BASE_TRANSFORM_CLASS(parent_class)->sink_event(self, event);
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_force_key_units_init(GstClipsForceKeyUnits* self) {
  clips::construct_private<Private>(gst_clips_force_key_units_get_instance_private(self));
}

static void gst_clips_force_key_units_class_init(GstClipsForceKeyUnitsClass* klass) {
  GST_DEBUG_CATEGORY_INIT(force_key_units_debug, "forcekeyunits", 0,
                          "key frames at even intervals");
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  g_object_class_install_property(
      object_class, prop_interval,
      g_param_spec_uint64("interval", "Interval",
                          "Nanoseconds from one asked-for key frame to the next.", 1, G_MAXINT64,
                          4 * GST_SECOND,
                          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY)));
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Key frame pacer", "Filter/Video",
                                        "Asks encoders for key frames at even intervals",
                                        "The gst-plugins-clips developers");
  transform_class->start = start;
  transform_class->sink_event = sink_event;
  transform_class->transform_ip = transform_ip;
  transform_class->passthrough_on_same_caps = TRUE;
  transform_class->transform_ip_on_passthrough = TRUE;
}
