/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef __GST_CLIPS_BIN_H__
#define __GST_CLIPS_BIN_H__

#include "gst-clips.h"

G_BEGIN_DECLS

/* The abstract bin behind every definition; internal to the library. */
#define GST_TYPE_CLIPS_BIN (gst_clips_bin_get_type())
#define GST_IS_CLIPS_BIN(object) (G_TYPE_CHECK_INSTANCE_TYPE((object), GST_TYPE_CLIPS_BIN))
typedef struct _GstClipsBin GstClipsBin;
GType gst_clips_bin_get_type(void);

/* The type of the bin of a definition; registered on first use, then kept for good. */
GType gst_clips_bin_type_for(GstClipsDefinition* definition);
/* (transfer none) */
GstClipsDefinition* gst_clips_bin_get_definition(GstClipsBin* bin);
/* Whether a value was set since the bin was made. */
gboolean gst_clips_bin_is_set(GstClipsBin* bin, const gchar* parameter);
/* Builds the graph with the choices as they are set, tries every bind of what was built, takes it
 * apart again. */
gboolean gst_clips_bin_check(GstClipsBin* bin, GError** error);

G_END_DECLS

#endif
