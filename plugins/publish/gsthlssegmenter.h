// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <functional>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_HLS_SEGMENTER (gst_clips_hls_segmenter_get_type())
G_DECLARE_FINAL_TYPE(GstClipsHlsSegmenter, gst_clips_hls_segmenter, GST_CLIPS, HLS_SEGMENTER,
                     GstElement)

G_END_DECLS

// Gathers a transport stream into one buffer a segment; a downstream force-key-unit event begins
// the next one. `segment` is called with the size of each, before it goes out, in the streaming
// thread. Not registered under a name.
GstElement* gst_clips_hls_segmenter_new(std::function<void(gsize bytes)> segment);
