// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_S3_HLS_SINK (gst_clips_s3_hls_sink_get_type())
G_DECLARE_FINAL_TYPE(GstClipsS3HlsSink, gst_clips_s3_hls_sink, GST_CLIPS, S3_HLS_SINK, GstBin)

G_END_DECLS
