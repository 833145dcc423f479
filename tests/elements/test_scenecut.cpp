// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The shell of scenecut: what goes in, comes out and is said, at the level of buffers, events and
// queries. Scenes are static pictures of random blocks, so that any detector sees the cuts.
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/handles.hpp"
#include "detector.hpp"

using namespace clips;
using clips::scenecut::Detector;

namespace {

constexpr guint64 kSecond = GST_SECOND;

struct HarnessFree {
  void operator()(GstHarness* harness) const { gst_harness_teardown(harness); }
};
using Harness = std::unique_ptr<GstHarness, HarnessFree>;

struct Message {
  std::string name;
  StructurePtr fields;
  guint64 number(const char* field) const {
    guint64 value = 0;
    EXPECT_TRUE(gst_structure_get_uint64(fields.get(), field, &value)) << field;
    return value;
  }
  guint index() const {
    guint value = 0;
    EXPECT_TRUE(gst_structure_get_uint(fields.get(), "index", &value));
    return value;
  }
};

std::string caps_text(int width, int height, const char* format = "I420",
                      const char* rate = "25/1") {
  return "video/x-raw,format=" + std::string(format) + ",width=" + std::to_string(width) +
         ",height=" + std::to_string(height) + ",framerate=" + rate;
}

// One picture of a scene: 8x8 blocks of random samples, the same for the same scene.
void paint(GstVideoFrame* frame, unsigned which) {
  std::mt19937 random(which * 7919 + 1);
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(frame); ++c) {
    const guint depth = GST_VIDEO_FRAME_COMP_DEPTH(frame, c);
    const guint shift = GST_VIDEO_FORMAT_INFO_SHIFT(frame->info.finfo, c);
    std::vector<int> levels(64);
    // GStreamer 1.22.0 names byte 1 as the place of V in P010, P012 and P016; it is at 2.
    auto* data = GST_VIDEO_FRAME_COMP_DATA(frame, c);
    if (depth > 8 && GST_VIDEO_FRAME_COMP_POFFSET(frame, c) == 1) ++data;
    const bool chroma = c > 0 && GST_VIDEO_INFO_IS_YUV(&frame->info);
    const int mean = chroma ? 128 : 60 + static_cast<int>(which % 3) * 60;
    const int spread = chroma ? 20 : 50;
    for (int& level : levels)
      level = mean - spread + static_cast<int>(random() % static_cast<unsigned>(2 * spread));
    const int width = GST_VIDEO_FRAME_COMP_WIDTH(frame, c);
    const int height = GST_VIDEO_FRAME_COMP_HEIGHT(frame, c);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        auto* sample = data + y * GST_VIDEO_FRAME_COMP_STRIDE(frame, c) +
                       x * GST_VIDEO_FRAME_COMP_PSTRIDE(frame, c);
        const auto block = static_cast<std::size_t>(8 * (8 * y / height) + 8 * x / width);
        if (depth <= 8)
          *sample = static_cast<guint8>(levels[block]);
        else if (GST_VIDEO_FORMAT_INFO_IS_LE(frame->info.finfo))
          GST_WRITE_UINT16_LE(sample, levels[block] << (depth - 8 + shift));
        else
          GST_WRITE_UINT16_BE(sample, levels[block] << (depth - 8 + shift));
      }
  }
}

class SceneCut : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    gst_init(nullptr, nullptr);
    ASSERT_TRUE(ElementRef::sink(gst_element_factory_make("scenecut", nullptr)));
  }

  using Properties = std::vector<std::pair<const char*, const char*>>;

  // The element with a bus; properties are set before it starts.
  void make(const Properties& properties = {}) {
    forget();
    element = ElementRef::sink(gst_element_factory_make("scenecut", nullptr));
    for (const auto& [name, value] : properties)
      gst_util_set_object_arg(G_OBJECT(element.get()), name, value);
    bus = BusRef::adopt(gst_bus_new());
    harness.reset(gst_harness_new_with_element(element.get(), "sink", "src"));
    gst_element_set_bus(element.get(), bus.get());
  }

  // The element and what it has said.
  void forget() {
    if (element) gst_element_set_bus(element.get(), nullptr);
    harness.reset();
    element = {};
    all.clear();
    errors = 0;
  }

  void forget_messages() {
    messages("");
    all.clear();
  }

  void start(const std::string& caps = caps_text(64, 48)) {
    gst_harness_set_src_caps_str(harness.get(), caps.c_str());
    gst_video_info_from_caps(&info, CapsRef::adopt(gst_caps_from_string(caps.c_str())).get());
  }

  void TearDown() override { forget(); }

  GstBuffer* picture(unsigned which, guint64 pts, guint64 duration = 40 * GST_MSECOND) {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, info.size, nullptr);
    GstVideoFrame frame;
    EXPECT_TRUE(gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE));
    paint(&frame, which);
    gst_video_frame_unmap(&frame);
    GST_BUFFER_PTS(buffer) = pts;
    GST_BUFFER_DURATION(buffer) = duration;
    return buffer;
  }

  // Frames at 25 a second; each number is how long a scene lasts.
  GstFlowReturn push_scenes(const std::vector<int>& lengths, guint64 from = 0) {
    GstFlowReturn flow = GST_FLOW_OK;
    for (const int length : lengths) {
      ++scene;
      for (int i = 0; i < length && flow == GST_FLOW_OK; ++i) {
        flow = gst_harness_push(harness.get(), picture(scene, from));
        from += 40 * GST_MSECOND;
      }
    }
    return flow;
  }

  bool eos() { return gst_harness_push_event(harness.get(), gst_event_new_eos()); }

  // All element messages so far; an error fails the test unless it is asked for.
  std::vector<Message> messages(const char* name) {
    while (auto message = MessageRef::adopt(gst_bus_pop(bus.get()))) {
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) ++errors;
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_LATENCY) ++latency_messages;
      const GstStructure* fields = gst_message_get_structure(message.get());
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ELEMENT)
        all.push_back({gst_structure_get_name(fields), StructurePtr(gst_structure_copy(fields))});
    }
    std::vector<Message> found;
    for (const Message& message : all)
      if (message.name == name)
        found.push_back({message.name, StructurePtr(gst_structure_copy(message.fields.get()))});
    return found;
  }

  std::vector<guint64> cut_frames() {
    std::vector<guint64> frames;
    for (const Message& message : messages("scenecut")) {
      EXPECT_EQ(frames.size(), message.index());
      frames.push_back(message.number("frame"));
    }
    return frames;
  }

  ElementRef element;
  BusRef bus;
  Harness harness;
  GstVideoInfo info;
  unsigned scene = 0;
  int errors = 0;
  int latency_messages = 0;
  std::vector<Message> all;
};

