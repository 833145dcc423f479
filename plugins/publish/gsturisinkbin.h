// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_URI_SINK_BIN (gst_clips_uri_sink_bin_get_type())
G_DECLARE_FINAL_TYPE(GstClipsUriSinkBin, gst_clips_uri_sink_bin, GST_CLIPS, URI_SINK_BIN, GstBin)

G_END_DECLS
