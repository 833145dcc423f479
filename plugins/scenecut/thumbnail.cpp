// SPDX-License-Identifier: LGPL-2.1-or-later
#include "thumbnail.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "pixel_layout.hpp"
#include "simd.hpp"

namespace clips::scenecut {
namespace {

// Rows of a cell that are read: at least this many where the picture has them. Every fifth to
// tenth part of a cell's height is enough for an average; docs/scenecut-adaptive.md has the
// figures with all rows.
constexpr std::uint32_t kRowsPerCell = 5;

// Sums whole rows into `sums`, element by element.
CLIPS_SIMD void add_rows(const std::uint8_t* row, std::ptrdiff_t pitch, int rows, std::size_t count,
                         std::uint16_t* __restrict sums) {
  // A cell has at most ten rows, so sixteen bits hold the sum.
  for (std::size_t x = 0; x < count; ++x) sums[x] = row[x];
  for (int r = 1; r < rows; ++r) {
    row += pitch;
    for (std::size_t x = 0; x < count; ++x) sums[x] = static_cast<std::uint16_t>(sums[x] + row[x]);
  }
}

// The same for 16-bit samples, byte by byte: rows of a mapped frame need no alignment.
CLIPS_SIMD void add_rows_wide(const std::uint8_t* row, std::ptrdiff_t pitch, int rows,
                              std::size_t count, bool big_endian, std::uint32_t* __restrict sums) {
  const std::size_t low = big_endian ? 1 : 0;
  std::fill_n(sums, count, 0U);
  for (int r = 0; r < rows; ++r) {
    for (std::size_t x = 0; x < count; ++x)
      sums[x] += row[2 * x + low] | static_cast<std::uint32_t>(row[2 * x + 1 - low]) << 8;
    row += pitch;
  }
}

template <typename Sum>
inline std::uint32_t sum_of(const Sum* values, std::size_t count, std::size_t step) {
  std::uint32_t total = 0;
  for (std::size_t i = 0; i < count; ++i) total += values[i * step];
  return total;
}

// First sample of cell `index` of `cells` along a side of `size` samples, and one past its last.
struct Span {
  std::uint32_t begin, end;
};
constexpr Span cell(std::uint32_t index, std::uint32_t cells, std::uint32_t size) {
  const auto begin = static_cast<std::uint32_t>(std::uint64_t{index} * size / cells);
  const auto end = static_cast<std::uint32_t>(std::uint64_t{index + 1} * size / cells);
  return {begin, std::max(begin + 1, end)};
}

// Rounded quotients without a division, for many sums of as many samples. Exact: a sum of pixels
// stays below 2^30, the samples of a cell below 2^22.
class Mean {
 public:
  explicit Mean(std::uint32_t samples)
      : half_(samples / 2), factor_(((std::uint64_t{1} << 52) + samples - 1) / samples) {}
  std::uint8_t operator()(std::uint32_t sum) const {
    return static_cast<std::uint8_t>(
        std::min<std::uint64_t>(((std::uint64_t{sum} + half_) * factor_) >> 52, 255));
  }

