// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace clips::media {

// One axis of a plane: what zimg has to know.
struct ScaledAxis {
  unsigned from = 0;  // samples
  unsigned to = 0;
  double first = 0;  // where the result begins, in samples of the source
  double span = 0;   // how many of these it covers
};

// The axis of a plane that has one sample for every `step` of a picture's `from`, of which `to`
// become. `begin` is the first sample's place in the picture and `site` how far behind this it
// lies: chroma with the step 2 has the site 0 when it is co-sited and 0.5 when it is in between;
// the second field of a plane begins a step of the plane later and has twice its step.
ScaledAxis scaled_axis(unsigned from, unsigned to, unsigned step, unsigned begin, double site);

// Scales planes of integer samples by Lanczos' filter of three lobes. What a sample means (range,
// matrix, transfer) is left as it is.
class PlaneScaler {
 public:
  // `depth` bits in a byte up to 8, in two bytes of the machine's order up to 16. Throws
  // std::runtime_error for sizes that cannot be.
  PlaneScaler(const ScaledAxis& x, const ScaledAxis& y, unsigned depth);
  ~PlaneScaler();
  PlaneScaler(PlaneScaler&&) noexcept;
  PlaneScaler& operator=(PlaneScaler&&) noexcept;

  // Strides in bytes. Lines that begin at multiples of 64 bytes are read and written in place,
  // and what follows them up to the next such multiple may be written as well; others go by way of
  // a copy of a few lines.
  void scale(const std::uint8_t* from, std::ptrdiff_t from_stride, std::uint8_t* to,
             std::ptrdiff_t to_stride);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace clips::media
