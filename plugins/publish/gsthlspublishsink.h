// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_HLS_PUBLISH_SINK (gst_clips_hls_publish_sink_get_type())
G_DECLARE_FINAL_TYPE(GstClipsHlsPublishSink, gst_clips_hls_publish_sink, GST_CLIPS,
                     HLS_PUBLISH_SINK, GstBin)

G_END_DECLS
