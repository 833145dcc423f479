// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_FILE_PUBLISH_SINK (gst_clips_file_publish_sink_get_type())
G_DECLARE_FINAL_TYPE(GstClipsFilePublishSink, gst_clips_file_publish_sink, GST_CLIPS,
                     FILE_PUBLISH_SINK, GstBaseSink)

// The type of the property "next-file", which urisinkbin has too.
GType gst_clips_publish_next_file_get_type(void);

G_END_DECLS
