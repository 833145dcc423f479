/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define GST_TYPE_CLIPS_CLIP_FRAMES (gst_clips_clip_frames_get_type())
G_DECLARE_FINAL_TYPE(GstClipsClipFrames, gst_clips_clip_frames, GST_CLIPS, CLIP_FRAMES, GstPushSrc)

G_END_DECLS
