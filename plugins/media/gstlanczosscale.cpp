// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-lanczosscale
 * @title: lanczosscale
 *
 * Scales planar video by Lanczos' filter of three lobes, luma and chroma alike, as FFmpeg's
 * `scale=flags=lanczos` does; zimg works it out, in about a quarter of the time that
 * videoconvertscale takes for the same. Pictures that have the wanted size pass untouched.
 *
 * The caps downstream say the size: ranges, steps and the shape of the pixels are kept to, and
 * within them the shape of the picture as nearly as may be. Format, matrix, range and transfer
 * stay, and chroma stays where its site says. Pictures that name no colorimetry are taken for
 * BT.709 or BT.601 by their height, so when they change their size they name it from here on.
 *
 * Limits: it takes formats with one plane for each component, of 8 to 16 bits; videoconvert before
 * it brings others to these. Interlaced pictures are scaled field by field, so those that shall
 * not stay interlaced are better deinterlaced before.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 filesrc location=film.mp4 ! decodebin ! videoconvert ! lanczosscale !
 *   video/x-raw,width=[2,1280,2],height=[2,720,2],pixel-aspect-ratio=1/1 ! x264enc ! mp4mux !
 *   filesink location=small.mp4
 * ]| At most 1280x720, of even sizes, with square pixels.
 */
#include "gstlanczosscale.h"

#include <gst/video/video.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "plane_scaler.hpp"

GST_DEBUG_CATEGORY_STATIC(lanczos_scale_debug);
#define GST_CAT_DEFAULT lanczos_scale_debug

namespace {

using clips::CapsRef;
using clips::GString_;
using clips::media::PlaneScaler;
using clips::media::scaled_axis;

// A plane of the picture, or of one of its fields.
struct Plane {
  int component;
  int first_line;
  int line_step;
  PlaneScaler scaler;
};

// Between two set_info(); only the streaming thread uses it.
struct State {
  std::vector<Plane> planes;
  std::vector<Plane> fields;  // of the two fields, for interlaced pictures
};

struct Private {
  State state;
};

// One plane for each component, a sample in each byte or in each two of the machine's order.
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define ORDER "LE"
#else
#define ORDER "BE"
#endif
#define DEEP(format) format "_10" ORDER ", " format "_12" ORDER
#define FORMATS                                                                                 \
  "{ I420, YV12, Y42B, Y444, Y41B, " DEEP("I420") ", " DEEP("I422") ", " DEEP(                  \
      "Y444") ", Y444_16" ORDER ", GRAY8, GRAY16_" ORDER                                        \
              ", GBR, " DEEP("GBR") ", A420, A420_10" ORDER ", A422_10" ORDER ", A444_10" ORDER \
                                    ", GBRA, " DEEP("GBRA") " }"

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(FORMATS)));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(FORMATS)));

struct Fraction {
  gint numerator = 1;
  gint denominator = 1;
};

constexpr auto kShape = "pixel-aspect-ratio";

Fraction pixel_shape(const GstStructure* video) {
  Fraction shape;
  if (!gst_structure_get_fraction(video, kShape, &shape.numerator, &shape.denominator)) return {};
  return shape;
}

// What the structure allows that is nearest.
gint nearest(const GstStructure* video, const char* field, gint wanted) {
  GstStructure* copy = gst_structure_copy(video);
  gst_structure_fixate_field_nearest_int(copy, field, wanted);
  gint found = wanted;
  gst_structure_get_int(copy, field, &found);
  gst_structure_free(copy);
  return found;
}

struct Size {
  gint width = 0;
  gint height = 0;
};

Size size_of(const GstStructure* video) {
  Size size;
  gst_structure_get(video, "width", G_TYPE_INT, &size.width, "height", G_TYPE_INT, &size.height,
                    nullptr);
  return size;
}

void set_size(GstStructure* video, const Size& size) {
  gst_structure_set(video, "width", G_TYPE_INT, size.width, "height", G_TYPE_INT, size.height,
                    nullptr);
}

