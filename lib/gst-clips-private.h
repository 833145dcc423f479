/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef __GST_CLIPS_PRIVATE_H__
#define __GST_CLIPS_PRIVATE_H__

/* What the library has for this project's own plugin; not installed, no promise kept. */

#include <lib/gst-clips.h>

G_BEGIN_DECLS

/* Registers <name>bin of every definition in the search path with the plugin and tells the registry
 * what to watch. A wrong definition is a warning. */
GST_CLIPS_API void gst_clips_register_definitions(GstPlugin* plugin);

G_END_DECLS

#endif
