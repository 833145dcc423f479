// SPDX-License-Identifier: LGPL-2.1-or-later
#include "picture.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "simd.hpp"

#ifdef CLIPS_SSE2
#include <immintrin.h>
#endif

namespace clips::scenecut {
namespace {

constexpr int kW = Thumbnail::kWidth;
constexpr int kH = Thumbnail::kHeight;
constexpr int kCw = Thumbnail::kChromaWidth;
constexpr int kCh = Thumbnail::kChromaHeight;
constexpr int kSw = Picture::kSmallWidth;
constexpr int kSh = Picture::kSmallHeight;
constexpr int kBw = Picture::kBlockWidth;
constexpr int kBh = Picture::kBlockHeight;
constexpr int kPw = Picture::kPaddedWidth;

CLIPS_SIMD std::int32_t sum_of_differences(const std::uint8_t* a, const std::uint8_t* b,
                                           int count) {
  std::int32_t sum = 0;
  for (int i = 0; i < count; ++i) sum += std::abs(a[i] - b[i]);
  return sum;
}

CLIPS_SIMD std::int32_t squared_distance(const std::int16_t* a, const std::int16_t* b) {
  std::int32_t sum = 0;
  for (int i = 0; i < Picture::kVector; ++i) {
    const auto d = static_cast<std::int16_t>(a[i] - b[i]);
    sum += d * d;
  }
  return sum;
}

// Sum of products of `rows` rows of kSmallWidth values.
CLIPS_SIMD std::int32_t product(const std::int16_t* a, const std::int16_t* b, int rows) {
  std::int32_t sum = 0;
  for (int r = 0; r < rows; ++r) {
    for (int x = 0; x < kSw; ++x) sum += a[x] * b[x];
    a += Picture::kSmallPadded;
    b += Picture::kSmallPadded;
  }
  return sum;
}

// Sum over a rectangle of a table of sums from the origin.
using Table = std::array<std::int32_t, (kSw + 1) * (kSh + 1)>;
std::int32_t energy_of(const Table& table, int x0, int y0, int x1, int y1) {
  constexpr int pitch = kSw + 1;
  const auto at = [&](int x, int y) { return table[static_cast<std::size_t>(y * pitch + x)]; };
  return at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0);
}

// Keeps correlations of nearly flat pictures near 1: squared units of luma over the 576 pixels.
constexpr float kFlat = 50;

float normalised(std::int32_t product, std::int32_t a, std::int32_t b) {
  const float fa = static_cast<float>(a) + kFlat;
  const float fb = static_cast<float>(b) + kFlat;
  return (static_cast<float>(product) + kFlat) / std::sqrt(fa * fb);
}

struct Map {
  const std::array<std::int16_t, Picture::kSmallPadded * kSh>& values;
  const Table& energy;
};

float distance(const Map& a, const Map& b) {
  return 1 - normalised(product(a.values.data() + Picture::kShiftX,
                                b.values.data() + Picture::kShiftX, kSh),
                        a.energy.back(), b.energy.back());
}

float shifted_distance(const Map& a, const Map& b) {
  float best = -1;
  for (int dy = -Picture::kShiftY; dy <= Picture::kShiftY; ++dy) {
    const int top = std::max(0, dy);
    const int bottom = kSh + std::min(0, dy);
    for (int dx = -Picture::kShiftX; dx <= Picture::kShiftX; ++dx) {
      const int left = std::max(0, dx);
      const int right = kSw + std::min(0, dx);
      // The zeros beside `b` make the product one of whole rows.
      const std::int16_t* from = a.values.data() + top * Picture::kSmallPadded + Picture::kShiftX;
      const std::int16_t* to =
          b.values.data() + (top - dy) * Picture::kSmallPadded + Picture::kShiftX - dx;
      best = std::max(
          best,
          normalised(product(from, to, bottom - top), energy_of(a.energy, left, top, right, bottom),
                     energy_of(b.energy, left - dx, top - dy, right - dx, bottom - dy)));
    }
  }
  return 1 - best;
}

void sum_squares(const std::array<std::int16_t, Picture::kSmallPadded * kSh>& values,
                 Table& table) {
  table.fill(0);
  for (int r = 0; r < kSh; ++r) {
    std::int32_t along = 0;
    for (int c = 0; c < kSw; ++c) {
      const int value =
          values[static_cast<std::size_t>(r * Picture::kSmallPadded + Picture::kShiftX + c)];
      along += value * value;
      const auto at = static_cast<std::size_t>((r + 1) * (kSw + 1) + c + 1);
      table[at] = table[at - (kSw + 1)] + along;
    }
  }
}

using Row = std::array<float, kSw>;
CLIPS_SIMD void normalise_row(const std::int16_t* values, const Row& counts, const Row& totals,
                              const Row& squares, std::int16_t* out) {
  for (int c = 0; c < kSw; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const float mean = totals[i] / counts[i];
    const float variance = squares[i] / counts[i] - mean * mean;
    const float deviation = std::sqrt(variance > 0 ? variance : 0);
    out[c] = static_cast<std::int16_t>(
        static_cast<std::int32_t>(32 * (values[c] - mean) / (2 + deviation)));
  }
}

// A histogram with bins of `width` values, each pixel shared by the two bins whose middles are
// nearest: weights of `width` a pixel.
template <int width, std::size_t pixels>
void count_shared(const std::array<std::uint8_t, pixels>& plane, std::uint16_t* bins) {
  // Two tables: a pixel like its neighbour does not have to wait for its count.
  std::array<std::uint16_t, 256> even{}, odd{};
  for (std::size_t i = 0; i < pixels; i += 2) {
    ++even[plane[i]];
    ++odd[plane[i + 1]];
  }
  constexpr int last = 256 / width - 1;
  std::fill_n(bins, last + 1, std::uint16_t{0});
  for (int value = 0; value < 256; ++value) {
    const auto at = static_cast<std::size_t>(value);
    const int count = even[at] + odd[at];
    const int shifted = value + width / 2;
    const int bin = shifted / width;
    const int part = bin > last ? 0 : shifted % width;
    const int above = std::min(bin, last);
    const int below = std::max(above - 1, 0);
    bins[above] = static_cast<std::uint16_t>(bins[above] + count * part);
    bins[below] = static_cast<std::uint16_t>(bins[below] + count * (width - part));
  }
}

using BlockSums = std::array<std::int32_t, Picture::kBlocks>;

// For every block of `b` the least sum of absolute differences to `a` over all shifts. psadbw sums
// differences over eight pixels, which is the width of a block, so that a register holds two or
// four blocks; the sums stay below 2^15, so the minimum of 16-bit lanes does.
#ifdef CLIPS_AVX2
CLIPS_AVX2 void search_avx2(const Picture& a, const Picture& b, BlockSums& best) {
  constexpr int kRegisters = kW / 32;
  __m256i least[Picture::kBlockRows][kRegisters];
  for (auto& row : least)
    for (auto& blocks : row) blocks = _mm256_set1_epi64x(0x7fff);
  for (int by = 0; by < Picture::kBlockRows; ++by) {
    __m256i to[kBh][kRegisters];
    for (int y = 0; y < kBh; ++y)
      for (int r = 0; r < kRegisters; ++r)
        to[y][r] = _mm256_loadu_si256(
            reinterpret_cast<const __m256i*>(b.image.y.data() + (by * kBh + y) * kW + 32 * r));
    for (int dy = 0; dy <= 2 * Picture::kSearchY; ++dy) {
      for (int dx = 0; dx <= 2 * Picture::kSearchX; ++dx) {
        const std::uint8_t* from = a.padded.data() + (by * kBh + dy) * kPw + dx;
        for (int r = 0; r < kRegisters; ++r) {
          __m256i sum = _mm256_setzero_si256();
          for (int y = 0; y < kBh; ++y)
            sum = _mm256_add_epi64(
                sum, _mm256_sad_epu8(_mm256_loadu_si256(
                                         reinterpret_cast<const __m256i*>(from + y * kPw + 32 * r)),
                                     to[y][r]));
          least[by][r] = _mm256_min_epi16(least[by][r], sum);
        }
      }
    }
  }
  for (int by = 0; by < Picture::kBlockRows; ++by) {
    alignas(32) std::array<std::int64_t, Picture::kBlockColumns> row;
    for (int r = 0; r < kRegisters; ++r)
      _mm256_store_si256(reinterpret_cast<__m256i*>(row.data() + 4 * r), least[by][r]);
    for (int bx = 0; bx < Picture::kBlockColumns; ++bx)
      best[static_cast<std::size_t>(by * Picture::kBlockColumns + bx)] =
          static_cast<std::int32_t>(row[static_cast<std::size_t>(bx)]);
  }
}
#endif

#ifdef CLIPS_SSE2
void search_baseline(const Picture& a, const Picture& b, BlockSums& best) {
  constexpr int kPairs = Picture::kBlockColumns / 2;
  __m128i least[Picture::kBlockRows][kPairs];
  for (auto& row : least)
    for (auto& pair : row) pair = _mm_set1_epi64x(0x7fff);
  for (int dy = 0; dy <= 2 * Picture::kSearchY; ++dy) {
    for (int dx = 0; dx <= 2 * Picture::kSearchX; ++dx) {
      const std::uint8_t* from = a.padded.data() + dy * kPw + dx;
      const std::uint8_t* to = b.image.y.data();
      for (auto& row : least) {
        __m128i sum[kPairs];
        for (auto& s : sum) s = _mm_setzero_si128();
        for (int y = 0; y < kBh; ++y) {
          for (int p = 0; p < kPairs; ++p) {
            const auto* left = reinterpret_cast<const __m128i*>(from + 16 * p);
            const auto* right = reinterpret_cast<const __m128i*>(to + 16 * p);
            sum[p] =
                _mm_add_epi64(sum[p], _mm_sad_epu8(_mm_loadu_si128(left), _mm_loadu_si128(right)));
          }
          from += kPw;
          to += kW;
        }
        for (int p = 0; p < kPairs; ++p) row[p] = _mm_min_epi16(row[p], sum[p]);
      }
    }
  }
  for (int y = 0; y < Picture::kBlockRows; ++y) {
    for (int p = 0; p < kPairs; ++p) {
      const auto at = static_cast<std::size_t>(y * Picture::kBlockColumns + 2 * p);
      best[at] = _mm_cvtsi128_si32(least[y][p]);
      best[at + 1] = _mm_extract_epi16(least[y][p], 4);
    }
  }
}
#else
void search_baseline(const Picture& a, const Picture& b, BlockSums& best) {
  best.fill(0x7fff);
  for (int dy = 0; dy <= 2 * Picture::kSearchY; ++dy) {
    for (int dx = 0; dx <= 2 * Picture::kSearchX; ++dx) {
      const std::uint8_t* from = a.padded.data() + dy * kPw + dx;
      const std::uint8_t* to = b.image.y.data();
      for (int by = 0; by < Picture::kBlockRows; ++by) {
        std::array<std::uint16_t, kW> column{};
        for (int y = 0; y < kBh; ++y) {
          for (int x = 0; x < kW; ++x)
            column[static_cast<std::size_t>(x)] = static_cast<std::uint16_t>(
                column[static_cast<std::size_t>(x)] + std::abs(from[x] - to[x]));
          from += kPw;
          to += kW;
        }
        for (int bx = 0; bx < Picture::kBlockColumns; ++bx) {
          std::int32_t sum = 0;
          for (int x = 0; x < kBw; ++x) sum += column[static_cast<std::size_t>(bx * kBw + x)];
          auto& least = best[static_cast<std::size_t>(by * Picture::kBlockColumns + bx)];
          least = std::min(least, sum);
        }
      }
    }
  }
}
#endif

void search(const Picture& a, const Picture& b, BlockSums& best) {
#ifdef CLIPS_AVX2
  static const bool wide = __builtin_cpu_supports("avx2");
  if (wide) return search_avx2(a, b, best);
#endif
  search_baseline(a, b, best);
}

}  // namespace

