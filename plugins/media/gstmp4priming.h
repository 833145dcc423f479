// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS
#define GST_CLIPS_TYPE_MP4_PRIMING (gst_clips_mp4_priming_get_type())
G_DECLARE_FINAL_TYPE(GstClipsMp4Priming, gst_clips_mp4_priming, GST_CLIPS, MP4_PRIMING,
                     GstBaseTransform)
G_END_DECLS
