// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gsturireader.hpp"

#include <gio/gio.h>
#include <glib/gstdio.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>

#include "common/local_path.hpp"
#include "lib/tlstrust.hpp"

namespace clips {
template <>
struct RefTraits<GstContext> : MiniObjectTraits<GstContext> {};
}  // namespace clips

namespace clips::cut {

namespace {

// What a pushing source may run ahead; a TCP window holds as much anyway.
constexpr uint64_t kQueueBytes = 256 << 10;
// Reading over a gap this large is cheaper than a new request.
constexpr uint64_t kSkipBytes = 256 << 10;
// The first question to a server: the index of a film of some minutes, or the begin of a longer
// one, and no more than that of a source whose index stands at its end.
constexpr uint64_t kFirstBytes = 256 << 10;
constexpr size_t kPullBytes = 1 << 20;
constexpr size_t kSmallBytes = 4096;
// From here on a store is told beforehand what is read of an object.
constexpr uint64_t kAnnouncedBytes = 256 << 10;

constexpr std::string_view kObject = "object:";

// What a file has, and no later state of it.
std::string file_identity(const std::string& uri) {
  const GString_ path = local_path(uri.c_str());
  GStatBuf status{};
  if (!path || g_stat(path.get(), &status) != 0) return {};
  return "file:" + std::to_string(status.st_size) + ":" + std::to_string(status.st_mtim.tv_sec) +
         "." + std::to_string(status.st_mtim.tv_nsec) + ":" + std::to_string(status.st_dev) + ":" +
         std::to_string(status.st_ino);
}

// The same of an object in a store, from the element that has opened it.
std::string object_identity(GstElement* element) {
  gchar* raw = nullptr;
  g_object_get(element, "etag", &raw, nullptr);
  const GString_ tag(raw);
  return tag ? std::string(kObject) + tag.get() : "";
}

bool reads_objects(GstElement* element) {
  GObjectClass* klass = G_OBJECT_GET_CLASS(element);
  return g_object_class_find_property(klass, "etag") &&
         g_object_class_find_property(klass, "object-size");
}

// What a server tells of a resource.
struct Told {
  std::string identity;          // as of a file
  std::optional<uint64_t> size;  // of the whole, where a range of it was sent
};

// souphttpsrc tells the server's headers in an event.
std::optional<Told> told_by(GstEvent* event) {
  const GstStructure* all = gst_event_get_structure(event);
  if (!all || !gst_structure_has_name(all, "http-headers")) return std::nullopt;
  const GValue* value = gst_structure_get_value(all, "response-headers");
  if (!value || !GST_VALUE_HOLDS_STRUCTURE(value)) return std::nullopt;
  const GstStructure* headers = gst_value_get_structure(value);
  Told told;
  std::string tag, time;
  for (int i = 0; i < gst_structure_n_fields(headers); ++i) {
    const char* name = gst_structure_nth_field_name(headers, static_cast<guint>(i));
    const char* text = gst_structure_get_string(headers, name);
    if (!text) continue;
    if (g_ascii_strcasecmp(name, "etag") == 0) tag = std::string("etag:") + text;
    if (g_ascii_strcasecmp(name, "last-modified") == 0) time = std::string("modified:") + text;
    if (g_ascii_strcasecmp(name, "content-range") == 0)
      if (const char* size = std::strrchr(text, '/'); size && g_ascii_isdigit(size[1]))
        told.size = g_ascii_strtoull(size + 1, nullptr, 10);
  }
  told.identity = tag.empty() ? time : tag;
  return told;
}

bool is_web(const std::string& uri) {
  return gst_uri_has_protocol(uri.c_str(), "http") || gst_uri_has_protocol(uri.c_str(), "https");
}

// What souphttpsrc says of a certificate that is not trusted.
bool is_vague(const GError& error) {
  return g_error_matches(&error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
}

// A pad of no element, and what it hangs on, taken down in the right order.
void take_down(const ElementRef& element, const PadRef& pad) {
  gst_element_set_state(element.get(), GST_STATE_NULL);
  if (pad) {
    gst_pad_set_active(pad.get(), FALSE);
    const auto peer = PadRef::adopt(gst_pad_get_peer(pad.get()));
    if (peer) gst_pad_unlink(peer.get(), pad.get());
  }
  gst_element_set_bus(element.get(), nullptr);
}

PadRef link_pad(GstElement* element) {
  const auto source = PadRef::adopt(gst_element_get_static_pad(element, "src"));
  if (!source) return {};
  auto pad = PadRef::sink(gst_pad_new("bytes", GST_PAD_SINK));
  if (gst_pad_link_full(source.get(), pad.get(), GST_PAD_LINK_CHECK_NOTHING) != GST_PAD_LINK_OK)
    return {};
  return pad;
}

}  // namespace

PluginLoading::PluginLoading(const std::string& uri)
    : thread_([uri] {
        // Whatever is wrong will be found and told when the source is opened.
        ElementRef::sink(gst_element_make_from_uri(GST_URI_SRC, uri.c_str(), nullptr, nullptr));
        // Whatever asks for a proxy finds the libraries of it here: without them a request waits.
        if (is_web(uri)) g_proxy_resolver_get_default();
      }) {}

// The bytes of one range, as a source element pushes them.
class UriReader::Stream {
 public:
  Stream(ElementRef element, PadRef pad, uint64_t offset, uint64_t end)
      : element_(std::move(element)), pad_(std::move(pad)), end_(end), position_(offset) {
    gst_pad_set_element_private(pad_.get(), this);
    gst_pad_set_chain_function(pad_.get(), chain);
    gst_pad_set_event_function(pad_.get(), event);
  }
  ~Stream() {
    stop();
    take_down(element_, pad_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Sources that are not live push as soon as they are paused.
  bool start() {
    return gst_pad_set_active(pad_.get(), TRUE) &&
           gst_element_set_state(element_.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
  }
  // From any thread: reading and pushing end.
  void stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  // Whether something came, or nothing will.
  bool wait() {
    MutexLock lock(mutex_);
    while (queue_.empty() && !ended_ && !stopped_) changed_.wait(mutex_);
    return !queue_.empty();
  }
  std::string identity() const {
    MutexLock lock(mutex_);
    return identity_;
  }
  // Whether the server's headers are known, as they are with the first bytes if at all.
  bool told() const {
    MutexLock lock(mutex_);
    return told_;
  }
  // Of the whole resource. What the element says is, of souphttpsrc 1.22, the end of the range.
  gint64 size() {
    {
      MutexLock lock(mutex_);
      if (total_) return static_cast<gint64>(*total_);
    }
    gint64 size = -1;
    return gst_pad_peer_query_duration(pad_.get(), GST_FORMAT_BYTES, &size) ? size : -1;
  }
  bool can_seek() {
    const auto query = QueryRef::adopt(gst_query_new_seeking(GST_FORMAT_BYTES));
    gboolean seekable = FALSE;
    if (!gst_pad_peer_query(pad_.get(), query.get())) return false;
    gst_query_parse_seeking(query.get(), nullptr, &seekable, nullptr, nullptr);
    return seekable;
  }
  // How much of [offset, offset + length) comes by if one just waits.
  size_t reaches(uint64_t offset, size_t length) {
    MutexLock lock(mutex_);
    if (offset < position_ || offset >= end_ || offset - position_ > queued_ + kSkipBytes) return 0;
    const uint64_t part = std::min<uint64_t>(length, end_ - offset);
    if (ended_ && offset + part > position_ + queued_) return 0;
    return static_cast<size_t>(part);
  }
  // Takes what little there is left, so that the connection can serve the next range.
  void drain() {
    MutexLock lock(mutex_);
    if (end_ - position_ > kSkipBytes) return;
    while (!ended_ && !stopped_) {
      position_ += queued_;
      queued_ = used_ = 0;
      queue_.clear();
      changed_.notify_all();
      changed_.wait(mutex_);
    }
  }
  // Fills as much of `into` as comes.
  size_t read(uint64_t offset, std::span<uint8_t> into) {
    size_t filled = 0;
    MutexLock lock(mutex_);
    while (filled < into.size()) {
      while (queue_.empty() && !ended_ && !stopped_) changed_.wait(mutex_);
      if (queue_.empty() || stopped_) break;
      GstBuffer* front = queue_.front().get();
      const gsize have = gst_buffer_get_size(front) - used_;
      const uint64_t next = offset + filled;
      const auto skip =
          static_cast<gsize>(std::min<uint64_t>(have, next > position_ ? next - position_ : 0));
      const gsize take = std::min<gsize>(have - skip, into.size() - filled);
      gst_buffer_extract(front, used_ + skip, into.data() + filled, take);
      filled += take;
      used_ += skip + take;
      position_ += skip + take;
      queued_ -= skip + take;
      if (skip + take == have) {
        queue_.pop_front();
        used_ = 0;
      }
      changed_.notify_all();
    }
    return filled;
  }

 private:
  static Stream& self(GstPad* pad) {
    return *static_cast<Stream*>(gst_pad_get_element_private(pad));
  }
  static GstFlowReturn chain(GstPad* pad, GstObject*, GstBuffer* buffer) {
    Stream& s = self(pad);
    auto owned = BufferRef::adopt(buffer);
    MutexLock lock(s.mutex_);
    while (s.queued_ >= kQueueBytes && !s.stopped_) s.changed_.wait(s.mutex_);
    if (s.stopped_) return GST_FLOW_FLUSHING;
    s.queued_ += gst_buffer_get_size(buffer);
    s.queue_.push_back(std::move(owned));
    s.changed_.notify_all();
    return GST_FLOW_OK;
  }
  static gboolean event(GstPad* pad, GstObject*, GstEvent* event) {
    const auto owned = EventRef::adopt(event);
    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
      Stream& s = self(pad);
      MutexLock lock(s.mutex_);
      s.ended_ = true;
      s.changed_.notify_all();
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY) {
      auto told = told_by(event);
      if (!told) return TRUE;
      Stream& s = self(pad);
      MutexLock lock(s.mutex_);
      if (!told->identity.empty()) s.identity_ = std::move(told->identity);
      s.told_ = true;
      s.total_ = told->size;
      // Without a range in the answer all of the resource comes.
      s.end_ = told->size ? std::min(s.end_, *told->size) : UINT64_MAX;
    }
    return TRUE;
  }

  const ElementRef element_;
  const PadRef pad_;
  // The element's thread fills, the reader empties. Never held while the element changes state:
  // that waits for its thread.
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::string identity_ CLIPS_GUARDED_BY(mutex_);
  bool told_ CLIPS_GUARDED_BY(mutex_) = false;
  std::optional<uint64_t> total_ CLIPS_GUARDED_BY(mutex_);
  uint64_t end_ CLIPS_GUARDED_BY(mutex_);
  std::deque<BufferRef> queue_ CLIPS_GUARDED_BY(mutex_);
  gsize used_ CLIPS_GUARDED_BY(mutex_) = 0;  // of the queue's first buffer
  uint64_t queued_ CLIPS_GUARDED_BY(mutex_) = 0;
  uint64_t position_ CLIPS_GUARDED_BY(mutex_);  // of the first queued byte
  bool ended_ CLIPS_GUARDED_BY(mutex_) = false;
  bool stopped_ CLIPS_GUARDED_BY(mutex_) = false;
};

bool is_file_identity(const std::string& identity) {
  return identity.starts_with("file:");
}

bool UriReader::is_current() {
  if (identity_.empty() || failed_) return false;
  if (is_file_identity(identity_)) return identity_ == file_identity(uri_);
  expected_ = identity_;
  announced_ = announced_end_ = 0;
  unproven_ = true;
  return true;
}

void UriReader::begin_count() {
  bytes_read_ = requests_ = 0;
  requests_before_ = requests_of_object();
}

uint64_t UriReader::requests_of_object() const {
  if (!object_ || !element_) return 0;
  GstStructure* raw = nullptr;
  g_object_get(element_.get(), "stats", &raw, nullptr);
  const StructurePtr stats(raw);
  guint64 requests = 0;
  if (stats) gst_structure_get_uint64(stats.get(), "requests", &requests);
  return requests;
}

uint64_t UriReader::requests() const {
  return object_ ? requests_of_object() - requests_before_ : requests_;
}

UriReader::~UriReader() {
  if (element_) take_down(element_, pad_);
}

tl::unexpected<Error> UriReader::source_error(const char* what) {
  if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
  failed_ = true;
  const auto message = first_error();
  if (!message) return fail(Fault::Read, "Could not read " + uri_ + ".", what);
  GError* raw = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message.get(), &raw, &debug);
  const ErrorPtr error(raw);
  const GString_ details(debug);
  Fault fault = Fault::Read;
  const GstStructure* fields = nullptr;
  gboolean replaced = FALSE;
  gst_message_parse_error_details(message.get(), &fields);
  if (fields) gst_structure_get_boolean(fields, "replaced", &replaced);
  if (replaced && !expected_.empty())
    fault = Fault::Stale;
  else if (g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND))
    fault = Fault::NotFound;
  else if (g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED))
    fault = Fault::NotAllowed;
  else if (g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SEEK))
    fault = Fault::NotSeekable;
  if (const std::string why = is_vague(*error) ? why_not_trusted(uri_.c_str()) : ""; !why.empty())
    return fail(Fault::Read, "Could not read " + uri_ +
                                 ": its server's certificate is not trusted, because " + why +
                                 ". SSL_CERT_FILE can name other authorities.");
  return fail(fault, "Could not read " + uri_ + ": " + error->message,
              details ? details.get() : what);
}