Picture::Picture(const Thumbnail& thumbnail) : image(thumbnail) {
  const std::uint8_t* y = image.y.data();
  for (int row = 0; row < kPaddedHeight; ++row) {
    const std::uint8_t* from = y + std::clamp(row - kSearchY, 0, kH - 1) * kW;
    std::uint8_t* to = padded.data() + row * kPaddedWidth;
    std::memset(to, from[0], kSearchX);
    std::memcpy(to + kSearchX, from, kW);
    std::memset(to + kSearchX + kW, from[kW - 1], kSearchX);
  }

  std::int32_t sum = 0;
  std::int32_t squares = 0;
  for (int i = 0; i < kW * kH; ++i) {
    sum += y[i];
    squares += y[i] * y[i];
  }
  constexpr float pixels = kW * kH;
  mean = static_cast<float>(sum) / pixels;
  deviation = std::sqrt(std::max(0.F, static_cast<float>(squares) / pixels - mean * mean));

  std::int32_t small_sum = 0;
  std::int32_t small_squares = 0;
  for (int r = 0; r < kSh; ++r) {
    for (int c = 0; c < kSw; ++c) {
      const std::uint8_t* at = y + 2 * r * kW + 2 * c;
      const int value = (at[0] + at[1] + at[kW] + at[kW + 1] + 2) >> 2;
      vector[static_cast<std::size_t>(r * kSw + c)] = static_cast<std::int16_t>(value);
      small_sum += value;
      small_squares += value * value;
    }
  }
  std::size_t next = kSw * kSh;
  for (const auto* plane : {&image.u, &image.v}) {
    for (int r = 0; r < kCh / 2; ++r) {
      for (int c = 0; c < kCw / 2; ++c) {
        const std::uint8_t* at = plane->data() + 2 * r * kCw + 2 * c;
        vector[next++] =
            static_cast<std::int16_t>(2 * ((at[0] + at[1] + at[kCw] + at[kCw + 1] + 2) >> 2));
      }
    }
  }
  constexpr int small_pixels = kSw * kSh;
  const int small_mean = (small_sum + small_pixels / 2) / small_pixels;
  small_variance = static_cast<float>(small_squares) -
                   static_cast<float>(small_sum) * static_cast<float>(small_sum) / small_pixels;
  centred.fill(0);
  structure.fill(0);
  Table sums{};
  Table squares_table{};
  for (int r = 0; r < kSh; ++r) {
    std::int32_t along = 0;
    std::int32_t squares_along = 0;
    for (int c = 0; c < kSw; ++c) {
      const int value = vector[static_cast<std::size_t>(r * kSw + c)];
      centred[static_cast<std::size_t>(r * kSmallPadded + kShiftX + c)] =
          static_cast<std::int16_t>(value - small_mean);
      along += value;
      squares_along += value * value;
      const auto at = static_cast<std::size_t>((r + 1) * (kSw + 1) + c + 1);
      sums[at] = sums[at - (kSw + 1)] + along;
      squares_table[at] = squares_table[at - (kSw + 1)] + squares_along;
    }
  }
  // Surroundings: 9x7 pixels of the small luma. 2 is added to the deviation, so that the noise of
  // a flat or black surface stays small. Single IEEE operations: the same on every path.
  for (int r = 0; r < kSh; ++r) {
    const int top = std::max(0, r - 3);
    const int bottom = std::min(kSh, r + 4);
    std::array<float, kSw> counts, totals, square_totals;
    for (int c = 0; c < kSw; ++c) {
      const int left = std::max(0, c - 4);
      const int right = std::min(kSw, c + 5);
      const auto i = static_cast<std::size_t>(c);
      counts[i] = static_cast<float>((bottom - top) * (right - left));
      totals[i] = static_cast<float>(energy_of(sums, left, top, right, bottom));
      square_totals[i] = static_cast<float>(energy_of(squares_table, left, top, right, bottom));
    }
    normalise_row(vector.data() + r * kSw, counts, totals, square_totals,
                  structure.data() + r * kSmallPadded + kShiftX);
  }
  sum_squares(centred, energy);
  sum_squares(structure, structure_energy);

  count_shared<8>(image.y, luma_histogram.data());
  count_shared<16>(image.u, chroma_histogram.data());
  count_shared<16>(image.v, chroma_histogram.data() + 16);
  std::int32_t chroma_sum[2] = {};
  std::int32_t chroma_squares = 0;
  for (std::size_t i = 0; i < image.u.size(); ++i) {
    const int u = image.u[i];
    const int v = image.v[i];
    chroma_sum[0] += u;
    chroma_sum[1] += v;
    chroma_squares += u * u + v * v;
  }
  constexpr float chroma_pixels = kCw * kCh;
  const float u_mean = static_cast<float>(chroma_sum[0]) / chroma_pixels;
  const float v_mean = static_cast<float>(chroma_sum[1]) / chroma_pixels;
  chroma_deviation = std::sqrt(std::max(
      0.F, static_cast<float>(chroma_squares) / chroma_pixels - u_mean * u_mean - v_mean * v_mean));

  for (int by = 0; by < kBlockRows; ++by) {
    for (int bx = 0; bx < kBlockColumns; ++bx) {
      const std::uint8_t* at = y + by * kBh * kW + bx * kBw;
      int total = 0;
      for (int r = 0; r < kBh; ++r)
        for (int c = 0; c < kBw; ++c) total += at[r * kW + c];
      const int block_mean = (total + kBw * kBh / 2) / (kBw * kBh);
      int deviations = 0;
      for (int r = 0; r < kBh; ++r)
        for (int c = 0; c < kBw; ++c) deviations += std::abs(at[r * kW + c] - block_mean);
      texture[static_cast<std::size_t>(by * kBlockColumns + bx)] =
          static_cast<std::uint16_t>(deviations);
    }
  }
}

