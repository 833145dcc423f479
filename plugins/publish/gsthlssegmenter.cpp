// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gsthlssegmenter.h"

#include <gst/base/gstadapter.h>
#include <gst/video/video-event.h>

#include <utility>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"

namespace {

struct Private {
  GstPad* src = nullptr;  // the element owns it
  std::function<void(gsize)> segment;
  // Only the streaming thread uses these.
  clips::Ref<GstAdapter> gathered;
  GstFlowReturn flow = GST_FLOW_OK;  // what the last segment came to
};

}  // namespace

struct _GstClipsHlsSegmenter {
  GstElement parent;
};
using GstClipsHlsSegmenterPrivate = Private;

#define gst_clips_hls_segmenter_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsHlsSegmenter, gst_clips_hls_segmenter, GST_TYPE_ELEMENT)

namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/mpegts"));
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/mpegts"));

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_hls_segmenter_get_instance_private(static_cast<GstClipsHlsSegmenter*>(self)));
}

GstFlowReturn push_segment(gpointer self) {
  auto& p = priv(self);
  const gsize bytes = gst_adapter_available(p.gathered.get());
  if (bytes == 0 || p.flow != GST_FLOW_OK) return p.flow;
  p.segment(bytes);
  // One copy of a segment, into one block: what is uploaded and hashed wants it so.
  return p.flow = gst_pad_push(p.src, gst_adapter_take_buffer(p.gathered.get(), bytes));
}

GstFlowReturn chain(GstPad*, GstObject* self, GstBuffer* buffer) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    auto owned = clips::BufferRef::adopt(buffer);
    auto& p = priv(self);
    if (p.flow == GST_FLOW_OK) gst_adapter_push(p.gathered.get(), owned.release());
    return p.flow;
  });
}

void forget(gpointer self) {
  gst_adapter_clear(priv(self).gathered.get());
  priv(self).flow = GST_FLOW_OK;
}

gboolean sink_event(GstPad* pad, GstObject* self, GstEvent* event) {
  const bool next = gst_video_event_is_force_key_unit(event);
  const bool ends = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
  const GstFlowReturn flow =
      next || ends ? clips::guard(self, GST_FLOW_ERROR, [&] { return push_segment(self); })
                   : GST_FLOW_OK;
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) forget(self);
  if (next) {
    gst_event_unref(event);
    return flow == GST_FLOW_OK;
  }
  return gst_pad_event_default(pad, self, event);
}

GstStateChangeReturn change_state(GstElement* self, GstStateChange transition) {
  const auto result = GST_ELEMENT_CLASS(parent_class)->change_state(self, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) forget(self);
  return result;
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_hls_segmenter_init(GstClipsHlsSegmenter* self) {
  auto* p = clips::construct_private<Private>(gst_clips_hls_segmenter_get_instance_private(self));
  p->gathered = clips::Ref<GstAdapter>::adopt(gst_adapter_new());
  auto* sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(sink, chain);
  gst_pad_set_event_function(sink, sink_event);
  gst_element_add_pad(GST_ELEMENT(self), sink);
  p->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_element_add_pad(GST_ELEMENT(self), p->src);
}

static void gst_clips_hls_segmenter_class_init(GstClipsHlsSegmenterClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = finalize;
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "HLS segmenter", "Generic",
                                        "Gathers a transport stream into segments",
                                        "The gst-plugins-clips developers");
}

GstElement* gst_clips_hls_segmenter_new(std::function<void(gsize)> segment) {
  auto* self = GST_ELEMENT(g_object_new(GST_CLIPS_TYPE_HLS_SEGMENTER, nullptr));
  priv(self).segment = std::move(segment);
  return self;
}
