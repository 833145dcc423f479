// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_CLIPS_CLIP_RANGE (gst_clips_clip_range_get_type())
G_DECLARE_FINAL_TYPE(GstClipsClipRange, gst_clips_clip_range, GST, CLIPS_CLIP_RANGE, GstElement)

G_END_DECLS