// Records the order of what leaves the src pad: buffers by their frame number, events by name.
class Recorder {
 public:
  explicit Recorder(GstElement* element)
      : pad_(PadRef::adopt(gst_element_get_static_pad(element, "src"))) {
    id_ = gst_pad_add_probe(
        pad_.get(),
        static_cast<GstPadProbeType>(int{GST_PAD_PROBE_TYPE_BUFFER} |
                                     int{GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM}),
        [](GstPad*, GstPadProbeInfo* probe, gpointer data) {
          auto& seen = *static_cast<std::vector<std::string>*>(data);
          if (probe->type & GST_PAD_PROBE_TYPE_BUFFER) {
            GstBuffer* buffer = gst_pad_probe_info_get_buffer(probe);
            seen.push_back(std::to_string(GST_BUFFER_PTS(buffer) / (40 * GST_MSECOND)));
          } else {
            GstEvent* event = gst_pad_probe_info_get_event(probe);
            if (gst_video_event_is_force_key_unit(event)) {
              GstClockTime timestamp = 0;
              gst_video_event_parse_downstream_force_key_unit(event, &timestamp, nullptr, nullptr,
                                                              nullptr, nullptr);
              seen.push_back("key " + std::to_string(timestamp / (40 * GST_MSECOND)));
            } else {
              seen.emplace_back(GST_EVENT_TYPE_NAME(event));
            }
          }
          return GST_PAD_PROBE_OK;
        },
        &things, nullptr);
  }
  ~Recorder() { gst_pad_remove_probe(pad_.get(), id_); }

  std::vector<std::string> things;

 private:
  PadRef pad_;
  gulong id_ = 0;
};

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> result;
  for (int i = from; i < to; ++i) result.push_back(std::to_string(i));
  return result;
}

}  // namespace

TEST_F(SceneCut, buffers_leave_as_they_came_without_a_copy) {
  make();
  start();
  for (int i = 0; i < 30; ++i) {
    GstBuffer* buffer = picture(i / 10, i * 40 * GST_MSECOND);
    GST_BUFFER_OFFSET(buffer) = 1000 + i;
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_MARKER);
    GstMemory* memory = gst_buffer_peek_memory(buffer, 0);
    const auto out = BufferRef::adopt(gst_harness_push_and_pull(harness.get(), buffer));
    EXPECT_EQ(buffer, out.get());
    EXPECT_EQ(memory, gst_buffer_peek_memory(out.get(), 0));
    EXPECT_EQ(1, GST_MINI_OBJECT_REFCOUNT_VALUE(out.get()));
    EXPECT_EQ(1000u + i, GST_BUFFER_OFFSET(out.get()));
    EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(out.get(), GST_BUFFER_FLAG_MARKER));
  }
}

TEST_F(SceneCut, every_frame_of_the_contracts_formats_is_read_and_gives_the_same_cuts) {
  const auto probe = ElementRef::sink(gst_element_factory_make("scenecut", nullptr));
  const auto pad = PadRef::adopt(gst_element_get_static_pad(probe.get(), "sink"));
  const auto caps = CapsRef::adopt(gst_pad_get_pad_template_caps(pad.get()));
  const GValue* formats = gst_structure_get_value(gst_caps_get_structure(caps.get(), 0), "format");
  ASSERT_TRUE(GST_VALUE_HOLDS_LIST(formats));
  ASSERT_EQ(42u, gst_value_list_get_size(formats));
  for (guint i = 0; i < gst_value_list_get_size(formats); ++i) {
    const char* format = g_value_get_string(gst_value_list_get_value(formats, i));
    for (const char* method : {"adaptive", "bhattacharyya"}) {
      SCOPED_TRACE(std::string(format) + " " + method);
      make({{"method", method}});
      start(caps_text(67, 49, format));
      EXPECT_EQ(GST_FLOW_OK, push_scenes({20, 20, 20}));
      EXPECT_TRUE(eos());
      EXPECT_EQ((std::vector<guint64>{20, 40}), cut_frames());
      EXPECT_EQ(0, errors);
    }
  }
}