float luma_difference(const Picture& a, const Picture& b) {
  return static_cast<float>(sum_of_differences(a.image.y.data(), b.image.y.data(), kW * kH)) /
         (kW * kH);
}

float chroma_difference(const Picture& a, const Picture& b) {
  const auto sum = sum_of_differences(a.image.u.data(), b.image.u.data(), kCw * kCh) +
                   sum_of_differences(a.image.v.data(), b.image.v.data(), kCw * kCh);
  return static_cast<float>(sum) / (2 * kCw * kCh);
}

float histogram_difference(const Picture& a, const Picture& b) {
  std::int32_t luma = 0;
  std::int32_t chroma = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    luma += std::abs(a.luma_histogram[i] - b.luma_histogram[i]);
    chroma += std::abs(a.chroma_histogram[i] - b.chroma_histogram[i]);
  }
  return 0.5F * static_cast<float>(luma) / (8 * kW * kH) +
         0.5F * static_cast<float>(chroma) / (32 * kCw * kCh);
}

float vector_distance(const Picture& a, const Picture& b) {
  return static_cast<float>(squared_distance(a.vector.data(), b.vector.data()));
}

float correlation_distance(const Picture& a, const Picture& b) {
  return distance({a.centred, a.energy}, {b.centred, b.energy});
}

