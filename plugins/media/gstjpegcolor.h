/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/video/gstvideofilter.h>

G_BEGIN_DECLS
#define GST_CLIPS_TYPE_JPEG_COLOR (gst_clips_jpeg_color_get_type())
G_DECLARE_FINAL_TYPE(GstClipsJpegColor, gst_clips_jpeg_color, GST_CLIPS, JPEG_COLOR, GstVideoFilter)
G_END_DECLS
