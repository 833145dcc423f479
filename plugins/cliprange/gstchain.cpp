// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstchain.hpp"

#include <utility>

namespace clips::cut {

Result<std::unique_ptr<Chain>> Chain::make(const std::string& launch, std::string task) {
  GError* raw = nullptr;
  auto bin = ElementRef::sink(gst_parse_bin_from_description_full(
      launch.c_str(), TRUE, nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &raw));
  const ErrorPtr error(raw);
  if (!bin)
    return fail(Fault::Missing,
                task +
                    " needs an element that is missing. Install the GStreamer plugins libav, ugly "
                    "(x264enc) and bad (x265enc).",
                error ? error->message : launch);
  auto chain = std::unique_ptr<Chain>(new Chain(std::move(bin), std::move(task)));
  if (gst_element_set_state(chain->pipeline_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
    return tl::make_unexpected(chain->trouble("could not start"));
  return chain;
}

Chain::Chain(ElementRef bin, std::string task)
    : task_(std::move(task)),
      pipeline_(ElementRef::sink(gst_pipeline_new(nullptr))),
      in_(PadRef::sink(gst_pad_new("in", GST_PAD_SRC))),
      out_(PadRef::sink(gst_pad_new("out", GST_PAD_SINK))) {
  gst_bin_add(GST_BIN(pipeline_.get()), bin.get());
  sink_ = PadRef::adopt(gst_element_get_static_pad(bin.get(), "sink"));
  src_ = PadRef::adopt(gst_element_get_static_pad(bin.get(), "src"));
  gst_pad_set_element_private(out_.get(), this);
  gst_pad_set_chain_function(out_.get(), chain);
  gst_pad_set_event_function(out_.get(), event);
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  gst_pad_link_full(in_.get(), sink_.get(), GST_PAD_LINK_CHECK_NOTHING);
  gst_pad_link_full(src_.get(), out_.get(), GST_PAD_LINK_CHECK_NOTHING);
  gst_pad_set_active(in_.get(), TRUE);
  gst_pad_set_active(out_.get(), TRUE);
}

Chain::~Chain() {
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  gst_pad_set_active(in_.get(), FALSE);
  gst_pad_set_active(out_.get(), FALSE);
  gst_pad_unlink(in_.get(), sink_.get());
  gst_pad_unlink(src_.get(), out_.get());
}

ElementRef Chain::element(const char* name) const {
  return ElementRef::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
}

void Chain::start(GstCaps* caps) {
  if (std::exchange(finished_, false)) {
    gst_pad_push_event(in_.get(), gst_event_new_flush_start());
    gst_pad_push_event(in_.get(), gst_event_new_flush_stop(TRUE));
  }
  gst_pad_push_event(in_.get(), gst_event_new_stream_start("clip"));
  gst_pad_push_event(in_.get(), gst_event_new_caps(caps));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(in_.get(), gst_event_new_segment(&segment));
}

Result<bool> Chain::push(GstBuffer* buffer) {
  const GstFlowReturn flow = gst_pad_push(in_.get(), buffer);
  if (flow != GST_FLOW_OK) return tl::make_unexpected(trouble(gst_flow_get_name(flow)));
  return true;
}

Result<bool> Chain::finish() {
  finished_ = true;
  gst_pad_push_event(in_.get(), gst_event_new_eos());
  const auto message = MessageRef::adopt(gst_bus_pop_filtered(bus(), GST_MESSAGE_ERROR));
  if (!message) return true;
  gst_bus_post(bus(), gst_message_ref(message.get()));
  return tl::make_unexpected(trouble("at the end"));
}

GstFlowReturn Chain::chain(GstPad* pad, GstObject*, GstBuffer* buffer) {
  Chain& c = self(pad);
  const auto owned = BufferRef::adopt(buffer);
  // Encoders may shift times to make room for negative ones, and say so in the segment.
  if (GST_BUFFER_PTS_IS_VALID(buffer))
    c.on_buffer(buffer, GST_BUFFER_PTS(buffer) - c.segment_.start);
  return GST_FLOW_OK;
}

gboolean Chain::event(GstPad* pad, GstObject*, GstEvent* event) {
  Chain& c = self(pad);
  const auto owned = EventRef::adopt(event);
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) gst_event_copy_segment(event, &c.segment_);
  if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS && c.on_caps) {
    GstCaps* caps = nullptr;
    gst_event_parse_caps(event, &caps);
    c.on_caps(caps);
  }
  return TRUE;
}

Error Chain::trouble(const char* what) const {
  const auto message = MessageRef::adopt(gst_bus_pop_filtered(bus(), GST_MESSAGE_ERROR));
  if (!message)
    return {Fault::Codec, task_ + " failed. The source may be damaged in the range.", what};
  GError* raw = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message.get(), &raw, &debug);
  const ErrorPtr error(raw);
  const GString_ details(debug);
  return {Fault::Codec, task_ + " failed: " + error->message, details ? details.get() : what};
}

}  // namespace clips::cut
