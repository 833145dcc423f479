// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/gst.h>

#include "gstscenecut.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "scenecut", GST_RANK_NONE, GST_CLIPS_TYPE_SCENE_CUT);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, scenecut, "Finds the scene cuts of a video",
                  plugin_init, PACKAGE_VERSION, "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)
