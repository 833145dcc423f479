// SPDX-License-Identifier: LGPL-2.1-or-later
// Scaled planes against Lanczos' filter worked out in full.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "plane_scaler.hpp"

using clips::media::PlaneScaler;
using clips::media::scaled_axis;
using clips::media::ScaledAxis;

namespace {

double lanczos(double x) {
  x = std::abs(x);
  if (x >= 3) return 0;
  if (x < 1e-9) return 1;
  const double angle = std::numbers::pi * x;
  return 3 * std::sin(angle) * std::sin(angle / 3) / (angle * angle);
}

struct Tap {
  int from;
  double weight;
};

// What of the source makes a sample of the result, mirrored at the edges.
std::vector<std::vector<Tap>> taps(const ScaledAxis& axis) {
  const double ratio = axis.span / axis.to;
  const double wide = std::max(ratio, 1.0);
  std::vector<std::vector<Tap>> all(axis.to);
  for (unsigned i = 0; i < axis.to; i++) {
    const double middle = axis.first + (i + 0.5) * ratio - 0.5;
    double sum = 0;
    for (int at = static_cast<int>(std::floor(middle - 3 * wide));
         at <= static_cast<int>(std::ceil(middle + 3 * wide)); at++) {
      const double weight = lanczos((at - middle) / wide);
      const int last = static_cast<int>(axis.from) - 1;
      const int there = at < 0 ? -at - 1 : at > last ? 2 * last + 1 - at : at;
      all[i].push_back({std::clamp(there, 0, last), weight});
      sum += weight;
    }
    for (Tap& tap : all[i]) tap.weight /= sum;
  }
  return all;
}

template <typename Sample>
struct Plane {
  Plane(unsigned columns, unsigned rows, std::size_t padding, std::size_t shift)
      : width(columns),
        height(rows),
        stride((columns + padding + 63) / 64 * 64 + (shift ? shift : 0)),
        memory(stride * rows + 64 + shift, Sample{7}),
        base(shift) {
    while (reinterpret_cast<std::uintptr_t>(&memory[base]) % 64 != shift * sizeof(Sample)) base++;
  }
  Sample* row(unsigned y) { return &memory[base + y * stride]; }
  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(row(0)); }
  std::ptrdiff_t byte_stride() const {
    return static_cast<std::ptrdiff_t>(stride * sizeof(Sample));
  }

  unsigned width, height;
  std::size_t stride;  // in samples
  std::vector<Sample> memory;
  std::size_t base;
};

// Structure of all sizes, what a filter's errors show in. It keeps away from both ends: lines that
// overshoot are cut off there before they are scaled the other way.
template <typename Sample>
Plane<Sample> picture(unsigned width, unsigned height, unsigned depth, std::size_t shift = 0) {
  Plane<Sample> plane(width, height, 64, shift);
  std::mt19937 random(3);
  const double top = (1u << depth) - 1;
  for (unsigned y = 0; y < height; y++)
    for (unsigned x = 0; x < width; x++) {
      const double wave = std::sin(x * (0.02 + 0.002 * y)) * std::cos(y * 0.3);
      const double noise = static_cast<double>(random() % 1000) / 1000 - 0.5;
      plane.row(y)[x] = static_cast<Sample>(std::lround(top * (0.5 + 0.2 * wave + 0.2 * noise)));
    }
  return plane;
}

template <typename Sample>
std::vector<double> expected(Plane<Sample>& plane, const ScaledAxis& x, const ScaledAxis& y,
                             unsigned depth) {
  const auto across = taps(x);
  const auto down = taps(y);
  std::vector<double> lines(std::size_t{x.to} * y.from), result;
  for (unsigned row = 0; row < y.from; row++)
    for (unsigned i = 0; i < x.to; i++)
      for (const Tap& tap : across[i])
        lines[std::size_t{row} * x.to + i] += tap.weight * plane.row(row)[tap.from];
  for (unsigned row = 0; row < y.to; row++)
    for (unsigned i = 0; i < x.to; i++) {
      double sum = 0;
      for (const Tap& tap : down[row])
        sum += tap.weight * lines[static_cast<std::size_t>(tap.from) * x.to + i];
      result.push_back(std::clamp(sum, 0.0, static_cast<double>((1u << depth) - 1)));
    }
  return result;
}

// Mean and greatest distance from what is expected.
struct Error {
  double mean = 0;
  double greatest = 0;
};

template <typename Sample>
Error error(const ScaledAxis& x, const ScaledAxis& y, unsigned depth, std::size_t in_shift = 0,
            std::size_t out_shift = 0) {
  auto from = picture<Sample>(x.from, y.from, depth, in_shift);
  Plane<Sample> to(x.to, y.to, 64, out_shift);
  PlaneScaler(x, y, depth).scale(from.bytes(), from.byte_stride(), to.bytes(), to.byte_stride());
  const auto want = expected(from, x, y, depth);
  Error found;
  for (unsigned row = 0; row < y.to; row++)
    for (unsigned i = 0; i < x.to; i++) {
      const double distance = std::abs(to.row(row)[i] - want[std::size_t{row} * x.to + i]);
      found.mean += distance / static_cast<double>(want.size());
      found.greatest = std::max(found.greatest, distance);
    }
  // Nothing beside the lines was written, in place nothing beyond the next multiple of 64 bytes.
  const std::size_t block = out_shift ? 1 : 64 / sizeof(Sample);
  bool beside = false;
  for (unsigned row = 0; row < y.to; row++)
    for (std::size_t i = (x.to + block - 1) / block * block; i < to.stride; i++)
      beside = beside || to.row(row)[i] != 7;
  EXPECT_FALSE(beside);
  return found;
}

