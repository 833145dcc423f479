// SPDX-License-Identifier: LGPL-2.1-or-later
#include "economy.hpp"

#include <gst/base/gstbasetransform.h>

#include <algorithm>
#include <string_view>

#include "common/handles.hpp"

namespace clips {

namespace {

constexpr gint64 kLargestPicture = 1920 * 1088;
// x264's own limit.
constexpr guint kMostThreads = 128;

// The decoder opens its codec, and reads its properties for it, when it gets these caps.
GstPadProbeReturn choose_on_caps(GstPad* pad, GstPadProbeInfo* info, gpointer) {
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  const auto decoder = ElementRef::adopt(gst_pad_get_parent_element(pad));
  if (!decoder) return GST_PAD_PROBE_OK;
  // FFmpeg's decoders have it, others with such threads do not.
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(decoder.get()), "direct-rendering"))
    g_object_set(decoder.get(), "direct-rendering", FALSE, nullptr);
  gint width = 0;
  gint height = 0;
  if (!gst_structure_get_int(structure, "width", &width) ||
      !gst_structure_get_int(structure, "height", &height) ||
      gint64{width} * height > kLargestPicture)
    return GST_PAD_PROBE_OK;
  const gint threads = std::max(1, static_cast<gint>(g_get_num_processors()) / 2);
  g_object_set(decoder.get(), "max-threads", threads, nullptr);
  return GST_PAD_PROBE_OK;
}

bool is_made_by(GstElement* element, const gchar* factory_name) {
  const GstElementFactory* factory = gst_element_get_factory(element);
  return factory && g_strcmp0(GST_OBJECT_NAME(factory), factory_name) == 0;
}

}  // namespace

void spare_decoder_memory(GstElement* decoder) {
  const gchar* klass = gst_element_get_metadata(decoder, GST_ELEMENT_METADATA_KLASS);
  if (!klass || std::string_view(klass).find("Decoder/Video") == std::string_view::npos) return;
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(decoder), "max-threads");
  if (!spec || spec->value_type != G_TYPE_INT) return;
  const auto sink = PadRef::adopt(gst_element_get_static_pad(decoder, "sink"));
  if (sink)
    gst_pad_add_probe(sink.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, choose_on_caps, nullptr,
                      nullptr);
}

void spare_encoder_memory(GstElement* encoder) {
  if (!is_made_by(encoder, "x264enc")) return;
  guint threads = 0;
  guint distance = 0;
  g_object_get(encoder, "threads", &threads, "key-int-max", &distance, nullptr);
  if (threads == 0 && distance == 1)
    g_object_set(encoder, "threads", std::min(g_get_num_processors(), kMostThreads), nullptr);
}

void pass_unturned_pictures(GstElement* flip) {
  if (!is_made_by(flip, "videoflip")) return;
  GValue direction = G_VALUE_INIT;
  g_object_get_property(G_OBJECT(flip), "video-direction", &direction);
  const GString_ text(gst_value_serialize(&direction));
  g_value_unset(&direction);
  // It decides anew whenever a tag tells it so.
  if (g_strcmp0(text.get(), "auto") == 0)
    gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(flip), TRUE);
}

}  // namespace clips
