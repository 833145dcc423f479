// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-spritesheet
 * @title: spritesheet
 *
 * Puts the frames that come into sheets of tiles, row by row, and writes the WebVTT document with
 * which players (JW Player, Shaka Player, Video.js) show the tile of the time that the viewer
 * points at. The frames are small ones of one size already; an encoder of pictures follows.
 *
 * A sheet is pushed when it is full and at EOS, the last one no larger than its tiles need. Its
 * timestamp is that of its first tile. The request pad `vtt` delivers the document as one buffer at
 * EOS; it is pushed from the thread of the pad `sink`, so a queue follows it.
 *
 * |[
 * gst-launch-1.0 clipframes uri=file:///film.mp4 select=even count=100 ! videoconvertscale \
 *     ! video/x-raw,format=I420,width=160,height=90 ! spritesheet name=s location=sheet-{index}.jpg
 * \
 *     ! jpegcolor ! jpegenc ! urisinkbin uri=sheet-{index}.jpg next-file=buffer \
 *     s.vtt ! queue ! urisinkbin uri=sheet.vtt
 * ]| writes a hundred thumbnails of a film as one sheet of 10 x 10.
 */
#include "gstspritesheet.h"

#include <gst/video/video.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/local_path.hpp"
#include "common/name_template.hpp"
#include "common/thread_annotations.hpp"
#include "sprite_sheet.hpp"

GST_DEBUG_CATEGORY_STATIC(sprite_sheet_debug);
#define GST_CAT_DEFAULT sprite_sheet_debug

namespace {

using clips::BufferRef;
using clips::media::SpriteGrid;

// What browsers and graphics cards show without trouble, and a bound for the memory of a sheet.
constexpr guint64 kLargestSide = 16384;

struct Settings {
  guint columns = 10;
  guint rows = 10;
  std::string location;
  std::string prefix;
};

// Between READY and PAUSED; the streaming thread's alone.
struct State {
  Settings settings;
  std::optional<clips::NameTemplate> name;  // set where the document is wanted
  GstSegment segment{};
  GstVideoInfo info{};  // of a frame
  bool has_format = false;
  SpriteGrid grid;
  BufferRef sheet;  // the one that is being filled
  GstVideoInfo sheet_info{};
  clips::CapsRef announced;        // what downstream knows
  std::vector<guint64> starts;     // stream time of each tile
  std::vector<std::string> names;  // of each sheet begun
  guint64 frame_end = 0;
  bool greeted = false;  // the document's pad has got its stream-start, caps and segment
};

struct Private {
  clips::Mutex mutex;  // a leaf
  Settings settings CLIPS_GUARDED_BY(mutex);
  GstPad* vtt CLIPS_GUARDED_BY(mutex) = nullptr;  // the element owns it
  State state;
};

enum Property { prop_0, prop_columns, prop_rows, prop_location, prop_prefix };

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("{ I420, RGB }")));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("{ I420, RGB }")));
GstStaticPadTemplate vtt_template =
    GST_STATIC_PAD_TEMPLATE("vtt", GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS("text/vtt"));

}  // namespace

struct _GstClipsSpriteSheet {
  GstElement parent;
  GstPad* sink;
  GstPad* src;
};
using GstClipsSpriteSheetPrivate = Private;

#define gst_clips_sprite_sheet_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsSpriteSheet, gst_clips_sprite_sheet, GST_TYPE_ELEMENT)

namespace {

GstClipsSpriteSheet* sprite_sheet(gpointer self) {
  return static_cast<GstClipsSpriteSheet*>(self);
}

Private& priv(gpointer self) {
  return *static_cast<Private*>(gst_clips_sprite_sheet_get_instance_private(sprite_sheet(self)));
}

clips::PadRef vtt_pad(gpointer self) {
  Private& p = priv(self);
  const clips::MutexLock lock(p.mutex);
  return clips::PadRef::retain(p.vtt);
}

// --- sheets -------------------------------------------------------------------------------------

class MappedFrame {
 public:
  MappedFrame(const GstVideoInfo& info, GstBuffer* buffer, GstMapFlags access)
      : mapped_(gst_video_frame_map(
            &frame_, &info, buffer,
            static_cast<GstMapFlags>(int{access} | int{GST_VIDEO_FRAME_MAP_FLAG_NO_REF}))) {}
  MappedFrame(const MappedFrame&) = delete;
  MappedFrame& operator=(const MappedFrame&) = delete;
  ~MappedFrame() {
    if (mapped_) gst_video_frame_unmap(&frame_);
  }
  explicit operator bool() const { return mapped_; }
  GstVideoFrame& operator*() { return frame_; }

