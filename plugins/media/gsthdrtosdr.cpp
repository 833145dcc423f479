// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-hdrtosdr
 * @title: hdrtosdr
 *
 * Turns HDR and wide-gamut video into what an ordinary screen shows: 8-bit I420 in BT.709. PQ
 * (HDR10), HLG and BT.2020 SDR come in in any YUV format; every other video passes untouched, so
 * the element can stand in every pipeline. Stock converters map PQ by the letter, 10 000 cd/m2 to
 * white, which leaves a normal picture nearly black.
 *
 * Light is bent by the roll-off of Report ITU-R BT.2390 from the material's peak to 203 cd/m2
 * (diffuse white, Report ITU-R BT.2408), which becomes SDR white: shadows and skin keep their
 * light, highlights are compressed, hues stay. The peak is the mastering display's
 * (`mastering-display-info` in the caps), else 1000 cd/m2; HLG is shown as on a display of
 * 1000 cd/m2. Colours outside BT.709 are clipped.
 *
 * Limits: HDR in RGB formats is refused. HDR10+ and Dolby Vision metadata are not read; their base
 * layer is mapped like HDR10.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 filesrc location=hdr.mp4 ! decodebin ! hdrtosdr ! videoconvert ! autovideosink
 * ]| An HDR10 video on an ordinary screen.
 */
#include "gsthdrtosdr.h"

#include <gst/video/video.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "tone_map.hpp"

GST_DEBUG_CATEGORY_STATIC(hdr_to_sdr_debug);
#define GST_CAT_DEFAULT hdr_to_sdr_debug

namespace {

using clips::media::HdrFormat;
using clips::media::ToneMapper;
using clips::media::Transfer;

// Between two set_info(); only the streaming thread uses it.
struct State {
  std::optional<ToneMapper> mapper;  // empty: video passes
  std::array<std::vector<guint16>, 2> lines;
};

struct Private {
  State state;
};

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                             GST_STATIC_CAPS("video/x-raw(ANY)"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS("video/x-raw(ANY)"));

// The transfer that has to be mapped, or nothing.
std::optional<Transfer> transfer_of(const GstVideoColorimetry& color) {
  switch (color.transfer) {
    case GST_VIDEO_TRANSFER_SMPTE2084:
      return Transfer::pq;
    case GST_VIDEO_TRANSFER_ARIB_STD_B67:
      return Transfer::hlg;
    default:
      break;
  }
  if (color.primaries == GST_VIDEO_COLOR_PRIMARIES_BT2020 ||
      color.matrix == GST_VIDEO_COLOR_MATRIX_BT2020)
    return Transfer::sdr;
  return std::nullopt;
}

std::optional<Transfer> transfer_of(const GstStructure* video) {
  const gchar* text = gst_structure_get_string(video, "colorimetry");
  GstVideoColorimetry color;
  if (!text || !gst_video_colorimetry_from_string(&color, text)) return std::nullopt;
  return transfer_of(color);
}

// How the format's lines are unpacked; only 16-bit A, Y', Cb, Cr and its 8-bit form are mapped.
bool is_yuv(const GstVideoFormatInfo* info) {
  return info->unpack_format == GST_VIDEO_FORMAT_AYUV64 ||
         info->unpack_format == GST_VIDEO_FORMAT_AYUV;
}

double mastering_peak(GstCaps* caps) {
  GstVideoMasteringDisplayInfo display;
  if (!gst_video_mastering_display_info_from_caps(&display, caps)) return HdrFormat().peak;
  const double peak = display.max_display_mastering_luminance / 10000.0;
  return peak > 0 ? std::clamp(peak, 100.0, 10000.0) : HdrFormat().peak;
}

}  // namespace

struct _GstClipsHdrToSdr {
  GstVideoFilter parent;
};
using GstClipsHdrToSdrPrivate = Private;

#define gst_clips_hdr_to_sdr_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsHdrToSdr, gst_clips_hdr_to_sdr, GST_TYPE_VIDEO_FILTER)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_hdr_to_sdr_get_instance_private(static_cast<GstClipsHdrToSdr*>(self)));
}

// What stands in a structure on the other side, beside the fields that stay.
void make_sdr(GstStructure* video) {
  gst_structure_set(video, "format", G_TYPE_STRING, "I420", "colorimetry", G_TYPE_STRING,
                    GST_VIDEO_COLORIMETRY_BT709, nullptr);
  gst_structure_remove_fields(video, "mastering-display-info", "content-light-level", nullptr);
}

