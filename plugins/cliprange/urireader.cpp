// SPDX-License-Identifier: LGPL-2.1-or-later
#include "urireader.hpp"

#include <algorithm>
#include <cstring>

namespace clips::cut {

namespace {

// What a pushing source may run ahead; a TCP window holds as much anyway.
constexpr uint64_t kQueueBytes = 256 << 10;
// Reading over a gap this large is cheaper than a new request.
constexpr uint64_t kSkipBytes = 256 << 10;
constexpr size_t kPullBytes = 1 << 20;

}  // namespace

UriReader::~UriReader() {
  if (!element_) return;
  {
    MutexLock lock(mutex_);
    flushing_ = true;
    changed_.notify_all();
  }
  gst_element_set_state(element_.get(), GST_STATE_NULL);
  if (pad_) {
    gst_pad_set_active(pad_.get(), FALSE);
    GstPad* peer = gst_pad_get_peer(pad_.get());
    if (peer) {
      gst_pad_unlink(peer, pad_.get());
      gst_object_unref(peer);
    }
  }
  gst_element_set_bus(element_.get(), nullptr);
}

tl::unexpected<Error> UriReader::source_error(const char* what) {
  if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
  const auto message = MessageRef::adopt(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR));
  if (!message) return fail(Fault::Read, "Could not read " + uri_ + ".", what);
  GError* raw = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message.get(), &raw, &debug);
  const ErrorPtr error(raw);
  const GString_ details(debug);
  Fault fault = Fault::Read;
  if (g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND))
    fault = Fault::NotFound;
  else if (g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED))
    fault = Fault::NotAllowed;
  return fail(fault, "Could not read " + uri_ + ": " + error->message,
              details ? details.get() : what);
}

Result<bool> UriReader::open(const std::string& uri, const Setup& setup) {
  uri_ = uri;
  GError* raw = nullptr;
  element_ = ElementRef::sink(gst_element_make_from_uri(GST_URI_SRC, uri.c_str(), nullptr, &raw));
  const ErrorPtr error(raw);
  if (!element_)
    return fail(
        error && error->code == GST_URI_ERROR_UNSUPPORTED_PROTOCOL ? Fault::Missing
                                                                   : Fault::Settings,
        "There is no element that reads " + uri + ": check the URI and the installed plugins.",
        error ? error->message : "");
  bus_ = BusRef::adopt(gst_bus_new());
  gst_element_set_bus(element_.get(), bus_.get());
  if (setup) setup(element_.get());
  const auto source = PadRef::adopt(gst_element_get_static_pad(element_.get(), "src"));
  if (!source) return fail(Fault::Unsupported, "The source of " + uri + " has no byte stream.");
  pad_ = PadRef::sink(gst_pad_new("bytes", GST_PAD_SINK));
  gst_pad_set_element_private(pad_.get(), this);
  gst_pad_set_chain_function(pad_.get(), chain);
  gst_pad_set_event_function(pad_.get(), event);
  if (gst_pad_link_full(source.get(), pad_.get(), GST_PAD_LINK_CHECK_NOTHING) != GST_PAD_LINK_OK)
    return fail(Fault::Unsupported, "The source of " + uri + " has no byte stream.");

  if (gst_element_set_state(element_.get(), GST_STATE_READY) == GST_STATE_CHANGE_FAILURE)
    return source_error("could not get ready");
  const auto query = QueryRef::adopt(gst_query_new_scheduling());
  pull_ = gst_pad_peer_query(pad_.get(), query.get()) &&
          gst_query_has_scheduling_mode_with_flags(query.get(), GST_PAD_MODE_PULL,
                                                   GST_SCHEDULING_FLAG_SEEKABLE);
  if (!gst_pad_activate_mode(pad_.get(), pull_ ? GST_PAD_MODE_PULL : GST_PAD_MODE_PUSH, TRUE))
    return source_error("could not start");
  requests_ = 1;
  if (gst_element_set_state(element_.get(), GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)
    return source_error("could not open");
  if (pull_) pulled_ = pad_.get();
  if (!pull_) {
    stream_end_ = UINT64_MAX;
    // Sources that are not live push as soon as they are paused; the first bytes bring the size.
    gst_element_set_state(element_.get(), GST_STATE_PLAYING);
    MutexLock lock(mutex_);
    while (queue_.empty() && !ended_ && !cancelled_) changed_.wait(mutex_);
    if (queue_.empty()) return source_error("nothing came");
  }
  gint64 size = 0;
  if (!gst_pad_peer_query_duration(pad_.get(), GST_FORMAT_BYTES, &size) || size <= 0) {
    if (pull_ && size == 0) return fail(Fault::WrongType, uri + " is empty.");
    return fail(Fault::NotSeekable,
                "The size of " + uri + " is unknown, so it cannot be read from the middle.");
  }
  size_ = static_cast<uint64_t>(size);
  return true;
}

Result<Bytes> UriReader::read(uint64_t offset, size_t length, uint64_t more) {
  Bytes bytes;
  bytes.reserve(length);
  while (bytes.size() < length) {
    const size_t part = std::min(kPullBytes, length - bytes.size());
    const auto buffer =
        read_buffer(offset + bytes.size(), part, length - bytes.size() - part + more);
    if (!buffer) return tl::make_unexpected(buffer.error());
    const gsize got = gst_buffer_get_size(buffer->get());
    const size_t at = bytes.size();
    bytes.resize(at + got);
    gst_buffer_extract(buffer->get(), 0, bytes.data() + at, got);
    if (got < part) break;
  }
  return bytes;
}

Result<BufferRef> UriReader::read_buffer(uint64_t offset, size_t length, uint64_t more) {
  if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
  if (offset >= size_) return fail(Fault::Truncated, uri_ + " is truncated.", "read past its end");
  length = static_cast<size_t>(std::min<uint64_t>(length, size_ - offset));
  auto buffer = pull_ ? pull(offset, length) : stream(offset, length, more);
  if (buffer) bytes_read_ += gst_buffer_get_size(buffer->get());
  return buffer;
}

Result<BufferRef> UriReader::pull(uint64_t offset, size_t length) {
  GstBuffer* buffer = nullptr;
  const GstFlowReturn flow =
      gst_pad_pull_range(pad_.get(), offset, static_cast<guint>(length), &buffer);
  if (flow == GST_FLOW_OK) return BufferRef::adopt(buffer);
  if (flow == GST_FLOW_EOS)
    return fail(Fault::Truncated, uri_ + " became shorter while it was read.");
  return source_error(gst_flow_get_name(flow));
}

GstFlowReturn UriReader::chain(GstPad* pad, GstObject*, GstBuffer* buffer) {
  auto* self = static_cast<UriReader*>(gst_pad_get_element_private(pad));
  auto owned = BufferRef::adopt(buffer);
  MutexLock lock(self->mutex_);
  while (self->queued_ >= kQueueBytes && !self->flushing_) self->changed_.wait(self->mutex_);
  if (self->flushing_) return GST_FLOW_FLUSHING;
  self->queued_ += gst_buffer_get_size(buffer);
  self->queue_.push_back(std::move(owned));
  self->changed_.notify_all();
  return GST_FLOW_OK;
}

gboolean UriReader::event(GstPad* pad, GstObject*, GstEvent* event) {
  auto* self = static_cast<UriReader*>(gst_pad_get_element_private(pad));
  const auto owned = EventRef::adopt(event);
  MutexLock lock(self->mutex_);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
      self->flushing_ = true;
      self->changed_.notify_all();
      break;
    case GST_EVENT_FLUSH_STOP:
      self->flushing_ = false;
      self->ended_ = false;
      self->queue_.clear();
      self->queued_ = 0;
      break;
    case GST_EVENT_SEGMENT: {
      const GstSegment* segment = nullptr;
      gst_event_parse_segment(event, &segment);
      if (segment->format == GST_FORMAT_BYTES && self->queue_.empty())
        self->position_ = segment->start;
      break;
    }
    case GST_EVENT_EOS:
      self->ended_ = true;
      self->changed_.notify_all();
      break;
    default:
      break;
  }
  return TRUE;
}