Result<ElementRef> UriReader::make_source() {
  GError* raw = nullptr;
  auto element =
      ElementRef::sink(gst_element_make_from_uri(GST_URI_SRC, uri_.c_str(), nullptr, &raw));
  const ErrorPtr error(raw);
  if (!element)
    return fail(
        error && error->code == GST_URI_ERROR_UNSUPPORTED_PROTOCOL ? Fault::Missing
                                                                   : Fault::Settings,
        "There is no element that reads " + uri_ + ": check the URI and the installed plugins.",
        error ? error->message : "");
  gst_element_set_bus(element.get(), bus_.get());
  for (const auto& context : contexts_) gst_element_set_context(element.get(), context.get());
  if (setup_) setup_(element.get());
  if (encrypted_) trust_certificate_file(element.get());
  return element;
}

Result<bool> UriReader::open(const std::string& uri, const Setup& setup) {
  uri_ = uri;
  encrypted_ = !gst_uri_has_protocol(uri.c_str(), "http");
  setup_ = setup;
  bus_ = BusRef::adopt(gst_bus_new());
  auto made = make_source();
  if (!made) return tl::make_unexpected(made.error());
  ElementRef element = *made;
  PadRef pad = link_pad(element.get());
  if (!pad) return fail(Fault::Unsupported, "The source of " + uri + " has no byte stream.");
  if (gst_element_set_state(element.get(), GST_STATE_READY) == GST_STATE_CHANGE_FAILURE) {
    take_down(element, pad);
    return source_error("could not get ready");
  }
  const auto query = QueryRef::adopt(gst_query_new_scheduling());
  pull_ = gst_pad_peer_query(pad.get(), query.get()) &&
          gst_query_has_scheduling_mode_with_flags(query.get(), GST_PAD_MODE_PULL,
                                                   GST_SCHEDULING_FLAG_SEEKABLE);
  gint64 size = -1;
  if (pull_) {
    const auto started = start_pulling(element, pad);
    if (!started) return started;
    if (!gst_pad_peer_query_duration(pad.get(), GST_FORMAT_BYTES, &size)) size = -1;
    if (size < 0 && gst_bus_have_pending(bus_.get())) return source_error("could not open");
    if (size == 0) return fail(Fault::WrongType, uri + " is empty.");
    identity_ = object_ ? object_identity(element.get()) : file_identity(uri);
  } else {
    take_down(element, pad);
    std::shared_ptr<Stream> stream;
    // An element that tells no headers may take the end of a range for that of the resource.
    for (const uint64_t end : {kFirstBytes, UINT64_MAX}) {
      const auto opened = request(0, end);
      if (!opened) return opened;
      {
        MutexLock lock(mutex_);
        stream = stream_;
      }
      if (!stream->wait()) return source_error("nothing came");
      if (stream->told()) break;
    }
    size = stream->size();
    identity_ = stream->identity();
    if (!stream->can_seek())
      return fail(Fault::NotSeekable,
                  uri + " cannot be read from the middle: its server does not serve byte ranges.");
  }
  if (size <= 0)
    return fail(Fault::NotSeekable,
                "The size of " + uri + " is unknown, so it cannot be read from the middle.");
  size_ = static_cast<uint64_t>(size);
  return true;
}

