// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_SCENE_CUT (gst_clips_scene_cut_get_type())
G_DECLARE_FINAL_TYPE(GstClipsSceneCut, gst_clips_scene_cut, GST_CLIPS, SCENE_CUT, GstElement)

G_END_DECLS
