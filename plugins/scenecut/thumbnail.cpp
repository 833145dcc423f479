// SPDX-License-Identifier: LGPL-2.1-or-later
#include "thumbnail.hpp"

#include <algorithm>
#include <memory>

#include "simd.hpp"

namespace clips::scenecut {
namespace {

enum class Model : std::uint8_t { kYuv, kGrey, kRgb };

// Where the samples of one component lie.
struct Component {
  std::uint8_t plane;
  std::uint8_t offset;  // in samples, of the first one in a row
  std::uint8_t step;    // in samples, from one to the next
  std::uint8_t log2_x;  // subsampling
  std::uint8_t log2_y;
};

struct Layout {
  PixelFormat format;
  std::string_view name;
  Model model;
  std::uint8_t bytes;  // of a sample
  bool big_endian;
  std::uint8_t shift;  // right shift that leaves the eight most significant bits
  std::array<Component, 3> components;
};

constexpr Layout planar(PixelFormat format, std::string_view name, int log2_x, int log2_y,
                        int bytes = 1, bool big_endian = false, int shift = 0, int u = 1,
                        int v = 2) {
  const auto lx = static_cast<std::uint8_t>(log2_x);
  const auto ly = static_cast<std::uint8_t>(log2_y);
  return {format,
          name,
          Model::kYuv,
          static_cast<std::uint8_t>(bytes),
          big_endian,
          static_cast<std::uint8_t>(shift),
          {{{0, 0, 1, 0, 0},
            {static_cast<std::uint8_t>(u), 0, 1, lx, ly},
            {static_cast<std::uint8_t>(v), 0, 1, lx, ly}}}};
}

constexpr Layout semi_planar(PixelFormat format, std::string_view name, int log2_x, int log2_y,
                             int u, int v, int bytes = 1, bool big_endian = false, int shift = 0) {
  const auto lx = static_cast<std::uint8_t>(log2_x);
  const auto ly = static_cast<std::uint8_t>(log2_y);
  return {format,
          name,
          Model::kYuv,
          static_cast<std::uint8_t>(bytes),
          big_endian,
          static_cast<std::uint8_t>(shift),
          {{{0, 0, 1, 0, 0},
            {1, static_cast<std::uint8_t>(u), 2, lx, ly},
            {1, static_cast<std::uint8_t>(v), 2, lx, ly}}}};
}

constexpr Layout packed_422(PixelFormat format, std::string_view name, int y, int u, int v) {
  return {format,
          name,
          Model::kYuv,
          1,
          false,
          0,
          {{{0, static_cast<std::uint8_t>(y), 2, 0, 0},
            {0, static_cast<std::uint8_t>(u), 4, 1, 0},
            {0, static_cast<std::uint8_t>(v), 4, 1, 0}}}};
}

constexpr Layout packed_444(PixelFormat format, std::string_view name, Model model, int step, int a,
                            int b, int c) {
  const auto s = static_cast<std::uint8_t>(step);
  return {format,
          name,
          model,
          1,
          false,
          0,
          {{{0, static_cast<std::uint8_t>(a), s, 0, 0},
            {0, static_cast<std::uint8_t>(b), s, 0, 0},
            {0, static_cast<std::uint8_t>(c), s, 0, 0}}}};
}

constexpr Layout grey(PixelFormat format, std::string_view name, int bytes, bool big_endian) {
  return {format,
          name,
          Model::kGrey,
          static_cast<std::uint8_t>(bytes),
          big_endian,
          static_cast<std::uint8_t>(bytes == 2 ? 8 : 0),
          {{{0, 0, 1, 0, 0}, {0, 0, 1, 0, 0}, {0, 0, 1, 0, 0}}}};
}

using enum PixelFormat;
constexpr Layout kLayouts[] = {
    planar(I420, "I420", 1, 1),
    planar(YV12, "YV12", 1, 1, 1, false, 0, 2, 1),
    planar(Y41B, "Y41B", 2, 0),
    planar(Y42B, "Y42B", 1, 0),
    planar(Y444, "Y444", 0, 0),
    semi_planar(NV12, "NV12", 1, 1, 0, 1),
    semi_planar(NV21, "NV21", 1, 1, 1, 0),
    semi_planar(NV16, "NV16", 1, 0, 0, 1),
    semi_planar(NV61, "NV61", 1, 0, 1, 0),
    semi_planar(NV24, "NV24", 0, 0, 0, 1),
    packed_422(YUY2, "YUY2", 0, 1, 3),
    packed_422(YVYU, "YVYU", 0, 3, 1),
    packed_422(UYVY, "UYVY", 1, 0, 2),
    packed_422(VYUY, "VYUY", 1, 2, 0),
    packed_444(AYUV, "AYUV", Model::kYuv, 4, 1, 2, 3),
    planar(I420_10LE, "I420_10LE", 1, 1, 2, false, 2),
    planar(I420_10BE, "I420_10BE", 1, 1, 2, true, 2),
    planar(I422_10LE, "I422_10LE", 1, 0, 2, false, 2),
    planar(I422_10BE, "I422_10BE", 1, 0, 2, true, 2),
    planar(Y444_10LE, "Y444_10LE", 0, 0, 2, false, 2),
    planar(Y444_10BE, "Y444_10BE", 0, 0, 2, true, 2),
    planar(I420_12LE, "I420_12LE", 1, 1, 2, false, 4),
    planar(I422_12LE, "I422_12LE", 1, 0, 2, false, 4),
    planar(Y444_12LE, "Y444_12LE", 0, 0, 2, false, 4),
    semi_planar(P010_10LE, "P010_10LE", 1, 1, 0, 1, 2, false, 8),
    semi_planar(P010_10BE, "P010_10BE", 1, 1, 0, 1, 2, true, 8),
    semi_planar(P012_LE, "P012_LE", 1, 1, 0, 1, 2, false, 8),
    semi_planar(P016_LE, "P016_LE", 1, 1, 0, 1, 2, false, 8),
    grey(GRAY8, "GRAY8", 1, false),
    grey(GRAY16_LE, "GRAY16_LE", 2, false),
    grey(GRAY16_BE, "GRAY16_BE", 2, true),
    packed_444(RGB, "RGB", Model::kRgb, 3, 0, 1, 2),
    packed_444(BGR, "BGR", Model::kRgb, 3, 2, 1, 0),
    packed_444(RGBx, "RGBx", Model::kRgb, 4, 0, 1, 2),
    packed_444(BGRx, "BGRx", Model::kRgb, 4, 2, 1, 0),
    packed_444(xRGB, "xRGB", Model::kRgb, 4, 1, 2, 3),
    packed_444(xBGR, "xBGR", Model::kRgb, 4, 3, 2, 1),
    packed_444(RGBA, "RGBA", Model::kRgb, 4, 0, 1, 2),
    packed_444(BGRA, "BGRA", Model::kRgb, 4, 2, 1, 0),
    packed_444(ARGB, "ARGB", Model::kRgb, 4, 1, 2, 3),
    packed_444(ABGR, "ABGR", Model::kRgb, 4, 3, 2, 1),
    {GBR, "GBR", Model::kRgb, 1, false, 0, {{{2, 0, 1, 0, 0}, {0, 0, 1, 0, 0}, {1, 0, 1, 0, 0}}}},
};

constexpr bool table_follows_enum() {
  std::size_t index = 0;
  for (const Layout& layout : kLayouts)
    if (static_cast<std::size_t>(layout.format) != index++) return false;
  return true;
}
static_assert(table_follows_enum());

// Rows of a cell that are read: at least this many where the picture has them. Every fifth to
// tenth part of a cell's height is enough for an average; docs/elements/scenecut.md has the
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

template <typename Sum>
CLIPS_SIMD void average_cells(const Sum* sums, std::uint32_t width, std::uint32_t cells,
                              const Component& component, std::uint32_t rows, unsigned shift,
                              std::uint8_t* out) {
  for (std::uint32_t x = 0; x < cells; ++x) {
    const Span span = cell(x, cells, width);
    const std::uint32_t count = span.end - span.begin;
    const std::size_t first = std::size_t{span.begin} * component.step + component.offset;
    std::uint32_t total = 0;
    if (component.step == 1)
      total = sum_of(sums + first, count, 1);
    else if (component.step == 2)
      total = sum_of(sums + first, count, 2);
    else
      total = sum_of(sums + first, count, component.step);
    const std::uint32_t samples = (count * rows) << shift;
    out[x] = static_cast<std::uint8_t>(std::min((total + samples / 2) / samples, 255U));
  }
}

constexpr std::uint32_t subsampled(std::uint32_t size, unsigned log2) {
  return static_cast<std::uint32_t>((std::uint64_t{size} + (1U << log2) - 1) >> log2);
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
  std::uint32_t skip = std::max(1U, height / grid_rows / kRowsPerCell);
  const Plane& plane = frame.planes[lead.plane];
  for (std::uint32_t y = 0; y < grid_rows; ++y) {
    Span span = cell(y, grid_rows, height);
    std::uint32_t begin = span.begin + skip / 2;
    std::uint32_t step = skip;
    if (frame.interlaced && span.end - span.begin >= 2) {
      // Only rows of the first field, so that a cut between the fields is seen on one frame.
      step = std::max(2U, skip & ~1U);
      begin = (begin + 1) & ~1U;
      if (begin >= span.end) begin -= 2;
    }
    const int rows = static_cast<int>((span.end - begin + step - 1) / step);
    const std::uint8_t* row = plane.data + static_cast<std::ptrdiff_t>(begin) * plane.stride;
    const std::ptrdiff_t pitch = plane.stride * static_cast<std::ptrdiff_t>(step);
    if (layout.bytes == 1)
      add_rows(row, pitch, rows, end, static_cast<std::uint16_t*>(scratch));
    else
      add_rows_wide(row, pitch, rows, end, layout.big_endian, static_cast<std::uint32_t*>(scratch));
    for (int c = first; c < last; ++c) {
      const Component& component = layout.components[static_cast<std::size_t>(c)];
      std::uint8_t* out = grids[c - first] + std::size_t{y} * columns;
      const auto count = static_cast<std::uint32_t>(rows);
      if (layout.bytes == 1)
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
  return kLayouts[static_cast<std::size_t>(format)].name;
}

std::optional<PixelFormat> pixel_format_from_name(std::string_view name) noexcept {
  for (const Layout& layout : kLayouts)
    if (layout.name == name) return layout.format;
  return std::nullopt;
}

Thumbnail make_thumbnail(const FrameView& frame) {
  const Layout& layout = kLayouts[static_cast<std::size_t>(frame.format)];
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