Result<bool> UriReader::start_pulling(const ElementRef& element, const PadRef& pad) {
  element_ = element;
  pad_ = pad;
  requests_ = 1;
  object_ = reads_objects(element.get());
  if (!gst_pad_activate_mode(pad.get(), GST_PAD_MODE_PULL, TRUE) ||
      gst_element_set_state(element.get(), GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)
    return source_error("could not open");
  pulled_ = pad.get();
  return true;
}

Result<bool> UriReader::open_known(const std::string& uri, const Setup& setup, uint64_t size,
                                   const std::string& identity) {
  uri_ = uri;
  encrypted_ = !gst_uri_has_protocol(uri.c_str(), "http");
  setup_ = setup;
  bus_ = BusRef::adopt(gst_bus_new());
  size_ = size;
  identity_ = expected_ = identity;
  if (!identity.starts_with(kObject)) return true;
  auto element = make_source();
  if (!element) return tl::make_unexpected(element.error());
  const PadRef pad = link_pad(element->get());
  if (!pad || !reads_objects(element->get()))
    return fail(Fault::Stale, "The source of " + uri + " is another element than it was.");
  g_object_set(element->get(), "etag", identity.c_str() + kObject.size(), "object-size", size,
               nullptr);
  pull_ = unproven_ = true;
  return start_pulling(*element, pad);
}

MessageRef UriReader::first_error() {
  if (error_) return std::exchange(error_, {});
  return MessageRef::adopt(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR));
}

