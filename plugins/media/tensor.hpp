// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace clips::media {

// What a picture becomes before a vision model sees it.
struct TensorModel {
  std::size_t shorter_side = 224;  // after scaling
  std::size_t crop = 224;
  std::array<double, 3> mean{};
  std::array<double, 3> deviation{};
};
// Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021.
inline constexpr TensorModel kClip{
    224, 224, {0.48145466, 0.4578275, 0.40821073}, {0.26862954, 0.26130258, 0.27577711}};
// Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023; the mean and
// deviation are those of ImageNet.
inline constexpr TensorModel kDinov2{256, 224, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};

// 8-bit RGB.
struct RgbPicture {
  const std::uint8_t* data = nullptr;
  std::size_t width = 0, height = 0, stride = 0;
};

// The picture scaled by the bicubic filter (a = -0.5) of Pillow, whose support widens when it makes
// smaller ("antialias"), to the same bytes: first the rows, then the columns, each rounded to 8
// bits. Tightly packed.
std::vector<std::uint8_t> scale_bicubic(const RgbPicture& picture, std::size_t width,
                                        std::size_t height);

// Scaled to the shorter side (the longer one is rounded down), cropped in the middle (half a pixel
// goes to the even side), and normalised: three planes R, G, B of crop x crop, each value
// (v / 255 - mean) / deviation. A side must have at least one pixel.
std::vector<float> make_tensor(const RgbPicture& picture, const TensorModel& model);

// The head of a NumPy file, format version 1.0: little-endian float32 in C order. It ends on a
// multiple of 64 bytes.
std::string npy_header(const std::vector<std::size_t>& shape);

}  // namespace clips::media
