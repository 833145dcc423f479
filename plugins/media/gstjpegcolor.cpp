// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-jpegcolor
 * @title: jpegcolor
 *
 * Turns I420 of any matrix and range into what a JPEG file holds: full range, BT.601 (JFIF). Stock
 * encoders write the bytes as they come, and videoconvert (1.22 to 1.26) relabels video that
 * differs in nothing but the range instead of converting it, so that pictures look washed out.
 *
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=1 ! videoconvert ! jpegcolor ! jpegenc \
 *     ! filesink location=a.jpg
 * ]| writes a picture with full black and white.
 */
#include "gstjpegcolor.h"

#include <cstring>
#include <optional>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "jpeg_color.hpp"

GST_DEBUG_CATEGORY_STATIC(jpeg_color_debug);
#define GST_CAT_DEFAULT jpeg_color_debug

namespace {

using clips::media::JpegColor;
using clips::media::LumaWeights;

// Full range, BT.601; transfer and primaries stay as they are, so they are not named.
constexpr const char* kJpeg = "1:4:0:0";

struct Private {
  std::optional<JpegColor> color;  // the streaming thread's; empty: video passes
};

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("I420")));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("I420") ", colorimetry=(string)1:4:0:0"));

}  // namespace

struct _GstClipsJpegColor {
  GstVideoFilter parent;
};
using GstClipsJpegColorPrivate = Private;

#define gst_clips_jpeg_color_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsJpegColor, gst_clips_jpeg_color, GST_TYPE_VIDEO_FILTER)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_jpeg_color_get_instance_private(static_cast<GstClipsJpegColor*>(self)));
}

GstCaps* transform_caps(GstBaseTransform* self, GstPadDirection direction, GstCaps* caps,
                        GstCaps* filter) {
  return clips::guard(self, static_cast<GstCaps*>(nullptr), [&] {
    auto other = clips::CapsRef::adopt(gst_caps_copy(caps));
    for (guint i = 0; i < gst_caps_get_size(other.get()); ++i) {
      GstStructure* video = gst_caps_get_structure(other.get(), i);
      if (direction == GST_PAD_SINK)
        gst_structure_set(video, "colorimetry", G_TYPE_STRING, kJpeg, nullptr);
      else
        gst_structure_remove_field(video, "colorimetry");
    }
    if (filter) return gst_caps_intersect_full(filter, other.get(), GST_CAPS_INTERSECT_FIRST);
    return other.release();
  });
}

// The base class offers what passes untouched first, and videoconvert takes that at its word: it
// would relabel the video.
void put_last_what_passes(GstQuery* query) {
  GstCaps* caps = nullptr;
  gst_query_parse_caps_result(query, &caps);
  auto ordered = clips::CapsRef::adopt(gst_caps_new_empty());
  for (const bool passing : {false, true}) {
    for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
      const GstStructure* video = gst_caps_get_structure(caps, i);
      const gchar* text = gst_structure_get_string(video, "colorimetry");
      if ((text && strcmp(text, kJpeg) == 0) != passing) continue;
      gst_caps_append_structure_full(ordered.get(), gst_structure_copy(video),
                                     gst_caps_features_copy(gst_caps_get_features(caps, i)));
    }
  }
  gst_query_set_caps_result(query, ordered.get());
}

gboolean query(GstBaseTransform* self, GstPadDirection direction, GstQuery* query) {
  return clips::guard(self, gboolean{FALSE}, [&]() -> gboolean {
    if (!GST_BASE_TRANSFORM_CLASS(parent_class)->query(self, direction, query)) return FALSE;
    if (direction == GST_PAD_SINK && GST_QUERY_TYPE(query) == GST_QUERY_CAPS)
      put_last_what_passes(query);
    return TRUE;
  });
}

gboolean set_info(GstVideoFilter* self, GstCaps*, GstVideoInfo* in, GstCaps*, GstVideoInfo*) {
  return clips::guard(self, gboolean{FALSE}, [&]() -> gboolean {
    LumaWeights weights;
    // What is not known is BT.601, as it is for every reader of the file.
    if (!gst_video_color_matrix_get_Kr_Kb(in->colorimetry.matrix, &weights.red, &weights.blue))
      weights = clips::media::kBt601;
    const bool full = in->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
    const bool same = full && weights == clips::media::kBt601;
    auto& color = priv(self).color;
    color.reset();
    if (!same) color.emplace(weights, full);
    gst_base_transform_set_passthrough(GST_BASE_TRANSFORM_CAST(self), same);
    return TRUE;
  });
}

GstFlowReturn transform_frame_ip(GstVideoFilter* self, GstVideoFrame* frame) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    const auto& color = priv(self).color;
    if (!color) return GST_FLOW_OK;
    const int height = GST_VIDEO_FRAME_HEIGHT(frame);
    const auto row = [&](int plane, int line) {
      return static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(frame, plane)) +
             static_cast<gssize>(line) * GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane);
    };
    const auto width = static_cast<std::size_t>(GST_VIDEO_FRAME_WIDTH(frame));
    for (int line = 0; line < height; ++line)
      color->luma(row(0, line), row(1, line / 2), row(2, line / 2), width, 1);
    for (int line = 0; line < (height + 1) / 2; ++line)
      color->chroma(row(1, line), row(2, line), (width + 1) / 2);
    return GST_FLOW_OK;
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_jpeg_color_init(GstClipsJpegColor* self) {
  clips::construct_private<Private>(gst_clips_jpeg_color_get_instance_private(self));
}

static void gst_clips_jpeg_color_class_init(GstClipsJpegColorClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(jpeg_color_debug, "jpegcolor", 0, "JPEG colour");
  G_OBJECT_CLASS(klass)->finalize = finalize;
  gst_element_class_set_static_metadata(
      element_class, "JPEG colour", "Filter/Converter/Video/Colorspace",
      "Turns I420 into the full-range BT.601 of JPEG files", "The gst-plugins-clips developers");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  transform_class->transform_caps = transform_caps;
  transform_class->query = query;
  transform_class->transform_ip_on_passthrough = FALSE;
  GST_VIDEO_FILTER_CLASS(klass)->set_info = set_info;
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame_ip = transform_frame_ip;
}
