// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/app/gstappsink.h>

#include <algorithm>

#include "gstframereader.hpp"
#include "lib/inputwatch.hpp"
#include "lib/tlstrust.hpp"

namespace clips::cut {

namespace {

constexpr const char* kNoVideo = "There is no video stream in the source.";
constexpr GstClockTime kPatience = 100 * GST_MSECOND;
// Frames further ahead than this are sought instead of decoded up to.
constexpr uint64_t kSeekDistance = 3'000'000'000;

Error error_of(GstMessage* message) {
  GError* raw = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message, &raw, &debug);
  const ErrorPtr error(raw);
  const GString_ details(debug);
  Fault fault = Fault::Read;
  if (error->domain == GST_CORE_ERROR && error->code == GST_CORE_ERROR_MISSING_PLUGIN)
    fault = Fault::Missing;
  else if (error->domain == GST_STREAM_ERROR)
    fault = error->code == GST_STREAM_ERROR_CODEC_NOT_FOUND ? Fault::Missing
            : error->code == GST_STREAM_ERROR_DEMUX         ? Fault::Damaged
            : error->code == GST_STREAM_ERROR_DECODE        ? Fault::Undecodable
                                                            : Fault::WrongType;
  else if (error->domain == GST_RESOURCE_ERROR && error->code == GST_RESOURCE_ERROR_NOT_FOUND)
    fault = Fault::NotFound;
  else if (error->domain == GST_RESOURCE_ERROR && error->code == GST_RESOURCE_ERROR_NOT_AUTHORIZED)
    fault = Fault::NotAllowed;
  return {fault, error->message, details ? details.get() : ""};
}

// The first video stream of a URI, decoded frame by frame.
class Decode {
 public:
  Decode(const std::string& uri, const std::atomic<bool>& cancelled, UriReader::Setup setup)
      : cancelled_(cancelled), setup_(std::move(setup)) {
    pipeline_ = ElementRef::sink(gst_pipeline_new(nullptr));
    g_signal_connect(pipeline_.get(), "deep-element-added",
                     G_CALLBACK(+[](GstBin*, GstBin*, GstElement* element, gpointer) {
                       watch_input(element);
                       limit_decoding_errors(element);
                     }),
                     nullptr);
    GstElement* source = gst_element_factory_make("uridecodebin", nullptr);
    GstElement* sink = gst_element_factory_make("appsink", nullptr);
    if (source) gst_bin_add(GST_BIN(pipeline_.get()), source);
    if (sink) gst_bin_add(GST_BIN(pipeline_.get()), sink);
    if (!source || !sink) return;
    sink_ = ElementRef::retain(sink);
    g_object_set(source, "uri", uri.c_str(), nullptr);
    g_object_set(sink, "sync", FALSE, "max-buffers", 2U, nullptr);
    g_signal_connect(source, "source-setup", G_CALLBACK(on_source_setup), this);
    g_signal_connect(source, "autoplug-continue", G_CALLBACK(on_autoplug_continue), this);
    g_signal_connect(source, "pad-added", G_CALLBACK(on_pad_added), this);
    const auto pad = PadRef::adopt(gst_element_get_static_pad(sink, "sink"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, this, nullptr);
  }
  ~Decode() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }
  Decode(const Decode&) = delete;
  Decode& operator=(const Decode&) = delete;

  Result<bool> start() {
    if (!sink_)
      return fail(Fault::Missing,
                  "The elements uridecodebin and appsink are not installed. Install the GStreamer "
                  "base plugins.");
    if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
      return tl::make_unexpected(
          posted().value_or(Error{Fault::Read, "The source could not be opened.", {}}));
    return true;
  }

  // The next frame with its stream time; nothing at the end.
  struct Frame {
    SampleRef sample;
    uint64_t time = 0;
    uint64_t end = 0;
  };
  Result<std::optional<Frame>> next() {
    while (true) {
      if (cancelled_) return fail(Fault::Cancelled, "Cancelled.");
      auto sample = SampleRef::adopt(gst_app_sink_try_pull_sample(app_sink(), kPatience));
      if (sample) return take(std::move(sample));
      if (const auto error = posted()) return tl::make_unexpected(*error);
      if (gst_app_sink_is_eos(app_sink())) {
        if (!linked_) return fail(Fault::WrongType, kNoVideo);
        return std::optional<Frame>();
      }
    }
  }
  // Whether decoding goes on at that time.
  bool seek(uint64_t time) {
    return gst_element_seek_simple(
        pipeline_.get(), GST_FORMAT_TIME,
        static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE),
        static_cast<gint64>(time));
  }
  Ref<GstTagList> tags() {
    const MutexLock lock(mutex_);
    return tags_;
  }

