// SPDX-License-Identifier: LGPL-2.1-or-later
#include "jpeg_color.hpp"

#include <algorithm>
#include <cmath>

namespace clips::media {

namespace {

constexpr int kBits = 16;

std::uint8_t rounded(std::int32_t value) {
  return static_cast<std::uint8_t>(std::clamp(value >> kBits, 0, 255));
}

}  // namespace

// With E'y = wr R + wg G + wb B, R - E'y = 2(1 - wr) Cr and B - E'y = 2(1 - wb) Cb, and the same
// for the other weights vr, vg, vb, everything follows by putting the first into the second.
JpegColor::JpegColor(LumaWeights weights, bool full_range) {
  const double wr = weights.red, wb = weights.blue, wg = 1 - wr - wb;
  const double vr = kBt601.red, vb = kBt601.blue, vg = 1 - vr - vb;
  // R, G and B over the brightness, per unit of Cb and Cr.
  const double r_cr = 2 * (1 - wr), b_cb = 2 * (1 - wb);
  const double g_cr = -wr * r_cr / wg, g_cb = -wb * b_cb / wg;
  const double y_cb = vg * g_cb + vb * b_cb, y_cr = vr * r_cr + vg * g_cr;
  const double luma_scale = full_range ? 1 : 255.0 / 219;
  const double chroma_scale = full_range ? 1 : 255.0 / 224;
  const double black = full_range ? 0 : 16;
  const auto fixed = [](double value) {
    return static_cast<std::int32_t>(std::lround(value * (1 << kBits)));
  };
  for (int i = 0; i < 256; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double c = (i - 128) * chroma_scale;
    y_[at] = fixed((i - black) * luma_scale + 0.5);
    y_cb_[at] = fixed(y_cb * c);
    y_cr_[at] = fixed(y_cr * c);
    cb_cb_[at] = fixed((b_cb - y_cb) / (2 * (1 - vb)) * c + 128.5);
    cb_cr_[at] = fixed(-y_cr / (2 * (1 - vb)) * c);
    cr_cr_[at] = fixed((r_cr - y_cr) / (2 * (1 - vr)) * c + 128.5);
    cr_cb_[at] = fixed(-y_cb / (2 * (1 - vr)) * c);
  }
}

void JpegColor::luma(std::uint8_t* y, const std::uint8_t* cb, const std::uint8_t* cr,
                     std::size_t width, unsigned shift) const {
  for (std::size_t x = 0; x < width; ++x)
    y[x] = rounded(y_[y[x]] + y_cb_[cb[x >> shift]] + y_cr_[cr[x >> shift]]);
}

void JpegColor::chroma(std::uint8_t* cb, std::uint8_t* cr, std::size_t width) const {
  for (std::size_t x = 0; x < width; ++x) {
    const std::uint8_t b = cb[x], r = cr[x];
    cb[x] = rounded(cb_cb_[b] + cb_cr_[r]);
    cr[x] = rounded(cr_cr_[r] + cr_cb_[b]);
  }
}

}  // namespace clips::media
