// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_CLIPS_URI_CLEAN_BIN (gst_clips_uri_clean_bin_get_type())
G_DECLARE_FINAL_TYPE(GstClipsUriCleanBin, gst_clips_uri_clean_bin, GST, CLIPS_URI_CLEAN_BIN, GstBin)

G_END_DECLS