float shifted_correlation_distance(const Picture& a, const Picture& b) {
  return shifted_distance({a.centred, a.energy}, {b.centred, b.energy});
}

float structure_distance(const Picture& a, const Picture& b) {
  return distance({a.structure, a.structure_energy}, {b.structure, b.structure_energy});
}

float shifted_structure_distance(const Picture& a, const Picture& b) {
  return shifted_distance({a.structure, a.structure_energy}, {b.structure, b.structure_energy});
}

BlockMatch match_blocks(const Picture& a, const Picture& b) {
  BlockSums best;
  search(a, b, best);
  std::int32_t residual = 0;
  std::int32_t texture = 0;
  // Weighted changes and weights of the whole, the quarters, the thirds.
  std::array<float, 8> changed{};
  std::array<float, 8> weight{};
  for (int by = 0; by < Picture::kBlockRows; ++by) {
    for (int bx = 0; bx < Picture::kBlockColumns; ++bx) {
      const auto at = static_cast<std::size_t>(by * Picture::kBlockColumns + bx);
      const std::int32_t most = std::max<std::int32_t>(a.texture[at], b.texture[at]);
      residual += best[at];
      texture += most;
      // A block of 48 pixels has changed where more than half of its texture and 1.5 a pixel
      // remain; blocks with more texture than 10 a pixel count alike.
      const auto w = static_cast<float>(std::min(most, 480));
      const bool change = 2 * best[at] > most + 144;
      const auto quarter = static_cast<std::size_t>(1 + (by >= Picture::kBlockRows / 2) * 2 +
                                                    (bx >= Picture::kBlockColumns / 2));
      const auto third = static_cast<std::size_t>(5 + by / 2);
      for (const std::size_t k : {std::size_t{0}, quarter, third}) {
        weight[k] += w;
        if (change) changed[k] += w;
      }
    }
  }
  // 24 a block: pictures without texture have not changed.
  const auto share = [&](std::size_t k, int blocks) {
    return changed[k] / (weight[k] + 24 * static_cast<float>(blocks));
  };
  BlockMatch out;
  out.changed = share(0, Picture::kBlocks);
  out.residual = static_cast<float>(residual) / static_cast<float>(texture + 48 * Picture::kBlocks);
  out.quarter =
      std::min(std::min(share(1, 12), share(2, 12)), std::min(share(3, 12), share(4, 12)));
  out.third = std::min(std::min(share(5, 16), share(6, 16)), share(7, 16));
  return out;
}

