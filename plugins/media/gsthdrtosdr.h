// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/gstvideofilter.h>

G_BEGIN_DECLS
#define GST_CLIPS_TYPE_HDR_TO_SDR (gst_clips_hdr_to_sdr_get_type())
G_DECLARE_FINAL_TYPE(GstClipsHdrToSdr, gst_clips_hdr_to_sdr, GST_CLIPS, HDR_TO_SDR, GstVideoFilter)
G_END_DECLS
