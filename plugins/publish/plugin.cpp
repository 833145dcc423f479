// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/gst.h>

#include "gstfilepublishsink.h"
#include "gsthlspublishsink.h"
#include "gsturisinkbin.h"

// filesink and giosink keep file://: an application that asks by URI gets what it always got.
static gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "filepublishsink", GST_RANK_MARGINAL,
                              GST_CLIPS_TYPE_FILE_PUBLISH_SINK) &&
         gst_element_register(plugin, "hlspublishsink", GST_RANK_NONE,
                              GST_CLIPS_TYPE_HLS_PUBLISH_SINK) &&
         gst_element_register(plugin, "urisinkbin", GST_RANK_NONE, GST_CLIPS_TYPE_URI_SINK_BIN);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, publish,
                  "Sinks whose output is visible when it is complete", plugin_init, PACKAGE_VERSION,
                  "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)
