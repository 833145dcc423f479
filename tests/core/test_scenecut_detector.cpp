// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "detector.hpp"
#include "min_duration.hpp"
#include "picture.hpp"
#include "thumbnail.hpp"

namespace {
using namespace clips::scenecut;

// A frame of a format with its pixels in rows of any stride.
struct Frame {
  Frame(PixelFormat format, std::uint32_t width, std::uint32_t height) {
    view = {.format = format, .width = width, .height = height};
    bytes.resize(tight_layout(view, nullptr));
    tight_layout(view, bytes.data());
  }
  FrameView view;
  std::vector<std::uint8_t> bytes;
};

// A textured scene that differs from seed to seed and drifts with t: blobs of random place, size
// and brightness over a ground, in front of them a thing that moves the other way.
Thumbnail scene(int seed, int t) {
  Thumbnail out;
  std::mt19937 random(static_cast<unsigned>(seed) * 7919U + 1);
  const auto pick = [&](int least, int most) {
    return least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1));
  };
  const int ground = pick(60, 180);
  struct Blob {
    int x, y, radius, level, speed;
  };
  std::vector<Blob> blobs;
  for (int i = 0; i < 24; ++i)
    blobs.push_back({pick(-8, 84), pick(0, 35), pick(2, 9), pick(20, 230), i < 20 ? 1 : -2});
  out.y.fill(static_cast<std::uint8_t>(ground));
  for (const Blob& blob : blobs) {
    const int centre = blob.x + blob.speed * t / 8;
    for (int y = 0; y < 36; ++y)
      for (int x = 0; x < 64; ++x)
        if ((x - centre) * (x - centre) + (y - blob.y) * (y - blob.y) < blob.radius * blob.radius)
          out.y[static_cast<std::size_t>(y * 64 + x)] = static_cast<std::uint8_t>(blob.level);
  }
  const int u = pick(100, 156);
  const int v = pick(100, 156);
  out.u.fill(static_cast<std::uint8_t>(u));
  out.v.fill(static_cast<std::uint8_t>(v));
  return out;
}

std::vector<Boundary> run(const std::vector<Thumbnail>& frames, Params params = {}) {
  Detector detector(params);
  std::vector<Boundary> out;
  for (const Thumbnail& frame : frames) {
    detector.push(frame);
    for (const Boundary& b : detector.take()) out.push_back(b);
  }
  detector.finish();
  for (const Boundary& b : detector.take()) out.push_back(b);
  return out;
}

TEST(ScenecutDetector, FindsCutsOnTheirFrame) {
  std::vector<Thumbnail> frames;
  for (int s = 0; s < 5; ++s)
    for (int t = 0; t < 30; ++t) frames.push_back(scene(s, t));
  const auto found = run(frames);
  ASSERT_EQ(found.size(), 4U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].frame, 30 * (i + 1));
    EXPECT_EQ(found[i].start_frame, found[i].frame);
    EXPECT_EQ(found[i].end_frame, found[i].frame);
    EXPECT_EQ(found[i].kind, Kind::kCut);
    EXPECT_GE(found[i].score, 0.5);
    EXPECT_LE(found[i].score, 1.0);
  }
}

TEST(ScenecutDetector, NothingInAnEmptyOrOneFrameStream) {
  EXPECT_TRUE(run({}).empty());
  EXPECT_TRUE(run({scene(1, 0)}).empty());
}

TEST(ScenecutDetector, FindsACutRightBeforeTheEnd) {
  std::vector<Thumbnail> frames;
  for (int t = 0; t < 40; ++t) frames.push_back(scene(1, t));
  for (int t = 0; t < 3; ++t) frames.push_back(scene(2, t));
  const auto found = run(frames);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].frame, 40U);
}

// The promise that force-key-units rests on.
TEST(ScenecutDetector, DecidesWithinItsLookaheadAndNeverGoesBack) {
  for (const bool gradual : {false, true}) {
    Detector detector({.gradual = gradual});
    std::mt19937 random(7);
    std::uint64_t until = 0, whole = 0, last = 0;
    for (int s = 0; s < 40; ++s) {
      const int length = 1 + static_cast<int>(random() % 60);
      const bool noisy = random() % 4 == 0;
      for (int t = 0; t < length; ++t) {
        Thumbnail frame = scene(s, t);
        if (noisy)
          for (auto& value : frame.y) value = static_cast<std::uint8_t>(value / 2 + random() % 100);
        detector.push(frame);
        for (const Boundary& b : detector.take()) {
          EXPECT_GE(b.frame, whole);
          if (b.kind == Kind::kCut) {
            EXPECT_GE(b.frame, until);
          }
          EXPECT_TRUE(last == 0 || b.frame > last);
          EXPECT_LE(b.start_frame, b.frame);
          EXPECT_LE(b.frame, b.end_frame);
          last = b.frame;
        }
        EXPECT_GE(detector.decided_until(), until);
        EXPECT_GE(detector.final_until(), whole);
        EXPECT_LE(detector.final_until(), detector.decided_until());
        until = detector.decided_until();
        whole = detector.final_until();
        EXPECT_GE(until + Detector::kCutLookahead, detector.frames());
        EXPECT_GE(whole + detector.lookahead(), detector.frames());
      }
    }
  }
}

