// SPDX-License-Identifier: LGPL-2.1-or-later
#include "histogram.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "pixel_layout.hpp"
#include "simd.hpp"

namespace clips::scenecut {
namespace {

// The coefficients of swscale: ff_yuv2rgb_coeffs for BT.601 in 16.16, brought to 3.13 for a
// multiplication that keeps the upper 16 of 32 bits.
struct Matrix {
  std::int16_t y_offset;
  std::int16_t y, blue, green_u, green_v, red;
};
constexpr std::int16_t fixed_13(std::int64_t fixed_16) {
  return static_cast<std::int16_t>((fixed_16 * (1 << 13) + (1 << 15)) >> 16);
}
constexpr Matrix matrix(bool full_range) {
  std::int64_t y = 1 << 16;
  std::int64_t red = 104597, blue = 132201, green_u = -25675, green_v = -53279;
  if (full_range) {
    red = red * 224 / 255;
    blue = blue * 224 / 255;
    green_u = green_u * 224 / 255;
    green_v = green_v * 224 / 255;
  } else {
    y = y * 255 / 219;
  }
  return {static_cast<std::int16_t>(full_range ? 0 : 16 * 8),
          fixed_13(y),
          fixed_13(blue),
          fixed_13(green_u),
          fixed_13(green_v),
          fixed_13(red)};
}

constexpr int multiply_high(int a, int b) {
  return (a * b) >> 16;
}

// One row of a component as 8-bit samples; the row itself where it is one already.
const std::uint8_t* samples(const FrameView& frame, const Layout& layout,
                            const Component& component, std::uint32_t row, std::uint32_t count,
                            std::uint8_t* scratch) {
  const Plane& plane = frame.planes[component.plane];
  const std::uint8_t* data = plane.data + static_cast<std::ptrdiff_t>(row) * plane.stride;
  if (layout.bytes == 1) {
    if (component.step == 1) return data + component.offset;
    for (std::uint32_t x = 0; x < count; ++x)
      scratch[x] = data[std::size_t{x} * component.step + component.offset];
    return scratch;
  }
  const std::size_t low = layout.big_endian ? 1 : 0;
  for (std::uint32_t x = 0; x < count; ++x) {
    const std::size_t at = 2 * (std::size_t{x} * component.step + component.offset);
    const unsigned value = data[at + low] | static_cast<unsigned>(data[at + 1 - low]) << 8;
    scratch[x] = static_cast<std::uint8_t>(value >> layout.shift);
  }
  return scratch;
}

// What chroma adds to B, G and R.
CLIPS_SIMD void chroma_terms(const std::uint8_t* u, const std::uint8_t* v, std::uint32_t count,
                             const Matrix& m, std::int16_t* __restrict blue,
                             std::int16_t* __restrict green, std::int16_t* __restrict red) {
  for (std::uint32_t x = 0; x < count; ++x) {
    const int cb = u[x] * 8 - 1024;
    const int cr = v[x] * 8 - 1024;
    blue[x] = static_cast<std::int16_t>(multiply_high(cb, m.blue));
    green[x] =
        static_cast<std::int16_t>(multiply_high(cb, m.green_u) + multiply_high(cr, m.green_v));
    red[x] = static_cast<std::int16_t>(multiply_high(cr, m.red));
  }
}

CLIPS_SIMD void add_luma(const std::uint8_t* y, const std::int16_t* chroma, unsigned log2_x,
                         std::uint32_t count, const Matrix& m, std::uint8_t* __restrict out) {
  const auto pixel = [&](std::uint32_t x, int term) {
    const int luma = multiply_high(y[x] * 8 - m.y_offset, m.y);
    return static_cast<std::uint8_t>(std::clamp(luma + term, 0, 255));
  };
  if (log2_x == 1) {
    // The common case by itself, so that it becomes vector code.
    const std::uint32_t pairs = count / 2;
    for (std::uint32_t i = 0; i < pairs; ++i) {
      out[2 * i] = pixel(2 * i, chroma[i]);
      out[2 * i + 1] = pixel(2 * i + 1, chroma[i]);
    }
    if (count % 2) out[count - 1] = pixel(count - 1, chroma[pairs]);
    return;
  }
  for (std::uint32_t x = 0; x < count; ++x) out[x] = pixel(x, chroma[x >> log2_x]);
}

// Neighbouring pixels are often equal; four tables in turn keep one count from waiting for another.
class Counter {
 public:
  void add(const std::uint8_t* row, std::uint32_t count) {
    std::uint32_t x = 0;
    for (; x + 4 <= count; x += 4) {
      ++counts_[0][row[x]];
      ++counts_[1][row[x + 1]];
      ++counts_[2][row[x + 2]];
      ++counts_[3][row[x + 3]];
    }
    for (; x < count; ++x) ++counts_[0][row[x]];
  }
  void total(float* bins) const {
    for (std::size_t i = 0; i < 256; ++i)
      bins[i] = static_cast<float>(counts_[0][i] + counts_[1][i] + counts_[2][i] + counts_[3][i]);
  }

