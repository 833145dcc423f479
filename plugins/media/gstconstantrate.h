// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_CONSTANT_RATE (gst_clips_constant_rate_get_type())
G_DECLARE_FINAL_TYPE(GstClipsConstantRate, gst_clips_constant_rate, GST_CLIPS, CONSTANT_RATE,
                     GstElement)

G_END_DECLS
