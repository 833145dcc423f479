// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-clipexport
 * @title: clipexport
 *
 * A source of the bytes of one finished clip: the frames [start, stop) of the file at `uri`, with
 * the sound that belongs to them to the sample, as an MP4 (or QuickTime, if the source is one, or
 * Matroska) whose index stands in front. Sources are MP4, QuickTime, Matroska, WebM, MPEG-TS, FLV
 * and AVI.
 *
 * |[
 * gst-launch-1.0 clipexport uri=file:///video.mp4 start=1801300000000 stop=1811300000000 \
 *     ! filesink location=clip.mp4
 * ]| cuts ten seconds out of an hour.
 *
 * Before the first byte the element message `clip-range` says what is really cut, and at the end
 * `clip-done` what it cost. Fields, modes and errors: docs/elements/clipexport.md.
 */
#include "gstclipexport.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "container.hpp"
#include "entrance.hpp"
#include "gstrangeproperties.hpp"
#include "gstrangetypes.hpp"
#include "gstreaderslot.hpp"
#include "gsttranscoder.hpp"
#include "indexcache.hpp"

GST_DEBUG_CATEGORY_STATIC(clip_export_debug);
#define GST_CAT_DEFAULT clip_export_debug

namespace {

using namespace clips;
using namespace clips::cut;

// What one step of the streaming thread hands on.
constexpr uint64_t kStepBytes = 1 << 20;
constexpr uint64_t kRemoteStepBytes = 256 << 10;
constexpr size_t kStepBuffers = 256;
// Bytes between two wanted stretches that are cheaper to read than to jump over.
constexpr uint64_t kGapBytes = 16 << 10;
constexpr uint64_t kRemoteGapBytes = 256 << 10;
// Sources without an index are walked through up to this size even if only a range of them is
// wanted, so that pictures can be numbered.
constexpr uint64_t kWholeBytes = 64 << 20;
constexpr uint64_t kRemoteWholeBytes = 4 << 20;

constexpr const char* kInMemory = "memory";
constexpr const char* kNoCache = "none";

struct Settings {
  std::string uri;
  RangeProperties range;
  std::optional<Container> container;
  bool faststart = true;
  guint64 fragment_duration = 0;
  gint quality = 16;
  std::string encoder;
  std::string index_cache = kInMemory;
};

// Lives from start() to stop(); the streaming thread's alone, but for reader->cancel().
struct State {
  std::shared_ptr<const Movie> movie;
  std::unique_ptr<MediaSource> media;
  std::unique_ptr<EncodedStore> encoded;
  std::optional<Clip> clip;
  std::chrono::steady_clock::time_point began;
  bool head_sent = false, tail_sent = false;
  size_t run = 0;         // the stretch being sent
  uint64_t run_done = 0;  // bytes of it that are sent
  uint64_t position = 0;  // in the output
  bool unproven = false;  // the index is a kept one, and nothing has shown yet that it still holds
  BufferRef block;        // what was read last, at block_offset of the source
  uint64_t block_offset = 0;
};

// What one clip leaves open for the next one out of the same source.
struct Kept {
  std::string uri;
  std::shared_ptr<UriReader> reader;
  std::shared_ptr<const Movie> movie;
};

struct Private {
  Mutex mutex;  // guards settings and results; held for moments only, never while a reader works
  Settings settings CLIPS_GUARDED_BY(mutex);
  guint64 total_size CLIPS_GUARDED_BY(mutex) = 0;
  std::unique_ptr<PluginLoading> loading CLIPS_GUARDED_BY(mutex);
  ReaderSlot reader;
  State state;
  Kept kept;  // touched while the element starts and stops
};

enum Property : guint {
  kUri = RangeProperties::kFirstFree,
  kContainer,
  kFaststart,
  kFragmentDuration,
  kQuality,
  kEncoder,
  kIndexCache,
};

guint source_setup_signal = 0;

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/quicktime, variant=(string){ iso, apple }; "
                                            "video/x-matroska; audio/x-matroska"));

Options options_of(const Settings& settings) {
  Options options;
  options.request = settings.range.request();
  options.fallback = settings.range.fallback;
  options.index_first = settings.faststart;
  options.fragment_duration = settings.fragment_duration;
  options.container = settings.container;
  return options;
}

}  // namespace

