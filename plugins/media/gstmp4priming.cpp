// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-mp4priming
 * @title: mp4priming
 *
 * Keeps encoded sound in step with the picture. An AAC encoder puts a run of start-up samples (its
 * "priming") before the sound; no GStreamer encoder tells the muxer, so the sound of an MP4 file is
 * late by them: 1024 samples of `avenc_aac`, 21.3 ms at 48 kHz. This element sits behind `mp4mux`
 * or `qtmux`, lets everything pass, and writes into the edit list of each AAC track that it begins
 * that many samples later, as FFmpeg's own muxer does. Players that obey edit lists (FFmpeg,
 * Chromium, Safari) then play sound and picture together, to the sample.
 *
 * It also lets the edit of a video track reach to the end of its last picture: mp4mux makes it as
 * long as the decode times are, which hides that picture if the frame rate varies and there are
 * B-frames.
 *
 * Limits: fragmented files have no edit list, so they pass unchanged. AAC that is copied and not
 * encoded must not come through here: its samples are not start-up.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 audiotestsrc num-buffers=100 ! avenc_aac ! mp4mux faststart=true ! mp4priming !
 *   filesink location=tone.mp4
 * ]| A tone that begins at 0.
 */
#include "gstmp4priming.h"

#include <atomic>
#include <new>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "movie_edits.hpp"

GST_DEBUG_CATEGORY_STATIC(mp4_priming_debug);
#define GST_CAT_DEFAULT mp4_priming_debug

namespace {

struct Settings {
  // Set before data flows, read when the movie box passes.
  std::atomic<guint> samples = 1024;
};

struct Private {
  Settings settings;
};

enum Property { prop_0, prop_samples };

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/quicktime; audio/x-m4a"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/quicktime; audio/x-m4a"));

}  // namespace

struct _GstClipsMp4Priming {
  GstBaseTransform parent;
};
using GstClipsMp4PrimingPrivate = Private;

#define gst_clips_mp4_priming_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsMp4Priming, gst_clips_mp4_priming, GST_TYPE_BASE_TRANSFORM)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_mp4_priming_get_instance_private(static_cast<GstClipsMp4Priming*>(self)));
}

void set_property(GObject* self, guint id, const GValue* value, GParamSpec* spec) {
  clips::guard(self, [&] {
    if (id == prop_samples)
      priv(self).settings.samples = g_value_get_uint(value);
    else
      G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, spec);
  });
}

void get_property(GObject* self, guint id, GValue* value, GParamSpec* spec) {
  clips::guard(self, [&] {
    if (id == prop_samples)
      g_value_set_uint(value, priv(self).settings.samples);
    else
      G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, spec);
  });
}

bool is_movie(GstBuffer* buffer) {
  // Most buffers are media: only those that begin with the name are mapped whole.
  guint8 head[8];
  if (gst_buffer_extract(buffer, 0, head, sizeof head) != sizeof head ||
      GST_READ_UINT32_BE(head) != gst_buffer_get_size(buffer))
    return false;
  return GST_READ_UINT32_LE(head + 4) == GST_MAKE_FOURCC('m', 'o', 'o', 'v');
}

GstFlowReturn transform_ip(GstBaseTransform* self, GstBuffer* buffer) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    const guint samples = priv(self).settings.samples;
    if (!is_movie(buffer)) return GST_FLOW_OK;
    const clips::BufferMap map(buffer, GST_MAP_READWRITE);
    if (!map) throw std::bad_alloc();
    const auto changed = clips::media::correct_edits({map.data(), map.size()}, samples);
    if (!changed) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                        ("The edit lists could not be corrected: %s. Put this element right "
                         "behind mp4mux or qtmux.",
                         changed.error().c_str()),
                        (nullptr));
      return GST_FLOW_ERROR;
    }
    GST_INFO_OBJECT(self, "corrected the edit lists of %u tracks", *changed);
    return GST_FLOW_OK;
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_mp4_priming_init(GstClipsMp4Priming* self) {
  clips::construct_private<Private>(gst_clips_mp4_priming_get_instance_private(self));
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM_CAST(self), TRUE);
}

static void gst_clips_mp4_priming_class_init(GstClipsMp4PrimingClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(mp4_priming_debug, "mp4priming", 0, "AAC priming in MP4 edit lists");

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  g_object_class_install_property(
      object_class, prop_samples,
      g_param_spec_uint("samples", "Samples",
                        "Start-up samples at the head of every AAC track, to be hidden by its edit "
                        "list (0 = the sound is left alone).",
                        0, 1 << 20, Settings().samples,
                        static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY)));

  gst_element_class_set_static_metadata(element_class, "MP4 encoder delay", "Formatter/Metadata",
                                        "Hides an AAC encoder's start-up samples with the edit "
                                        "lists of an MP4 file",
                                        "The gst-plugins-clips developers");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  transform_class->transform_ip = transform_ip;
  transform_class->transform_ip_on_passthrough = FALSE;
}