 private:
  GstVideoFrame frame_;
  bool mapped_;
};

void fill_black(GstVideoFrame& frame) {
  const bool yuv = GST_VIDEO_INFO_IS_YUV(&frame.info);
  const int black = yuv && frame.info.colorimetry.range != GST_VIDEO_COLOR_RANGE_0_255 ? 16 : 0;
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&frame); ++plane) {
    auto* rows = static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, plane));
    const auto stride = static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane));
    const auto count = static_cast<std::size_t>(GST_VIDEO_FRAME_COMP_HEIGHT(&frame, plane));
    std::memset(rows, plane == 0 ? black : 128, stride * count);
  }
}

// The top left part of `from` goes to (x, y) of `to`, as much of it as fits. In both formats the
// component of a plane's number lies in that plane.
void copy_picture(GstVideoFrame& to, unsigned x, unsigned y, GstVideoFrame& from) {
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&to); ++plane) {
    const auto* format = to.info.finfo;
    const int left = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, plane, static_cast<int>(x));
    const int top = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, plane, static_cast<int>(y));
    const int width = std::min(GST_VIDEO_FRAME_COMP_WIDTH(&from, plane),
                               GST_VIDEO_FRAME_COMP_WIDTH(&to, plane) - left);
    const int height = std::min(GST_VIDEO_FRAME_COMP_HEIGHT(&from, plane),
                                GST_VIDEO_FRAME_COMP_HEIGHT(&to, plane) - top);
    const int step = GST_VIDEO_FRAME_COMP_PSTRIDE(&to, plane);
    auto* target = static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&to, plane));
    const auto* source = static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&from, plane));
    for (int row = 0; row < height; ++row)
      std::memcpy(target + std::ptrdiff_t{top + row} * GST_VIDEO_FRAME_PLANE_STRIDE(&to, plane) +
                      std::ptrdiff_t{left} * step,
                  source + std::ptrdiff_t{row} * GST_VIDEO_FRAME_PLANE_STRIDE(&from, plane),
                  static_cast<std::size_t>(width) * static_cast<std::size_t>(step));
  }
}

GstVideoInfo sheet_info(const State& state, const clips::media::SpriteSize& size) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_INFO_FORMAT(&state.info),
                            static_cast<guint>(size.width), static_cast<guint>(size.height));
  info.colorimetry = state.info.colorimetry;
  info.chroma_site = state.info.chroma_site;
  GST_VIDEO_INFO_PAR_N(&info) = GST_VIDEO_INFO_PAR_N(&state.info);
  GST_VIDEO_INFO_PAR_D(&info) = GST_VIDEO_INFO_PAR_D(&state.info);
  // Sheets come when they are full.
  GST_VIDEO_INFO_FPS_N(&info) = 0;
  GST_VIDEO_INFO_FPS_D(&info) = 1;
  return info;
}

BufferRef new_sheet(const GstVideoInfo& info) {
  auto sheet =
      BufferRef::adopt(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
  if (!sheet) throw std::bad_alloc();
  MappedFrame frame(info, sheet.get(), GST_MAP_WRITE);
  if (!frame) throw std::bad_alloc();
  fill_black(*frame);
  return sheet;
}

void announce(gpointer self, const GstVideoInfo& info) {
  State& state = priv(self).state;
  auto caps = clips::CapsRef::adopt(gst_video_info_to_caps(&info));
  if (state.announced && gst_caps_is_equal(caps.get(), state.announced.get())) return;
  // What downstream does not take it refuses with the sheet.
  gst_pad_push_event(sprite_sheet(self)->src, gst_event_new_caps(caps.get()));
  state.announced = std::move(caps);
}

GstFlowReturn push_sheet(gpointer self) {
  State& state = priv(self).state;
  const guint64 last = (state.starts.size() - 1) % state.grid.tiles();
  const auto size = clips::media::sprite_sheet_size(state.grid, last + 1);
  BufferRef sheet = std::move(state.sheet);
  GstVideoInfo info = state.sheet_info;
  if (size.width < static_cast<guint64>(GST_VIDEO_INFO_WIDTH(&info)) ||
      size.height < static_cast<guint64>(GST_VIDEO_INFO_HEIGHT(&info))) {
    const GstVideoInfo smaller_info = sheet_info(state, size);
    BufferRef smaller = new_sheet(smaller_info);
    {
      MappedFrame from(info, sheet.get(), GST_MAP_READ);
      MappedFrame to(smaller_info, smaller.get(), GST_MAP_WRITE);
      if (!from || !to) throw std::bad_alloc();
      copy_picture(*to, 0, 0, *from);
    }
    GST_BUFFER_PTS(smaller.get()) = GST_BUFFER_PTS(sheet.get());
    sheet = std::move(smaller);
    info = smaller_info;
  }
  announce(self, info);
  GST_INFO_OBJECT(self, "sheet of %" G_GUINT64_FORMAT " tiles", last + 1);
  return gst_pad_push(sprite_sheet(self)->src, sheet.release());
}

bool set_caps(gpointer self, GstCaps* caps) {
  State& state = priv(self).state;
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps)) return false;
  const auto width = static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info));
  const auto height = static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info));
  if (!state.starts.empty() &&
      (GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_INFO_FORMAT(&state.info) ||
       width != state.grid.tile_width || height != state.grid.tile_height)) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                      ("The frames changed their size or format. Put a scaler and a format before "
                       "spritesheet."),
                      (nullptr));
    return false;
  }
  state.info = info;
  state.grid = {state.settings.columns, state.settings.rows, width, height};
  const auto size = clips::media::sprite_sheet_size(state.grid, state.grid.tiles());
  if (size.width > kLargestSide || size.height > kLargestSide) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("Sheets of %ux%u tiles of %ux%u pixels are too large: a side has at most "
                       "%" G_GUINT64_FORMAT ". Take fewer or smaller tiles.",
                       state.grid.columns, state.grid.rows, width, height, kLargestSide),
                      (nullptr));
    return false;
  }
  state.sheet_info = sheet_info(state, size);
  state.has_format = true;
  announce(self, state.sheet_info);
  return true;
}

