// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/gst.h>

#include "gstconstantrate.h"
#include "gstforcekeyunits.h"
#include "gstframetensor.h"
#include "gsthdrtosdr.h"
#include "gstjpegcolor.h"
#include "gstlanczosscale.h"
#include "gstmp4priming.h"
#include "gstspritesheet.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "constantrate", GST_RANK_NONE,
                              GST_CLIPS_TYPE_CONSTANT_RATE) &&
         gst_element_register(plugin, "forcekeyunits", GST_RANK_NONE,
                              GST_CLIPS_TYPE_FORCE_KEY_UNITS) &&
         gst_element_register(plugin, "frametensor", GST_RANK_NONE, GST_CLIPS_TYPE_FRAME_TENSOR) &&
         gst_element_register(plugin, "hdrtosdr", GST_RANK_NONE, GST_CLIPS_TYPE_HDR_TO_SDR) &&
         gst_element_register(plugin, "jpegcolor", GST_RANK_NONE, GST_CLIPS_TYPE_JPEG_COLOR) &&
         gst_element_register(plugin, "lanczosscale", GST_RANK_NONE,
                              GST_CLIPS_TYPE_LANCZOS_SCALE) &&
         gst_element_register(plugin, "mp4priming", GST_RANK_NONE, GST_CLIPS_TYPE_MP4_PRIMING) &&
         gst_element_register(plugin, "spritesheet", GST_RANK_NONE, GST_CLIPS_TYPE_SPRITE_SHEET);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, clipsmedia,
                  "What encodings need beside the stock elements", plugin_init, PACKAGE_VERSION,
                  "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)
