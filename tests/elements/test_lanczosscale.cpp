// SPDX-License-Identifier: LGPL-2.1-or-later
// lanczosscale at the level of caps and buffers: sizes, formats, what passes untouched.
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/handles.hpp"

using namespace clips;

namespace {

struct HarnessFree {
  void operator()(GstHarness* harness) const { gst_harness_teardown(harness); }
};
using Harness = std::unique_ptr<GstHarness, HarnessFree>;

std::string raw(const std::string& fields) {
  return "video/x-raw,framerate=25/1," + fields;
}

Harness scaler(const std::string& from, const std::string& to) {
  Harness harness(gst_harness_new("lanczosscale"));
  gst_harness_set_sink_caps_str(harness.get(), to.c_str());
  gst_harness_set_src_caps_str(harness.get(), from.c_str());
  return harness;
}

CapsRef leaving(const Harness& harness) {
  const auto pad = PadRef::adopt(gst_element_get_static_pad(harness->element, "src"));
  return CapsRef::adopt(gst_pad_get_current_caps(pad.get()));
}

std::string text(const CapsRef& caps, const char* field) {
  if (!caps) return "no caps";
  const GValue* value = gst_structure_get_value(gst_caps_get_structure(caps.get(), 0), field);
  if (!value) return "";
  const GString_ word(G_VALUE_HOLDS_STRING(value) ? g_value_dup_string(value)
                                                  : gst_value_serialize(value));
  return word.get();
}

GstVideoInfo info_of(const CapsRef& caps) {
  GstVideoInfo info;
  EXPECT_TRUE(caps && gst_video_info_from_caps(&info, caps.get()));
  return info;
}

GstVideoInfo info_of(const std::string& caps) {
  return info_of(CapsRef::adopt(gst_caps_from_string(caps.c_str())));
}

// A mapped picture.
class Frame {
 public:
  Frame(const GstVideoInfo& info, GstBuffer* buffer, GstMapFlags flags) {
    EXPECT_TRUE(gst_video_frame_map(&frame_, &info, buffer, flags));
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { gst_video_frame_unmap(&frame_); }
  GstVideoFrame* get() { return &frame_; }

  int width(int c) const { return GST_VIDEO_FRAME_COMP_WIDTH(&frame_, c); }
  int height(int c) const { return GST_VIDEO_FRAME_COMP_HEIGHT(&frame_, c); }
  int depth(int c) const { return GST_VIDEO_FRAME_COMP_DEPTH(&frame_, c); }
  int components() const { return static_cast<int>(GST_VIDEO_FRAME_N_COMPONENTS(&frame_)); }
  int get(int c, int x, int y) const {
    const guint8* at = place(c, x, y);
    return depth(c) > 8 ? GST_READ_UINT16_LE(at) : *at;
  }
  void set(int c, int x, int y, int value) {
    guint8* at = place(c, x, y);
    if (depth(c) > 8)
      GST_WRITE_UINT16_LE(at, static_cast<guint16>(value));
    else
      *at = static_cast<guint8>(value);
  }

 private:
  guint8* place(int c, int x, int y) const {
    return GST_VIDEO_FRAME_COMP_DATA(&frame_, c) + y * GST_VIDEO_FRAME_COMP_STRIDE(&frame_, c) +
           x * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame_, c);
  }
  GstVideoFrame frame_{};
};

// A ramp that has the same value at the same place of the picture in every size: `across` and
// `down` of the range from edge to edge. Of chroma this is a straight line too.
double ramp(double x, double y) {
  return 0.2 + 0.3 * x + 0.3 * y;
}

// Where a sample lies in the picture, from 0 to 1.
double place(int i, int step, double site, int length) {
  return (i * step + site + 0.5) / length;
}

using Sites = std::pair<double, double>;  // of chroma, in luma samples

void paint(Frame& frame, int width, int height, Sites sites) {
  const auto* format = frame.get()->info.finfo;
  for (int c = 0; c < frame.components(); c++) {
    const int across = 1 << GST_VIDEO_FORMAT_INFO_W_SUB(format, c);
    const int down = 1 << GST_VIDEO_FORMAT_INFO_H_SUB(format, c);
    for (int y = 0; y < frame.height(c); y++)
      for (int x = 0; x < frame.width(c); x++)
        frame.set(c, x, y,
                  static_cast<int>(
                      std::lround(((1 << frame.depth(c)) - 1) *
                                  ramp(place(x, across, across > 1 ? sites.first : 0, width),
                                       place(y, down, down > 1 ? sites.second : 0, height)))));
  }
}

// Mean distance from the ramp, away from the edges, as a part of the range.
std::vector<double> distances(Frame& frame, int width, int height, Sites sites) {
  const auto* format = frame.get()->info.finfo;
  std::vector<double> all;
  for (int c = 0; c < frame.components(); c++) {
    const int across = 1 << GST_VIDEO_FORMAT_INFO_W_SUB(format, c);
    const int down = 1 << GST_VIDEO_FORMAT_INFO_H_SUB(format, c);
    double sum = 0;
    int count = 0;
    for (int y = 4; y < frame.height(c) - 4; y++)
      for (int x = 4; x < frame.width(c) - 4; x++, count++)
        sum += std::abs(frame.get(c, x, y) / static_cast<double>((1 << frame.depth(c)) - 1) -
                        ramp(place(x, across, across > 1 ? sites.first : 0, width),
                             place(y, down, down > 1 ? sites.second : 0, height)));
    all.push_back(count ? sum / count : 0);
  }
  return all;
}

BufferRef painted(const GstVideoInfo& info, Sites sites) {
  auto buffer = BufferRef::adopt(gst_buffer_new_allocate(nullptr, info.size, nullptr));
  Frame frame(info, buffer.get(), GST_MAP_WRITE);
  paint(frame, info.width, info.height, sites);
  return buffer;
}

class LanczosScale : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }
};