bool UriReader::refused_certificate() {
  error_ = first_error();
  if (!error_) return false;
  GError* raw = nullptr;
  gst_message_parse_error(error_.get(), &raw, nullptr);
  return is_vague(*ErrorPtr(raw));
}

Result<bool> UriReader::request(uint64_t offset, uint64_t end) {
  const auto asked = ask(offset, end);
  if (!asked || encrypted_ || !names_authorities()) return asked;
  {
    std::shared_ptr<Stream> first;
    {
      MutexLock lock(mutex_);
      first = stream_;
    }
    if (!first || first->wait() || cancelled_ || !refused_certificate()) return asked;
  }
  // Only a server that leads to one with a certificate makes reading the authorities worthwhile.
  encrypted_ = true;
  return ask(offset, end);
}

Result<bool> UriReader::ask(uint64_t offset, uint64_t end) {
  {
    // The one before ends first: some servers allow few connections.
    std::shared_ptr<Stream> old;
    {
      MutexLock lock(mutex_);
      old = stream_;
    }
    if (old) old->drain();
    MutexLock lock(mutex_);
    stream_.reset();
  }
  error_.reset();
  // What the finished source offers to its like; what went wrong with it is over.
  while (const auto message = MessageRef::adopt(gst_bus_pop(bus_.get()))) {
    if (GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_HAVE_CONTEXT) continue;
    GstContext* context = nullptr;
    gst_message_parse_have_context(message.get(), &context);
    contexts_.push_back(Ref<GstContext>::adopt(context));
  }
  auto element = make_source();
  if (!element) return tl::make_unexpected(element.error());
  PadRef pad = link_pad(element->get());
  if (!pad) return fail(Fault::Unsupported, "The source of " + uri_ + " has no byte stream.");
  auto stream = std::make_shared<Stream>(*element, pad, offset, end);
  gst_element_set_state(element->get(), GST_STATE_READY);
  if (offset > 0 || end != UINT64_MAX)
    // Not started yet, so the source keeps this for its first request.
    gst_element_send_event(
        element->get(),
        gst_event_new_seek(1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET,
                           static_cast<gint64>(offset), GST_SEEK_TYPE_SET,
                           end == UINT64_MAX ? -1 : static_cast<gint64>(end)));
  ++requests_;
  if (!stream->start()) return source_error("could not open");
  MutexLock lock(mutex_);
  if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
  stream_ = std::move(stream);
  return true;
}