 private:
  std::uint32_t half_;
  std::uint64_t factor_;
};

template <typename Sum>
CLIPS_SIMD void average_cells(const Sum* sums, std::uint32_t width, std::uint32_t cells,
                              const Component& component, std::uint32_t rows, unsigned shift,
                              std::uint8_t* out) {
  const std::uint32_t narrow = std::max(1U, width / cells);  // or one more
  const Mean of_narrow((narrow * rows) << shift);
  const Mean of_wide(((narrow + 1) * rows) << shift);
  // A grid has 64 or 32 columns: a shift, as a division would take longer than the sums.
  const int log2 = std::countr_zero(cells);
  for (std::uint32_t x = 0; x < cells; ++x) {
    const auto begin = static_cast<std::uint32_t>((std::uint64_t{x} * width) >> log2);
    const auto end = static_cast<std::uint32_t>((std::uint64_t{x + 1} * width) >> log2);
    const std::uint32_t count = std::max(1U, end - begin);
    const std::size_t first = std::size_t{begin} * component.step + component.offset;
    std::uint32_t total = 0;
    if (component.step == 1)
      total = sum_of(sums + first, count, 1);
    else if (component.step == 2)
      total = sum_of(sums + first, count, 2);
    else
      total = sum_of(sums + first, count, component.step);
    out[x] = count == narrow ? of_narrow(total) : of_wide(total);
  }
}

// Adds up neighbours; `to` may be where `sums` end.
CLIPS_SIMD void halve(const std::uint16_t* __restrict sums, std::size_t count,
                      std::uint16_t* __restrict to) {
  for (std::size_t i = 0; i < count; ++i)
    to[i] = static_cast<std::uint16_t>(sums[2 * i] + sums[2 * i + 1]);
}

// The same where every cell has as many samples, which lie beside each other: whole rows are
// halved before cells are added up. `sums` has room for as many again behind it.
void average_even_cells(std::uint16_t* sums, std::uint32_t width, std::uint32_t cells,
                        std::uint32_t rows, std::uint8_t* out) {
  std::uint32_t wide = width / cells;
  const Mean mean(wide * rows);
  // Ten rows of eight pixels still fit into sixteen bits.
  for (int halvings = 0; wide % 2 == 0 && halvings < 3; ++halvings) {
    const std::size_t count = std::size_t{cells} * wide;
    wide /= 2;
    halve(sums, count / 2, sums + count);
    sums += count;
  }
  const std::uint16_t* at = sums;
  for (std::uint32_t x = 0; x < cells; ++x) {
    std::uint32_t total = 0;
    for (std::uint32_t i = 0; i < wide; ++i) total += *at++;
    out[x] = mean(total);
  }
}

// Averages the components [first, last) into grids of columns x rows cells. They share a plane
// and a subsampling, so that their rows are summed once.
void average(const FrameView& frame, const Layout& layout, int first, int last,
             std::uint32_t columns, std::uint32_t grid_rows, std::uint8_t* const* grids,
             void* scratch) {
  const Component& lead = layout.components[static_cast<std::size_t>(first)];
  const std::uint32_t width = subsampled(frame.width, lead.log2_x);
  const std::uint32_t height = subsampled(frame.height, lead.log2_y);
  std::size_t end = 0;  // samples of a row that are read
  for (int c = first; c < last; ++c) {
    const Component& component = layout.components[static_cast<std::size_t>(c)];
    end = std::max(end, std::size_t{width - 1} * component.step + component.offset + 1);
  }
  const std::uint32_t skip = std::max(1U, height / grid_rows / kRowsPerCell);
  const Plane& plane = frame.planes[lead.plane];
  // The first row of a line of cells that is read, and how many rows on the next one is.
  const auto rows_of = [&](std::uint32_t y) -> std::pair<std::uint32_t, std::uint32_t> {
    const Span span = cell(y, grid_rows, height);
    if (!frame.interlaced || span.end - span.begin < 2) return {span.begin + skip / 2, skip};
    // Only rows of the first field, so that a cut between the fields is seen on one frame.
    const std::uint32_t begin = (span.begin + skip / 2 + 1) & ~1U;
    return {begin < span.end ? begin : begin - 2, std::max(2U, skip & ~1U)};
  };
  for (std::uint32_t y = 0; y < grid_rows; ++y) {
    const auto [begin, step] = rows_of(y);
    const std::uint32_t stop = cell(y, grid_rows, height).end;
    const int rows = static_cast<int>((stop - begin + step - 1) / step);
    const std::uint8_t* row = plane.data + static_cast<std::ptrdiff_t>(begin) * plane.stride;
    const std::ptrdiff_t pitch = plane.stride * static_cast<std::ptrdiff_t>(step);
    // The rows lie too far apart for the processor to foresee them: a picture that has left the
    // caches is read in about 60 % of the time with this.
    if (y + 1 < grid_rows) {
      const std::uint8_t* next =
          plane.data + static_cast<std::ptrdiff_t>(rows_of(y + 1).first) * plane.stride;
      for (int r = 0; r < rows; ++r, next += pitch)
        for (std::size_t x = 0; x < end * layout.bytes; x += 64) __builtin_prefetch(next + x);
    }
    if (layout.bytes == 1)
      add_rows(row, pitch, rows, end, static_cast<std::uint16_t*>(scratch));
    else
      add_rows_wide(row, pitch, rows, end, layout.big_endian, static_cast<std::uint32_t*>(scratch));
    for (int c = first; c < last; ++c) {
      const Component& component = layout.components[static_cast<std::size_t>(c)];
      std::uint8_t* out = grids[c - first] + std::size_t{y} * columns;
      const auto count = static_cast<std::uint32_t>(rows);
      if (layout.bytes == 1 && component.step == 1 && width % columns == 0)
        average_even_cells(static_cast<std::uint16_t*>(scratch), width, columns, count, out);
      else if (layout.bytes == 1)
        average_cells(static_cast<const std::uint16_t*>(scratch), width, columns, component, count,
                      layout.shift, out);
      else
        average_cells(static_cast<const std::uint32_t*>(scratch), width, columns, component, count,
                      layout.shift, out);
    }
  }
}

// ITU-R BT.601 in studio range, 8-bit fixed point.
constexpr int luma_of(int r, int g, int b) {
  return ((66 * r + 129 * g + 25 * b + 128) >> 8) + 16;
}
constexpr int cb_of(int r, int g, int b) {
  return ((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128;
}
constexpr int cr_of(int r, int g, int b) {
  return ((112 * r - 94 * g - 18 * b + 128) >> 8) + 128;
}

void from_rgb(const std::array<std::array<std::uint8_t, 64 * 36>, 3>& rgb, Thumbnail& out) {
  constexpr int w = Thumbnail::kWidth;
  for (std::size_t i = 0; i < out.y.size(); ++i)
    out.y[i] = static_cast<std::uint8_t>(luma_of(rgb[0][i], rgb[1][i], rgb[2][i]));
  for (int y = 0; y < Thumbnail::kChromaHeight; ++y) {
    for (int x = 0; x < Thumbnail::kChromaWidth; ++x) {
      std::array<int, 3> mean{};
      for (std::size_t c = 0; c < 3; ++c) {
        const auto at = static_cast<std::size_t>(2 * y * w + 2 * x);
        mean[c] = (rgb[c][at] + rgb[c][at + 1] + rgb[c][at + w] + rgb[c][at + w + 1] + 2) >> 2;
      }
      const auto to = static_cast<std::size_t>(y * Thumbnail::kChromaWidth + x);
      out.u[to] = static_cast<std::uint8_t>(cb_of(mean[0], mean[1], mean[2]));
      out.v[to] = static_cast<std::uint8_t>(cr_of(mean[0], mean[1], mean[2]));
    }
  }
}

}  // namespace

std::string_view name_of(PixelFormat format) noexcept {
  return layout_of(format).name;
}

std::optional<PixelFormat> pixel_format_from_name(std::string_view name) noexcept {
  for (const Layout& layout : kLayouts)
    if (layout.name == name) return layout.format;
  return std::nullopt;
}

std::size_t tight_layout(FrameView& frame, const std::uint8_t* data) noexcept {
  const Layout& layout = layout_of(frame.format);
  std::size_t offset = 0;
  for (std::uint8_t plane = 0; plane < 3; ++plane) {
    std::size_t row = 0;
    std::size_t rows = 0;
    for (const Component& component : layout.components) {
      if (component.plane != plane) continue;
      row = std::max(row, std::size_t{subsampled(frame.width, component.log2_x)} * component.step *
                              layout.bytes);
      rows = subsampled(frame.height, component.log2_y);
    }
    frame.planes[plane] = {data ? data + offset : nullptr, static_cast<std::ptrdiff_t>(row)};
    offset += row * rows;
  }
  return offset;
}

Thumbnail make_thumbnail(const FrameView& frame) {
  const Layout& layout = layout_of(frame.format);
  Thumbnail out;
  out.u.fill(128);
  out.v.fill(128);
  if (frame.width == 0 || frame.height == 0) {
    out.y.fill(16);
    return out;
  }
  // Sums of one row of every sample that a plane can have beside each other: 4 at most, of 4 bytes
  // where the samples have 2.
  const std::size_t elements = std::size_t{frame.width} * 4 + 8;
  const auto scratch =
      std::make_unique_for_overwrite<std::uint32_t[]>(layout.bytes == 1 ? elements / 2 : elements);
  constexpr auto kW = static_cast<std::uint32_t>(Thumbnail::kWidth);
  constexpr auto kH = static_cast<std::uint32_t>(Thumbnail::kHeight);
  constexpr auto kCw = static_cast<std::uint32_t>(Thumbnail::kChromaWidth);
  constexpr auto kCh = static_cast<std::uint32_t>(Thumbnail::kChromaHeight);
  if (layout.model == Model::kRgb) {
    std::array<std::array<std::uint8_t, 64 * 36>, 3> rgb;
    std::uint8_t* const grids[] = {rgb[0].data(), rgb[1].data(), rgb[2].data()};
    if (layout.components[0].plane == layout.components[1].plane) {
      average(frame, layout, 0, 3, kW, kH, grids, scratch.get());
    } else {
      for (int c = 0; c < 3; ++c)
        average(frame, layout, c, c + 1, kW, kH, grids + c, scratch.get());
    }
    from_rgb(rgb, out);
    return out;
  }
  std::uint8_t* const luma[] = {out.y.data()};
  average(frame, layout, 0, 1, kW, kH, luma, scratch.get());
  if (layout.model == Model::kYuv) {
    std::uint8_t* const chroma[] = {out.u.data(), out.v.data()};
    if (layout.components[1].plane == layout.components[2].plane) {
      average(frame, layout, 1, 3, kCw, kCh, chroma, scratch.get());
    } else {
      average(frame, layout, 1, 2, kCw, kCh, chroma, scratch.get());
      average(frame, layout, 2, 3, kCw, kCh, chroma + 1, scratch.get());
    }
  }
  return out;
}

}  // namespace clips::scenecut