constexpr auto kProxy = "video/x-raw,width=[2,1280,2],height=[2,720,2],pixel-aspect-ratio=1/1";
constexpr auto kEven =
    "video/x-raw,width=[2,2147483646,2],height=[2,2147483646,2],pixel-aspect-ratio=1/1";
constexpr auto kEvenAnyShape = "video/x-raw,width=[2,2147483646,2],height=[2,2147483646,2]";

TEST_F(LanczosScale, the_size_is_the_largest_that_the_caps_allow_and_keeps_the_shape) {
  struct Case {
    const char *from, *caps, *width, *height, *shape;
  };
  for (const auto& [from, caps, width, height, shape] : {
           Case{"width=1920,height=1080", kProxy, "1280", "720", "1/1"},
           {"width=1080,height=1920", kProxy, "404", "720", "1/1"},
           {"width=1920,height=803", kProxy, "1280", "534", "1/1"},
           {"width=3840,height=1634", kProxy, "1280", "544", "1/1"},
           {"width=640,height=480", kProxy, "640", "480", ""},
           {"width=321,height=181", kProxy, "320", "180", "1/1"},
           {"width=720,height=576,pixel-aspect-ratio=64/45", kProxy, "1024", "576", "1/1"},
           {"width=1440,height=1080,pixel-aspect-ratio=4/3", kProxy, "1280", "720", "1/1"},
           {"width=720,height=576,pixel-aspect-ratio=64/45", kEven, "1024", "576", "1/1"},
           {"width=1920,height=803", kEven, "1918", "802", "1/1"},
           {"width=720,height=576,pixel-aspect-ratio=64/45", kEvenAnyShape, "720", "576", "64/45"},
           {"width=1920,height=803", kEvenAnyShape, "1920", "802", "802/803"},
           {"width=1920,height=1080", "video/x-raw,width=160,pixel-aspect-ratio=1/1", "160", "90",
            "1/1"},
           {"width=720,height=576,pixel-aspect-ratio=64/45",
            "video/x-raw,width=160,pixel-aspect-ratio=1/1", "160", "90", "1/1"},
           {"width=1920,height=1080", "video/x-raw,height=90,pixel-aspect-ratio=1/1", "160", "90",
            "1/1"},
           {"width=1920,height=1080", "video/x-raw,width=640,height=480", "640", "480", "4/3"},
           {"width=1,height=1", kProxy, "2", "2", "1/1"},
       }) {
    const auto harness = scaler(raw("format=I420," + std::string(from)), caps);
    const CapsRef out = leaving(harness);
    EXPECT_EQ(text(out, "width"), width) << from << " to " << caps;
    EXPECT_EQ(text(out, "height"), height) << from << " to " << caps;
    const std::string found = text(out, "pixel-aspect-ratio");
    EXPECT_TRUE(found == shape || (found.empty() && shape == std::string("1/1")) ||
                (found == "1/1" && !*shape))
        << from << " to " << caps << ": " << found;
  }
}

