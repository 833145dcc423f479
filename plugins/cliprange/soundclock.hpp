// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "movie.hpp"

namespace clips::cut {

// Sound packets of known length whose container knows the time only roughly (Matroska to the
// millisecond, MPEG-TS to 1/90000 s): each stretch without a pause is put where all of its
// timestamps agree, and its packets follow each other to the sample.
class SoundClock {
 public:
  // `ticks` a second of the timestamps, `rate` samples a second.
  SoundClock(std::vector<Sample>& packets, int64_t ticks, int64_t rate)
      : packets_(packets), ticks_(ticks), rate_(rate) {}
  // The packet's length in samples is in Sample::duration; `time` is in ticks, if known.
  void add(Sample packet, std::optional<int64_t> time);
  void finish() { place(); }

 private:
  void place();

  std::vector<Sample>& packets_;
  const int64_t ticks_, rate_;
  size_t begin_ = 0;                   // of the stretch
  int64_t length_ = 0;                 // of the stretch so far, in samples
  int64_t earliest_ = 0, latest_ = 0;  // where it would begin by its timestamps, 1/256 samples
  bool timed_ = false;                 // the stretch has a timestamp
};

}  // namespace clips::cut