// What the cues call a sheet: the last part of its location, as a URL has it.
std::string sheet_name(const State& state, guint64 index, GstClockTime pts) {
  const std::string name = state.name->render(index, pts);
  const clips::GString_ encoded(
      g_uri_escape_string(name.substr(name.rfind('/') + 1).c_str(), nullptr, FALSE));
  const clips::GString_ prefix(
      g_uri_escape_string(state.settings.prefix.c_str(), ":/?#[]@!$&'()*+,;=%", FALSE));
  return std::string(prefix.get()) + encoded.get();
}

void note_frame(State& state, GstBuffer* buffer) {
  guint64 start =
      gst_segment_to_stream_time(&state.segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (!GST_CLOCK_TIME_IS_VALID(start)) start = 0;
  if (!state.starts.empty()) start = std::max(start, state.starts.back());
  state.starts.push_back(start);
  GstClockTime duration = GST_BUFFER_DURATION(buffer);
  if (!GST_CLOCK_TIME_IS_VALID(duration))
    duration = GST_VIDEO_INFO_FPS_N(&state.info) > 0
                   ? gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(&state.info),
                                               GST_VIDEO_INFO_FPS_N(&state.info))
                   : GST_MSECOND;
  state.frame_end = start + duration;
}

GstFlowReturn chain(GstPad*, GstObject* self, GstBuffer* raw) {
  const auto buffer = BufferRef::adopt(raw);
  return clips::guard(self, GST_FLOW_ERROR, [&]() -> GstFlowReturn {
    State& state = priv(self).state;
    if (!state.has_format) {
      GST_ELEMENT_ERROR(self, CORE, NEGOTIATION,
                        ("A frame came before its format. Put a converter before spritesheet."),
                        (nullptr));
      return GST_FLOW_NOT_NEGOTIATED;
    }
    const GstClockTime pts = GST_BUFFER_PTS(buffer.get());
    if (!GST_CLOCK_TIME_IS_VALID(pts) || state.segment.format != GST_FORMAT_TIME) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                        ("A frame has no time, so it cannot be said when it is shown."), (nullptr));
      return GST_FLOW_ERROR;
    }
    const auto place = clips::media::sprite_place(state.grid, state.starts.size());
    if (!state.sheet) {
      state.sheet = new_sheet(state.sheet_info);
      GST_BUFFER_PTS(state.sheet.get()) = pts;
      if (state.name) state.names.push_back(sheet_name(state, place.sheet, pts));
    }
    {
      MappedFrame from(state.info, buffer.get(), GST_MAP_READ);
      MappedFrame to(state.sheet_info, state.sheet.get(), GST_MAP_WRITE);
      if (!from || !to) {
        GST_ELEMENT_ERROR(self, RESOURCE, READ, ("Could not read a video frame."), (nullptr));
        return GST_FLOW_ERROR;
      }
      copy_picture(*to, place.x, place.y, *from);
    }
    note_frame(state, buffer.get());
    return state.starts.size() % state.grid.tiles() == 0 ? push_sheet(self) : GST_FLOW_OK;
  });
}

