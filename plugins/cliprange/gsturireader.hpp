// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "bytes.hpp"
#include "common/handles.hpp"
#include "common/thread_annotations.hpp"

namespace clips::cut {

// Whether an identity is that of a file, which can be compared without reading.
bool is_file_identity(const std::string& identity);

// Loads the plugin that reads `uri` while its owner does something else, until it is destroyed. The
// libraries behind s3src and souphttpsrc take as long as reading the index of some hours.
class PluginLoading {
 public:
  explicit PluginLoading(const std::string& uri);

 private:
  std::jthread thread_;
};

// Reads any place of whatever a GStreamer source element can open: in pull mode where the element
// offers it (files, S3 objects), else by seeking a pushing element to bounded byte ranges (HTTP).
class UriReader final : public ByteReader {
 public:
  // Called with the source element before it starts, for properties that a URI cannot carry.
  using Setup = std::function<void(GstElement*)>;

  UriReader() = default;
  ~UriReader() override;
  UriReader(const UriReader&) = delete;
  UriReader& operator=(const UriReader&) = delete;

  Result<bool> open(const std::string& uri, const Setup& setup);
  // The same for a resource on a server that was read before: nothing is asked before the first
  // read(), which fails with Fault::Stale if the resource has changed since.
  Result<bool> open_known(const std::string& uri, const Setup& setup, uint64_t size,
                          const std::string& identity);
  uint64_t size() const override { return size_; }
  Result<Bytes> read(uint64_t offset, size_t length, uint64_t more) override;
  // The same without a copy.
  Result<BufferRef> read_buffer(uint64_t offset, size_t length, uint64_t more);

  // From any thread: whatever waits returns at once with Fault::Cancelled, until resume().
  void cancel();
  void resume();
  bool cancelled() const { return cancelled_; }

  // Whether blocks are best asked for one after the other (a request costs a round trip).
  bool remote() const { return !pull_ || object_; }
  // What tells this state of the source from any other; empty if nothing does.
  const std::string& identity() const { return identity_; }
  // Whether the source may be read on: a file is the same one; a server will be asked, as by
  // open_known().
  bool is_current();
  // Bytes and requests count from 0 again.
  void begin_count();
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t requests() const;

 private:
  class Stream;

  Result<ElementRef> make_source();
  tl::unexpected<Error> source_error(const char* what);
  Result<bool> start_pulling(const ElementRef& element, const PadRef& pad);
  Result<BufferRef> pull(uint64_t offset, size_t length, uint64_t more);
  uint64_t requests_of_object() const;
  Result<BufferRef> stream(uint64_t offset, size_t length, uint64_t more);
  // Opens the bytes [offset, end), which may reach past the end; UINT64_MAX: to the end.
  Result<bool> request(uint64_t offset, uint64_t end);
  Result<bool> ask(uint64_t offset, uint64_t end);
  MessageRef first_error();
  bool refused_certificate();

  std::string uri_;
  Setup setup_;
  BusRef bus_;
  bool encrypted_ = false;                 // the server's certificate is to be verified
  std::vector<Ref<GstContext>> contexts_;  // what sources share: an HTTP session, say
  uint64_t size_ = 0;
  uint64_t bytes_read_ = 0, requests_ = 0;
  MessageRef error_;     // the first one, where it was looked at before it is told
  bool failed_ = false;  // what is open is good for nothing any more
  std::string identity_, expected_;
  Bytes small_;  // the last small block: the headers of boxes lie close together
  uint64_t small_offset_ = 0;
  std::atomic<bool> cancelled_{false};

  // Pull mode.
  bool pull_ = false;
  ElementRef element_;
  PadRef pad_;
  std::atomic<GstPad*> pulled_{nullptr};  // pad_, once cancel() may flush it
  // An object of a store, whose element (s3src) knows its ETag and is told what is read next.
  bool object_ = false;
  uint64_t announced_ = 0, announced_end_ = 0;
  bool unproven_ = false;
  uint64_t requests_before_ = 0;

  // Push mode: one source element a range. A seek would do in theory; souphttpsrc 1.22 takes the
  // end of a bounded range for the size of the resource and refuses to seek behind it.
  Mutex mutex_;
  std::shared_ptr<Stream> stream_ CLIPS_GUARDED_BY(mutex_);
};

}  // namespace clips::cut