TEST(ScenecutDetector, StartsOverAfterReset) {
  std::vector<Thumbnail> frames;
  for (int s = 0; s < 3; ++s)
    for (int t = 0; t < 30; ++t) frames.push_back(scene(s, t));
  const auto fresh = run(frames);
  Detector detector;
  for (int t = 0; t < 50; ++t) detector.push(scene(9, t));
  detector.reset();
  EXPECT_EQ(detector.frames(), 0U);
  for (const Thumbnail& frame : frames) detector.push(frame);
  detector.finish();
  EXPECT_EQ(detector.take(), fresh);
}

TEST(ScenecutThumbnail, FormatNamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(PixelFormat::GBR); ++i) {
    const auto format = static_cast<PixelFormat>(i);
    EXPECT_EQ(pixel_format_from_name(name_of(format)), format);
  }
  EXPECT_FALSE(pixel_format_from_name("I422_9LE"));
}

TEST(ScenecutThumbnail, AveragesExactlyWhereCellsAreWholePixels) {
  Frame frame(PixelFormat::GRAY8, 128, 72);
  for (std::size_t i = 0; i < frame.bytes.size(); ++i)
    frame.bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 128 * 13);
  const Thumbnail t = make_thumbnail(frame.view);
  for (std::size_t y = 0; y < 36; ++y)
    for (std::size_t x = 0; x < 64; ++x) {
      const auto at = [&](std::size_t dx, std::size_t dy) {
        return static_cast<int>(frame.bytes[(2 * y + dy) * 128 + 2 * x + dx]);
      };
      EXPECT_EQ(t.y[y * 64 + x], (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4);
    }
  EXPECT_EQ(t.u[0], 128);
}

// The same picture in every format gives nearly the same thumbnail.
TEST(ScenecutThumbnail, EveryFormatSeesTheSameGrey) {
  for (int i = 0; i <= static_cast<int>(PixelFormat::GBR); ++i) {
    const auto format = static_cast<PixelFormat>(i);
    for (const auto& [w, h] : {std::pair{64U, 36U}, {321U, 243U}, {1U, 1U}, {1280U, 2U}}) {
      Frame frame(format, w, h);
      // One byte value everywhere: a grey of 0x80 in YUV, about the same in RGB.
      std::fill(frame.bytes.begin(), frame.bytes.end(), std::uint8_t{0x80});
      const std::string_view name = name_of(format);
      if (name.find("_10") != name.npos && name.find("P010") == name.npos)
        for (std::size_t k = 0; k + 1 < frame.bytes.size(); k += 2) {
          const bool big = name.ends_with("BE");
          frame.bytes[k + (big ? 0 : 1)] = 0x02;
          frame.bytes[k + (big ? 1 : 0)] = 0x00;
        }
      if (name.find("_12") != name.npos)
        for (std::size_t k = 0; k + 1 < frame.bytes.size(); k += 2) {
          frame.bytes[k + 1] = 0x08;
          frame.bytes[k] = 0x00;
        }
      const Thumbnail t = make_thumbnail(frame.view);
      for (const auto value : t.y) EXPECT_NEAR(value, 128, 3) << name << ' ' << w << 'x' << h;
      for (const auto value : t.u) EXPECT_NEAR(value, 128, 1) << name << ' ' << w << 'x' << h;
      for (const auto value : t.v) EXPECT_NEAR(value, 128, 1) << name << ' ' << w << 'x' << h;
    }
  }
}