 private:
  GstAppSink* app_sink() const { return GST_APP_SINK(sink_.get()); }
  std::optional<Error> posted() {
    const auto bus = BusRef::adopt(gst_element_get_bus(pipeline_.get()));
    const auto next = [&] {
      return MessageRef::adopt(gst_bus_pop_filtered(
          bus.get(), static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT)));
    };
    auto message = next();
    for (; message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ELEMENT; message = next()) {
      const GstStructure* structure = gst_message_get_structure(message.get());
      if (!gst_structure_has_name(structure, "missing-plugin")) continue;
      if (const gchar* name = gst_structure_get_string(structure, "name")) missing_ = name;
    }
    if (!message) return std::nullopt;
    if (!linked_ && !missing_.empty())
      return Error{Fault::Missing,
                   "A GStreamer plugin is missing that provides: " + missing_ +
                       ". Install it and try again.",
                   {}};
    // Sound alone has nowhere to go.
    const GstStructure* details = nullptr;
    gst_message_parse_error_details(message.get(), &details);
    gint flow = GST_FLOW_OK;
    if (!linked_ && details && gst_structure_get_int(details, "flow-return", &flow) &&
        flow == GST_FLOW_NOT_LINKED)
      return Error{Fault::WrongType, kNoVideo, {}};
    return error_of(message.get());
  }
  Result<std::optional<Frame>> take(SampleRef sample) {
    GstBuffer* buffer = gst_sample_get_buffer(sample.get());
    const GstSegment* segment = gst_sample_get_segment(sample.get());
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (!GST_CLOCK_TIME_IS_VALID(pts) || segment->format != GST_FORMAT_TIME)
      return fail(Fault::Damaged, "The source has frames without a time, so none can be picked.");
    Frame frame;
    frame.time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, pts);
    if (!GST_CLOCK_TIME_IS_VALID(frame.time)) frame.time = 0;
    const GstClockTime duration = GST_BUFFER_DURATION(buffer);
    frame.end = frame.time + (GST_CLOCK_TIME_IS_VALID(duration) ? duration : 1);
    frame.sample = std::move(sample);
    return frame;
  }

  static void on_source_setup(GstElement*, GstElement* source, gpointer data) {
    static_cast<Decode*>(data)->setup_(source);
    trust_certificate_file(source);
  }
  // Sound and text are not even decoded.
  static gboolean on_autoplug_continue(GstElement*, GstPad*, GstCaps* caps, gpointer) {
    const std::string_view name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    return !name.starts_with("audio/") && !name.starts_with("text/") &&
           !name.starts_with("subpicture/") && !name.starts_with("application/x-ssa");
  }
  static void on_pad_added(GstElement*, GstPad* pad, gpointer data) {
    auto* self = static_cast<Decode*>(data);
    const auto caps = CapsRef::adopt(gst_pad_get_current_caps(pad));
    if (!caps || !gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "video/x-raw"))
      return;
    const auto sink = PadRef::adopt(gst_element_get_static_pad(self->sink_.get(), "sink"));
    if (!gst_pad_is_linked(sink.get()) && gst_pad_link(pad, sink.get()) == GST_PAD_LINK_OK)
      self->linked_ = true;
  }
  static GstPadProbeReturn on_event(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<Decode*>(data);
    GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
    if (GST_EVENT_TYPE(event) != GST_EVENT_TAG) return GST_PAD_PROBE_OK;
    GstTagList* tags = nullptr;
    gst_event_parse_tag(event, &tags);
    const GString_ orientation([&] {
      gchar* text = nullptr;
      gst_tag_list_get_string(tags, GST_TAG_IMAGE_ORIENTATION, &text);
      return text;
    }());
    if (!orientation) return GST_PAD_PROBE_OK;
    const MutexLock lock(self->mutex_);
    self->tags_ = Ref<GstTagList>::adopt(
        gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION, orientation.get(), nullptr));
    return GST_PAD_PROBE_OK;
  }

  const std::atomic<bool>& cancelled_;
  const UriReader::Setup setup_;
  ElementRef pipeline_, sink_;
  std::atomic<bool> linked_{false};
  std::string missing_;  // what no installed plugin decodes
  Mutex mutex_;
  Ref<GstTagList> tags_ CLIPS_GUARDED_BY(mutex_);
};

class DecodedFrames final : public FrameReader {
 public:
  DecodedFrames(const FrameRequest& request, const std::atomic<bool>& cancelled,
                UriReader::Setup setup)
      : request_(request), cancelled_(cancelled), setup_(std::move(setup)) {}

  Result<bool> plan();

