// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "cutter.hpp"

namespace clips::cut {

// The properties that say which frames of a source are meant: the same on every element of the
// plugin.
struct RangeBounds {
  guint64 start = 0;
  guint64 stop = GST_CLOCK_TIME_NONE;
  gint64 start_frame = -1;
  gint64 stop_frame = -1;
  guint64 tolerance = 500'000;

  // An element's own properties have ids from here on.
  static constexpr guint kFirstFree = 100;

  static void install(GObjectClass* klass);
  // False if the id is none of these.
  bool set(guint id, const GValue* value);
  bool get(guint id, GValue* value) const;

  Request request() const;
};

// With those of elements that cut: how, and what was cut.
struct RangeProperties : RangeBounds {
  Mode mode = Mode::Auto;
  Snap snap = Snap::Before;
  guint64 max_lead_in = GST_CLOCK_TIME_NONE;
  Fallback fallback = Fallback::Exact;
  // Read-only.
  guint64 actual_start = GST_CLOCK_TIME_NONE;
  guint64 actual_stop = GST_CLOCK_TIME_NONE;
  guint64 actual_frames = 0;

  static void install(GObjectClass* klass);
  bool set(guint id, const GValue* value);
  bool get(guint id, GValue* value) const;

  Request request() const;
};

}  // namespace clips::cut
