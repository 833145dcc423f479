// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Where the samples of each PixelFormat lie. For the analyses of this folder; not for the shell.

#include "thumbnail.hpp"

namespace clips::scenecut {

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

namespace table {
using enum PixelFormat;
inline constexpr Layout kLayouts[] = {
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
}  // namespace table
using table::kLayouts;

constexpr bool table_follows_enum() {
  std::size_t index = 0;
  for (const Layout& layout : kLayouts)
    if (static_cast<std::size_t>(layout.format) != index++) return false;
  return true;
}
static_assert(table_follows_enum());

inline const Layout& layout_of(PixelFormat format) {
  return kLayouts[static_cast<std::size_t>(format)];
}

// Samples of a plane along a side of the picture.
constexpr std::uint32_t subsampled(std::uint32_t size, unsigned log2) {
  return static_cast<std::uint32_t>((std::uint64_t{size} + (1U << log2) - 1) >> log2);
}

}  // namespace clips::scenecut