struct _GstClipsClipExport {
  GstPushSrc parent;
};

using GstClipsClipExportPrivate = Private;
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsClipExport, gst_clips_clip_export, GST_TYPE_PUSH_SRC)

namespace {

Private& priv(GstClipsClipExport* self) {
  return *static_cast<Private*>(gst_clips_clip_export_get_instance_private(self));
}

Settings settings_of(Private& p) {
  MutexLock lock(p.mutex);
  return p.settings;
}

void close_source(Private& p) {
  p.reader.set({});
  p.state = State{};
}

// What of a source is wanted, for those that are not indexed whole.
Wish wish_of(const Settings& settings, const UriReader& reader) {
  Wish wish;
  wish.whole_up_to = reader.remote() ? kRemoteWholeBytes : kWholeBytes;
  const bool numbered = settings.range.start_frame >= 0 || settings.range.stop_frame >= 0;
  if (!numbered && settings.range.mode != Mode::Whole && settings.range.snap == Snap::Before)
    wish.range = {settings.range.start, settings.range.stop};
  return wish;
}

void use_movie(Private& p, const std::shared_ptr<UriReader>& reader,
               std::shared_ptr<const Movie> movie) {
  p.state.movie = std::move(movie);
  p.state.media = std::make_unique<MediaSource>(reader, *p.state.movie);
}

Result<bool> read_index(Private& p, const std::shared_ptr<UriReader>& reader,
                        const std::string& uri, const Wish& wish) {
  auto movie = read_movie(*reader, uri, wish);
  if (!movie) return tl::make_unexpected(movie.error());
  use_movie(p, reader, std::make_shared<const Movie>(std::move(*movie)));
  return true;
}

// Stops reading, but leaves the source open for another clip.
void rest(Private& p) {
  Kept kept{settings_of(p).uri, p.reader.get(), p.state.movie};
  close_source(p);
  // An index of a part serves no other part.
  const bool whole = kept.reader && kept.movie && !kept.movie->windowed;
  p.kept = whole && !kept.reader->identity().empty() ? std::move(kept) : Kept{};
}

// The index of a source as it was read before, by this process or one that shares the folder.
std::optional<KnownIndex> known_index(const Settings& settings) {
  if (settings.index_cache == kNoCache) return std::nullopt;
  const std::string key = index_key(settings.uri);
  auto known = IndexCache::shared().find(key);
  if (known || settings.index_cache == kInMemory) return known;
  known = read_index_file(settings.index_cache, key);
  if (known) IndexCache::shared().store(key, *known);
  return known;
}

void keep_index(const Settings& settings, const UriReader& reader,
                const std::shared_ptr<const Movie>& movie) {
  if (settings.index_cache == kNoCache || reader.identity().empty() || movie->windowed) return;
  const std::string key = index_key(settings.uri);
  const KnownIndex index{reader.identity(), reader.size(), movie};
  IndexCache::shared().store(key, index);
  if (settings.index_cache != kInMemory) write_index_file(settings.index_cache, key, index);
}

// Opens the source and reads its index, as far as neither is there already.
Result<bool> open_source(GstClipsClipExport* self, Private& p, const Settings& settings,
                         bool anew = false) {
  if (settings.uri.empty())
    return fail(Fault::Settings, "There is no source. Set the property 'uri'.");
  if (settings.fragment_duration > 0 && settings.container && *settings.container != Container::Mp4)
    return fail(Fault::Settings,
                "Only MP4 has fragments: leave out 'fragment-duration' or set container=mp4.");
  p.state = State{};
  p.state.began = std::chrono::steady_clock::now();
  const Kept kept = std::exchange(p.kept, Kept{});
  if (kept.reader && kept.uri == settings.uri && kept.reader->is_current()) {
    kept.reader->resume();
    kept.reader->begin_count();
    use_movie(p, kept.reader, kept.movie);
    p.state.unproven = kept.reader->remote();
    p.reader.set(kept.reader);
    return true;
  }
  const auto reader = std::make_shared<UriReader>();
  p.reader.set(reader);
  const auto setup = [self](GstElement* source) {
    g_signal_emit(self, source_setup_signal, 0, source);
  };
  const auto known = anew ? std::nullopt : known_index(settings);
  if (known && !is_file_identity(known->identity)) {
    const auto opened = reader->open_known(settings.uri, setup, known->size, known->identity);
    if (!opened) return opened;
    use_movie(p, reader, known->movie);
    p.state.unproven = true;
    return true;
  }
  const auto opened = reader->open(settings.uri, setup);
  if (!opened) return opened;
  if (known && known->identity == reader->identity() && known->size == reader->size()) {
    use_movie(p, reader, known->movie);
    return true;
  }
  const auto read = read_index(p, reader, settings.uri, wish_of(settings, *reader));
  if (read) keep_index(settings, *reader, p.state.movie);
  return read;
}

const char* caps_of(const Report& report) {
  switch (report.container) {
    case Container::Mov:
      return "video/quicktime, variant=(string)apple";
    case Container::Matroska:
      return report.has_pictures ? "video/x-matroska" : "audio/x-matroska";
    default:
      return "video/quicktime, variant=(string)iso";
  }
}

Result<bool> load(MediaSource& reader, State& state, uint64_t offset);

// Reads what is sent first of the source.
Result<bool> load_first(State& state) {
  const auto& runs = state.clip->writer->runs();
  const auto first = std::find_if(runs.begin(), runs.end(),
                                  [](const Run& run) { return run.store == Store::Source; });
  if (first == runs.end()) return true;
  state.run = static_cast<size_t>(first - runs.begin());
  const auto loaded = load(*state.media, state, first->offset);
  state.run = 0;
  return loaded;
}

// The source, without asking again for what was read last.
class BlockReader final : public ByteReader {
 public:
  explicit BlockReader(State& state) : state_(state) {}
  uint64_t size() const override { return state_.media->size(); }
  Result<Bytes> read(uint64_t offset, size_t length, uint64_t more) override {
    const uint64_t begin = state_.block_offset;
    const uint64_t end = state_.block ? begin + gst_buffer_get_size(state_.block.get()) : begin;
    if (offset < begin || offset + length > end) return state_.media->read(offset, length, more);
    Bytes bytes(length);
    gst_buffer_extract(state_.block.get(), offset - begin, bytes.data(), length);
    return bytes;
  }

