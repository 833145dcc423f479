// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace clips::scenecut {

// The raw formats that are read in place. Names and memory layouts are those of GStreamer's
// GstVideoFormat of the same name.
// clang-format off
enum class PixelFormat : std::uint8_t {
  // 8-bit planar and semi-planar YUV
  I420, YV12, Y41B, Y42B, Y444, NV12, NV21, NV16, NV61, NV24,
  // 8-bit packed YUV
  YUY2, YVYU, UYVY, VYUY, AYUV,
  // 10- and 12-bit YUV, one sample in 16 bits
  I420_10LE, I420_10BE, I422_10LE, I422_10BE, Y444_10LE, Y444_10BE,
  I420_12LE, I422_12LE, Y444_12LE, P010_10LE, P010_10BE, P012_LE, P016_LE,
  // grey
  GRAY8, GRAY16_LE, GRAY16_BE,
  // RGB
  RGB, BGR, RGBx, BGRx, xRGB, xBGR, RGBA, BGRA, ARGB, ABGR, GBR,
};
// clang-format on

// The name that GStreamer's caps use, and back; no value for a format that is not in the list.
std::string_view name_of(PixelFormat format) noexcept;
std::optional<PixelFormat> pixel_format_from_name(std::string_view name) noexcept;

struct Plane {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t stride = 0;  // bytes from one row to the next; may be negative
};

// One decoded picture, not owned. Only the bytes of the picture itself are read, never padding.
struct FrameView {
  PixelFormat format = PixelFormat::I420;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::array<Plane, 4> planes{};
  // The rows of two fields alternate: a picture whose fields come from two scenes counts as what
  // its first field shows.
  bool interlaced = false;
};

// Points the planes of `frame` (format and size set) into a picture at `data` that is stored
// without padding, plane after plane, as FFmpeg's rawvideo stores it; returns its size in bytes.
std::size_t tight_layout(FrameView& frame, const std::uint8_t* data) noexcept;

// What the analysis sees of a picture: area averages, 8 bits. Luma and chroma have the meaning of
// the picture's own YCbCr; RGB is converted with the BT.601 studio-range matrix; grey has neutral
// chroma.
struct Thumbnail {
  static constexpr int kWidth = 64;
  static constexpr int kHeight = 36;
  static constexpr int kChromaWidth = 32;
  static constexpr int kChromaHeight = 18;

  std::array<std::uint8_t, kWidth * kHeight> y;
  std::array<std::uint8_t, kChromaWidth * kChromaHeight> u;
  std::array<std::uint8_t, kChromaWidth * kChromaHeight> v;

  bool operator==(const Thumbnail&) const = default;
};

// Any width and height from 1 up. A picture without pixels gives a black thumbnail.
Thumbnail make_thumbnail(const FrameView& frame);

}  // namespace clips::scenecut