 private:
  std::array<std::array<std::uint32_t, 256>, 4> counts_{};
};

void normalize(Histogram& histogram) {
  double squares = 0;
  for (const float bin : histogram) squares += static_cast<double>(bin) * bin;
  const double length = std::sqrt(squares);
  const auto scale = static_cast<float>(length > DBL_EPSILON ? 1 / length : 0);
  for (float& bin : histogram) bin *= scale;
}

}  // namespace

Histogram HistogramMaker::make(const FrameView& frame, bool full_range) {
  const Layout& layout = layout_of(frame.format);
  const std::uint32_t width = frame.width;
  rows_.resize(std::size_t{width} * 6);
  chroma_.resize(std::size_t{width} * 3);
  std::array<std::uint8_t*, 6> row{};
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = rows_.data() + i * width;
  std::array<std::int16_t*, 3> term{};
  for (std::size_t i = 0; i < term.size(); ++i) term[i] = chroma_.data() + i * width;
  const Matrix m = matrix(full_range);
  std::array<Counter, 3> counters;  // blue, green, red
  std::uint32_t chroma_row = UINT32_MAX;
  for (std::uint32_t y = 0; y < frame.height; ++y) {
    const auto component = [&](std::size_t index, std::uint32_t at, std::uint32_t count) {
      return samples(frame, layout, layout.components[index], at, count, row[index]);
    };
    if (layout.model == Model::kRgb) {
      for (std::size_t c = 0; c < 3; ++c) counters[2 - c].add(component(c, y, width), width);
      continue;
    }
    const std::uint8_t* luma = component(0, y, width);
    if (layout.model == Model::kGrey) {
      for (Counter& counter : counters) counter.add(luma, width);
      continue;
    }
    const Component& u = layout.components[1];
    if (chroma_row != y >> u.log2_y) {
      chroma_row = y >> u.log2_y;
      const std::uint32_t count = subsampled(width, u.log2_x);
      chroma_terms(component(1, chroma_row, count), component(2, chroma_row, count), count, m,
                   term[0], term[1], term[2]);
    }
    for (std::size_t c = 0; c < 3; ++c) {
      add_luma(luma, term[c], u.log2_x, width, m, row[3 + c]);
      counters[c].add(row[3 + c], width);
    }
  }
  Histogram histogram;
  for (std::size_t c = 0; c < 3; ++c) counters[c].total(histogram.data() + 256 * c);
  normalize(histogram);
  return histogram;
}

double compare(const Histogram& previous, const Histogram& current, Comparison comparison) {
  const std::size_t bins = previous.size();
  double result = 0;
  switch (comparison) {
    case Comparison::kCorrel: {
      double s1 = 0, s2 = 0, s11 = 0, s12 = 0, s22 = 0;
      for (std::size_t i = 0; i < bins; ++i) {
        const double a = previous[i];
        const double b = current[i];
        s1 += a;
        s2 += b;
        s11 += a * a;
        s12 += a * b;
        s22 += b * b;
      }
      const double scale = 1.0 / static_cast<double>(bins);
      const double covariance = s12 - s1 * s2 * scale;
      const double variances = (s11 - s1 * s1 * scale) * (s22 - s2 * s2 * scale);
      return std::abs(variances) > DBL_EPSILON ? covariance / std::sqrt(variances) : 1.0;
    }
    case Comparison::kChiSqr:
      for (std::size_t i = 0; i < bins; ++i) {
        const double difference = previous[i] - current[i];
        const double base = previous[i];
        if (std::abs(base) > DBL_EPSILON) result += difference * difference / base;
      }
      return result;
    case Comparison::kIntersect:
      for (std::size_t i = 0; i < bins; ++i) result += std::min(previous[i], current[i]);
      return result;
    case Comparison::kBhattacharyya: {
      double s1 = 0, s2 = 0;
      for (std::size_t i = 0; i < bins; ++i) {
        const double a = previous[i];
        const double b = current[i];
        result += std::sqrt(a * b);
        s1 += a;
        s2 += b;
      }
      s1 *= s2;
      s1 = std::abs(s1) > FLT_EPSILON ? 1.0 / std::sqrt(s1) : 1.0;
      return std::sqrt(std::max(1.0 - result * s1, 0.0));
    }
  }
  return result;
}

double default_threshold(Comparison comparison) noexcept {
  switch (comparison) {
    case Comparison::kCorrel:
      return 0.6;
    case Comparison::kChiSqr:
      return 2.0;
    case Comparison::kIntersect:
      return 4.0;
    case Comparison::kBhattacharyya:
      return 0.4;
  }
  return 0;
}

bool is_cut(double value, double threshold, Comparison comparison) noexcept {
  const bool similarity = comparison == Comparison::kCorrel || comparison == Comparison::kIntersect;
  return similarity ? value < threshold : value > threshold;
}

double dissimilarity(double value, Comparison comparison) noexcept {
  switch (comparison) {
    case Comparison::kCorrel:
      return std::clamp((1 - value) / 2, 0.0, 1.0);
    case Comparison::kChiSqr:
      return value / (1 + value);
    // Two equal flat histograms of 768 bins have the largest possible intersection.
    case Comparison::kIntersect:
      return std::clamp(1 - value / std::sqrt(768.0), 0.0, 1.0);
    case Comparison::kBhattacharyya:
      return std::clamp(value, 0.0, 1.0);
  }
  return 0;
}

HistogramDetector::HistogramDetector(Comparison comparison, double threshold, bool scores)
    : comparison_(comparison),
      threshold_(threshold == 0 ? default_threshold(comparison) : threshold),
      keep_scores_(scores) {}

void HistogramDetector::push(const FrameView& frame, bool full_range) {
  const Histogram histogram = maker_.make(frame, full_range);
  double score = 0;
  if (frames_ > 0) {
    const double value = compare(previous_, histogram, comparison_);
    score = dissimilarity(value, comparison_);
    if (is_cut(value, threshold_, comparison_))
      boundaries_.push_back({frames_, frames_, frames_, Kind::kCut, score});
  }
  if (keep_scores_) scores_.push_back(static_cast<float>(score));
  previous_ = histogram;
  ++frames_;
}

std::vector<Boundary> HistogramDetector::take() {
  return std::exchange(boundaries_, {});
}

std::vector<float> HistogramDetector::take_scores() {
  return std::exchange(scores_, {});
}

}  // namespace clips::scenecut