 private:
  State& state_;
};

Result<bool> try_open_clip(GstClipsClipExport* self, Private& p, const Settings& settings) {
  if (!p.state.movie) {
    const auto opened = open_source(self, p, settings);
    if (!opened) return opened;
  }
  const auto reader = p.reader.get();
  Options options = options_of(settings);
  const auto make = [&] {
    p.state.encoded = std::make_unique<EncodedStore>();
    GstTranscoder transcoder(*p.state.media, *p.state.encoded, settings.quality, settings.encoder);
    return make_clip(p.state.movie, *p.state.media, options, &transcoder);
  };
  while (true) {
    auto clip = make();
    if (!clip && p.state.movie->windowed && clip.error().fault != Fault::Cancelled) {
      // What is missing may lie outside of what was indexed.
      const auto whole = read_index(p, reader, settings.uri, {});
      if (!whole) return whole;
      options.request.key_before.reset();
      clip = make();
    }
    if (!clip && p.state.unproven && clip.error().fault != Fault::Cancelled)
      return fail(Fault::Stale, "What is known of the source does not fit the request.");
    if (!clip) return tl::make_unexpected(clip.error());
    p.state.clip.emplace(std::move(*clip));
    if (!p.state.unproven && !p.state.clip->entrance) return true;
    const auto loaded = load_first(p.state);
    if (!loaded || !p.state.clip->entrance) return loaded;
    const auto [key, from] = *p.state.clip->entrance;
    const Track& video = *p.state.movie->video();
    BlockReader block(p.state);
    const auto whole = decodes_from(block, video, key, from);
    if (!whole || *whole) return whole;
    options.request.key_before = video.samples.at(key).pts;
  }
}

Result<bool> open_clip(GstClipsClipExport* self, Private& p) {
  const Settings settings = settings_of(p);
  auto opened = try_open_clip(self, p, settings);
  if (!opened && opened.error().fault == Fault::Stale) {
    IndexCache::shared().forget(index_key(settings.uri));
    close_source(p);
    opened = open_source(self, p, settings, true);
    if (opened) opened = try_open_clip(self, p, settings);
  }
  if (!opened) return opened;
  const Clip* clip = &*p.state.clip;
  const Options options = options_of(settings);
  for (const std::string& warning : clip->report.warnings)
    GST_ELEMENT_WARNING(self, STREAM, NOT_IMPLEMENTED, ("%s", warning.c_str()), (nullptr));
  const Report& report = clip->report;
  {
    MutexLock lock(p.mutex);
    RangeProperties& range = p.settings.range;
    range.actual_start = static_cast<guint64>(std::max<int64_t>(0, report.start));
    range.actual_stop = static_cast<guint64>(std::max<int64_t>(0, report.stop));
    range.actual_frames = report.frames;
    p.total_size = clip->writer->total_size();
  }
  GST_INFO_OBJECT(self, "cutting [%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ") with mode %s: %s",
                  report.start, report.stop, mode_name(report.mode), report.reason.c_str());
  gst_element_post_message(
      GST_ELEMENT_CAST(self),
      gst_message_new_element(GST_OBJECT_CAST(self), describe(report, options.request)));
  const auto caps = CapsRef::adopt(gst_caps_from_string(caps_of(report)));
  gst_base_src_set_caps(GST_BASE_SRC_CAST(self), caps.get());
  gst_element_post_message(GST_ELEMENT_CAST(self),
                           gst_message_new_duration_changed(GST_OBJECT_CAST(self)));
  return true;
}