GstCaps* transform_caps(GstBaseTransform* self, GstPadDirection direction, GstCaps* caps,
                        GstCaps* filter) {
  return clips::guard(self, static_cast<GstCaps*>(nullptr), [&] {
    auto other = clips::CapsRef::adopt(gst_caps_new_empty());
    const auto add = [&](GstStructure* video, guint i) {
      GstCapsFeatures* features = gst_caps_get_features(caps, i);
      gst_caps_append_structure_full(other.get(), video, gst_caps_features_copy(features));
    };
    for (guint i = 0; i < gst_caps_get_size(caps); i++) {
      const GstStructure* video = gst_caps_get_structure(caps, i);
      if (direction == GST_PAD_SINK && transfer_of(video)) {
        GstStructure* sdr = gst_structure_copy(video);
        make_sdr(sdr);
        add(sdr, i);
        continue;
      }
      add(gst_structure_copy(video), i);
      // Fixed caps that name no colorimetry, as 1.26's decoders write them, are SDR for good.
      const bool open = !gst_caps_is_fixed(caps) &&
                        !gst_structure_has_field_typed(video, "colorimetry", G_TYPE_STRING);
      if (direction == GST_PAD_SINK && open) {
        // It may turn out to be HDR.
        GstStructure* sdr = gst_structure_copy(video);
        make_sdr(sdr);
        add(sdr, i);
      } else if (direction == GST_PAD_SRC) {
        GstStructure* any = gst_structure_copy(video);
        gst_structure_remove_fields(any, "format", "colorimetry", "chroma-site", nullptr);
        add(any, i);
      }
    }
    if (filter) return gst_caps_intersect_full(filter, other.get(), GST_CAPS_INTERSECT_FIRST);
    return other.release();
  });
}

gboolean set_info(GstVideoFilter* self, GstCaps* in_caps, GstVideoInfo* in, GstCaps*,
                  GstVideoInfo* out) {
  return clips::guard(self, false, [&] {
    auto& state = priv(self).state;
    const auto transfer = transfer_of(in->colorimetry);
    const bool maps = transfer && !transfer_of(out->colorimetry);
    gst_base_transform_set_passthrough(GST_BASE_TRANSFORM_CAST(self), !maps);
    if (!maps) {
      state = State{};
      return true;
    }
    if (!is_yuv(in->finfo)) {
      GST_WARNING_OBJECT(self, "HDR in %s is not supported",
                         gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(in)));
      return false;
    }
    const HdrFormat format{*transfer, in->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255,
                           mastering_peak(in_caps)};
    if (!state.mapper || !(state.mapper->format() == format)) state.mapper.emplace(format);
    for (auto& line : state.lines) line.assign(4 * static_cast<std::size_t>(in->width), 0);
    GST_INFO_OBJECT(self, "mapping %s of up to %.0f cd/m2",
                    gst_structure_get_string(gst_caps_get_structure(in_caps, 0), "colorimetry"),
                    format.peak);
    return true;
  });
}

// One line as 16-bit A, Y', Cb, Cr.
void unpack(const GstVideoFrame* frame, int line, std::vector<guint16>& to) {
  const GstVideoFormatInfo* info = frame->info.finfo;
  const int width = GST_VIDEO_FRAME_WIDTH(frame);
  info->unpack_func(info, GST_VIDEO_PACK_FLAG_NONE, to.data(), frame->data, frame->info.stride, 0,
                    line, width);
  if (info->unpack_format == GST_VIDEO_FORMAT_AYUV) {
    const auto* bytes = reinterpret_cast<const guint8*>(to.data());
    for (int i = 4 * width - 1; i >= 0; i--) to[i] = static_cast<guint16>(bytes[i] * 257);
  }
}

GstFlowReturn transform_frame(GstVideoFilter* self, GstVideoFrame* in, GstVideoFrame* out) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    auto& state = priv(self).state;
    const int width = GST_VIDEO_FRAME_WIDTH(in), height = GST_VIDEO_FRAME_HEIGHT(in);
    const auto row = [&](int plane, int line) {
      return static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(out, plane)) +
             static_cast<gssize>(line) * GST_VIDEO_FRAME_PLANE_STRIDE(out, plane);
    };
    for (int y = 0; y < height; y += 2) {
      const bool pair = y + 1 < height;
      unpack(in, y, state.lines[0]);
      if (pair) unpack(in, y + 1, state.lines[1]);
      state.mapper->convert(
          {state.lines[0].data(), state.lines[1].data()}, static_cast<std::size_t>(width),
          {row(0, y), pair ? row(0, y + 1) : nullptr}, row(1, y / 2), row(2, y / 2));
    }
    return GST_FLOW_OK;
  });
}

gboolean stop(GstBaseTransform* self) {
  return clips::guard(self, false, [&] {
    priv(self).state = State{};
    return true;
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_hdr_to_sdr_init(GstClipsHdrToSdr* self) {
  clips::construct_private<Private>(gst_clips_hdr_to_sdr_get_instance_private(self));
}

static void gst_clips_hdr_to_sdr_class_init(GstClipsHdrToSdrClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(hdr_to_sdr_debug, "hdrtosdr", 0, "HDR to SDR");

  G_OBJECT_CLASS(klass)->finalize = finalize;
  gst_element_class_set_static_metadata(
      element_class, "HDR to SDR", "Filter/Converter/Video/Colorspace",
      "Tone-maps PQ, HLG and BT.2020 video to 8-bit BT.709", "The gst-plugins-clips developers");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  transform_class->transform_caps = transform_caps;
  transform_class->stop = stop;
  transform_class->transform_ip_on_passthrough = FALSE;
  GST_VIDEO_FILTER_CLASS(klass)->set_info = set_info;
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame = transform_frame;
}