// How wide a picture of this shape is for its height, in pixels of another shape.
std::optional<Fraction> ratio(const GstStructure* picture, const Fraction& pixels) {
  const Size size = size_of(picture);
  const Fraction own = pixel_shape(picture);
  guint numerator = 0;
  guint denominator = 0;
  if (!gst_video_calculate_display_ratio(&numerator, &denominator, size.width, size.height,
                                         own.numerator, own.denominator, pixels.numerator,
                                         pixels.denominator) ||
      numerator > G_MAXINT || denominator > G_MAXINT)
    return std::nullopt;
  return Fraction{static_cast<gint>(numerator), static_cast<gint>(denominator)};
}

gint scaled(gint value, gint numerator, gint denominator) {
  return static_cast<gint>(
      std::min<guint64>(gst_util_uint64_scale_int_round(value, numerator, denominator), G_MAXINT));
}

// Where the shape of the pixels is free, the size stays as near as may be and they make up for it.
// Returns whether that was possible.
bool fixate_shape(const GstStructure* from, GstStructure* to) {
  const GValue* allowed = gst_structure_get_value(to, kShape);
  if (allowed && gst_value_is_fixed(allowed)) return false;
  const Size old = size_of(from);
  const Size size{nearest(to, "width", old.width), nearest(to, "height", old.height)};
  const auto shape = ratio(from, {size.width, size.height});
  if (!shape) return false;
  if (allowed) {
    gst_structure_fixate_field_nearest_fraction(to, kShape, shape->numerator, shape->denominator);
    const Fraction set = pixel_shape(to);
    if (set.numerator != shape->numerator || set.denominator != shape->denominator) return false;
  } else if (shape->numerator != shape->denominator) {
    gst_structure_set(to, kShape, GST_TYPE_FRACTION, shape->numerator, shape->denominator, nullptr);
  }
  set_size(to, size);
  return true;
}

// Pixels of a given shape: the height nearest to the source's and the width that goes with it, or
// the other way round, whichever keeps the picture's shape better.
void fixate_size(const GstStructure* from, GstStructure* to) {
  const auto shape = ratio(from, pixel_shape(to));
  if (!shape) return;
  const Size old = size_of(from);
  const auto [over, under] = *shape;
  Size by_height{0, nearest(to, "height", old.height)};
  const gint width = scaled(by_height.height, over, under);
  by_height.width = nearest(to, "width", width);
  Size by_width{nearest(to, "width", old.width), 0};
  const gint height = scaled(by_width.width, under, over);
  by_width.height = nearest(to, "height", height);
  const gint64 height_error = gint64{by_width.width} * std::abs(by_width.height - height);
  const gint64 width_error = gint64{by_height.height} * std::abs(by_height.width - width);
  set_size(to, height_error < width_error ? by_width : by_height);
}

// What pictures that name none are taken for.
GString_ colorimetry_of(GstCaps* caps) {
  GstVideoInfo video;
  if (gst_structure_has_field(gst_caps_get_structure(caps, 0), "colorimetry") ||
      !gst_video_info_from_caps(&video, caps) || !GST_VIDEO_INFO_IS_YUV(&video))
    return nullptr;
  return GString_(gst_video_colorimetry_to_string(&video.colorimetry));
}

// GstVideoInfo has a site of its own where the caps name no colorimetry (1.22).
GstVideoChromaSite chroma_site(GstCaps* caps) {
  const gchar* name = gst_structure_get_string(gst_caps_get_structure(caps, 0), "chroma-site");
  const auto site = name ? gst_video_chroma_site_from_string(name) : GST_VIDEO_CHROMA_SITE_UNKNOWN;
  return site == GST_VIDEO_CHROMA_SITE_UNKNOWN ? GST_VIDEO_CHROMA_SITE_MPEG2 : site;
}

std::vector<Plane> planes(const GstVideoInfo* in, const GstVideoInfo* out, GstVideoChromaSite site,
                          int fields) {
  std::vector<Plane> all;
  const GstVideoFormatInfo* format = in->finfo;
  // How far behind the first of so many pixels the one sample for them lies.
  const auto behind = [site](int pixels, GstVideoChromaSite cosited) {
    return site & cosited ? 0 : (pixels - 1) / 2.0;
  };
  for (int field = 0; field < fields; field++)
    for (int i = 0; i < static_cast<int>(GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format)); i++) {
      const int across = 1 << GST_VIDEO_FORMAT_INFO_W_SUB(format, i);
      const int down = 1 << GST_VIDEO_FORMAT_INFO_H_SUB(format, i);
      const auto x = scaled_axis(in->width, out->width, across, 0,
                                 behind(across, GST_VIDEO_CHROMA_SITE_H_COSITED));
      const auto y = scaled_axis(in->height, out->height, down * fields, down * field,
                                 behind(down, GST_VIDEO_CHROMA_SITE_V_COSITED));
      all.push_back({i, field, fields, PlaneScaler(x, y, GST_VIDEO_FORMAT_INFO_DEPTH(format, i))});
    }
  return all;
}

}  // namespace