// Makes sure that p.state.block holds the byte of the source at `offset`.
Result<bool> load(MediaSource& reader, State& state, uint64_t offset) {
  if (state.block && offset >= state.block_offset &&
      offset < state.block_offset + gst_buffer_get_size(state.block.get()))
    return true;
  const auto& runs = state.clip->writer->runs();
  const uint64_t gap = reader.remote() ? kRemoteGapBytes : kGapBytes;
  const uint64_t step = reader.remote() ? kRemoteStepBytes : kStepBytes;
  // How far the source is wanted from here on without a jump.
  uint64_t end = runs[state.run].offset + runs[state.run].length;
  for (size_t i = state.run + 1; i < runs.size(); ++i) {
    const Run& run = runs[i];
    if (run.store != Store::Source) continue;
    if (run.offset < end ? run.offset < offset : run.offset - end > gap) break;
    end = std::max(end, run.offset + run.length);
    if (!reader.remote() && end - offset >= step) break;
  }
  const uint64_t length = std::min(step, end - offset);
  auto block = reader.read_buffer(offset, static_cast<size_t>(length), end - offset - length);
  if (!block) return tl::make_unexpected(block.error());
  if (gst_buffer_get_size(block->get()) < length)
    return fail(Fault::Truncated, "The source is truncated: it ended inside the range.");
  state.block = std::move(*block);
  state.block_offset = offset;
  return true;
}

// The next buffers of the clip; an empty list is its end.
Result<Ref<GstBufferList>> next_buffers(State& state) {
  auto list = Ref<GstBufferList>::adopt(gst_buffer_list_new());
  uint64_t bytes = 0;
  const auto push = [&](BufferRef buffer) {
    const gsize size = gst_buffer_get_size(buffer.get());
    GST_BUFFER_OFFSET(buffer.get()) = state.position;
    state.position += size;
    GST_BUFFER_OFFSET_END(buffer.get()) = state.position;
    bytes += size;
    gst_buffer_list_add(list.get(), buffer.release());
  };
  const ClipWriter& writer = *state.clip->writer;
  if (!state.head_sent) {
    state.head_sent = true;
    push(wrap(writer.head()));
  }
  const auto& runs = writer.runs();
  while (state.run < runs.size() && bytes < kStepBytes &&
         gst_buffer_list_length(list.get()) < kStepBuffers) {
    const Run& run = runs[state.run];
    const uint64_t offset = run.offset + state.run_done;
    const uint64_t left = run.length - state.run_done;
    if (left > 0 && run.store == Store::Written) {
      const auto begin = writer.written().begin() + static_cast<ptrdiff_t>(offset);
      push(wrap(Bytes(begin, begin + static_cast<ptrdiff_t>(left))));
      state.run_done += left;
    } else if (left > 0 && run.store == Store::Encoded) {
      const uint64_t take = std::min(left, kStepBytes);
      auto part = state.encoded->read(offset, static_cast<size_t>(take));
      if (!part) return tl::make_unexpected(part.error());
      push(wrap(std::move(*part)));
      state.run_done += take;
    } else if (left > 0) {
      const auto loaded = load(*state.media, state, offset);
      if (!loaded) return tl::make_unexpected(loaded.error());
      const uint64_t at = offset - state.block_offset;
      const uint64_t take = std::min<uint64_t>(left, gst_buffer_get_size(state.block.get()) - at);
      push(BufferRef::adopt(gst_buffer_copy_region(state.block.get(), GST_BUFFER_COPY_MEMORY,
                                                   static_cast<gsize>(at),
                                                   static_cast<gsize>(take))));
      state.run_done += take;
    }
    if (state.run_done == run.length) {
      ++state.run;
      state.run_done = 0;
    }
  }
  if (state.run == runs.size() && !state.tail_sent) {
    state.tail_sent = true;
    if (!writer.tail().empty()) push(wrap(writer.tail()));
  }
  return list;
}

