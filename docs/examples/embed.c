/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes a proxy of a video inside of an application: embed INPUT OUTPUT
 * cc embed.c -o embed $(pkg-config --cflags --libs gstreamer-1.0) */
#include <gst/gst.h>

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc != 3) {
    g_printerr("usage: %s INPUT OUTPUT\n", argv[0]);
    return 2;
  }
  GstElement* proxy = gst_element_factory_make("proxybin", NULL);
  if (!proxy) {
    g_printerr("There is no proxybin; is GST_PLUGIN_PATH set?\n");
    return 3;
  }
  g_object_set(proxy, "input", argv[1], "output", argv[2], "crf", 26, NULL);
  GstElement* pipeline = gst_pipeline_new(NULL);
  gst_bin_add(GST_BIN(pipeline), proxy);

  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline);
  GstMessage* message =
      gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  int status = 0;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_printerr("%s\n", error->message);
    g_error_free(error);
    status = 1;
  }
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  return status;
}