struct _GstClipsLanczosScale {
  GstVideoFilter parent;
};
using GstClipsLanczosScalePrivate = Private;

#define gst_clips_lanczos_scale_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsLanczosScale, gst_clips_lanczos_scale,
                                 GST_TYPE_VIDEO_FILTER)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_lanczos_scale_get_instance_private(static_cast<GstClipsLanczosScale*>(self)));
}

// Any size and shape of pixels, all else as it is.
GstCaps* transform_caps(GstBaseTransform* self, GstPadDirection, GstCaps* caps, GstCaps* filter) {
  return clips::guard(self, static_cast<GstCaps*>(nullptr), [&] {
    auto other = CapsRef::adopt(gst_caps_copy(caps));
    for (guint i = 0; i < gst_caps_get_size(other.get()); i++) {
      GstStructure* video = gst_caps_get_structure(other.get(), i);
      gst_structure_set(video, "width", GST_TYPE_INT_RANGE, 1, G_MAXINT, "height",
                        GST_TYPE_INT_RANGE, 1, G_MAXINT, nullptr);
      if (gst_structure_has_field(video, kShape))
        gst_structure_set(video, kShape, GST_TYPE_FRACTION_RANGE, 1, G_MAXINT, G_MAXINT, 1,
                          nullptr);
    }
    if (filter) return gst_caps_intersect_full(filter, other.get(), GST_CAPS_INTERSECT_FIRST);
    return other.release();
  });
}

GstCaps* fixate_caps(GstBaseTransform* self, GstPadDirection direction, GstCaps* caps,
                     GstCaps* raw) {
  auto other = CapsRef::adopt(gst_caps_make_writable(gst_caps_truncate(raw)));
  return clips::guard(self, static_cast<GstCaps*>(nullptr), [&] {
    const GstStructure* from = gst_caps_get_structure(caps, 0);
    GstStructure* to = gst_caps_get_structure(other.get(), 0);
    if (!fixate_shape(from, to)) fixate_size(from, to);
    const Size old = size_of(from);
    const Size size = size_of(to);
    const bool changes = old.width != size.width || old.height != size.height;
    if (direction == GST_PAD_SINK && changes && !gst_structure_has_field(to, "colorimetry")) {
      if (const auto name = colorimetry_of(caps))
        gst_structure_set(to, "colorimetry", G_TYPE_STRING, name.get(), nullptr);
    }
    return gst_caps_fixate(other.release());
  });
}

gboolean set_info(GstVideoFilter* self, GstCaps* caps, GstVideoInfo* in, GstCaps*,
                  GstVideoInfo* out) {
  return clips::guard(self, gboolean{FALSE}, [&]() -> gboolean {
    State& state = priv(self).state;
    state = {};
    const bool passes = in->width == out->width && in->height == out->height;
    gst_base_transform_set_passthrough(GST_BASE_TRANSFORM_CAST(self), passes);
    if (passes) return TRUE;
    const GstVideoInterlaceMode mode = GST_VIDEO_INFO_INTERLACE_MODE(in);
    const bool interlaced =
        mode == GST_VIDEO_INTERLACE_MODE_INTERLEAVED || mode == GST_VIDEO_INTERLACE_MODE_MIXED;
    if (!interlaced && mode != GST_VIDEO_INTERLACE_MODE_PROGRESSIVE) return FALSE;
    // Fewer lines are no two fields of every component.
    const bool has_fields = interlaced && std::min(in->height, out->height) >= 4;
    const GstVideoChromaSite site = chroma_site(caps);
    if (!has_fields || mode == GST_VIDEO_INTERLACE_MODE_MIXED)
      state.planes = planes(in, out, site, 1);
    if (has_fields) state.fields = planes(in, out, site, 2);
    GST_INFO_OBJECT(self, "%dx%d to %dx%d", in->width, in->height, out->width, out->height);
    return TRUE;
  });
}