TEST_F(LanczosScale, pictures_of_the_wanted_size_pass_untouched) {
  for (const char* format : {"I420", "Y42B", "GBR_10LE"}) {
    const auto from = raw("format=" + std::string(format) + ",width=640,height=480");
    const auto harness = scaler(from, kProxy);
    GstBuffer* buffer = gst_harness_create_buffer(harness.get(), info_of(from).size);
    const auto out = BufferRef::adopt(gst_harness_push_and_pull(harness.get(), buffer));
    EXPECT_EQ(out.get(), buffer) << format;
    EXPECT_EQ(text(leaving(harness), "colorimetry"), "");
  }
}

TEST_F(LanczosScale, every_format_is_scaled_and_chroma_stays_in_its_place) {
  const auto factory = ElementRef::sink(gst_element_factory_make("lanczosscale", nullptr));
  const auto pad = PadRef::adopt(gst_element_get_static_pad(factory.get(), "sink"));
  const auto caps = CapsRef::adopt(gst_pad_get_pad_template_caps(pad.get()));
  const GValue* formats = gst_structure_get_value(gst_caps_get_structure(caps.get(), 0), "format");
  ASSERT_GT(gst_value_list_get_size(formats), 20u);
  struct Site {
    const char* name;
    double across, down;  // for each further sample that one of chroma stands for
  };
  for (guint i = 0; i < gst_value_list_get_size(formats); i++)
    for (const auto& [name, across, down] :
         {Site{"mpeg2", 0, 0.5}, Site{"jpeg", 0.5, 0.5}, Site{"cosited", 0, 0}}) {
      const std::string format = g_value_get_string(gst_value_list_get_value(formats, i));
      const auto from = raw("format=" + format + ",width=192,height=108,chroma-site=" + name);
      const auto harness = scaler(from, "video/x-raw,width=48,height=36");
      const GstVideoInfo info = info_of(from);
      const int step = 1 << GST_VIDEO_FORMAT_INFO_W_SUB(info.finfo, info.finfo->n_components > 1);
      const Sites sites{across * (step - 1), down};
      const auto out = BufferRef::adopt(
          gst_harness_push_and_pull(harness.get(), painted(info, sites).release()));
      ASSERT_TRUE(out) << format;
      EXPECT_EQ(text(leaving(harness), "format"), format);
      EXPECT_EQ(text(leaving(harness), "chroma-site"), name);
      Frame frame(info_of(leaving(harness)), out.get(), GST_MAP_READ);
      for (const double distance : distances(frame, 48, 36, sites))
        EXPECT_LT(distance, 0.0015) << format << " " << name;
    }
}

TEST_F(LanczosScale, pictures_without_a_chroma_site_are_taken_for_mpeg2) {
  const auto from = raw("format=I420,width=192,height=108");
  const auto harness = scaler(from, "video/x-raw,width=48,height=36");
  const Sites sites{0, 0.5};
  const auto out = BufferRef::adopt(
      gst_harness_push_and_pull(harness.get(), painted(info_of(from), sites).release()));
  Frame frame(info_of(leaving(harness)), out.get(), GST_MAP_READ);
  for (const double distance : distances(frame, 48, 36, sites)) EXPECT_LT(distance, 0.0015);
}