bool same_scene(const Picture& a, const Picture& b) {
  return match_blocks(a, b).changed < 0.35F && shifted_structure_distance(a, b) < 0.62F;
}

BlockCorrelation correlate_blocks(const Picture& a, const Picture& b) {
  float weights = 0;
  float distances = 0;
  float either = 0;
  constexpr int pixels = kBw * kBh;
  for (int by = 0; by < Picture::kBlockRows; ++by) {
    for (int bx = 0; bx < Picture::kBlockColumns; ++bx) {
      const auto at = static_cast<std::size_t>(by * Picture::kBlockColumns + bx);
      const int common = std::min(a.texture[at], b.texture[at]);
      either += static_cast<float>(std::max(a.texture[at], b.texture[at]));
      if (common < 24) continue;
      const std::uint8_t* to = b.image.y.data() + by * kBh * kW + bx * kBw;
      std::int32_t sum_b = 0;
      std::int32_t square_b = 0;
      for (int r = 0; r < kBh; ++r)
        for (int c = 0; c < kBw; ++c) {
          sum_b += to[r * kW + c];
          square_b += to[r * kW + c] * to[r * kW + c];
        }
      float best = -1;
      for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) {
          const std::uint8_t* from = a.padded.data() + (by * kBh + dy + Picture::kSearchY) * kPw +
                                     bx * kBw + dx + Picture::kSearchX;
          std::int32_t sum_a = 0;
          std::int32_t square_a = 0;
          std::int32_t both = 0;
          for (int r = 0; r < kBh; ++r)
            for (int c = 0; c < kBw; ++c) {
              const int p = from[r * kPw + c];
              sum_a += p;
              square_a += p * p;
              both += p * to[r * kW + c];
            }
          const float va = static_cast<float>(pixels * square_a - sum_a * sum_a) / pixels;
          const float vb = static_cast<float>(pixels * square_b - sum_b * sum_b) / pixels;
          const float covariance = static_cast<float>(pixels * both - sum_a * sum_b) / pixels;
          best = std::max(best, covariance / std::sqrt((va + 20) * (vb + 20)));
        }
      }
      weights += static_cast<float>(common);
      distances += static_cast<float>(common) * (1 - best);
    }
  }
  return {weights > 0 ? distances / weights : 1.F, weights / (either + 1)};
}