  std::optional<uint64_t> count() const override {
    if (!counted_) return std::nullopt;
    return targets_.size();
  }
  std::optional<uint64_t> end() const override { return end_; }
  Result<std::optional<PickedFrame>> next() override;
  Ref<GstTagList> tags() const override { return decode_->tags(); }
  uint64_t decoded() const override { return decoded_; }

 private:
  struct Target {
    uint64_t number = 0;
    uint64_t time = 0;
    uint64_t before = 0;  // stream time of the frame before it
  };
  Result<bool> open();
  Result<std::optional<Decode::Frame>> read();
  Result<bool> count_frames();
  Result<bool> go_to(const Target& target);
  Result<std::optional<PickedFrame>> next_counted();
  Result<std::optional<PickedFrame>> next_passing();
  bool before_range(uint64_t number, uint64_t time) const;
  bool behind_range(uint64_t number, uint64_t time) const;
  PickedFrame give(Decode::Frame frame, uint64_t number);

  const FrameRequest request_;
  const std::atomic<bool>& cancelled_;
  const UriReader::Setup setup_;
  std::unique_ptr<Decode> decode_;
  uint64_t decoded_ = 0;
  CapsRef caps_;
  std::optional<uint64_t> end_;

  // With a selection that needs the number of frames.
  bool counted_ = false;
  std::vector<Target> targets_;
  size_t target_ = 0;
  std::optional<uint64_t> position_;  // stream time of the last frame read

  // Else: numbers are counted while frames pass.
  uint64_t number_ = 0;
  uint64_t given_ = 0, in_range_ = 0;
  std::vector<uint64_t> wanted_;  // times or numbers, rising
  size_t wanted_at_ = 0;
  std::optional<std::pair<Decode::Frame, uint64_t>> last_;  // the last frame, with its number
  uint64_t passed_ = 0;  // stream time at which the last frame of the range ends
  bool ended_ = false;
};

Result<bool> DecodedFrames::open() {
  decode_ = std::make_unique<Decode>(request_.uri, cancelled_, setup_);
  position_.reset();
  return decode_->start();
}

Result<std::optional<Decode::Frame>> DecodedFrames::read() {
  auto frame = decode_->next();
  if (frame && *frame) {
    ++decoded_;
    position_ = (*frame)->time;
  }
  return frame;
}

bool DecodedFrames::before_range(uint64_t number, uint64_t time) const {
  const Request& range = request_.range;
  if (range.start_frame >= 0) return number < static_cast<uint64_t>(range.start_frame);
  return time + range.tolerance < range.start;
}

bool DecodedFrames::behind_range(uint64_t number, uint64_t time) const {
  const Request& range = request_.range;
  if (range.stop_frame >= 0) return number >= static_cast<uint64_t>(range.stop_frame);
  return range.stop && time + range.tolerance >= *range.stop;
}

Result<bool> DecodedFrames::count_frames() {
  std::vector<uint64_t> times;
  uint64_t first = 0, number = 0, end = 0;
  while (true) {
    const auto frame = read();
    if (!frame) return tl::make_unexpected(frame.error());
    if (!*frame) break;
    const uint64_t time = (*frame)->time;
    if (behind_range(number, time)) {
      end = time;
      break;
    }
    end = (*frame)->end;
    if (before_range(number++, time)) continue;
    if (times.empty()) first = number - 1;
    times.push_back(time);
  }
  const auto chosen = select_frames(request_.selection, times, first, end);
  if (!chosen) return tl::make_unexpected(chosen.error());
  for (const uint64_t i : *chosen)
    targets_.push_back({first + i, times[i], i > 0 ? times[i - 1] : 0});
  end_ = end;
  counted_ = true;
  return true;
}

Result<bool> DecodedFrames::plan() {
  const auto opened = open();
  if (!opened) return opened;
  const Selection& selection = request_.selection;
  if (needs_count(selection.pick)) return count_frames();
  wanted_ = selection.pick == Pick::Times ? selection.times : selection.frames;
  std::sort(wanted_.begin(), wanted_.end());
  wanted_.erase(std::unique(wanted_.begin(), wanted_.end()), wanted_.end());
  return true;
}

PickedFrame DecodedFrames::give(Decode::Frame frame, uint64_t number) {
  PickedFrame picked;
  GstCaps* caps = gst_sample_get_caps(frame.sample.get());
  if (!caps_ || !gst_caps_is_equal(caps_.get(), caps)) picked.caps = caps_ = CapsRef::retain(caps);
  picked.number = number;
  picked.time = frame.time;
  GstBuffer* buffer =
      gst_buffer_make_writable(gst_buffer_ref(gst_sample_get_buffer(frame.sample.get())));
  GST_BUFFER_PTS(buffer) = frame.time;
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(buffer) = frame.end - frame.time;
  GST_BUFFER_OFFSET(buffer) = number;
  GST_BUFFER_OFFSET_END(buffer) = number + 1;
  picked.buffer = BufferRef::adopt(buffer);
  ++given_;
  return picked;
}

