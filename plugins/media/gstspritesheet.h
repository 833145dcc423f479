/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS
#define GST_CLIPS_TYPE_SPRITE_SHEET (gst_clips_sprite_sheet_get_type())
G_DECLARE_FINAL_TYPE(GstClipsSpriteSheet, gst_clips_sprite_sheet, GST_CLIPS, SPRITE_SHEET,
                     GstElement)
G_END_DECLS