Result<Bytes> UriReader::read(uint64_t offset, size_t length, uint64_t more) {
  if (offset >= size_) return fail(Fault::Truncated, uri_ + " is truncated.", "read past its end");
  length = static_cast<size_t>(std::min<uint64_t>(length, size_ - offset));
  Bytes bytes;
  bytes.reserve(length);
  if (offset >= small_offset_ && offset < small_offset_ + small_.size()) {
    const auto at = static_cast<size_t>(offset - small_offset_);
    const size_t take = std::min(length, small_.size() - at);
    bytes.assign(small_.begin() + static_cast<ptrdiff_t>(at),
                 small_.begin() + static_cast<ptrdiff_t>(at + take));
  }
  while (bytes.size() < length) {
    const uint64_t next = offset + bytes.size();
    const size_t left = length - bytes.size();
    const size_t part = std::clamp(left, kSmallBytes, kPullBytes);
    const auto buffer = read_buffer(next, part, (left > part ? left - part : 0) + more);
    if (!buffer) return tl::make_unexpected(buffer.error());
    const BufferMap map(buffer->get(), GST_MAP_READ);
    if (!map) return fail(Fault::Read, "Could not read " + uri_ + ".", "unreadable memory");
    if (left < kSmallBytes) {
      small_.assign(map.data(), map.data() + map.size());
      small_offset_ = next;
    }
    const size_t take = std::min<size_t>(left, map.size());
    bytes.insert(bytes.end(), map.data(), map.data() + take);
    if (map.size() < std::min<uint64_t>(part, size_ - next)) break;
  }
  return bytes;
}