TEST_F(LanczosScale, strides_may_be_any) {
  for (const char* format : {"I420", "I422_10LE"})
    for (const int padding : {2, 6, 62, 64}) {
      const auto from = raw("format=" + std::string(format) + ",width=130,height=70");
      const auto harness = scaler(from, "video/x-raw,width=[2,70,2],height=[2,38,2]");
      const GstVideoInfo info = info_of(from);
      gsize offsets[GST_VIDEO_MAX_PLANES]{};
      gint strides[GST_VIDEO_MAX_PLANES]{};
      gsize size = 2;
      for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(&info); plane++) {
        offsets[plane] = size;
        strides[plane] = GST_VIDEO_INFO_PLANE_STRIDE(&info, plane) + padding;
        size += static_cast<gsize>(strides[plane]) * GST_VIDEO_INFO_COMP_HEIGHT(&info, plane);
      }
      auto buffer = BufferRef::adopt(gst_buffer_new_allocate(nullptr, size, nullptr));
      gst_buffer_add_video_meta_full(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE,
                                     GST_VIDEO_INFO_FORMAT(&info), 130, 70, 3, offsets, strides);
      {
        Frame frame(info, buffer.get(), GST_MAP_WRITE);
        paint(frame, 130, 70, {0, 0.5});
      }
      const auto out = BufferRef::adopt(gst_harness_push_and_pull(harness.get(), buffer.release()));
      ASSERT_TRUE(out);
      const GstVideoInfo leaves = info_of(leaving(harness));
      EXPECT_EQ(leaves.width, 70);
      EXPECT_EQ(leaves.height, 38);
      Frame frame(leaves, out.get(), GST_MAP_READ);
      for (const double distance : distances(frame, 70, 38, {0, 0.5}))
        EXPECT_LT(distance, 0.003) << format << " " << padding;
    }
}

TEST_F(LanczosScale, every_small_size_comes_out) {
  for (int width = 1; width < 8; width++)
    for (int height = 1; height < 8; height++)
      for (const char* to : {"width=1,height=1", "width=2,height=2", "width=9,height=5"}) {
        const auto from =
            raw("format=I420,width=" + std::to_string(width) + ",height=" + std::to_string(height));
        const auto harness = scaler(from, "video/x-raw," + std::string(to));
        const auto out = BufferRef::adopt(
            gst_harness_push_and_pull(harness.get(), painted(info_of(from), {0, 0.5}).release()));
        EXPECT_TRUE(out) << from << " to " << to;
      }
}

TEST_F(LanczosScale, fields_stay_apart) {
  for (const char* mode : {"interleaved", "mixed"}) {
    const auto from = raw("format=I420,width=64,height=49,interlace-mode=" + std::string(mode));
    const auto harness = scaler(from, "video/x-raw,width=64,height=48");
    const GstVideoInfo info = info_of(from);
    auto buffer = BufferRef::adopt(gst_buffer_new_allocate(nullptr, info.size, nullptr));
    {
      Frame frame(info, buffer.get(), GST_MAP_WRITE);
      for (int c = 0; c < 3; c++)
        for (int y = 0; y < frame.height(c); y++)
          for (int x = 0; x < frame.width(c); x++) frame.set(c, x, y, y % 2 ? 200 : 50);
    }
    GST_BUFFER_FLAG_SET(buffer.get(), GST_VIDEO_BUFFER_FLAG_INTERLACED);
    GST_BUFFER_FLAG_SET(buffer.get(), GST_VIDEO_BUFFER_FLAG_TFF);
    const auto out = BufferRef::adopt(gst_harness_push_and_pull(harness.get(), buffer.release()));
    ASSERT_TRUE(out) << mode;
    Frame frame(info_of(leaving(harness)), out.get(), GST_MAP_READ);
    for (int c = 0; c < 3; c++)
      for (int y = 0; y < frame.height(c); y++)
        EXPECT_EQ(frame.get(c, 5, y), y % 2 ? 200 : 50) << mode << " " << c << " " << y;
  }
}