ScaledAxis whole(unsigned from, unsigned to) {
  return scaled_axis(from, to, 1, 0, 0);
}

struct Case {
  unsigned width, height, to_width, to_height;
};

constexpr Case kCases[] = {{192, 108, 128, 72}, {192, 108, 192, 107}, {321, 181, 320, 180},
                           {404, 720, 81, 144}, {64, 48, 100, 75},    {1000, 31, 33, 30},
                           {37, 41, 38, 22},    {16, 16, 4, 4}};

TEST(PlaneScaler, bytes_are_those_of_the_filter_worked_out_in_full) {
  for (const auto& [width, height, to_width, to_height] : kCases) {
    const Error found = error<std::uint8_t>(whole(width, to_width), whole(height, to_height), 8);
    // Rounding to whole numbers alone is 0.25 and 0.5.
    EXPECT_LT(found.mean, 0.3) << width << "x" << height;
    EXPECT_LT(found.greatest, 1.05) << width << "x" << height;
  }
}

TEST(PlaneScaler, deeper_samples_are_as_exact) {
  for (const unsigned depth : {10u, 12u, 16u})
    for (const auto& [width, height, to_width, to_height] : kCases) {
      const Error found =
          error<std::uint16_t>(whole(width, to_width), whole(height, to_height), depth);
      // Weights of 14 bits.
      const double step = std::max(1.0, std::ldexp(1.0, static_cast<int>(depth) - 13));
      EXPECT_LT(found.mean, 0.6 * step) << depth << " " << width << "x" << height;
      EXPECT_LT(found.greatest, 2.5 * step) << depth << " " << width << "x" << height;
    }
}

TEST(PlaneScaler, planes_begin_where_their_site_says) {
  for (const auto& [width, height, to_width, to_height] : kCases)
    for (const double site : {0.0, 0.5})
      for (const unsigned begin : {0u, 1u})
        EXPECT_LT(error<std::uint8_t>(scaled_axis(2 * width, 2 * to_width, 2, 0, site),
                                      scaled_axis(2 * height, 2 * to_height, 2, begin, 0), 8)
                      .greatest,
                  1.05)
            << width << "x" << height << " " << site << " " << begin;
}

TEST(PlaneScaler, lines_may_begin_anywhere) {
  for (const auto& [width, height, to_width, to_height] : kCases)
    for (const std::size_t in : {0u, 1u, 9u})
      for (const std::size_t out : {0u, 3u}) {
        const ScaledAxis x = whole(width, to_width), y = whole(height, to_height);
        EXPECT_LT(error<std::uint8_t>(x, y, 8, in, out).greatest, 1.05) << in << " " << out;
        EXPECT_LT(error<std::uint16_t>(x, y, 10, in, out).greatest, 2.5) << in << " " << out;
      }
}

TEST(PlaneScaler, a_wide_picture_is_copied_in_parts) {
  EXPECT_LT(error<std::uint8_t>(whole(4000, 2001), whole(40, 20), 8, 1, 1).greatest, 1.05);
}

TEST(PlaneScaler, an_even_plane_keeps_its_value_at_every_size) {
  for (unsigned from = 1; from < 20; from++)
    for (unsigned to = 1; to < 20; to++) {
      Plane<std::uint8_t> plane(from, from, 0, 0), result(to, to, 0, 0);
      for (unsigned y = 0; y < from; y++) std::fill_n(plane.row(y), from, std::uint8_t{199});
      PlaneScaler(whole(from, to), whole(from, to), 8)
          .scale(plane.bytes(), plane.byte_stride(), result.bytes(), result.byte_stride());
      for (unsigned y = 0; y < to; y++)
        for (unsigned x = 0; x < to; x++) ASSERT_EQ(result.row(y)[x], 199) << from << " " << to;
    }
}

// The place in the source's picture that the middle of a result's sample shows.
double shown(const ScaledAxis& axis, unsigned i, unsigned step, unsigned begin, double site) {
  const double at = axis.first + (i + 0.5) * axis.span / axis.to - 0.5;
  return at * step + begin + site;
}

TEST(PlaneScaler, samples_stay_where_they_are_in_the_picture) {
  struct Grid {
    unsigned step, begin;
    double site;
  };
  // Luma, chroma at the left and in the middle, of 4:1:1, the two fields and their chroma.
  for (const auto& [step, begin, site] :
       {Grid{1, 0, 0}, Grid{2, 0, 0}, Grid{2, 0, 0.5}, Grid{4, 0, 0}, Grid{4, 0, 1.5},
        Grid{2, 0, 0}, Grid{2, 1, 0}, Grid{4, 0, 0.5}, Grid{4, 2, 0.5}})
    for (const auto& [from, to] :
         {std::pair{1920u, 1280u}, {1080u, 720u}, {321u, 320u}, {48u, 64u}}) {
      const ScaledAxis axis = scaled_axis(from, to, step, begin, site);
      EXPECT_EQ(axis.from, (from - begin + step - 1) / step);
      EXPECT_EQ(axis.to, (to - begin + step - 1) / step);
      for (unsigned i = 0; i < axis.to; i++) {
        const double place = i * step + begin + site;  // in the result's picture
        EXPECT_NEAR(shown(axis, i, step, begin, site), (place + 0.5) * from / to - 0.5, 1e-9);
      }
    }
}

TEST(PlaneScaler, what_cannot_be_is_an_exception) {
  EXPECT_THROW(PlaneScaler(whole(0, 4), whole(4, 4), 8), std::exception);
}

}  // namespace
