// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_FILE_PUBLISH_SINK (gst_clips_file_publish_sink_get_type())
G_DECLARE_FINAL_TYPE(GstClipsFilePublishSink, gst_clips_file_publish_sink, GST_CLIPS,
                     FILE_PUBLISH_SINK, GstBaseSink)

// GObject enum of `next-file`; urisinkbin has the same property.
#define GST_CLIPS_TYPE_PUBLISH_NEXT_FILE (gst_clips_publish_next_file_get_type())
typedef enum {
  GST_CLIPS_PUBLISH_NEXT_FILE_NEVER,
  GST_CLIPS_PUBLISH_NEXT_FILE_BUFFER,
} GstClipsPublishNextFile;
GType gst_clips_publish_next_file_get_type(void);

G_END_DECLS
