// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_FD_PUBLISH_SINK (gst_clips_fd_publish_sink_get_type())
G_DECLARE_FINAL_TYPE(GstClipsFdPublishSink, gst_clips_fd_publish_sink, GST_CLIPS, FD_PUBLISH_SINK,
                     GstBaseSink)

// The sink behind `fd://N` of urisinkbin; not registered under a name of its own.
GstElement* gst_clips_fd_publish_sink_new(int fd);

G_END_DECLS
