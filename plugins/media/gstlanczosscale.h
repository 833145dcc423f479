// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/gstvideofilter.h>

G_BEGIN_DECLS
#define GST_CLIPS_TYPE_LANCZOS_SCALE (gst_clips_lanczos_scale_get_type())
G_DECLARE_FINAL_TYPE(GstClipsLanczosScale, gst_clips_lanczos_scale, GST_CLIPS, LANCZOS_SCALE,
                     GstVideoFilter)
G_END_DECLS