GstFlowReturn create(GstPushSrc* src, GstBuffer** buffer) {
  auto* self = GST_CLIPS_CLIP_EXPORT(src);
  Private& p = priv(self);
  const auto failed = [&](const Error& error) {
    if (error.fault == Fault::Cancelled) return GST_FLOW_FLUSHING;
    post_error(GST_ELEMENT_CAST(self), error);
    // Not GST_FLOW_ERROR: for that the base class posts a second error and sends EOS downstream,
    // where a sink would take what came so far for a whole clip.
    return GST_FLOW_FLUSHING;
  };
  if (!p.state.clip) {
    const auto opened = open_clip(self, p);
    if (!opened) return failed(opened.error());
  }
  const auto reader = p.reader.get();
  auto list = next_buffers(p.state);
  if (!list) return failed(list.error());
  const guint count = gst_buffer_list_length(list->get());
  if (count == 0) {
    const auto wall = std::chrono::steady_clock::now() - p.state.began;
    gst_element_post_message(
        GST_ELEMENT_CAST(self),
        gst_message_new_element(
            GST_OBJECT_CAST(self),
            gst_structure_new(
                "clip-done", "bytes-read", G_TYPE_UINT64,
                static_cast<guint64>(reader->bytes_read()), "requests", G_TYPE_UINT64,
                static_cast<guint64>(reader->requests()), "bytes", G_TYPE_UINT64,
                static_cast<guint64>(p.state.position), "wall", G_TYPE_UINT64,
                static_cast<guint64>(
                    std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count()),
                nullptr)));
    return GST_FLOW_EOS;
  }
  if (count == 1) {
    *buffer = gst_buffer_ref(gst_buffer_list_get(list->get(), 0));
    return GST_FLOW_OK;
  }
  gst_base_src_submit_buffer_list(GST_BASE_SRC_CAST(src), list->release());
  return GST_FLOW_OK;
}

}  // namespace

static void gst_clips_clip_export_init(GstClipsClipExport* self) {
  construct_private<Private>(gst_clips_clip_export_get_instance_private(self));
  gst_base_src_set_format(GST_BASE_SRC_CAST(self), GST_FORMAT_BYTES);
  gst_base_src_set_live(GST_BASE_SRC_CAST(self), FALSE);
}

static void gst_clips_clip_export_finalize(GObject* object) {
  destroy_private<Private>(&priv(GST_CLIPS_CLIP_EXPORT(object)));
  G_OBJECT_CLASS(gst_clips_clip_export_parent_class)->finalize(object);
}