// --- the document -------------------------------------------------------------------------------

// Time, although these are bytes: only so may a gap say that nothing comes for now.
void greet(gpointer self) {
  State& state = priv(self).state;
  const auto pad = vtt_pad(self);
  if (!pad || std::exchange(state.greeted, true)) return;
  const auto upstream = clips::EventRef::adopt(
      gst_pad_get_sticky_event(sprite_sheet(self)->sink, GST_EVENT_STREAM_START, 0));
  const gchar* id = "spritesheet";
  guint group = 0;
  if (upstream) gst_event_parse_stream_start(upstream.get(), &id);
  if (!upstream || !gst_event_parse_group_id(upstream.get(), &group))
    group = gst_util_group_id_next();
  GstEvent* start = gst_event_new_stream_start((std::string(id) + "/vtt").c_str());
  gst_event_set_group_id(start, group);
  gst_event_set_stream_flags(start, GST_STREAM_FLAG_SPARSE);
  gst_pad_push_event(pad.get(), start);
  const auto caps = clips::CapsRef::adopt(gst_caps_new_empty_simple("text/vtt"));
  gst_pad_push_event(pad.get(), gst_event_new_caps(caps.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(pad.get(), gst_event_new_segment(&segment));
  // So a sink that waits for data finishes its preroll.
  gst_pad_push_event(pad.get(), gst_event_new_gap(0, GST_CLOCK_TIME_NONE));
}

bool push_document(gpointer self) {
  State& state = priv(self).state;
  const auto pad = vtt_pad(self);
  if (!pad || !state.name) return true;
  greet(self);
  gint64 duration = -1;
  gst_pad_peer_query_duration(sprite_sheet(self)->sink, GST_FORMAT_TIME, &duration);
  const guint64 end =
      std::max(state.frame_end, static_cast<guint64>(std::max<gint64>(duration, 0)));
  const std::string text =
      clips::media::write_sprite_cues(state.grid, state.starts, end, state.names);
  GstBuffer* buffer = gst_buffer_new_memdup(text.data(), text.size());
  GST_BUFFER_PTS(buffer) = 0;
  GST_BUFFER_OFFSET(buffer) = 0;
  GST_BUFFER_OFFSET_END(buffer) = text.size();
  const GstFlowReturn flow = gst_pad_push(pad.get(), buffer);
  // Nobody has to take it; a sink that failed has said so itself.
  return flow == GST_FLOW_OK || flow == GST_FLOW_NOT_LINKED;
}

// All sheets and the document are whole, or there is an error and no end.
bool finish(gpointer self) {
  State& state = priv(self).state;
  if (state.starts.empty()) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("There are no frames to make a sheet of."), (nullptr));
    return false;
  }
  if (state.sheet && push_sheet(self) != GST_FLOW_OK) return false;
  return push_document(self);
}

// --- events -------------------------------------------------------------------------------------

// What has come belongs to what was before; the format stays.
void begin_again(State& state) {
  state.sheet = {};
  state.starts.clear();
  state.names.clear();
  state.frame_end = 0;
  state.greeted = false;
}

gboolean sink_event(GstPad* pad, GstObject* self, GstEvent* raw) {
  auto event = clips::EventRef::adopt(raw);
  return clips::guard<gboolean>(self, FALSE, [&]() -> gboolean {
    State& state = priv(self).state;
    switch (GST_EVENT_TYPE(event.get())) {
      case GST_EVENT_STREAM_START:
        begin_again(state);
        state.has_format = false;
        state.announced = {};
        break;
      case GST_EVENT_CAPS: {
        GstCaps* caps = nullptr;
        gst_event_parse_caps(event.get(), &caps);
        return set_caps(self, caps);
      }
      case GST_EVENT_SEGMENT:
        gst_event_copy_segment(event.get(), &state.segment);
        greet(self);
        break;
      case GST_EVENT_FLUSH_STOP:
        begin_again(state);
        return gst_pad_event_default(pad, self, event.release());
      case GST_EVENT_FLUSH_START:
        return gst_pad_event_default(pad, self, event.release());
      case GST_EVENT_EOS:
        if (!finish(self)) return FALSE;
        return gst_pad_event_default(pad, self, event.release());
      default:
        break;
    }
    return gst_pad_push_event(sprite_sheet(self)->src, event.release());
  });
}

// --- element ------------------------------------------------------------------------------------

