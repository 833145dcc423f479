// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <memory>

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
    failed_ = std::make_shared<std::atomic<bool>>(false);
    auto top = Ref<GstObject>::retain(GST_OBJECT_CAST(element));
    while (auto* parent = gst_object_get_parent(top.get())) top = Ref<GstObject>::adopt(parent);
    if (!GST_IS_ELEMENT(top.get())) return;
    bus_ = BusRef::adopt(gst_element_get_bus(GST_ELEMENT_CAST(top.get())));
    if (!bus_) return;
    gst_bus_enable_sync_message_emission(bus_.get());
    // Disconnecting does not wait for a handler that another thread is in: it has its own share.
    handler_ = g_signal_connect_data(bus_.get(), "sync-message::error", G_CALLBACK(on_error),
                                     new Flag(failed_), release, G_CONNECT_DEFAULT);
  }

  void stop() {
    if (!bus_) return;
    g_signal_handler_disconnect(bus_.get(), handler_);
    gst_bus_disable_sync_message_emission(bus_.get());
    bus_.reset();
  }

  bool failed() const { return failed_ && *failed_; }

 private:
  using Flag = std::shared_ptr<std::atomic<bool>>;

  static void on_error(GstBus*, GstMessage*, gpointer flag) { **static_cast<Flag*>(flag) = true; }
  static void release(gpointer flag, GClosure*) { delete static_cast<Flag*>(flag); }

  BusRef bus_;
  gulong handler_ = 0;
  Flag failed_;
};

}  // namespace clips
