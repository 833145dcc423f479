// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_CLIPS_CLIP_SRC (gst_clips_clip_src_get_type())
G_DECLARE_FINAL_TYPE(GstClipsClipSrc, gst_clips_clip_src, GST, CLIPS_CLIP_SRC, GstBin)

G_END_DECLS
