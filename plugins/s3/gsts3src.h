// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_S3_SRC (gst_clips_s3_src_get_type())
G_DECLARE_FINAL_TYPE(GstClipsS3Src, gst_clips_s3_src, GST_CLIPS, S3_SRC, GstBaseSrc)

G_END_DECLS
