// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <string>

#include "bytes.hpp"
#include "common/handles.hpp"
#include "common/thread_annotations.hpp"

namespace clips::cut {

// Reads any place of whatever a GStreamer source element can open: in pull mode where the element
// offers it (files, S3), else by seeking a pushing element to bounded byte ranges (HTTP).
class UriReader final : public ByteReader {
 public:
  // Called with the source element before it starts, for properties that a URI cannot carry.
  using Setup = std::function<void(GstElement*)>;

  UriReader() = default;
  ~UriReader() override;
  UriReader(const UriReader&) = delete;
  UriReader& operator=(const UriReader&) = delete;

  Result<bool> open(const std::string& uri, const Setup& setup);
  uint64_t size() const override { return size_; }
  Result<Bytes> read(uint64_t offset, size_t length, uint64_t more) override;
  // The same without a copy.
  Result<BufferRef> read_buffer(uint64_t offset, size_t length, uint64_t more);

  // From any thread: whatever waits returns at once with Fault::Cancelled, until resume().
  void cancel();
  void resume();

  // Whether blocks are best asked for one after the other (a request costs a round trip).
  bool remote() const { return !pull_; }
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t requests() const { return requests_; }

 private:
  static GstFlowReturn chain(GstPad* pad, GstObject* parent, GstBuffer* buffer);
  static gboolean event(GstPad* pad, GstObject* parent, GstEvent* event);
  tl::unexpected<Error> source_error(const char* what);
  Result<BufferRef> pull(uint64_t offset, size_t length);
  Result<BufferRef> stream(uint64_t offset, size_t length, uint64_t more);
  Result<bool> seek(uint64_t offset, uint64_t end);

  std::string uri_;
  ElementRef element_;
  PadRef pad_;
  BusRef bus_;
  bool pull_ = false;
  uint64_t size_ = 0;
  uint64_t bytes_read_ = 0, requests_ = 0;
  uint64_t stream_end_ = 0;  // of the range that was asked for
  std::atomic<bool> cancelled_{false};
  std::atomic<GstPad*> pulled_{nullptr};  // pad_, once cancel() may flush it

  // What the pushing element's thread and the reading thread share. Never held while a seek or a
  // state change runs: those wait for the pushing thread.
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<BufferRef> queue_ CLIPS_GUARDED_BY(mutex_);
  uint64_t queued_ CLIPS_GUARDED_BY(mutex_) = 0;
  uint64_t position_ CLIPS_GUARDED_BY(mutex_) = 0;  // of the queue's first byte
  bool flushing_ CLIPS_GUARDED_BY(mutex_) = false;
  bool ended_ CLIPS_GUARDED_BY(mutex_) = false;
};

}  // namespace clips::cut
