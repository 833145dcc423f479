// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_S3_SINK (gst_clips_s3_sink_get_type())
G_DECLARE_FINAL_TYPE(GstClipsS3Sink, gst_clips_s3_sink, GST_CLIPS, S3_SINK, GstBaseSink)

G_END_DECLS