// Random sizes and strides, negative ones too; a page of poison around each row would be read only
// by mistake, and the address sanitizer sees reads beyond the allocation.
TEST(ScenecutThumbnail, DoesNotDependOnStride) {
  std::mt19937 random(3);
  for (int round = 0; round < 400; ++round) {
    const auto format =
        static_cast<PixelFormat>(random() % (static_cast<int>(PixelFormat::GBR) + 1));
    const auto w = 1 + static_cast<std::uint32_t>(random() % (round % 40 == 0 ? 8192 : 300));
    const auto h = 1 + static_cast<std::uint32_t>(random() % (round % 40 == 1 ? 4320 : 200));
    Frame tight(format, w, h);
    tight.view.interlaced = random() % 2;
    for (auto& value : tight.bytes) value = static_cast<std::uint8_t>(random());
    const Thumbnail expected = make_thumbnail(tight.view);

    std::vector<std::vector<std::uint8_t>> planes;
    FrameView loose = tight.view;
    for (std::size_t p = 0; p < 3; ++p) {
      const Plane& from = tight.view.planes[p];
      if (from.stride == 0) continue;
      const std::uint8_t* end = tight.bytes.data() + tight.bytes.size();
      for (std::size_t q = p + 1; q < 3; ++q)
        if (tight.view.planes[q].stride != 0) {
          end = tight.view.planes[q].data;
          break;
        }
      const auto row = static_cast<std::size_t>(from.stride);
      const std::size_t rows = static_cast<std::size_t>(end - from.data) / row;
      const std::size_t stride = row + random() % 65;
      // The last row has no padding behind it.
      planes.emplace_back(stride * (rows - 1) + row, static_cast<std::uint8_t>(random()));
      const bool upside_down = random() % 3 == 0;
      for (std::size_t y = 0; y < rows; ++y)
        std::copy_n(from.data + y * row, row,
                    planes.back().data() + (upside_down ? rows - 1 - y : y) * stride);
      loose.planes[p] = {
          planes.back().data() + (upside_down ? (rows - 1) * stride : 0),
          upside_down ? -static_cast<std::ptrdiff_t>(stride) : static_cast<std::ptrdiff_t>(stride)};
    }
    EXPECT_TRUE(make_thumbnail(loose) == expected)
        << name_of(format) << ' ' << w << 'x' << h << " round " << round;
  }
}

TimedBoundary at(std::uint64_t time, double score = 0.9) {
  return {{time, time, time, Kind::kCut, score}, time};
}

std::vector<std::uint64_t> kept(std::uint64_t minimum, std::uint64_t end,
                                const std::vector<TimedBoundary>& boundaries) {
  MinDuration filter(minimum);
  for (const auto& b : boundaries) filter.push(b);
  filter.finish(end);
  std::vector<std::uint64_t> out;
  for (const auto& b : filter.take()) out.push_back(b.time);
  return out;
}

using Times = std::vector<std::uint64_t>;

TEST(ScenecutMinDuration, ZeroKeepsEverything) {
  EXPECT_EQ(kept(0, 100, {at(1), at(2), at(99)}), (Times{1, 2, 99}));
}

TEST(ScenecutMinDuration, HoldsForTheFirstAndTheLastClip) {
  EXPECT_EQ(kept(10, 100, {at(9), at(50), at(91)}), (Times{50}));
  EXPECT_EQ(kept(10, 100, {at(10), at(90)}), (Times{10, 90}));
}

TEST(ScenecutMinDuration, TheBetterOfTwoStays) {
  EXPECT_EQ(kept(10, 100, {at(20, 0.6), at(25, 0.9), at(60)}), (Times{25, 60}));
  EXPECT_EQ(kept(10, 100, {at(20, 0.9), at(25, 0.9), at(60)}), (Times{20, 60}));
}

TEST(ScenecutMinDuration, EveryClipIsLongEnoughWhateverComesIn) {
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t minimum = random() % 30;
    std::vector<TimedBoundary> boundaries;
    std::uint64_t time = 0;
    while ((time += 1 + random() % 20) < 400)
      boundaries.push_back(at(time, static_cast<double>(random() % 10) / 10));
    auto times = kept(minimum, 400, boundaries);
    times.insert(times.begin(), 0);
    times.push_back(400);
    for (std::size_t i = 1; times.size() > 2 && i < times.size(); ++i) {
      EXPECT_GE(times[i] - times[i - 1], std::max<std::uint64_t>(minimum, 1));
    }
  }
}

TEST(ScenecutMinDuration, LetsGoWhatNothingCanDisplace) {
  MinDuration filter(10);
  filter.push(at(20));
  filter.advance(29);
  EXPECT_TRUE(filter.take().empty());
  filter.advance(30);
  EXPECT_EQ(filter.take().size(), 1U);
}

}  // namespace