TEST_F(SceneCut, strides_and_offsets_of_a_pool_do_not_change_the_result) {
  for (const char* method : {"adaptive", "correl"}) {
    std::vector<double> scores[2];
    for (const bool padded : {false, true}) {
      make({{"method", method}});
      start(caps_text(66, 50));
      for (int i = 0; i < 60; ++i) {
        const unsigned which = 100 + i / 20;
        GstBuffer* buffer = picture(which, i * 40 * GST_MSECOND);
        if (padded) {
          // The same picture with long rows and garbage around it.
          GstVideoInfo wide = info;
          GstVideoAlignment alignment;
          gst_video_alignment_reset(&alignment);
          alignment.padding_left = 32;
          alignment.padding_right = 46;
          alignment.padding_top = 16;
          alignment.padding_bottom = 14;
          ASSERT_TRUE(gst_video_info_align(&wide, &alignment));
          GstBuffer* larger = gst_buffer_new_allocate(nullptr, wide.size, nullptr);
          gst_buffer_memset(larger, 0, static_cast<guint8>(i * 37), wide.size);
          gst_buffer_add_video_meta_full(larger, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_I420,
                                         66, 50, 3, wide.offset, wide.stride);
          GstVideoFrame from, to;
          ASSERT_TRUE(gst_video_frame_map(&from, &info, buffer, GST_MAP_READ));
          ASSERT_TRUE(gst_video_frame_map(&to, &info, larger, GST_MAP_WRITE));
          gst_video_frame_copy(&to, &from);
          gst_video_frame_unmap(&to);
          gst_video_frame_unmap(&from);
          GST_BUFFER_PTS(larger) = GST_BUFFER_PTS(buffer);
          gst_buffer_unref(buffer);
          buffer = larger;
        }
        ASSERT_EQ(GST_FLOW_OK, gst_harness_push(harness.get(), buffer));
      }
      eos();
      for (const Message& message : messages("scenecut")) {
        double score = 0;
        gst_structure_get_double(message.fields.get(), "score", &score);
        scores[padded].push_back(score);
      }
    }
    EXPECT_EQ(2u, scores[0].size()) << method;
    EXPECT_EQ(scores[0], scores[1]) << method;
  }
}

TEST_F(SceneCut, messages_name_the_frame_its_times_kind_range_and_score) {
  make();
  start();
  // 2 s into the file, played from a running time of 10 s.
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = 2 * kSecond;
  segment.time = 5 * kSecond;
  segment.base = 10 * kSecond;
  gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  push_scenes({25, 30}, 2 * kSecond);
  eos();
  const auto found = messages("scenecut");
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(0u, found[0].index());
  EXPECT_EQ(25u, found[0].number("frame"));
  EXPECT_EQ(3 * kSecond, found[0].number("timestamp"));
  EXPECT_EQ(6 * kSecond, found[0].number("stream-time"));
  EXPECT_EQ(11 * kSecond, found[0].number("running-time"));
  EXPECT_STREQ("cut", gst_structure_get_string(found[0].fields.get(), "kind"));
  EXPECT_EQ(25u, found[0].number("start-frame"));
  EXPECT_EQ(25u, found[0].number("end-frame"));
  double score = -1;
  EXPECT_TRUE(gst_structure_get_double(found[0].fields.get(), "score", &score));
  EXPECT_GE(score, 0.5);
  EXPECT_LE(score, 1);
  const auto summary = messages("scenecut-summary");
  ASSERT_EQ(1u, summary.size());
  EXPECT_EQ(55u, summary[0].number("frames"));
  guint cuts = 0;
  EXPECT_TRUE(gst_structure_get_uint(summary[0].fields.get(), "cuts", &cuts));
  EXPECT_EQ(1u, cuts);
  guint64 frames = 0;
  g_object_get(element.get(), "frames", &frames, "cuts", &cuts, nullptr);
  EXPECT_EQ(55u, frames);
  EXPECT_EQ(1u, cuts);
}

TEST_F(SceneCut, post_messages_false_is_silent_but_counts) {
  make({{"post-messages", "false"}});
  start();
  push_scenes({25, 30});
  eos();
  EXPECT_TRUE(messages("scenecut").empty());
  EXPECT_TRUE(messages("scenecut-summary").empty());
  guint cuts = 0;
  g_object_get(element.get(), "cuts", &cuts, nullptr);
  EXPECT_EQ(1u, cuts);
}

