// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace clips::media {

// How much red and blue weigh in the brightness: what tells Y'CbCr matrices apart (ITU-T H.273).
struct LumaWeights {
  double red = 0.299;
  double blue = 0.114;
  bool operator==(const LumaWeights&) const = default;
};
inline constexpr LumaWeights kBt601{0.299, 0.114};

// Turns 8-bit planar Y'CbCr of any matrix and range into that of JFIF: full range, BT.601. Without
// RGB in between and in place. Brightness takes a share of the colour differences; those depend on
// one another alone, so their own resolution is kept.
class JpegColor {
 public:
  JpegColor(LumaWeights weights, bool full_range);

  // One row of brightness, with the rows of colour that lie on it, `shift` halvings narrower.
  void luma(std::uint8_t* y, const std::uint8_t* cb, const std::uint8_t* cr, std::size_t width,
            unsigned shift) const;
  void chroma(std::uint8_t* cb, std::uint8_t* cr, std::size_t width) const;

 private:
  using Table = std::array<std::int32_t, 256>;
  Table y_, y_cb_, y_cr_, cb_cb_, cb_cr_, cr_cb_, cr_cr_;
};

}  // namespace clips::media
