// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tone_map.hpp"

#include <algorithm>
#include <cmath>

namespace clips::media {

namespace {

using Rgb = std::array<double, 3>;

// SMPTE ST 2084.
constexpr double kPqM1 = 2610.0 / 16384, kPqM2 = 2523.0 / 32;
constexpr double kPqC1 = 3424.0 / 4096, kPqC2 = 2413.0 / 128, kPqC3 = 2392.0 / 128;
constexpr double kPqPeak = 10000;

constexpr double kSdrWhite = 203;  // cd/m2, Report ITU-R BT.2408
constexpr double kHlgPeak = 1000;  // cd/m2, Recommendation ITU-R BT.2100
constexpr double kHlgGamma = 1.2;
constexpr double kSdrGamma = 2.4;  // Recommendation ITU-R BT.1886

// Luma weights of BT.2020 (also of light) and BT.709.
constexpr double kR2020 = 0.2627, kB2020 = 0.0593, kG2020 = 1 - kR2020 - kB2020;
constexpr double kR709 = 0.2126, kB709 = 0.0722, kG709 = 1 - kR709 - kB709;

double pq_to_light(double code) {
  const double e = std::pow(std::clamp(code, 0.0, 1.0), 1 / kPqM2);
  return kPqPeak * std::pow(std::max(e - kPqC1, 0.0) / (kPqC2 - kPqC3 * e), 1 / kPqM1);
}

double light_to_pq(double light) {
  const double y = std::pow(std::clamp(light / kPqPeak, 0.0, 1.0), kPqM1);
  return std::pow((kPqC1 + kPqC2 * y) / (1 + kPqC3 * y), kPqM2);
}

double hlg_to_scene(double code) {
  constexpr double a = 0.17883277, b = 1 - 4 * a;
  const double c = 0.5 - a * std::log(4 * a);
  code = std::clamp(code, 0.0, 1.0);
  return code <= 0.5 ? code * code / 3 : (std::exp((code - c) / a) + b) / 12;
}

// Light in cd/m2 that a reference display shows.
Rgb to_light(const HdrFormat& format, const Rgb& code) {
  Rgb light{};
  if (format.transfer == Transfer::pq) {
    std::transform(code.begin(), code.end(), light.begin(), pq_to_light);
  } else if (format.transfer == Transfer::sdr) {
    std::transform(code.begin(), code.end(), light.begin(), [](double v) {
      return kSdrWhite * std::pow(std::clamp(v, 0.0, 1.0), kSdrGamma);
    });
  } else {
    std::transform(code.begin(), code.end(), light.begin(), hlg_to_scene);
    const double scene = kR2020 * light[0] + kG2020 * light[1] + kB2020 * light[2];
    const double gain = scene > 0 ? kHlgPeak * std::pow(scene, kHlgGamma - 1) : 0;
    for (double& v : light) v *= gain;
  }
  return light;
}

// BT.2390's roll-off: below the knee light stays, above it a Hermite curve ends at SDR white.
double roll_off(double light, double peak) {
  if (peak <= kSdrWhite) return std::min(light, kSdrWhite);
  const double top = light_to_pq(peak);
  const double target = light_to_pq(kSdrWhite) / top;
  const double knee = 1.5 * target - 0.5;
  const double e = std::min(light_to_pq(light) / top, 1.0);
  if (e <= knee) return light;
  const double t = (e - knee) / (1 - knee), t2 = t * t, t3 = t2 * t;
  const double bent =
      (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) + (-2 * t3 + 3 * t2) * target;
  return pq_to_light(bent * top);
}

// Light of the brightest code value, cd/m2.
double transfer_peak(Transfer transfer) {
  return transfer == Transfer::pq ? kPqPeak : transfer == Transfer::hlg ? 1.0 : kSdrWhite;
}

}  // namespace

Ycc tone_map(const HdrFormat& format, const Ycc& colour) {
  const auto& [y, cb, cr] = colour;
  const double r = y + 2 * (1 - kR2020) * cr, b = y + 2 * (1 - kB2020) * cb;
  const Rgb code{r, (y - kR2020 * r - kB2020 * b) / kG2020, b};

  Rgb light = to_light(format, code);
  if (format.transfer != Transfer::sdr) {
    const double peak = format.transfer == Transfer::hlg ? kHlgPeak : format.peak;
    const double brightest = *std::max_element(light.begin(), light.end());
    const double gain = brightest > 0 ? roll_off(brightest, peak) / brightest : 1;
    for (double& v : light) v *= gain;
  }
  // BT.2020 to BT.709 primaries, Recommendation ITU-R BT.2087.
  const auto& [lr, lg, lb] = light;
  Rgb sdr{1.660491 * lr - 0.587641 * lg - 0.072850 * lb,
          -0.124550 * lr + 1.132900 * lg - 0.008349 * lb,
          -0.018151 * lr - 0.100579 * lg + 1.118730 * lb};
  for (double& v : sdr) v = std::pow(std::clamp(v / kSdrWhite, 0.0, 1.0), 1 / kSdrGamma);
  const double luma = kR709 * sdr[0] + kG709 * sdr[1] + kB709 * sdr[2];
  return {luma, (sdr[2] - luma) / (2 * (1 - kB709)), (sdr[0] - luma) / (2 * (1 - kR709))};
}

ToneMapper::ToneMapper(const HdrFormat& format)
    : format_(format),
      to_linear_([&](double code) {
        // HLG's is scene light; the display's gain comes with system_gain_.
        if (format.transfer == Transfer::hlg) return hlg_to_scene(code);
        return to_light(format, {code, code, code})[0] / transfer_peak(format.transfer);
      }),
      system_gain_([&](double root) {
        return format.transfer == Transfer::hlg ? std::pow(root * root, kHlgGamma - 1) : 1.0;
      }),
      roll_off_([&](double root) {
        const double top =
            format.transfer == Transfer::hlg ? kHlgPeak : transfer_peak(format.transfer);
        const double light = std::max(root * root, 1e-9) * top;
        if (format.transfer == Transfer::sdr) return top / kSdrWhite;
        const double peak = format.transfer == Transfer::hlg ? kHlgPeak : format.peak;
        return roll_off(light, peak) / light * top / kSdrWhite;
      }),
      from_linear_([](double root) { return std::pow(root * root, 1 / kSdrGamma); }) {
  // 16 bits repeat the 10 bits of the picture: 65535 is 1023.
  const double unit = 1023.0 / 65535;
  const bool full = format.full_range;
  luma_scale_ = static_cast<float>(unit / (full ? 1023 : 876));
  luma_offset_ = static_cast<float>(full ? 0 : -64.0 / 876);
  chroma_scale_ = static_cast<float>(unit / (full ? 1023 : 896));
  chroma_offset_ = static_cast<float>(-512.0 / (full ? 1023 : 896));
}

ToneMapper::Rgb ToneMapper::map(const uint16_t* pixel) const {
  constexpr auto r_of_cr = static_cast<float>(2 * (1 - kR2020));
  constexpr auto b_of_cb = static_cast<float>(2 * (1 - kB2020));
  constexpr auto g_of_cr = static_cast<float>(-2 * (1 - kR2020) * kR2020 / kG2020);
  constexpr auto g_of_cb = static_cast<float>(-2 * (1 - kB2020) * kB2020 / kG2020);
  const float y = pixel[1] * luma_scale_ + luma_offset_;
  const float cb = pixel[2] * chroma_scale_ + chroma_offset_;
  const float cr = pixel[3] * chroma_scale_ + chroma_offset_;
  float r = to_linear_(y + r_of_cr * cr);
  float g = to_linear_(y + g_of_cr * cr + g_of_cb * cb);
  float b = to_linear_(y + b_of_cb * cb);
  float gain = 1;
  if (format_.transfer == Transfer::hlg) {
    const float scene = static_cast<float>(kR2020) * r + static_cast<float>(kG2020) * g +
                        static_cast<float>(kB2020) * b;
    gain = system_gain_(std::sqrt(scene));
  }
  const float brightest = std::max({r, g, b}) * gain;
  gain *= roll_off_(std::sqrt(brightest));
  r *= gain;
  g *= gain;
  b *= gain;
  const auto code = [&](float light) { return from_linear_(light <= 0 ? 0 : std::sqrt(light)); };
  return {code(1.660491F * r - 0.587641F * g - 0.072850F * b),
          code(-0.124550F * r + 1.132900F * g - 0.008349F * b),
          code(-0.018151F * r - 0.100579F * g + 1.118730F * b)};
}

void ToneMapper::convert(std::array<const uint16_t*, 2> lines, std::size_t width,
                         std::array<uint8_t*, 2> luma, uint8_t* cb, uint8_t* cr) const {
  const auto code = [](float v) {
    return static_cast<uint8_t>(std::clamp(v, 0.0F, 255.0F) + 0.5F);
  };
  const std::size_t rows = luma[1] ? 2 : 1;
  for (std::size_t x = 0; x < width; x += 2) {
    const std::size_t columns = std::min<std::size_t>(2, width - x);
    float sum_b = 0, sum_r = 0;
    for (std::size_t row = 0; row < rows; row++)
      for (std::size_t column = 0; column < columns; column++) {
        const auto [r, g, b] = map(lines[row] + 4 * (x + column));
        const float y = static_cast<float>(kR709) * r + static_cast<float>(kG709) * g +
                        static_cast<float>(kB709) * b;
        luma[row][x + column] = code(16 + 219 * y);
        sum_b += b - y;
        sum_r += r - y;
      }
    // The block's chroma is the mean of its pixels'.
    const auto count = static_cast<float>(rows * columns);
    cb[x / 2] = code(128 + 224 * sum_b / count / static_cast<float>(2 * (1 - kB709)));
    cr[x / 2] = code(128 + 224 * sum_r / count / static_cast<float>(2 * (1 - kR709)));
  }
}

}  // namespace clips::media