TEST_F(SceneCut, post_scores_gives_every_frame_one_score_in_order) {
  for (const char* method : {"adaptive", "bhattacharyya"}) {
    make({{"method", method}, {"post-scores", "true"}, {"threshold", "0.9"}});
    start();
    for (int run = 0; run < 2; ++run) {
      // Where one message ends in the middle of a scene, too.
      push_scenes({25, 300, 30});
      eos();
      std::vector<double> scores;
      for (const Message& message : messages("scenecut-scores")) {
        EXPECT_EQ(scores.size(), message.number("frame"));
        const GValue* some = gst_structure_get_value(message.fields.get(), "scores");
        ASSERT_TRUE(some && GST_VALUE_HOLDS_ARRAY(some));
        for (guint i = 0; i < gst_value_array_get_size(some); ++i)
          scores.push_back(g_value_get_double(gst_value_array_get_value(some, i)));
      }
      ASSERT_EQ(355u, scores.size()) << method;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        if (i == 25 || i == 325)
          EXPECT_GT(scores[i], 0.4) << method << " " << i;
        else
          EXPECT_LT(scores[i], 0.2) << method << " " << i;
        EXPECT_LE(scores[i], 1);
      }
      for (const Message& message : messages("scenecut")) {
        double score = 0;
        EXPECT_TRUE(gst_structure_get_double(message.fields.get(), "score", &score));
        EXPECT_FLOAT_EQ(scores[message.number("frame")], score);
      }
      // After a flush the frames count from 0 again, and the scores with them.
      forget_messages();
      gst_harness_push_event(harness.get(), gst_event_new_flush_start());
      gst_harness_push_event(harness.get(), gst_event_new_flush_stop(TRUE));
      GstSegment segment;
      gst_segment_init(&segment, GST_FORMAT_TIME);
      gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
    }
  }
}

TEST_F(SceneCut, scores_are_posted_only_when_asked_for) {
  make();
  start();
  push_scenes({25, 300});
  eos();
  EXPECT_TRUE(messages("scenecut-scores").empty());
}