TEST_F(LanczosScale, the_size_may_change_in_mid_stream) {
  Harness harness(gst_harness_new("lanczosscale"));
  gst_harness_set_sink_caps_str(harness.get(), kProxy);
  for (const auto& [from, width, height] : {std::tuple{"width=1920,height=1080", 1280, 720},
                                            {"width=640,height=480", 640, 480},
                                            {"width=1440,height=1080", 960, 720},
                                            {"width=1920,height=1080", 1280, 720}}) {
    const auto caps = raw("format=I420," + std::string(from));
    gst_harness_set_src_caps_str(harness.get(), caps.c_str());
    const auto out = BufferRef::adopt(
        gst_harness_push_and_pull(harness.get(), painted(info_of(caps), {0, 0.5}).release()));
    ASSERT_TRUE(out);
    const GstVideoInfo info = info_of(leaving(harness));
    EXPECT_EQ(info.width, width);
    EXPECT_EQ(info.height, height);
    Frame frame(info, out.get(), GST_MAP_READ);
    for (const double distance : distances(frame, width, height, {0, 0.5}))
      EXPECT_LT(distance, 0.002) << from;
  }
}

TEST_F(LanczosScale, unnamed_colours_stay_what_they_were_taken_for) {
  struct Case {
    const char *from, *colorimetry;
  };
  for (const auto& [from, colorimetry] : {
           Case{"format=I420,width=1920,height=1080", "bt709"},
           {"format=I420,width=720,height=576", "bt601"},
           {"format=I420,width=1920,height=1080,colorimetry=bt601", "bt601"},
           {"format=I420_10LE,width=1920,height=1080,colorimetry=bt2100-pq", "bt2100-pq"},
           {"format=GBR,width=1920,height=1080", ""},
       }) {
    const auto harness = scaler(raw(from), "video/x-raw,width=320");
    EXPECT_EQ(text(leaving(harness), "colorimetry"), colorimetry) << from;
  }
}

TEST_F(LanczosScale, other_fields_stay) {
  const auto harness = scaler(
      "video/x-raw,format=I420,width=1920,height=1080,framerate=30000/1001,multiview-mode=mono",
      kProxy);
  EXPECT_EQ(text(leaving(harness), "framerate"), "30000/1001");
  EXPECT_EQ(text(leaving(harness), "multiview-mode"), "mono");
}

TEST_F(LanczosScale, timestamps_stay_and_regions_are_scaled) {
  const auto from = raw("format=I420,width=640,height=480");
  const auto harness = scaler(from, "video/x-raw,width=320,height=240");
  auto buffer = painted(info_of(from), {0, 0.5});
  GST_BUFFER_PTS(buffer.get()) = 3 * GST_SECOND;
  GST_BUFFER_DURATION(buffer.get()) = GST_SECOND / 25;
  gst_buffer_add_video_region_of_interest_meta(buffer.get(), "face", 100, 50, 40, 20);
  const auto out = BufferRef::adopt(gst_harness_push_and_pull(harness.get(), buffer.release()));
  EXPECT_EQ(GST_BUFFER_PTS(out.get()), 3 * GST_SECOND);
  EXPECT_EQ(GST_BUFFER_DURATION(out.get()), GST_SECOND / 25);
  const auto* region = reinterpret_cast<GstVideoRegionOfInterestMeta*>(
      gst_buffer_get_meta(out.get(), GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  ASSERT_TRUE(region);
  EXPECT_EQ(region->x, 50u);
  EXPECT_EQ(region->h, 10u);
}

TEST_F(LanczosScale, all_states_twice) {
  const auto pipeline = ElementRef::sink(gst_parse_launch(
      "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=240 ! lanczosscale ! "
      "video/x-raw,width=160 ! fakesink",
      nullptr));
  ASSERT_TRUE(pipeline);
  const auto bus = BusRef::adopt(gst_element_get_bus(pipeline.get()));
  for (int i = 0; i < 2; i++) {
    for (const GstState state : {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING})
      ASSERT_NE(gst_element_set_state(pipeline.get(), state), GST_STATE_CHANGE_FAILURE);
    const auto message = MessageRef::adopt(gst_bus_timed_pop_filtered(
        bus.get(), 30 * GST_SECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    ASSERT_TRUE(message);
    EXPECT_EQ(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_EOS);
    for (const GstState state : {GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_NULL})
      EXPECT_EQ(gst_element_set_state(pipeline.get(), state), GST_STATE_CHANGE_SUCCESS);
  }
}

}  // namespace
