// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-frametensor
 * @title: frametensor
 *
 * Turns RGB frames into one NumPy file of float32 with the shape (frames, 3, 224, 224), prepared as
 * CLIP or DINOv2 want their pictures: scaled by Pillow's antialiased bicubic filter, cropped in the
 * middle, normalised.
 *
 * |[
 * gst-launch-1.0 clipframes uri=file:///clip.mp4 select=even count=8 ! videoconvert \
 *     ! frametensor model=clip ! filesink location=clip.npy
 * ]| writes eight frames.
 *
 * The file begins with the number of frames. It is asked of upstream (DURATION in the format
 * DEFAULT); where upstream does not know it, the tensors wait in memory, 588 KiB a frame.
 */
#include "gstframetensor.h"

#include <gst/video/video.h>

#include <cstring>
#include <deque>
#include <optional>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "tensor.hpp"

GST_DEBUG_CATEGORY_STATIC(frame_tensor_debug);
#define GST_CAT_DEFAULT frame_tensor_debug

namespace {

using clips::BufferRef;
using clips::media::TensorModel;

enum class Model { clip, dinov2 };

// Between READY and PAUSED; the streaming thread's alone.
struct State {
  GstVideoInfo info{};
  bool has_format = false;
  const TensorModel* model = nullptr;
  std::optional<guint64> promised;  // as the header says
  guint64 count = 0;
  guint64 offset = 0;
  bool begun = false;
  std::deque<BufferRef> waiting;
};

struct Private {
  clips::Mutex mutex;  // a leaf
  Model model CLIPS_GUARDED_BY(mutex) = Model::clip;
  State state;
};

enum Property { prop_0, prop_model };

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("RGB")));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS("application/x-npy"));

GType model_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(Model::clip), "CLIP: shorter side 224, its mean and deviation", "clip"},
      {static_cast<gint>(Model::dinov2), "DINOv2: shorter side 256, those of ImageNet", "dinov2"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsFrameTensorModel", values);
  return type;
}

}  // namespace

struct _GstClipsFrameTensor {
  GstElement parent;
  GstPad* sink;
  GstPad* src;
};
using GstClipsFrameTensorPrivate = Private;

#define gst_clips_frame_tensor_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsFrameTensor, gst_clips_frame_tensor, GST_TYPE_ELEMENT)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_frame_tensor_get_instance_private(static_cast<GstClipsFrameTensor*>(self)));
}

GstPad* src_pad(gpointer self) {
  return static_cast<GstClipsFrameTensor*>(self)->src;
}

GstFlowReturn push(gpointer self, BufferRef buffer) {
  State& state = priv(self).state;
  GST_BUFFER_OFFSET(buffer.get()) = state.offset;
  state.offset += gst_buffer_get_size(buffer.get());
  GST_BUFFER_OFFSET_END(buffer.get()) = state.offset;
  return gst_pad_push(src_pad(self), buffer.release());
}

GstFlowReturn push_header(gpointer self, guint64 frames) {
  const State& state = priv(self).state;
  const std::string header =
      clips::media::npy_header({frames, 3, state.model->crop, state.model->crop});
  return push(self, BufferRef::adopt(gst_buffer_new_memdup(header.data(), header.size())));
}

// Before the first frame: whether upstream knows how many there will be.
GstFlowReturn begin(gpointer self) {
  State& state = priv(self).state;
  state.begun = true;
  auto* sink = static_cast<GstClipsFrameTensor*>(self)->sink;
  gint64 frames = -1;
  if (!gst_pad_peer_query_duration(sink, GST_FORMAT_DEFAULT, &frames) || frames <= 0)
    return GST_FLOW_OK;
  state.promised = static_cast<guint64>(frames);
  return push_header(self, *state.promised);
}

GstFlowReturn chain(GstPad*, GstObject* self, GstBuffer* raw) {
  const auto buffer = BufferRef::adopt(raw);
  return clips::guard(self, GST_FLOW_ERROR, [&]() -> GstFlowReturn {
    State& state = priv(self).state;
    if (!state.has_format) {
      GST_ELEMENT_ERROR(self, CORE, NEGOTIATION,
                        ("A frame came before its format. Put a converter before frametensor."),
                        (nullptr));
      return GST_FLOW_NOT_NEGOTIATED;
    }
    if (!state.begun)
      if (const GstFlowReturn flow = begin(self); flow != GST_FLOW_OK) return flow;
    GstVideoFrame frame;
    if (!gst_video_frame_map(&frame, &state.info, buffer.get(), GST_MAP_READ)) {
      GST_ELEMENT_ERROR(self, RESOURCE, READ, ("Could not read a video frame."), (nullptr));
      return GST_FLOW_ERROR;
    }
    const auto tensor = clips::media::make_tensor(
        {static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0)),
         static_cast<std::size_t>(GST_VIDEO_FRAME_WIDTH(&frame)),
         static_cast<std::size_t>(GST_VIDEO_FRAME_HEIGHT(&frame)),
         static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0))},
        *state.model);
    gst_video_frame_unmap(&frame);
    ++state.count;
    auto made = BufferRef::adopt(
        gst_buffer_new_memdup(tensor.data(), tensor.size() * sizeof(tensor.front())));
    if (state.promised) return push(self, std::move(made));
    state.waiting.push_back(std::move(made));
    return GST_FLOW_OK;
  });
}