TEST_F(SceneCut, a_table_of_contents_with_the_clips_goes_before_eos) {
  make();
  start();
  push_scenes({25, 30, 20});
  eos();
  std::vector<std::pair<gint64, gint64>> chapters;
  bool ended = false;
  while (auto event = EventRef::adopt(gst_harness_try_pull_event(harness.get()))) {
    if (GST_EVENT_TYPE(event.get()) == GST_EVENT_EOS) ended = true;
    if (GST_EVENT_TYPE(event.get()) != GST_EVENT_TOC) continue;
    EXPECT_FALSE(ended);
    GstToc* toc = nullptr;
    gst_event_parse_toc(event.get(), &toc, nullptr);
    EXPECT_EQ(GST_TOC_SCOPE_GLOBAL, gst_toc_get_scope(toc));
    for (GList* entry = gst_toc_get_entries(toc); entry; entry = entry->next) {
      auto* chapter = static_cast<GstTocEntry*>(entry->data);
      EXPECT_EQ(GST_TOC_ENTRY_TYPE_CHAPTER, gst_toc_entry_get_entry_type(chapter));
      EXPECT_EQ("clip-" + std::to_string(chapters.size() + 1), gst_toc_entry_get_uid(chapter));
      gint64 from = -1, to = -1;
      gst_toc_entry_get_start_stop_times(chapter, &from, &to);
      chapters.emplace_back(from, to);
    }
    gst_toc_unref(toc);
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(
      (std::vector<std::pair<gint64, gint64>>{
          {0, 1 * kSecond}, {1 * kSecond, 2200 * GST_MSECOND}, {2200 * GST_MSECOND, 3 * kSecond}}),
      chapters);
}

TEST_F(SceneCut, every_clip_has_the_minimum_duration) {
  make({{"min-duration", "1000000000"}});
  start();
  // The first and the last clip would be too short, and two in the middle.
  push_scenes({10, 40, 12, 12, 40, 8});
  eos();
  guint64 last = 0;
  const auto frames = cut_frames();
  EXPECT_FALSE(frames.empty());
  for (const guint64 frame : frames) {
    EXPECT_GE(frame, last + 25);
    last = frame;
  }
  EXPECT_GE(122u, last + 25);
}

// --- force-key-units ----------------------------------------------------------------------------

TEST_F(SceneCut, key_units_are_forced_right_before_each_new_scene) {
  make({{"force-key-units", "true"}});
  start();
  Recorder recorder(element.get());
  push_scenes({25, 15, 30, 200, 40});
  eos();
  std::vector<std::string> expected;
  for (const auto& [from, to] :
       std::vector<std::pair<int, int>>{{0, 25}, {25, 40}, {40, 70}, {70, 270}, {270, 310}}) {
    if (from > 0) expected.push_back("key " + std::to_string(from));
    for (const auto& number : numbers(from, to)) expected.push_back(number);
  }
  expected.insert(expected.end(), {"toc", "eos"});
  EXPECT_EQ(expected, recorder.things);
  EXPECT_EQ((std::vector<guint64>{25, 40, 70, 270}), cut_frames());
}

TEST_F(SceneCut, a_dropped_boundary_may_have_a_key_unit_but_every_kept_one_has_it) {
  make({{"force-key-units", "true"}, {"min-duration", "1000000000"}});
  start();
  Recorder recorder(element.get());
  push_scenes({30, 10, 40, 60});
  eos();
  for (const guint64 frame : cut_frames())
    EXPECT_EQ(1, std::count(recorder.things.begin(), recorder.things.end(),
                            "key " + std::to_string(frame)));
}

TEST_F(SceneCut, parity_methods_decide_at_once_and_delay_nothing) {
  make({{"force-key-units", "true"}, {"method", "correl"}});
  start();
  Recorder recorder(element.get());
  push_scenes({3, 2});
  EXPECT_EQ((std::vector<std::string>{"0", "1", "2", "key 3", "3", "4"}), recorder.things);
  EXPECT_EQ(0u, gst_harness_query_latency(harness.get()));
}

TEST_F(SceneCut, the_look_ahead_is_reported_as_latency) {
  for (const bool gradual : {true, false}) {
    make({{"force-key-units", "true"}, {"gradual", gradual ? "true" : "false"}});
    gst_harness_set_upstream_latency(harness.get(), 20 * GST_MSECOND);
    start();
    const GstClockTime latency = gst_harness_query_latency(harness.get());
    messages("");
    EXPECT_EQ(1, latency_messages);
    latency_messages = 0;
    EXPECT_EQ((gradual ? Detector::kGradualLookahead : Detector::kCutLookahead) * 40 * GST_MSECOND +
                  20 * GST_MSECOND,
              latency);
    // What is reported is what frames wait at most.
    std::size_t most = 0;
    for (int i = 0; i < 400; ++i) {
      gst_harness_push(harness.get(), picture(i / 7, i * 40 * GST_MSECOND));
      const std::size_t out = gst_harness_buffers_received(harness.get());
      most = std::max(most, static_cast<std::size_t>(i) + 1 - out);
    }
    EXPECT_LE(most * 40 * GST_MSECOND + 20 * GST_MSECOND, latency);
  }
  make();
  start();
  EXPECT_EQ(0u, gst_harness_query_latency(harness.get()));
}

TEST_F(SceneCut, eos_in_the_middle_of_the_look_ahead_loses_nothing) {
  make({{"force-key-units", "true"}});
  start();
  Recorder recorder(element.get());
  push_scenes({25, 4});
  eos();
  auto expected = numbers(0, 25);
  expected.push_back("key 25");
  for (const auto& number : numbers(25, 29)) expected.push_back(number);
  expected.insert(expected.end(), {"toc", "eos"});
  EXPECT_EQ(expected, recorder.things);
}

TEST_F(SceneCut, a_flush_in_the_middle_of_the_look_ahead_drops_it_and_starts_anew) {
  make({{"force-key-units", "true"}});
  start();
  push_scenes({25, 10});
  const guint before = gst_harness_buffers_received(harness.get());
  gst_harness_push_event(harness.get(), gst_event_new_flush_start());
  gst_harness_push_event(harness.get(), gst_event_new_flush_stop(TRUE));
  guint64 frames = 1;
  g_object_get(element.get(), "frames", &frames, nullptr);
  EXPECT_EQ(0u, frames);
  forget_messages();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 8 * kSecond;
  gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  Recorder recorder(element.get());
  push_scenes({30, 20}, 8 * kSecond);
  eos();
  EXPECT_LT(before, 35u);
  EXPECT_EQ("200", recorder.things.front());
  const auto found = messages("scenecut");
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(30u, found[0].number("frame"));
  EXPECT_EQ(9200 * GST_MSECOND, found[0].number("stream-time"));
  EXPECT_EQ(1200 * GST_MSECOND, found[0].number("running-time"));
}

TEST_F(SceneCut, events_keep_their_place_between_frames_that_wait) {
  make({{"force-key-units", "true"}});
  start();
  Recorder recorder(element.get());
  push_scenes({10});
  gst_harness_push_event(harness.get(), gst_event_new_gap(400 * GST_MSECOND, 40 * GST_MSECOND));
  ++scene;
  for (int i = 11; i < 20; ++i)
    gst_harness_push(harness.get(), picture(scene, i * 40 * GST_MSECOND));
  gst_harness_push_event(harness.get(), gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                                                             gst_structure_new_empty("marker")));
  gst_harness_push(harness.get(), picture(scene, 20 * 40 * GST_MSECOND));
  eos();
  auto expected = numbers(0, 10);
  expected.emplace_back("gap");
  expected.emplace_back("key 11");
  for (const auto& number : numbers(11, 20)) expected.push_back(number);
  expected.insert(expected.end(), {"custom-downstream", "20", "toc", "eos"});
  EXPECT_EQ(expected, recorder.things);
}

TEST_F(SceneCut, caps_change_between_the_right_frames_and_the_count_goes_on) {
  for (const bool delay : {false, true}) {
    make({{"force-key-units", delay ? "true" : "false"}});
    start(caps_text(64, 48));
    Recorder recorder(element.get());
    push_scenes({20});
    start(caps_text(320, 240, "NV12"));
    // The same scene in another size and format is no cut; the next scene is one.
    for (int i = 20; i < 40; ++i)
      gst_harness_push(harness.get(), picture(scene, i * 40 * GST_MSECOND));
    start(caps_text(33, 17, "P010_10LE"));
    push_scenes({20}, 40 * 40 * GST_MSECOND);
    eos();
    std::vector<std::string> order;
    for (const auto& thing : recorder.things)
      if (thing == "caps" || thing == "19" || thing == "20" || thing == "39" || thing == "40")
        order.push_back(thing);
    EXPECT_EQ((std::vector<std::string>{"19", "caps", "20", "39", "caps", "40"}), order);
    const auto frames = cut_frames();
    EXPECT_EQ(1, std::count(frames.begin(), frames.end(), 40u));
    EXPECT_EQ(60u, messages("scenecut-summary").at(0).number("frames"));
  }
}

