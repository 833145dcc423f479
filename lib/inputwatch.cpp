// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inputwatch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "common/display_name.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/redact.hpp"
#include "common/thread_annotations.hpp"
#include "completeness.hpp"

GST_DEBUG_CATEGORY_STATIC(clips_input_watch_debug);
#define GST_CAT_DEFAULT clips_input_watch_debug

namespace clips {

namespace {

struct Watch {
  // Guards all of it: with random access several threads may read the source.
  Mutex mutex;
  ContainerWalk walk CLIPS_GUARDED_BY(mutex);
  bool begun CLIPS_GUARDED_BY(mutex) = false;
  bool told CLIPS_GUARDED_BY(mutex) = false;
  // Bytes seen without a gap from the start; the size at the end of stream if no other is known.
  std::uint64_t sequential CLIPS_GUARDED_BY(mutex) = 0;
};

class Descriptor {
 public:
  explicit Descriptor(const char* path) : number_(open(path, O_RDONLY | O_CLOEXEC)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int get() const noexcept { return number_; }

 private:
  int number_;
};

// Walks through a file on its own, with a few small reads.
ContainerWalk walk_file(const char* path) {
  const Descriptor file(path);
  struct stat status {};
  // Without a verdict: the element itself says why the file cannot be read.
  ContainerWalk none;
  none.finish(0);
  if (file.get() < 0 || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return none;
  ContainerWalk walk(static_cast<std::uint64_t>(status.st_size));
  std::array<std::byte, 1024> bytes{};
  while (const auto range = walk.wants()) {
    const ssize_t count = pread(file.get(), bytes.data(), std::min(range->size, bytes.size()),
                                static_cast<off_t>(range->offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 && range->size > 0) return none;
    walk.feed(range->offset, std::span(bytes).first(static_cast<std::size_t>(count)));
  }
  return walk;
}

std::string property_text(GstElement* element, const char* name) {
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
  if (!spec || spec->value_type != G_TYPE_STRING || !(spec->flags & G_PARAM_READABLE)) return {};
  gchar* text = nullptr;
  g_object_get(element, name, &text, nullptr);
  const GString_ owner(text);
  return text ? text : "";
}

void post(GstElement* source, const ContainerWalk& walk, std::uint64_t size) {
  const std::string location = property_text(source, "location");
  const std::string name = location.empty() ? "The input" : display_name(redact(location));
  const std::string container(walk.container());
  GST_ELEMENT_ERROR(source, STREAM, DEMUX,
                    ("%s is truncated: it ends after %" G_GUINT64_FORMAT
                     " bytes, but its %s structure goes on to at least byte %" G_GUINT64_FORMAT
                     ". Get the whole file and try again.",
                     name.c_str(), size, container.c_str(), walk.expected_size()),
                    (nullptr));
}

enum class Next { watch_on, let_pass, stop };

// Shows the walk what passes; `first_time` is set when the input has just been found truncated.
Next examine(Watch* watch, GstElement* source, GstBuffer* buffer, bool end, bool* first_time,
             std::uint64_t* size, ContainerWalk* verdict) {
  const MutexLock lock(watch->mutex);
  gint64 bytes = -1;
  const bool size_known = gst_element_query_duration(source, GST_FORMAT_BYTES, &bytes) && bytes > 0;
  if (!watch->begun) {
    watch->begun = true;
    GstElementFactory* factory = gst_element_get_factory(source);
    if (factory && std::string_view(GST_OBJECT_NAME(factory)) == "filesrc") {
      watch->walk = walk_file(property_text(source, "location").c_str());
    } else if (size_known) {
      watch->walk = ContainerWalk(static_cast<std::uint64_t>(bytes));
    }
  }
  if (watch->walk.state() == Completeness::undecided && buffer) {
    std::uint64_t offset = watch->sequential;
    if (GST_BUFFER_OFFSET_IS_VALID(buffer)) offset = GST_BUFFER_OFFSET(buffer);
    const BufferMap map(buffer, GST_MAP_READ);
    if (map) {
      watch->walk.feed(offset, std::as_bytes(std::span(map.data(), map.size())));
      if (offset == watch->sequential) watch->sequential += map.size();
    }
  }
  // With a size that was known all along, the end of what was asked for need not be that of all.
  if (watch->walk.state() == Completeness::undecided && end && !size_known)
    watch->walk.finish(watch->sequential);
  switch (watch->walk.state()) {
    case Completeness::undecided:
      return Next::watch_on;
    case Completeness::complete:
    case Completeness::unknown:
      return Next::let_pass;
    case Completeness::truncated:
      break;
  }
  *first_time = !std::exchange(watch->told, true);
  *size = size_known ? static_cast<std::uint64_t>(bytes) : watch->sequential;
  *verdict = watch->walk;
  return Next::stop;
}

Next examine(Watch* watch, GstPad* pad, GstBuffer* buffer, bool end) {
  const auto source = ElementRef::adopt(gst_pad_get_parent_element(pad));
  if (!source) return Next::let_pass;
  bool first_time = false;
  std::uint64_t size = 0;
  ContainerWalk verdict;
  const Next next = examine(watch, source.get(), buffer, end, &first_time, &size, &verdict);
  // Outside the lock: posting runs the application's message handlers.
  if (first_time) post(source.get(), verdict, size);
  return next;
}

Next examine_list(Watch* watch, GstPad* pad, GstBufferList* list) {
  Next next = Next::watch_on;
  for (guint i = 0; i < gst_buffer_list_length(list) && next == Next::watch_on; ++i)
    next = examine(watch, pad, gst_buffer_list_get(list, i), false);
  return next;
}

GstPadProbeReturn data_passes(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto* watch = static_cast<Watch*>(data);
  const bool is_event = info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM;
  const bool is_list = info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST;
  const Next next = guard(GST_OBJECT_PARENT(pad), Next::let_pass, [&] {
    if (is_event) {
      if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS) return Next::watch_on;
      return examine(watch, pad, nullptr, true);
    }
    if (is_list) return examine_list(watch, pad, GST_PAD_PROBE_INFO_BUFFER_LIST(info));
    return examine(watch, pad, GST_PAD_PROBE_INFO_BUFFER(info), false);
  });
  if (next == Next::watch_on) return GST_PAD_PROBE_OK;
  if (next == Next::let_pass) return GST_PAD_PROBE_REMOVE;
  if (is_event) return GST_PAD_PROBE_DROP;
  // What is pushed is the probe's to free when it handles it; what is pulled stays the pad's.
  if (!(info->type & GST_PAD_PROBE_TYPE_PULL)) {
    gst_mini_object_unref(GST_MINI_OBJECT_CAST(info->data));
    info->data = nullptr;
  }
  GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_ERROR;
  return GST_PAD_PROBE_HANDLED;
}

// The typefind element that reads from a source inside decodebin and its like; empty for others.
PadRef typefind_of(GstPad* source_pad) {
  auto pad = PadRef::adopt(gst_pad_get_peer(source_pad));
  while (pad && GST_IS_GHOST_PAD(pad.get()))
    pad = PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD_CAST(pad.get())));
  const auto element =
      pad ? ElementRef::adopt(gst_pad_get_parent_element(pad.get())) : ElementRef();
  GstElementFactory* factory = element ? gst_element_get_factory(element.get()) : nullptr;
  if (!factory || std::string_view(GST_OBJECT_NAME(factory)) != "typefind") return {};
  return pad;
}

// A demuxer that reads by itself starts as soon as decodebin adds it, while decodebin, still in
// the thread of its typefind, drops the demuxer's errors. An error in that moment is lost and the
// pipeline waits for ever. So the demuxer's first read waits for that thread to be done.
GstPadProbeReturn reader_starts(GstPad* pad, GstPadProbeInfo*, gpointer) {
  constexpr int patience_ms = 2000;
  const PadRef typefind = typefind_of(pad);
  if (!typefind) return GST_PAD_PROBE_OK;
  // Typefind's own thread has the lock already and gets it once more.
  for (int waited_ms = 0; waited_ms < patience_ms; ++waited_ms) {
    if (GST_PAD_STREAM_TRYLOCK(typefind.get())) {
      GST_PAD_STREAM_UNLOCK(typefind.get());
      return GST_PAD_PROBE_OK;
    }
    g_usleep(1000);
  }
  return GST_PAD_PROBE_REMOVE;
}

bool is_byte_source(GstElement* element) {
  return GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SOURCE) && !GST_IS_BIN(element) &&
         GST_IS_URI_HANDLER(element) &&
         gst_uri_handler_get_uri_type(GST_URI_HANDLER(element)) == GST_URI_SRC;
}

}  // namespace

