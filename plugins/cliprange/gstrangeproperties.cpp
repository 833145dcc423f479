// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstrangeproperties.hpp"

#include "gstrangetypes.hpp"

namespace clips::cut {

namespace {

enum Property : guint {
  kStart = 1,
  kStop,
  kStartFrame,
  kStopFrame,
  kMode,
  kSnap,
  kTolerance,
  kMaxLeadIn,
  kFallback,
  kActualStart,
  kActualStop,
  kActualFrames,
};

}  // namespace

void RangeBounds::install(GObjectClass* klass) {
  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const RangeBounds d;
  const auto install = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(klass, id, spec);
  };
  install(kStart, g_param_spec_uint64("start", "Start",
                                      "Stream time of the first frame of the range in nanoseconds.",
                                      0, G_MAXUINT64, d.start, writable));
  install(kStop,
          g_param_spec_uint64("stop", "Stop",
                              "Stream time in nanoseconds from which on frames are no longer in "
                              "the range; the largest value means the end of the source.",
                              0, G_MAXUINT64, d.stop, writable));
  install(kStartFrame,
          g_param_spec_int64("start-frame", "Start frame",
                             "First frame of the range, counted from 0 in display order; -1 means "
                             "that start is used.",
                             -1, G_MAXINT64, d.start_frame, writable));
  install(kStopFrame, g_param_spec_int64(
                          "stop-frame", "Stop frame",
                          "First frame that is no longer in the range, counted from 0 in display "
                          "order; -1 means that stop is used.",
                          -1, G_MAXINT64, d.stop_frame, writable));
  install(kTolerance,
          g_param_spec_uint64("tolerance", "Tolerance",
                              "Nanoseconds by which a time may miss a frame's timestamp and still "
                              "means that frame, so that times rounded to milliseconds are exact.",
                              0, GST_SECOND, d.tolerance, writable));
}

bool RangeBounds::set(guint id, const GValue* value) {
  switch (id) {
    case kStart:
      start = g_value_get_uint64(value);
      return true;
    case kStop:
      stop = g_value_get_uint64(value);
      return true;
    case kStartFrame:
      start_frame = g_value_get_int64(value);
      return true;
    case kStopFrame:
      stop_frame = g_value_get_int64(value);
      return true;
    case kTolerance:
      tolerance = g_value_get_uint64(value);
      return true;
    default:
      return false;
  }
}

bool RangeBounds::get(guint id, GValue* value) const {
  switch (id) {
    case kStart:
      g_value_set_uint64(value, start);
      return true;
    case kStop:
      g_value_set_uint64(value, stop);
      return true;
    case kStartFrame:
      g_value_set_int64(value, start_frame);
      return true;
    case kStopFrame:
      g_value_set_int64(value, stop_frame);
      return true;
    case kTolerance:
      g_value_set_uint64(value, tolerance);
      return true;
    default:
      return false;
  }
}

Request RangeBounds::request() const {
  Request request;
  request.start = start;
  if (stop != GST_CLOCK_TIME_NONE) request.stop = stop;
  request.start_frame = start_frame;
  request.stop_frame = stop_frame;
  request.tolerance = tolerance;
  return request;
}

void RangeProperties::install(GObjectClass* klass) {
  RangeBounds::install(klass);
  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const auto readable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  const RangeProperties d;
  const auto install = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(klass, id, spec);
  };
  install(kMode, g_param_spec_enum("mode", "Mode", "How the clip is made exact.", mode_get_type(),
                                   static_cast<gint>(d.mode), writable));
  install(kSnap, g_param_spec_enum("snap", "Snap", "Where a clip of mode copy starts.",
                                   snap_get_type(), static_cast<gint>(d.snap), writable));
  install(kMaxLeadIn,
          g_param_spec_uint64("max-lead-in", "Maximum lead-in",
                              "The farthest that a key frame may lie before the start, in "
                              "nanoseconds; the largest value means any distance.",
                              0, G_MAXUINT64, d.max_lead_in, writable));
  install(kFallback,
          g_param_spec_enum("fallback", "Fallback",
                            "What to do where the mode does not suit the source.",
                            fallback_get_type(), static_cast<gint>(d.fallback), writable));
  install(kActualStart,
          g_param_spec_uint64("actual-start", "Actual start",
                              "Stream time of the clip's first frame in nanoseconds, once known.",
                              0, G_MAXUINT64, d.actual_start, readable));
  install(kActualStop,
          g_param_spec_uint64("actual-stop", "Actual stop",
                              "Stream time of the clip's end in nanoseconds, once known.", 0,
                              G_MAXUINT64, d.actual_stop, readable));
  install(kActualFrames, g_param_spec_uint64("actual-frames", "Actual frames",
                                             "Number of frames that the clip shows, once known.", 0,
                                             G_MAXUINT64, d.actual_frames, readable));
}

bool RangeProperties::set(guint id, const GValue* value) {
  switch (id) {
    case kMode:
      mode = static_cast<Mode>(g_value_get_enum(value));
      return true;
    case kSnap:
      snap = static_cast<Snap>(g_value_get_enum(value));
      return true;
    case kMaxLeadIn:
      max_lead_in = g_value_get_uint64(value);
      return true;
    case kFallback:
      fallback = static_cast<Fallback>(g_value_get_enum(value));
      return true;
    default:
      return RangeBounds::set(id, value);
  }
}

bool RangeProperties::get(guint id, GValue* value) const {
  switch (id) {
    case kMode:
      g_value_set_enum(value, static_cast<gint>(mode));
      return true;
    case kSnap:
      g_value_set_enum(value, static_cast<gint>(snap));
      return true;
    case kMaxLeadIn:
      g_value_set_uint64(value, max_lead_in);
      return true;
    case kFallback:
      g_value_set_enum(value, static_cast<gint>(fallback));
      return true;
    case kActualStart:
      g_value_set_uint64(value, actual_start);
      return true;
    case kActualStop:
      g_value_set_uint64(value, actual_stop);
      return true;
    case kActualFrames:
      g_value_set_uint64(value, actual_frames);
      return true;
    default:
      return RangeBounds::get(id, value);
  }
}

Request RangeProperties::request() const {
  Request request = RangeBounds::request();
  request.mode = mode;
  request.snap = snap;
  if (max_lead_in != GST_CLOCK_TIME_NONE) request.max_lead_in = max_lead_in;
  return request;
}

}  // namespace clips::cut