// --- times --------------------------------------------------------------------------------------

TEST_F(SceneCut, frames_without_timestamps_follow_the_rate_of_the_caps) {
  make();
  start();
  for (int i = 0; i < 50; ++i)
    gst_harness_push(harness.get(), picture(i / 25, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE));
  eos();
  const auto found = messages("scenecut");
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(25u, found[0].number("frame"));
  EXPECT_EQ(1 * kSecond, found[0].number("stream-time"));
}

TEST_F(SceneCut, frames_without_timestamps_and_rate_are_counted_all_the_same) {
  make();
  start(caps_text(64, 48, "I420", "0/1"));
  for (int i = 0; i < 50; ++i)
    gst_harness_push(harness.get(), picture(i / 25, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE));
  eos();
  const auto found = messages("scenecut");
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(25u, found[0].number("frame"));
  EXPECT_EQ(GST_CLOCK_TIME_NONE, found[0].number("timestamp"));
  EXPECT_EQ(GST_CLOCK_TIME_NONE, found[0].number("stream-time"));
}

TEST_F(SceneCut, a_variable_rate_keeps_the_timestamps_of_its_frames) {
  make();
  start(caps_text(64, 48, "I420", "0/1"));
  std::mt19937 random(3);
  guint64 pts = 0, expected = 0;
  for (int i = 0; i < 60; ++i) {
    if (i == 30) expected = pts;
    gst_harness_push(harness.get(), picture(i / 30, pts, GST_CLOCK_TIME_NONE));
    pts += 10'000'000 + random() % 90'000'000;
  }
  eos();
  const auto found = messages("scenecut");
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(30u, found[0].number("frame"));
  EXPECT_EQ(expected, found[0].number("timestamp"));
}

TEST_F(SceneCut, frames_that_are_not_shown_pass_uncounted) {
  make();
  start();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 1 * kSecond;
  gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  push_scenes({25});  // before the segment
  GstBuffer* hidden = picture(99, 1 * kSecond);
  GST_BUFFER_FLAG_SET(hidden, GST_BUFFER_FLAG_DECODE_ONLY);
  gst_harness_push(harness.get(), hidden);
  push_scenes({20, 20}, 1 * kSecond);
  eos();
  EXPECT_EQ(66u, gst_harness_buffers_received(harness.get()));
  EXPECT_EQ((std::vector<guint64>{20}), cut_frames());
  EXPECT_EQ(40u, messages("scenecut-summary").at(0).number("frames"));
}

TEST_F(SceneCut, backwards_frames_pass_without_analysis) {
  make({{"force-key-units", "true"}});
  start();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = -1;
  segment.stop = 10 * kSecond;
  gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  push_scenes({10, 10});
  EXPECT_EQ(20u, gst_harness_buffers_received(harness.get()));
  eos();
  EXPECT_TRUE(cut_frames().empty());
}

// --- starts and ends ----------------------------------------------------------------------------

TEST_F(SceneCut, eos_without_a_frame_is_summed_up_as_such) {
  make();
  start();
  EXPECT_TRUE(eos());
  EXPECT_EQ(0u, messages("scenecut-summary").at(0).number("frames"));
  EXPECT_EQ(0, errors);
}

TEST_F(SceneCut, a_new_stream_after_eos_is_analysed_from_frame_0) {
  make();
  start();
  push_scenes({25, 30});
  eos();
  EXPECT_EQ((std::vector<guint64>{25}), cut_frames());
  all.clear();
  gst_harness_push_event(harness.get(), gst_event_new_stream_start("second"));
  start();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  push_scenes({40, 30});
  eos();
  EXPECT_EQ((std::vector<guint64>{40}), cut_frames());
}

TEST_F(SceneCut, a_used_element_starts_again) {
  make();
  start();
  for (int round = 0; round < 3; ++round) {
    push_scenes({25, 30});
    gst_element_set_state(element.get(), GST_STATE_READY);
    gst_element_set_state(element.get(), GST_STATE_PLAYING);
    forget_messages();
    gst_harness_push_event(harness.get(), gst_event_new_stream_start("again"));
    start();
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
    push_scenes({30, 30});
    eos();
    EXPECT_EQ((std::vector<guint64>{30}), cut_frames());
    gst_element_set_state(element.get(), GST_STATE_NULL);
    gst_element_set_state(element.get(), GST_STATE_PLAYING);
    gst_harness_push_event(harness.get(), gst_event_new_stream_start("more"));
    start();
    gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  }
}

TEST_F(SceneCut, downstreams_refusal_goes_upstream) {
  for (const bool delay : {false, true}) {
    make({{"force-key-units", delay ? "true" : "false"}});
    start();
    const auto pad = PadRef::adopt(gst_element_get_static_pad(element.get(), "src"));
    const auto peer = PadRef::adopt(gst_pad_get_peer(pad.get()));
    gst_pad_set_active(peer.get(), FALSE);
    GstFlowReturn flow = GST_FLOW_OK;
    for (int i = 0; i < 300 && flow == GST_FLOW_OK; ++i)
      flow = gst_harness_push(harness.get(), picture(1, i * 40 * GST_MSECOND));
    EXPECT_EQ(GST_FLOW_FLUSHING, flow);
    gst_pad_set_active(peer.get(), TRUE);
  }
}

