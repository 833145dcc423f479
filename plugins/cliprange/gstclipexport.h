// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define GST_TYPE_CLIPS_CLIP_EXPORT (gst_clips_clip_export_get_type())
G_DECLARE_FINAL_TYPE(GstClipsClipExport, gst_clips_clip_export, GST, CLIPS_CLIP_EXPORT, GstPushSrc)

G_END_DECLS