void limit_decoding_errors(GstElement* decoder) {
  constexpr gint limit = 10;
  const gchar* klass = gst_element_get_metadata(decoder, GST_ELEMENT_METADATA_KLASS);
  if (!klass || std::string_view(klass).find("Decoder/Video") == std::string_view::npos) return;
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(decoder), "max-errors"))
    g_object_set(decoder, "max-errors", limit, nullptr);
}

void watch_input(GstElement* source) {
  static const GQuark watched = g_quark_from_static_string("clips-input-watch");
  static const bool category = [] {
    GST_DEBUG_CATEGORY_INIT(clips_input_watch_debug, "clipsinputwatch", 0,
                            "checks for whole inputs");
    return true;
  }();
  (void)category;
  if (!is_byte_source(source)) return;
  const auto pad = PadRef::adopt(gst_element_get_static_pad(source, "src"));
  if (!pad) return;
  if (!g_object_replace_qdata(G_OBJECT(source), watched, nullptr, GINT_TO_POINTER(1), nullptr,
                              nullptr))
    return;
  const auto types = static_cast<GstPadProbeType>(
      GST_PAD_PROBE_TYPE_PUSH | GST_PAD_PROBE_TYPE_PULL | GST_PAD_PROBE_TYPE_BUFFER |
      GST_PAD_PROBE_TYPE_BUFFER_LIST | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_PULL, reader_starts, nullptr, nullptr);
  gst_pad_add_probe(pad.get(), types, data_passes, new Watch,
                    [](gpointer data) { delete static_cast<Watch*>(data); });
}

}  // namespace clips
