// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include "config.h"
#include "gstclipexport.h"
#include "gstclipframes.h"
#include "gstcliprange.h"
#include "gstclipseries.h"
#include "gstclipsrc.h"
#include "gsturicleanbin.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "clipexport", GST_RANK_NONE, GST_TYPE_CLIPS_CLIP_EXPORT) &&
         gst_element_register(plugin, "clipframes", GST_RANK_NONE, GST_TYPE_CLIPS_CLIP_FRAMES) &&
         gst_element_register(plugin, "cliprange", GST_RANK_NONE, GST_TYPE_CLIPS_CLIP_RANGE) &&
         gst_element_register(plugin, "clipseries", GST_RANK_NONE, GST_TYPE_CLIPS_CLIP_SERIES) &&
         gst_element_register(plugin, "clipsrc", GST_RANK_NONE, GST_TYPE_CLIPS_CLIP_SRC) &&
         gst_element_register(plugin, "uricleanbin", GST_RANK_NONE, GST_TYPE_CLIPS_URI_CLEAN_BIN);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, cliprange,
                  "Clip ranges, exact to the frame", plugin_init, PACKAGE_VERSION, "LGPL",
                  PACKAGE_NAME, PACKAGE_ORIGIN)
