// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/gst.h>

#include "gsts3hlssink.h"
#include "gsts3sink.h"
#include "gsts3src.h"

static gboolean plugin_init(GstPlugin* plugin) {
  // Marginal: where an application has another s3:// element, it asks for this one by name.
  return gst_element_register(plugin, "s3src", GST_RANK_MARGINAL, GST_CLIPS_TYPE_S3_SRC) &&
         gst_element_register(plugin, "s3sink", GST_RANK_MARGINAL, GST_CLIPS_TYPE_S3_SINK) &&
         gst_element_register(plugin, "s3hlssink", GST_RANK_NONE, GST_CLIPS_TYPE_S3_HLS_SINK);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, clipss3,
                  "Reads from and writes to S3 and stores that speak like it", plugin_init,
                  PACKAGE_VERSION, "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)