// After this the frame is still to come. The place sought is the frame before it: where that one
// lasts a little into the next, decoders clip it and give it the time that was sought.
Result<bool> DecodedFrames::go_to(const Target& target) {
  const bool passed = position_ && *position_ >= target.time;
  if (!passed && target.time - position_.value_or(0) < kSeekDistance) return true;
  if (decode_->seek(target.before)) {
    position_ = target.before;
    return true;
  }
  return passed ? open() : Result<bool>(true);
}

Result<std::optional<PickedFrame>> DecodedFrames::next_counted() {
  if (target_ == targets_.size()) return std::optional<PickedFrame>();
  const Target target = targets_[target_];
  // After counting, the decoder stands at the end.
  bool from_begin = false;
  if (auto gone = go_to(target); !gone) return tl::make_unexpected(gone.error());
  while (true) {
    auto frame = read();
    if (!frame) return tl::make_unexpected(frame.error());
    if (*frame && (*frame)->time < target.time) continue;
    if (*frame && (*frame)->time == target.time) {
      ++target_;
      return give(*std::move(*frame), target.number);
    }
    // The seek went too far, as demuxers without an index do.
    if (std::exchange(from_begin, true))
      return fail(Fault::Undecodable,
                  "Frame " + std::to_string(target.number) + " could not be decoded again.");
    if (const auto opened = open(); !opened) return tl::make_unexpected(opened.error());
  }
}

Result<std::optional<PickedFrame>> DecodedFrames::next_passing() {
  const Selection& selection = request_.selection;
  const bool listed = selection.pick == Pick::Times || selection.pick == Pick::Frames;
  const auto enough = [&] {
    return listed ? wanted_at_ == wanted_.size()
                  : selection.pick == Pick::First && given_ == selection.count;
  };
  while (!enough() && !ended_) {
    auto frame = read();
    if (!frame) return tl::make_unexpected(frame.error());
    const uint64_t number = number_;
    if (*frame) ++number_;
    if (*frame && before_range(number, (*frame)->time)) continue;
    ended_ = !*frame || behind_range(number, (*frame)->time);
    if (!ended_)
      passed_ = (*frame)->end;
    else
      end_ = *frame ? (*frame)->time : passed_;
    const uint64_t index = in_range_;
    if (!ended_) ++in_range_;
    switch (selection.pick) {
      case Pick::First:
        if (!ended_) return give(*std::move(*frame), number);
        break;
      case Pick::Every:
        if (!ended_ && index % selection.step == 0) return give(*std::move(*frame), number);
        break;
      case Pick::Frames:
        if (!ended_ && number == wanted_[wanted_at_]) {
          ++wanted_at_;
          return give(*std::move(*frame), number);
        }
        break;
      default: {
        // The frame before this one is shown until this one comes.
        std::optional<PickedFrame> found;
        if (last_) {
          const uint64_t until = *frame ? (*frame)->time : last_->first.end;
          while (wanted_at_ < wanted_.size() &&
                 wanted_[wanted_at_] + (ended_ ? 0 : selection.tolerance) < until) {
            // Only what lies before the first frame comes here too late.
            if (wanted_[wanted_at_] + selection.tolerance < last_->first.time)
              return fail(Fault::Range,
                          "There is no frame at one of the times: the range begins later.");
            ++wanted_at_;
            if (!found) found = give(last_->first, last_->second);
          }
        }
        if (!ended_) {
          last_.emplace(*std::move(*frame), number);
        }
        if (found) return found;
      }
    }
  }
  if (listed && wanted_at_ < wanted_.size())
    return fail(Fault::Range,
                selection.pick == Pick::Frames
                    ? "There is no frame " + std::to_string(wanted_[wanted_at_]) + " in the range."
                    : "There is no frame at one of the times: the range does not reach so far.");
  if (given_ == 0) return fail(Fault::Range, "There is no picture in the range.");
  return std::optional<PickedFrame>();
}

Result<std::optional<PickedFrame>> DecodedFrames::next() {
  return counted_ ? next_counted() : next_passing();
}

}  // namespace

Result<std::unique_ptr<FrameReader>> read_decoded(const FrameRequest& request,
                                                  const std::atomic<bool>& cancelled,
                                                  const UriReader::Setup& setup) {
  auto frames = std::make_unique<DecodedFrames>(request, cancelled, setup);
  const auto planned = frames->plan();
  if (!planned) return tl::make_unexpected(planned.error());
  return std::unique_ptr<FrameReader>(std::move(frames));
}

}  // namespace clips::cut