TEST_F(SceneCut, eos_reaches_a_downstream_that_has_had_enough_of_waiting_frames) {
  make({{"force-key-units", "true"}});
  start();
  const auto pad = PadRef::adopt(gst_element_get_static_pad(element.get(), "src"));
  const auto peer = PadRef::adopt(gst_pad_get_peer(pad.get()));
  gst_pad_set_chain_function(peer.get(), [](GstPad*, GstObject*, GstBuffer* buffer) {
    gst_buffer_unref(buffer);
    return GST_FLOW_EOS;
  });
  Recorder recorder(element.get());
  EXPECT_EQ(GST_FLOW_EOS, push_scenes({300}));
  eos();
  EXPECT_EQ("eos", recorder.things.back());
  EXPECT_EQ(1u, messages("scenecut-summary").size());
}

TEST_F(SceneCut, a_threshold_that_the_method_cannot_have_is_one_error) {
  element = ElementRef::sink(gst_element_factory_make("scenecut", nullptr));
  bus = BusRef::adopt(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  g_object_set(element.get(), "threshold", 1.5, nullptr);
  EXPECT_EQ(GST_STATE_CHANGE_FAILURE, gst_element_set_state(element.get(), GST_STATE_PAUSED));
  messages("");
  EXPECT_EQ(1, errors);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  g_object_set(element.get(), "threshold", 5.0, nullptr);
  gst_util_set_object_arg(G_OBJECT(element.get()), "method", "chisqr");
  EXPECT_NE(GST_STATE_CHANGE_FAILURE, gst_element_set_state(element.get(), GST_STATE_PAUSED));
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

// --- queries ------------------------------------------------------------------------------------

TEST_F(SceneCut, downstreams_allocation_is_passed_on_with_room_for_what_waits) {
  for (const bool delay : {false, true}) {
    make({{"force-key-units", delay ? "true" : "false"}, {"gradual", "false"}});
    start();
    gst_harness_add_propose_allocation_meta(harness.get(), GST_VIDEO_META_API_TYPE, nullptr);
    const auto sink = PadRef::adopt(gst_element_get_static_pad(element.get(), "sink"));
    const auto src = PadRef::adopt(gst_element_get_static_pad(element.get(), "src"));
    const auto caps = CapsRef::adopt(gst_pad_get_current_caps(sink.get()));
    gst_pad_add_probe(
        src.get(),
        static_cast<GstPadProbeType>(int{GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM} |
                                     int{GST_PAD_PROBE_TYPE_PULL}),
        [](GstPad*, GstPadProbeInfo* probe, gpointer) {
          GstQuery* query = gst_pad_probe_info_get_query(probe);
          if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION &&
              gst_query_get_n_allocation_pools(query) == 0)
            gst_query_add_allocation_pool(query, nullptr, 4608, 2, 5);
          return GST_PAD_PROBE_OK;
        },
        nullptr, nullptr);
    const auto query = QueryRef::adopt(gst_query_new_allocation(caps.get(), TRUE));
    ASSERT_TRUE(gst_pad_query(sink.get(), query.get()));
    EXPECT_TRUE(gst_query_find_allocation_meta(query.get(), GST_VIDEO_META_API_TYPE, nullptr));
    ASSERT_EQ(1u, gst_query_get_n_allocation_pools(query.get()));
    guint size = 0, least = 0, most = 0;
    gst_query_parse_nth_allocation_pool(query.get(), 0, nullptr, &size, &least, &most);
    EXPECT_EQ(4608u, size);
    const guint held = delay ? Detector::kCutLookahead + 1 : 0;
    EXPECT_EQ(2u + held, least);
    EXPECT_EQ(5u + held, most);
  }
}

TEST_F(SceneCut, caps_are_limited_to_the_formats_and_by_downstream) {
  make();
  gst_harness_set_sink_caps_str(harness.get(), "video/x-raw,format=NV12,width=[16,32]");
  const auto sink = PadRef::adopt(gst_element_get_static_pad(element.get(), "sink"));
  const auto caps = CapsRef::adopt(gst_pad_query_caps(sink.get(), nullptr));
  const auto wanted = CapsRef::adopt(gst_caps_from_string("video/x-raw,format=NV12,width=[16,32]"));
  EXPECT_TRUE(gst_caps_is_subset(caps.get(), wanted.get()));
  const auto accept = [&](const char* text) {
    return gst_pad_query_accept_caps(sink.get(), CapsRef::adopt(gst_caps_from_string(text)).get());
  };
  EXPECT_TRUE(accept("video/x-raw,format=NV12,width=32,height=16,framerate=25/1"));
  EXPECT_FALSE(accept("video/x-raw,format=v210,width=32,height=16,framerate=25/1"));
  EXPECT_FALSE(accept("audio/x-raw"));
}

// --- the cuts pad -------------------------------------------------------------------------------

namespace {

// A sink harness on the pad cuts of a running element; it releases the pad.
class Cuts {
 public:
  explicit Cuts(GstElement* element) {
    pad_ = PadRef::adopt(gst_element_request_pad_simple(element, "cuts"));
    sink_.reset(gst_harness_new_with_element(element, nullptr, nullptr));
    gst_harness_add_element_src_pad(sink_.get(), pad_.get());
  }
  // The document, waited for; empty after a second without one.
  std::string document() {
    const auto buffer = BufferRef::adopt(gst_harness_pull(sink_.get()));
    if (!buffer) return {};
    const BufferMap map(buffer.get(), GST_MAP_READ);
    return {reinterpret_cast<const char*>(map.data()), map.size()};
  }
  GstHarness* operator->() { return sink_.get(); }
  GstHarness* get() { return sink_.get(); }

 private:
  PadRef pad_;
  Harness sink_;
};

std::vector<std::string> event_names(GstHarness* harness, guint count) {
  std::vector<std::string> names;
  for (guint i = 0; i < count; ++i) {
    const auto event = EventRef::adopt(gst_harness_pull_event(harness));
    if (!event) break;
    names.emplace_back(GST_EVENT_TYPE_NAME(event.get()));
  }
  return names;
}

}  // namespace

TEST_F(SceneCut, the_cuts_pad_delivers_one_document_at_eos) {
  make({{"cutlist-format", "csv"}});
  Cuts cuts(element.get());
  start();
  push_scenes({25, 30});
  // Started, but nothing to deliver: a sink that prerolls gets a gap instead.
  EXPECT_EQ((std::vector<std::string>{"stream-start", "caps", "segment", "gap"}),
            event_names(cuts.get(), 4));
  EXPECT_EQ(0u, gst_harness_buffers_received(cuts.get()));
  eos();
  const std::string text = cuts.document();
  EXPECT_NE(std::string::npos, text.find("\r\n2,26,00:00:01.000,1.000000,55,")) << text;
  EXPECT_EQ((std::vector<std::string>{"eos"}), event_names(cuts.get(), 1));
  EXPECT_EQ(1u, gst_harness_buffers_received(cuts.get()));
  const auto caps = CapsRef::adopt(gst_pad_get_current_caps(
      PadRef::adopt(gst_element_get_static_pad(element.get(), "cuts")).get()));
  EXPECT_TRUE(gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "text/csv"));
}

