/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS
#define GST_CLIPS_TYPE_FRAME_TENSOR (gst_clips_frame_tensor_get_type())
G_DECLARE_FINAL_TYPE(GstClipsFrameTensor, gst_clips_frame_tensor, GST_CLIPS, FRAME_TENSOR,
                     GstElement)
G_END_DECLS