Result<bool> UriReader::seek(uint64_t offset, uint64_t end) {
  GstEvent* event =
      gst_event_new_seek(1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET,
                         static_cast<gint64>(offset), GST_SEEK_TYPE_SET, static_cast<gint64>(end));
  ++requests_;
  if (!gst_pad_push_event(pad_.get(), event)) {
    if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
    return fail(Fault::NotSeekable,
                uri_ + " cannot be read from the middle: its server does not serve byte ranges.");
  }
  stream_end_ = end;
  MutexLock lock(mutex_);
  position_ = offset;
  return true;
}

Result<BufferRef> UriReader::stream(uint64_t offset, size_t length, uint64_t more) {
  bool here;
  {
    MutexLock lock(mutex_);
    here = offset >= position_ && offset + length <= stream_end_ &&
           offset - position_ <= queued_ + kSkipBytes &&
           !(ended_ && offset + length > position_ + queued_);
  }
  if (!here) {
    const auto sought = seek(offset, std::min(size_, offset + length + more));
    if (!sought) return tl::make_unexpected(sought.error());
  }
  const auto result = BufferRef::adopt(gst_buffer_new_allocate(nullptr, length, nullptr));
  size_t filled = 0;
  MutexLock lock(mutex_);
  while (filled < length) {
    while (queue_.empty() && !ended_ && !cancelled_) changed_.wait(mutex_);
    if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
    if (queue_.empty()) {
      const auto message = MessageRef::adopt(gst_bus_peek(bus_.get()));
      if (message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR)
        return source_error("the connection ended");
      return fail(Fault::Truncated, uri_ + " ended before the bytes that its index promises.",
                  "no data after a seek that was accepted");
    }
    GstBuffer* front = queue_.front().get();
    const gsize have = gst_buffer_get_size(front);
    const auto skip = static_cast<gsize>(
        std::min<uint64_t>(have, offset + filled > position_ ? offset + filled - position_ : 0));
    const gsize take = std::min<gsize>(have - skip, length - filled);
    if (take) {
      const BufferMap map(front, GST_MAP_READ);
      if (!map) return fail(Fault::Read, "Could not read " + uri_ + ".", "unreadable memory");
      gst_buffer_fill(result.get(), filled, map.data() + skip, take);
    }
    filled += take;
    const gsize used = skip + take;
    position_ += used;
    queued_ -= used;
    if (used == have)
      queue_.pop_front();
    else
      queue_.front() = BufferRef::adopt(
          gst_buffer_copy_region(front, GST_BUFFER_COPY_MEMORY, used, have - used));
    changed_.notify_all();
  }
  return result;
}

void UriReader::cancel() {
  cancelled_ = true;
  {
    MutexLock lock(mutex_);
    changed_.notify_all();
  }
  if (GstPad* pad = pulled_) gst_pad_push_event(pad, gst_event_new_flush_start());
}

void UriReader::resume() {
  if (!cancelled_.exchange(false)) return;
  if (GstPad* pad = pulled_) gst_pad_push_event(pad, gst_event_new_flush_stop(TRUE));
}

}  // namespace clips::cut