// The file is whole, or there is an error and no end.
bool finish(gpointer self) {
  State& state = priv(self).state;
  if (state.count == 0) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("There are no frames to make tensors of."), (nullptr));
    return false;
  }
  if (state.promised && *state.promised != state.count) {
    GST_ELEMENT_ERROR(
        self, STREAM, FORMAT,
        ("%" G_GUINT64_FORMAT " frames were announced, but %" G_GUINT64_FORMAT " came.",
         *state.promised, state.count),
        (nullptr));
    return false;
  }
  if (state.promised) return true;
  GstFlowReturn flow = push_header(self, state.count);
  while (flow == GST_FLOW_OK && !state.waiting.empty()) {
    BufferRef buffer = std::move(state.waiting.front());
    state.waiting.pop_front();
    flow = push(self, std::move(buffer));
  }
  return flow == GST_FLOW_OK;
}

gboolean sink_event(GstPad* pad, GstObject* self, GstEvent* raw) {
  auto event = clips::EventRef::adopt(raw);
  return clips::guard<gboolean>(self, FALSE, [&]() -> gboolean {
    State& state = priv(self).state;
    switch (GST_EVENT_TYPE(event.get())) {
      case GST_EVENT_CAPS: {
        GstCaps* caps = nullptr;
        gst_event_parse_caps(event.get(), &caps);
        if (!gst_video_info_from_caps(&state.info, caps)) return FALSE;
        if (std::exchange(state.has_format, true)) return TRUE;
        const auto npy = clips::CapsRef::adopt(gst_caps_new_empty_simple("application/x-npy"));
        return gst_pad_push_event(src_pad(self), gst_event_new_caps(npy.get()));
      }
      case GST_EVENT_SEGMENT: {
        // The file has bytes, not times.
        GstSegment bytes;
        gst_segment_init(&bytes, GST_FORMAT_BYTES);
        return gst_pad_push_event(src_pad(self), gst_event_new_segment(&bytes));
      }
      case GST_EVENT_FLUSH_STOP:
        state = State{.model = state.model};
        break;
      case GST_EVENT_EOS:
        if (!finish(self)) return FALSE;
        break;
      default:
        break;
    }
    return gst_pad_event_default(pad, GST_OBJECT_CAST(self), event.release());
  });
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  return clips::guard(element, GST_STATE_CHANGE_FAILURE, [&] {
    Private& p = priv(element);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
      const clips::MutexLock lock(p.mutex);
      p.state = State{};
      p.state.model = p.model == Model::clip ? &clips::media::kClip : &clips::media::kDinov2;
    }
    const GstStateChangeReturn changed =
        GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) p.state = State{};
    return changed;
  });
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  clips::guard(object, [&] {
    Private& p = priv(object);
    const clips::MutexLock lock(p.mutex);
    if (id == prop_model)
      p.model = static_cast<Model>(g_value_get_enum(value));
    else
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  });
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  clips::guard(object, [&] {
    Private& p = priv(object);
    const clips::MutexLock lock(p.mutex);
    if (id == prop_model)
      g_value_set_enum(value, static_cast<gint>(p.model));
    else
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_frame_tensor_init(GstClipsFrameTensor* self) {
  clips::construct_private<Private>(gst_clips_frame_tensor_get_instance_private(self));
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_use_fixed_caps(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
}

static void gst_clips_frame_tensor_class_init(GstClipsFrameTensorClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(frame_tensor_debug, "frametensor", 0, "Frame tensor");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  element_class->change_state = change_state;
  g_object_class_install_property(
      object_class, prop_model,
      g_param_spec_enum("model", "Model", "The model that the frames are prepared for.",
                        model_type(), static_cast<gint>(Model::clip),
                        static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY)));
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Frame tensor", "Filter/Converter/Video",
      "Makes the tensors of vision models from frames, as a NumPy file",
      "The gst-plugins-clips developers");
  gst_type_mark_as_plugin_api(model_type(), static_cast<GstPluginAPIFlags>(0));
}
