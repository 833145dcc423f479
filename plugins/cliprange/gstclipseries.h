// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_CLIPS_CLIP_SERIES (gst_clips_clip_series_get_type())
G_DECLARE_FINAL_TYPE(GstClipsClipSeries, gst_clips_clip_series, GST, CLIPS_CLIP_SERIES, GstElement)

G_END_DECLS
