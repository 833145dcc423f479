// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_CLIPS_TYPE_FORCE_KEY_UNITS (gst_clips_force_key_units_get_type())
G_DECLARE_FINAL_TYPE(GstClipsForceKeyUnits, gst_clips_force_key_units, GST_CLIPS, FORCE_KEY_UNITS,
                     GstBaseTransform)

G_END_DECLS