TEST_F(SceneCut, passwords_and_signatures_of_the_uri_are_not_in_the_list) {
  make();
  Cuts cuts(element.get());
  gst_pad_set_query_function(harness->srcpad, [](GstPad* pad, GstObject* parent, GstQuery* query) {
    if (GST_QUERY_TYPE(query) != GST_QUERY_URI) return gst_pad_query_default(pad, parent, query);
    gst_query_set_uri(query, "https://user:hunter2@example.com/a/film.mp4?X-Signature=s3cr3t#t=5");
    return gboolean{TRUE};
  });
  start();
  push_scenes({25});
  eos();
  const std::string text = cuts.document();
  EXPECT_NE(std::string::npos, text.find("\"uri\":\"https://example.com/a/film.mp4\"")) << text;
  EXPECT_EQ(std::string::npos, text.find("hunter2"));
  EXPECT_EQ(std::string::npos, text.find("s3cr3t"));
}

TEST_F(SceneCut, the_cuts_pad_may_come_late_even_after_the_end) {
  make();
  start();
  push_scenes({25});
  Cuts cuts(element.get());
  push_scenes({30}, 1 * kSecond);
  eos();
  EXPECT_NE(std::string::npos, cuts.document().find("\"frame\":25,"));
}

TEST_F(SceneCut, a_released_pad_can_be_requested_again_at_any_time) {
  make();
  start();
  for (int i = 0; i < 5; ++i) {
    Cuts cuts(element.get());
    push_scenes({5}, i * 5 * 40 * GST_MSECOND);
  }
  Cuts cuts(element.get());
  eos();
  EXPECT_FALSE(cuts.document().empty());
}

TEST_F(SceneCut, after_a_flush_the_document_is_that_of_the_last_run) {
  make();
  Cuts cuts(element.get());
  start();
  push_scenes({25, 30});
  eos();
  EXPECT_NE(std::string::npos, cuts.document().find("\"frame\":25,"));
  gst_harness_push_event(harness.get(), gst_event_new_flush_start());
  gst_harness_push_event(harness.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  push_scenes({35, 30});
  eos();
  const std::string text = cuts.document();
  EXPECT_NE(std::string::npos, text.find("\"frame\":35,")) << text;
  EXPECT_EQ(std::string::npos, text.find("\"frame\":25,"));
}

TEST_F(SceneCut, without_a_frame_there_is_an_error_and_no_document) {
  make();
  Cuts cuts(element.get());
  start();
  eos();
  messages("");
  EXPECT_EQ(1, errors);
  EXPECT_EQ(0u, gst_harness_buffers_received(cuts.get()));
}

TEST_F(SceneCut, a_format_that_cannot_hold_the_list_is_an_error) {
  make({{"cutlist-format", "edl"}});
  Cuts cuts(element.get());
  start(caps_text(64, 48, "I420", "0/1"));
  push_scenes({10});
  eos();
  messages("");
  EXPECT_EQ(1, errors);
  EXPECT_EQ(0u, gst_harness_buffers_received(cuts.get()));
}