GstFlowReturn transform_frame(GstVideoFilter* self, GstVideoFrame* in, GstVideoFrame* out) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    State& state = priv(self).state;
    const bool by_fields =
        !state.fields.empty() && (state.planes.empty() || GST_VIDEO_FRAME_IS_INTERLACED(in));
    for (Plane& plane : by_fields ? state.fields : state.planes) {
      const int component = plane.component;
      const std::ptrdiff_t in_stride = GST_VIDEO_FRAME_COMP_STRIDE(in, component);
      const std::ptrdiff_t out_stride = GST_VIDEO_FRAME_COMP_STRIDE(out, component);
      plane.scaler.scale(GST_VIDEO_FRAME_COMP_DATA(in, component) + plane.first_line * in_stride,
                         in_stride * plane.line_step,
                         GST_VIDEO_FRAME_COMP_DATA(out, component) + plane.first_line * out_stride,
                         out_stride * plane.line_step);
    }
    return GST_FLOW_OK;
  });
}

// Asks for memory at multiples of 64 bytes: what lies elsewhere is copied line by line.
void ask_for_alignment(GstQuery* query) {
  GstAllocator* allocator = nullptr;
  GstAllocationParams params;
  gst_allocation_params_init(&params);
  const bool found = gst_query_get_n_allocation_params(query) > 0;
  if (found) gst_query_parse_nth_allocation_param(query, 0, &allocator, &params);
  params.align |= 63;
  if (found)
    gst_query_set_nth_allocation_param(query, 0, allocator, &params);
  else
    gst_query_add_allocation_param(query, allocator, &params);
  if (allocator) gst_object_unref(allocator);
}

gboolean propose_allocation(GstBaseTransform* self, GstQuery* decided, GstQuery* query) {
  // Without a decided query it passes the question on.
  if (decided) ask_for_alignment(query);
  return GST_BASE_TRANSFORM_CLASS(parent_class)->propose_allocation(self, decided, query);
}

gboolean decide_allocation(GstBaseTransform* self, GstQuery* query) {
  ask_for_alignment(query);
  return GST_BASE_TRANSFORM_CLASS(parent_class)->decide_allocation(self, query);
}

// What tells of places in the picture moves with them.
gboolean transform_meta(GstBaseTransform* self, GstBuffer* out, GstMeta* meta, GstBuffer* in) {
  const GstMetaInfo* info = meta->info;
  if (!gst_meta_api_type_has_tag(info->api, g_quark_from_string(GST_META_TAG_VIDEO_SIZE_STR)))
    return GST_BASE_TRANSFORM_CLASS(parent_class)->transform_meta(self, out, meta, in);
  auto* filter = GST_VIDEO_FILTER_CAST(self);
  GstVideoMetaTransform sizes{&filter->in_info, &filter->out_info};
  if (info->transform_func)
    info->transform_func(out, meta, in, gst_video_meta_transform_scale_get_quark(), &sizes);
  return FALSE;
}

gboolean stop(GstBaseTransform* self) {
  return clips::guard(self, gboolean{FALSE}, [&]() -> gboolean {
    priv(self).state = {};
    return TRUE;
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_lanczos_scale_init(GstClipsLanczosScale* self) {
  clips::construct_private<Private>(gst_clips_lanczos_scale_get_instance_private(self));
}

static void gst_clips_lanczos_scale_class_init(GstClipsLanczosScaleClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(lanczos_scale_debug, "lanczosscale", 0, "Lanczos scaler");

  G_OBJECT_CLASS(klass)->finalize = finalize;
  gst_element_class_set_static_metadata(
      element_class, "Lanczos scaler", "Filter/Converter/Video/Scaler",
      "Scales planar video by Lanczos' filter of three lobes", "The gst-plugins-clips developers");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  transform_class->transform_caps = transform_caps;
  transform_class->fixate_caps = fixate_caps;
  transform_class->propose_allocation = propose_allocation;
  transform_class->decide_allocation = decide_allocation;
  transform_class->transform_meta = transform_meta;
  transform_class->stop = stop;
  transform_class->transform_ip_on_passthrough = FALSE;
  GST_VIDEO_FILTER_CLASS(klass)->set_info = set_info;
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame = transform_frame;
}
