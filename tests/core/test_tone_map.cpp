// SPDX-License-Identifier: LGPL-2.1-or-later
// HDR to SDR: what the standards say of single colours, and pictures against that.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tone_map.hpp"

using namespace clips::media;

namespace {

// SMPTE ST 2084, equation 5.2, written down apart from the code under test.
double pq_code(double light) {
  const double y = std::pow(light / 10000, 0.1593017578125);
  return std::pow((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y), 78.84375);
}

const HdrFormat kPq{Transfer::pq, false, 1000};
const HdrFormat kHlg{Transfer::hlg, false, 1000};
const HdrFormat kSdr{Transfer::sdr, false, 1000};

TEST(ToneMap, black_is_black_and_the_peak_is_white) {
  for (const auto& format : {kPq, kHlg, kSdr}) {
    EXPECT_NEAR(0, tone_map(format, {0, 0, 0})[0], 1e-6);
    const double peak = format.transfer == Transfer::pq ? pq_code(1000) : 1;
    EXPECT_NEAR(1, tone_map(format, {peak, 0, 0})[0], 1e-4);
  }
}

TEST(ToneMap, light_below_the_knee_is_kept) {
  // BT.1886 shows code value v as 203 v^2.4 cd/m2.
  for (const double light : {1.0, 10.0, 50.0, 90.0})
    EXPECT_NEAR(std::pow(light / 203, 1 / 2.4), tone_map(kPq, {pq_code(light), 0, 0})[0], 1e-4);
}

TEST(ToneMap, material_no_brighter_than_white_is_not_bent) {
  const HdrFormat dim{Transfer::pq, false, 203};
  for (const double light : {20.0, 150.0, 203.0})
    EXPECT_NEAR(std::pow(light / 203, 1 / 2.4), tone_map(dim, {pq_code(light), 0, 0})[0], 1e-4);
}

TEST(ToneMap, brighter_stays_brighter_and_grey_stays_grey) {
  for (const auto& format : {kPq, kHlg, kSdr}) {
    double before = -1;
    for (int i = 0; i <= 100; ++i) {
      const auto [y, cb, cr] = tone_map(format, {i / 100.0, 0, 0});
      EXPECT_GE(y, before - 1e-9);
      EXPECT_LE(y, 1 + 1e-9);
      EXPECT_NEAR(0, cb, 1e-4);
      EXPECT_NEAR(0, cr, 1e-4);
      before = y;
    }
  }
}

// As GStreamer's AYUV64 holds 10-bit code values of limited or full range.
uint16_t sixteen(double code) {
  return static_cast<uint16_t>(std::lround(std::clamp(code, 0.0, 1023.0) * 65535 / 1023));
}
std::array<uint16_t, 4> pixel(const HdrFormat& format, const Ycc& c) {
  const bool full = format.full_range;
  const double luma = full ? 1023 * c[0] : 64 + 876 * c[0];
  const double scale = full ? 1023 : 896;
  return {0xffff, sixteen(luma), sixteen(512 + scale * c[1]), sixteen(512 + scale * c[2])};
}

TEST(ToneMapper, a_picture_has_the_colours_worked_out_in_full) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> luma(0, 1), chroma(-0.1, 0.1);
  for (const auto transfer : {Transfer::pq, Transfer::hlg, Transfer::sdr})
    for (const bool full : {false, true}) {
      const HdrFormat format{transfer, full, 1000};
      const ToneMapper mapper(format);
      for (int i = 0; i < 2000; ++i) {
        const Ycc colour{luma(random), chroma(random), chroma(random)};
        const auto one = pixel(format, colour);
        std::array<uint16_t, 8> line;
        std::copy(one.begin(), one.end(), line.begin());
        std::copy(one.begin(), one.end(), line.begin() + 4);
        std::array<uint8_t, 2> top{}, bottom{};
        uint8_t cb = 0, cr = 0;
        mapper.convert({line.data(), line.data()}, 2, {top.data(), bottom.data()}, &cb, &cr);
        EXPECT_EQ(top, bottom);
        // What is shown of the code values as stored.
        const double scale = full ? 1023 : 896;
        const Ycc stored{full ? one[1] / 65535.0 : (one[1] / 65535.0 * 1023 - 64) / 876,
                         (one[2] / 65535.0 * 1023 - 512) / scale,
                         (one[3] / 65535.0 * 1023 - 512) / scale};
        const auto want = tone_map(format, stored);
        EXPECT_NEAR(16 + 219 * want[0], top[0], 2) << i;
        EXPECT_NEAR(128 + 224 * want[1], cb, 2) << i;
        EXPECT_NEAR(128 + 224 * want[2], cr, 2) << i;
      }
    }
}

TEST(ToneMapper, odd_widths_and_heights_write_no_pixel_too_much) {
  const ToneMapper mapper(kPq);
  const auto one = pixel(kPq, {0.5, 0, 0});
  std::vector<uint16_t> line;
  for (int i = 0; i < 3; ++i) line.insert(line.end(), one.begin(), one.end());
  std::array<uint8_t, 4> luma{};
  std::array<uint8_t, 3> cb{}, cr{};
  luma.fill(7);
  cb.fill(7);
  cr.fill(7);
  mapper.convert({line.data(), nullptr}, 3, {luma.data(), nullptr}, cb.data(), cr.data());
  EXPECT_EQ(luma[0], luma[2]);
  EXPECT_EQ(7, luma[3]);
  EXPECT_EQ(128, cb[1]);
  EXPECT_EQ(7, cb[2]);
  EXPECT_EQ(128, cr[1]);
  EXPECT_EQ(7, cr[2]);
}

}  // namespace