float still_blocks(const Picture& a, const Picture& b) {
  int still = 0;
  for (int by = 0; by < Picture::kBlockRows; ++by) {
    for (int bx = 0; bx < Picture::kBlockColumns; ++bx) {
      const int first = by * kBh * kW + bx * kBw;
      int sum = 0;
      for (int r = 0; r < kBh; ++r)
        for (int c = 0; c < kBw; ++c) {
          const auto i = static_cast<std::size_t>(first + r * kW + c);
          sum += std::abs(a.image.y[i] - b.image.y[i]);
        }
      const auto at = static_cast<std::size_t>(by * Picture::kBlockColumns + bx);
      // Under one a pixel, or under a tenth of the block's texture.
      if (sum <= 48 + std::max(a.texture[at], b.texture[at]) / 10) ++still;
    }
  }
  return static_cast<float>(still) / Picture::kBlocks;
}

float one_way(const Picture& a, const Picture& b) {
  std::int32_t sum = 0;
  std::int32_t total = 0;
  for (std::size_t i = 0; i < a.image.y.size(); ++i) {
    const int d = b.image.y[i] - a.image.y[i];
    sum += d;
    total += std::abs(d);
  }
  return static_cast<float>(std::abs(sum)) / static_cast<float>(total + kW * kH / 2);
}

}  // namespace clips::scenecut
