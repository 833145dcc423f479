// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>
#include <string>

#include "common/handles.hpp"
#include "result.hpp"

namespace clips::cut {

// A few elements in a row, fed at one end by push() and heard at the other, all in one thread.
class Chain {
 public:
  std::function<void(GstCaps*)> on_caps;
  std::function<void(GstBuffer*, GstClockTime)> on_buffer;  // its running time

  // `task` is the subject of its errors: "Decoding".
  static Result<std::unique_ptr<Chain>> make(const std::string& launch, std::string task);
  ~Chain();
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  // The element of that name, for properties that caps decide; nothing when there is none.
  ElementRef element(const char* name) const;
  // Begins a stream; after finish(), another one.
  void start(GstCaps* caps);
  Result<bool> push(GstBuffer* buffer);  // takes the buffer
  // Gives out what the elements still hold.
  Result<bool> finish();

 private:
  Chain(ElementRef bin, std::string task);
  static Chain& self(GstPad* pad) { return *static_cast<Chain*>(gst_pad_get_element_private(pad)); }
  static GstFlowReturn chain(GstPad* pad, GstObject*, GstBuffer* buffer);
  static gboolean event(GstPad* pad, GstObject*, GstEvent* event);
  GstBus* bus() const { return GST_ELEMENT_BUS(pipeline_.get()); }
  Error trouble(const char* what) const;

  const std::string task_;
  ElementRef pipeline_;
  PadRef in_, out_, sink_, src_;
  GstSegment segment_{};
  bool finished_ = false;
};

}  // namespace clips::cut
