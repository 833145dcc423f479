// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor.hpp"

#include <algorithm>
#include <cmath>

namespace clips::media {

namespace {

constexpr int kBits = 32 - 8 - 2;  // as in Pillow: 8 bits of colour, 2 of headroom
constexpr double kSupport = 2;
constexpr std::size_t kChannels = 3;

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// The weights of one output pixel and the input pixels they stand for.
struct Tap {
  std::size_t first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<Tap> make_taps(std::size_t in, std::size_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double widening = std::max(scale, 1.0);
  const double support = kSupport * widening;
  std::vector<Tap> taps(out);
  for (std::size_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto first = static_cast<std::size_t>(std::max(0.0, center - support + 0.5));
    const auto end = std::min(in, static_cast<std::size_t>(std::max(0.0, center + support + 0.5)));
    std::vector<double> weights;
    double sum = 0;
    for (std::size_t x = first; x < end; ++x) {
      weights.push_back(bicubic((static_cast<double>(x) - center + 0.5) / widening));
      sum += weights.back();
    }
    taps[i].first = first;
    for (const double weight : weights) {
      const double fixed = (sum != 0 ? weight / sum : weight) * (1 << kBits);
      taps[i].weights.push_back(static_cast<std::int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return taps;
}

std::uint8_t clipped(std::int32_t value) {
  return static_cast<std::uint8_t>(std::clamp(value >> kBits, 0, 255));
}

// Weighs pixels that lie `step` bytes apart.
void apply(const Tap& tap, const std::uint8_t* from, std::size_t step, std::uint8_t* to) {
  std::array<std::int32_t, kChannels> sum;
  sum.fill(1 << (kBits - 1));
  from += tap.first * step;
  for (const std::int32_t weight : tap.weights) {
    for (std::size_t c = 0; c < kChannels; ++c) sum[c] += from[c] * weight;
    from += step;
  }
  for (std::size_t c = 0; c < kChannels; ++c) to[c] = clipped(sum[c]);
}

}  // namespace

std::vector<std::uint8_t> scale_bicubic(const RgbPicture& picture, std::size_t width,
                                        std::size_t height) {
  const auto row = kChannels * width;
  // Pillow leaves out a pass that would change nothing.
  std::vector<std::uint8_t> wide(row * picture.height);
  if (width == picture.width) {
    for (std::size_t y = 0; y < picture.height; ++y)
      std::copy_n(picture.data + y * picture.stride, row, wide.data() + y * row);
  } else {
    const auto taps = make_taps(picture.width, width);
    for (std::size_t y = 0; y < picture.height; ++y)
      for (std::size_t x = 0; x < width; ++x)
        apply(taps[x], picture.data + y * picture.stride, kChannels,
              wide.data() + y * row + x * kChannels);
  }
  if (height == picture.height) return wide;
  const auto taps = make_taps(picture.height, height);
  std::vector<std::uint8_t> scaled(row * height);
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x)
      apply(taps[y], wide.data() + x * kChannels, row, scaled.data() + y * row + x * kChannels);
  return scaled;
}

std::vector<float> make_tensor(const RgbPicture& picture, const TensorModel& model) {
  const std::size_t shorter = std::min(picture.width, picture.height);
  const auto side = [&](std::size_t length) {
    return length == shorter ? model.shorter_side : model.shorter_side * length / shorter;
  };
  const std::size_t width = side(picture.width), height = side(picture.height);
  const auto scaled = scale_bicubic(picture, width, height);
  const auto margin = [&](std::size_t length) {
    const std::size_t rest = length - model.crop;
    return rest % 4 == 3 ? rest / 2 + 1 : rest / 2;
  };
  const std::size_t left = margin(width), top = margin(height);
  std::vector<float> tensor;
  tensor.reserve(kChannels * model.crop * model.crop);
  for (std::size_t c = 0; c < kChannels; ++c) {
    for (std::size_t y = 0; y < model.crop; ++y) {
      const std::uint8_t* from = scaled.data() + ((top + y) * width + left) * kChannels + c;
      for (std::size_t x = 0; x < model.crop; ++x)
        tensor.push_back(
            static_cast<float>((from[x * kChannels] / 255.0 - model.mean[c]) / model.deviation[c]));
    }
  }
  return tensor;
}

std::string npy_header(const std::vector<std::size_t>& shape) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (const std::size_t length : shape) text += std::to_string(length) + ", ";
  text += "), }";
  constexpr std::size_t fixed = 10;
  text.append(64 - (fixed + text.size() + 1) % 64, ' ');
  text += '\n';
  std::string header = "\x93NUMPY";
  header +=
      {'\x01', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace clips::media