Result<BufferRef> UriReader::read_buffer(uint64_t offset, size_t length, uint64_t more) {
  if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
  if (offset >= size_) return fail(Fault::Truncated, uri_ + " is truncated.", "read past its end");
  length = static_cast<size_t>(std::min<uint64_t>(length, size_ - offset));
  auto buffer = pull_ ? pull(offset, length, more) : stream(offset, length, more);
  if (buffer) bytes_read_ += gst_buffer_get_size(buffer->get());
  return buffer;
}

Result<BufferRef> UriReader::pull(uint64_t offset, size_t length, uint64_t more) {
  // The first answer shows whether a known object is still the same.
  const bool anew = std::exchange(unproven_, false);
  if (object_ && (anew || length + more >= kAnnouncedBytes) &&
      (offset < announced_ || offset + length > announced_end_)) {
    announced_ = offset;
    announced_end_ = std::min(size_, offset + length + more);
    gst_pad_push_event(
        pad_.get(),
        gst_event_new_custom(
            GST_EVENT_CUSTOM_UPSTREAM,
            gst_structure_new("read-range", "offset", G_TYPE_UINT64, guint64{announced_}, "end",
                              G_TYPE_UINT64, guint64{announced_end_}, "anew", G_TYPE_BOOLEAN,
                              anew ? TRUE : FALSE, nullptr)));
  }
  GstBuffer* buffer = nullptr;
  const GstFlowReturn flow =
      gst_pad_pull_range(pad_.get(), offset, static_cast<guint>(length), &buffer);
  if (flow == GST_FLOW_OK) return BufferRef::adopt(buffer);
  if (flow == GST_FLOW_EOS)
    return fail(Fault::Truncated, uri_ + " became shorter while it was read.");
  return source_error(gst_flow_get_name(flow));
}

Result<BufferRef> UriReader::stream(uint64_t offset, size_t length, uint64_t more) {
  const auto current = [&] {
    MutexLock lock(mutex_);
    return stream_;
  };
  auto buffer = BufferRef::adopt(gst_buffer_new_allocate(nullptr, length, nullptr));
  const BufferMap map(buffer.get(), GST_MAP_WRITE);
  if (!map) return fail(Fault::Read, "Could not read " + uri_ + ".", "no memory");
  bool complete = true;
  for (size_t filled = 0; complete && filled < length;) {
    const uint64_t at = offset + filled;
    auto open = current();
    size_t part = open ? open->reaches(at, length - filled) : 0;
    if (part == 0) {
      part = length - filled;
      open.reset();  // while it is held, its connection serves no other request
      const auto asked = request(at, std::min(size_, offset + length + more));
      if (!asked) return tl::make_unexpected(asked.error());
      open = current();
    }
    complete = open && open->read(at, {map.data() + filled, part}) == part;
    if (!cancelled_ && open && !expected_.empty() && open->identity() != expected_)
      return fail(Fault::Stale, uri_ + " has changed while it was read.");
    filled += part;
  }
  if (!complete) {
    if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
    if (error_ || gst_bus_have_pending(bus_.get())) {
      auto error = source_error("the connection ended");
      // souphttpsrc, told to read a range and given the whole, fails in one of these ways.
      const Fault fault = error.value().fault;
      if (offset > 0 && (fault == Fault::Read || fault == Fault::NotSeekable))
        return fail(
            Fault::NotSeekable,
            "Could not read " + uri_ + " from its middle. Its server must serve byte ranges.",
            error.value().message + " " + error.value().details);
      return error;
    }
    return fail(Fault::Truncated, uri_ + " ended before the bytes that its index promises.",
                "no data after a seek that was accepted");
  }
  return buffer;
}

void UriReader::cancel() {
  cancelled_ = true;
  std::shared_ptr<Stream> open;
  {
    MutexLock lock(mutex_);
    open = stream_;
  }
  if (open) open->stop();
  if (GstPad* pad = pulled_) gst_pad_push_event(pad, gst_event_new_flush_start());
}

void UriReader::resume() {
  if (!cancelled_.exchange(false)) return;
  {
    // What was stopped stays stopped; the next read asks anew.
    std::shared_ptr<Stream> old;
    MutexLock lock(mutex_);
    old = std::move(stream_);
    stream_.reset();
  }
  if (GstPad* pad = pulled_) gst_pad_push_event(pad, gst_event_new_flush_stop(TRUE));
}

}  // namespace clips::cut