GstPad* request_new_pad(GstElement* element, GstPadTemplate* templ, const gchar*, const GstCaps*) {
  return clips::guard<GstPad*>(element, nullptr, [&]() -> GstPad* {
    if (vtt_pad(element)) return nullptr;
    GstPad* pad = gst_pad_new_from_template(templ, "vtt");
    gst_pad_use_fixed_caps(pad);
    gst_pad_set_active(pad, TRUE);
    {
      Private& p = priv(element);
      const clips::MutexLock lock(p.mutex);
      p.vtt = pad;
    }
    gst_element_add_pad(element, pad);
    return pad;
  });
}

void release_pad(GstElement* element, GstPad* pad) {
  clips::guard(element, [&] {
    {
      Private& p = priv(element);
      const clips::MutexLock lock(p.mutex);
      p.vtt = nullptr;
    }
    gst_pad_set_active(pad, FALSE);
    gst_element_remove_pad(element, pad);
  });
}

bool start(gpointer self) {
  Private& p = priv(self);
  const auto pad = vtt_pad(self);
  p.state = State{};
  State& state = p.state;
  gst_segment_init(&state.segment, GST_FORMAT_UNDEFINED);
  {
    const clips::MutexLock lock(p.mutex);
    state.settings = p.settings;
  }
  if (!pad) return true;
  const std::string& location = state.settings.location;
  if (location.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("The cues need the sheets' names. Set the property “location”."), (nullptr));
    return false;
  }
  const auto path = clips::local_path(location.c_str());
  auto name = clips::NameTemplate::parse(path ? path.get() : location);
  if (!name) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("The name “%s” cannot be used: %s.", location.c_str(), name.error().c_str()),
                      (nullptr));
    return false;
  }
  state.name = std::move(*name);
  return true;
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  return clips::guard(element, GST_STATE_CHANGE_FAILURE, [&] {
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(element))
      return GST_STATE_CHANGE_FAILURE;
    const GstStateChangeReturn changed =
        GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) priv(element).state = State{};
    return changed;
  });
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  clips::guard(object, [&] {
    Private& p = priv(object);
    const auto text = [&] {
      const gchar* string = g_value_get_string(value);
      return std::string(string ? string : "");
    };
    const clips::MutexLock lock(p.mutex);
    switch (id) {
      case prop_columns:
        p.settings.columns = g_value_get_uint(value);
        break;
      case prop_rows:
        p.settings.rows = g_value_get_uint(value);
        break;
      case prop_location:
        p.settings.location = text();
        break;
      case prop_prefix:
        p.settings.prefix = text();
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
  });
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  clips::guard(object, [&] {
    Private& p = priv(object);
    const auto set_text = [&](const std::string& text) {
      g_value_set_string(value, text.empty() ? nullptr : text.c_str());
    };
    const clips::MutexLock lock(p.mutex);
    switch (id) {
      case prop_columns:
        g_value_set_uint(value, p.settings.columns);
        break;
      case prop_rows:
        g_value_set_uint(value, p.settings.rows);
        break;
      case prop_location:
        set_text(p.settings.location);
        break;
      case prop_prefix:
        set_text(p.settings.prefix);
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
  });
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_sprite_sheet_init(GstClipsSpriteSheet* self) {
  clips::construct_private<Private>(gst_clips_sprite_sheet_get_instance_private(self));
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_use_fixed_caps(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
}

static void gst_clips_sprite_sheet_class_init(GstClipsSpriteSheetClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(sprite_sheet_debug, "spritesheet", 0, "Sprite sheet");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  element_class->change_state = change_state;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  const Settings defaults;
  const auto writable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, prop_columns,
      g_param_spec_uint("columns", "Columns", "Tiles side by side in a sheet.", 1, 1000,
                        defaults.columns, writable));
  g_object_class_install_property(
      object_class, prop_rows,
      g_param_spec_uint("rows", "Rows", "Tiles one above the other in a sheet.", 1, 1000,
                        defaults.rows, writable));
  g_object_class_install_property(
      object_class, prop_location,
      g_param_spec_string("location", "Location",
                          "Where the sheets go, as a path or URI with {index}, {index:05} or {pts} "
                          "in it; the cues have its last part.",
                          nullptr, writable));
  g_object_class_install_property(
      object_class, prop_prefix,
      g_param_spec_string("prefix", "Prefix",
                          "What stands before a sheet's name in the cues, such as the URL of its "
                          "folder; nothing where the sheets lie beside the document.",
                          nullptr, writable));
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_add_static_pad_template(element_class, &vtt_template);
  gst_element_class_set_static_metadata(
      element_class, "Sprite sheet", "Filter/Video",
      "Puts frames into sheets of tiles, with a WebVTT document that says which is shown when",
      "The gst-plugins-clips developers");
}