static void gst_clips_clip_export_set_property(GObject* object, guint id, const GValue* value,
                                               GParamSpec* pspec) {
  auto* self = GST_CLIPS_CLIP_EXPORT(object);
  guard(self, [&] {
    Private& p = priv(self);
    std::unique_ptr<PluginLoading> loading;  // ends, if at all, after the lock
    if (const gchar* uri = id == kUri ? g_value_get_string(value) : nullptr;
        uri && !gst_uri_has_protocol(uri, "file"))
      loading = std::make_unique<PluginLoading>(uri);
    MutexLock lock(p.mutex);
    Settings& s = p.settings;
    if (s.range.set(id, value)) return;
    switch (id) {
      case kUri: {
        const gchar* uri = g_value_get_string(value);
        s.uri = uri ? uri : "";
        p.loading.swap(loading);
        break;
      }
      case kContainer:
        s.container = container_of(g_value_get_enum(value));
        break;
      case kFaststart:
        s.faststart = g_value_get_boolean(value);
        break;
      case kFragmentDuration:
        s.fragment_duration = g_value_get_uint64(value);
        break;
      case kQuality:
        s.quality = g_value_get_int(value);
        break;
      case kEncoder: {
        const gchar* encoder = g_value_get_string(value);
        s.encoder = encoder ? encoder : "";
        break;
      }
      case kIndexCache: {
        const gchar* cache = g_value_get_string(value);
        s.index_cache = cache && *cache ? cache : kNoCache;
        break;
      }
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

static void gst_clips_clip_export_get_property(GObject* object, guint id, GValue* value,
                                               GParamSpec* pspec) {
  const Settings s = settings_of(priv(GST_CLIPS_CLIP_EXPORT(object)));
  if (s.range.get(id, value)) return;
  switch (id) {
    case kUri:
      g_value_set_string(value, s.uri.empty() ? nullptr : s.uri.c_str());
      break;
    case kContainer:
      g_value_set_enum(value, container_value(s.container));
      break;
    case kFaststart:
      g_value_set_boolean(value, s.faststart);
      break;
    case kFragmentDuration:
      g_value_set_uint64(value, s.fragment_duration);
      break;
    case kQuality:
      g_value_set_int(value, s.quality);
      break;
    case kEncoder:
      g_value_set_string(value, s.encoder.empty() ? nullptr : s.encoder.c_str());
      break;
    case kIndexCache:
      g_value_set_string(value, s.index_cache.c_str());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static gboolean gst_clips_clip_export_start(GstBaseSrc* src) {
  auto* self = GST_CLIPS_CLIP_EXPORT(src);
  return guard(self, FALSE, [&] {
    Private& p = priv(self);
    {
      MutexLock lock(p.mutex);
      RangeProperties& range = p.settings.range;
      range.actual_start = range.actual_stop = GST_CLOCK_TIME_NONE;
      range.actual_frames = p.total_size = 0;
    }
    return TRUE;
  });
}

// What takes no time, a local file's index, is read while the state changes, so that its errors
// fail the change: gst-launch 1.22 waits for ever if an error comes before its main loop runs. Not
// in start(), after whose failure the base class posts an error of its own.
static GstStateChangeReturn gst_clips_clip_export_change_state(GstElement* element,
                                                               GstStateChange transition) {
  auto* self = GST_CLIPS_CLIP_EXPORT(element);
  return guard(self, GST_STATE_CHANGE_FAILURE, [&]() -> GstStateChangeReturn {
    auto* parent = GST_ELEMENT_CLASS(gst_clips_clip_export_parent_class);
    Private& p = priv(self);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL) p.kept = Kept{};
    if (transition != GST_STATE_CHANGE_READY_TO_PAUSED)
      return parent->change_state(element, transition);
    p.reader.begin_run();
    const Settings settings = settings_of(p);
    if (settings.uri.empty() || settings.uri.rfind("file:", 0) == 0) {
      auto ready = open_source(self, p, settings);
      if (ready) ready = check_request(*p.state.movie, options_of(settings).request);
      if (!ready) {
        close_source(p);
        post_error(element, ready.error());
        return GST_STATE_CHANGE_FAILURE;
      }
    }
    const GstStateChangeReturn changed = parent->change_state(element, transition);
    if (changed == GST_STATE_CHANGE_FAILURE) close_source(p);
    return changed;
  });
}

static gboolean gst_clips_clip_export_stop(GstBaseSrc* src) {
  auto* self = GST_CLIPS_CLIP_EXPORT(src);
  return guard(self, FALSE, [&] {
    rest(priv(self));
    return TRUE;
  });
}

static gboolean gst_clips_clip_export_unlock(GstBaseSrc* src) {
  return guard(src, FALSE, [&] {
    priv(GST_CLIPS_CLIP_EXPORT(src)).reader.unlock();
    return TRUE;
  });
}

static gboolean gst_clips_clip_export_unlock_stop(GstBaseSrc* src) {
  return guard(src, FALSE, [&] {
    priv(GST_CLIPS_CLIP_EXPORT(src)).reader.unlock_stop();
    return TRUE;
  });
}

static gboolean gst_clips_clip_export_is_seekable(GstBaseSrc*) {
  return FALSE;
}

static gboolean gst_clips_clip_export_get_size(GstBaseSrc* src, guint64* size) {
  Private& p = priv(GST_CLIPS_CLIP_EXPORT(src));
  MutexLock lock(p.mutex);
  if (p.total_size == 0) return FALSE;
  *size = p.total_size;
  return TRUE;
}

static GstFlowReturn gst_clips_clip_export_create(GstPushSrc* src, GstBuffer** buffer) {
  return guard(src, GST_FLOW_ERROR, [&] { return create(src, buffer); });
}

static void gst_clips_clip_export_class_init(GstClipsClipExportClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* base_class = GST_BASE_SRC_CLASS(klass);
  object_class->finalize = gst_clips_clip_export_finalize;
  object_class->set_property = gst_clips_clip_export_set_property;
  object_class->get_property = gst_clips_clip_export_get_property;

  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const Settings d;
  const auto install = [&](guint id, GParamSpec* spec) {
    g_object_class_install_property(object_class, id, spec);
  };
  install(kUri, g_param_spec_string("uri", "URI", "URI of the source: file, http(s), s3, ...",
                                    nullptr, writable));
  RangeProperties::install(object_class);
  install(kContainer,
          g_param_spec_enum("container", "Container", "The kind of file that the clip is.",
                            container_get_type(), container_value(d.container), writable));
  install(kFaststart, g_param_spec_boolean(
                          "faststart", "Fast start",
                          "Put the index in front of the media, so that players start at once.",
                          d.faststart, writable));
  install(kFragmentDuration,
          g_param_spec_uint64("fragment-duration", "Fragment duration",
                              "Nanoseconds a fragment of a fragmented MP4, which can be played "
                              "while it is written; 0 makes an ordinary file.",
                              0, 60 * GST_SECOND, d.fragment_duration, writable));
  install(kQuality,
          g_param_spec_int("quality", "Quality",
                           "Quantizer of re-encoded pictures: 1 (best, largest) to 51 (worst).", 1,
                           51, d.quality, writable));
  install(kEncoder,
          g_param_spec_string("encoder", "Encoder",
                              "Name of the element that re-encodes pictures, one that writes H.264 "
                              "or H.265. Unset: x264enc or x265enc, as the source is coded.",
                              nullptr, writable));
  install(kIndexCache,
          g_param_spec_string("index-cache", "Index cache",
                              "Where indexes of sources are kept for later clips: memory (of this "
                              "process), the path of a folder, or none.",
                              d.index_cache.c_str(), writable));

  /**
   * GstClipsClipExport::source-setup:
   * @source: the element that reads the URI
   *
   * Emitted before the source starts, for properties that a URI cannot carry.
   */
  source_setup_signal = g_signal_new("source-setup", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0,
                                     nullptr, nullptr, nullptr, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);

  element_class->change_state = gst_clips_clip_export_change_state;
  base_class->start = gst_clips_clip_export_start;
  base_class->stop = gst_clips_clip_export_stop;
  base_class->unlock = gst_clips_clip_export_unlock;
  base_class->unlock_stop = gst_clips_clip_export_unlock_stop;
  base_class->is_seekable = gst_clips_clip_export_is_seekable;
  base_class->get_size = gst_clips_clip_export_get_size;
  GST_PUSH_SRC_CLASS(klass)->create = gst_clips_clip_export_create;

  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Clip exporter", "Source/File/Network",
      "Cuts the frames [start, stop) out of a file, exactly, and gives the bytes of a clip",
      "gst-plugins-clips");
  GST_DEBUG_CATEGORY_INIT(clip_export_debug, "clipexport", 0, "Clip exporter");
}
