// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>

#include "common/handles.hpp"

namespace clips {

// Tells a publishing sink whether any element of its pipeline has posted an ERROR. It has to know:
// after its error a source sends EOS downstream (gst_base_src_loop), the muxer then closes the half
// file neatly, and from EOS alone the sink would take it for whole. Messages are seen in the thread
// that posts them, so an error is known before the EOS that follows it.
class ErrorWatch {
 public:
  ErrorWatch() = default;
  ErrorWatch(const ErrorWatch&) = delete;
  ErrorWatch& operator=(const ErrorWatch&) = delete;
  ~ErrorWatch() { stop(); }

  void start(GstElement* element) {
    stop();
    failed_ = false;
    auto top = Ref<GstObject>::retain(GST_OBJECT_CAST(element));
    while (auto* parent = gst_object_get_parent(top.get())) top = Ref<GstObject>::adopt(parent);
    if (!GST_IS_ELEMENT(top.get())) return;
    bus_ = BusRef::adopt(gst_element_get_bus(GST_ELEMENT_CAST(top.get())));
    if (!bus_) return;
    gst_bus_enable_sync_message_emission(bus_.get());
    handler_ = g_signal_connect(bus_.get(), "sync-message::error", G_CALLBACK(on_error), this);
  }

  void stop() {
    if (!bus_) return;
    g_signal_handler_disconnect(bus_.get(), handler_);
    gst_bus_disable_sync_message_emission(bus_.get());
    bus_.reset();
  }

  bool failed() const { return failed_; }

 private:
  static void on_error(GstBus*, GstMessage*, gpointer watch) {
    static_cast<ErrorWatch*>(watch)->failed_ = true;
  }

  BusRef bus_;
  gulong handler_ = 0;
  std::atomic<bool> failed_ = false;
};

}  // namespace clips
