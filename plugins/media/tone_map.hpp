// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace clips::media {

// How the code values of a picture become light. All have BT.2020 primaries and matrix.
enum class Transfer {
  pq,   // SMPTE ST 2084: absolute, up to 10 000 cd/m2
  hlg,  // ARIB STD-B67: relative, shown on a display of 1000 cd/m2
  sdr,  // BT.2020's own, as BT.1886 shows it
};

struct HdrFormat {
  Transfer transfer = Transfer::pq;
  bool full_range = false;
  // Brightest light of the material, cd/m2; of use for pq only.
  double peak = 1000;
  bool operator==(const HdrFormat&) const = default;
};

// Y', Cb, Cr: in 0..1 and -0.5..0.5, on a scale without head or foot room.
using Ycc = std::array<double, 3>;

// What a BT.2020 colour becomes on a BT.709 display, worked out in full.
//
// The light is brought to linear, its brightest component is bent by the roll-off of Report
// ITU-R BT.2390-10 section 5.4.1 from the material's peak to 203 cd/m2, which Report ITU-R BT.2408
// names as the white of graphics in HDR and which becomes SDR white here; the other components
// keep their ratio, so hues stay. BT.2020 is turned into BT.709 primaries (Recommendation ITU-R
// BT.2087), what lies outside is clipped, and BT.1886 backwards gives the code values.
Ycc tone_map(const HdrFormat& format, const Ycc& colour);

// The same for pictures: every curve is a table of one dimension. A table over colours would be
// faster, and wrong by tens of code values near the edge of BT.709.
class ToneMapper {
 public:
  explicit ToneMapper(const HdrFormat& format);

  // Two lines of `width` pixels as 16-bit A, Y', Cb, Cr (GStreamer's AYUV64), to two lines of
  // 8-bit limited-range BT.709 luma and one line of each chroma, (width + 1) / 2 long. `luma[1]`
  // may be null for the last line of an odd height.
  void convert(std::array<const uint16_t*, 2> lines, std::size_t width,
               std::array<uint8_t*, 2> luma, uint8_t* cb, uint8_t* cr) const;

  const HdrFormat& format() const noexcept { return format_; }

 private:
  using Rgb = std::array<float, 3>;
  Rgb map(const uint16_t* pixel) const;

  // A function over 0..1, linear between its points.
  class Curve {
   public:
    template <typename Function>
    explicit Curve(Function&& function) : points_(kPoints + 2) {
      for (std::size_t i = 0; i < points_.size(); i++)
        points_[i] = static_cast<float>(function(static_cast<double>(i) / kPoints));
    }
    float operator()(float x) const {
      const float at = x <= 0 ? 0 : x >= 1 ? kPoints : x * kPoints;
      const auto i = static_cast<std::size_t>(at);
      return points_[i] + (points_[i + 1] - points_[i]) * (at - static_cast<float>(i));
    }

   private:
    static constexpr std::size_t kPoints = 4096;
    std::vector<float> points_;
  };

  HdrFormat format_;
  Curve to_linear_;    // code value to light, 1 = the transfer's peak
  Curve system_gain_;  // square root of scene light to HLG's gain; 1 for the others
  Curve roll_off_;     // square root of the brightest light to what it is divided by, in SDR white
  Curve from_linear_;  // square root of light in SDR white to code value
  float luma_scale_, luma_offset_, chroma_scale_, chroma_offset_;
};

}  // namespace clips::media
