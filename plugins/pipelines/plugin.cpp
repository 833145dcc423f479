// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:plugin-clipspipelines
 * @title: clipspipelines
 *
 * Every pipeline definition of the search path as an element; docs/pipelines/format.md.
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/gst.h>

#include "lib/gst-clips-private.h"

static gboolean plugin_init(GstPlugin* plugin) {
  gst_clips_register_definitions(plugin);
  return TRUE;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, clipspipelines,
                  "Pipeline definitions as elements", plugin_init, PACKAGE_VERSION, "LGPL",
                  PACKAGE_NAME, PACKAGE_ORIGIN)
