// SPDX-License-Identifier: LGPL-2.1-or-later
#include "soundclock.hpp"

namespace clips::cut {

namespace {
constexpr int64_t kParts = 256;
// A recorder's clock that runs this much off, in milliseconds, is followed.
constexpr int64_t kSlackMs = 2;
}  // namespace

void SoundClock::add(Sample packet, std::optional<int64_t> time) {
  if (time) {
    const auto begins =
        static_cast<int64_t>(round_div(Wide{*time} * rate_ * kParts, ticks_)) - length_ * kParts;
    const int64_t slack = std::max(rate_ * kSlackMs / 1000, 2 * rate_ / ticks_) * kParts;
    if (timed_ && (begins - earliest_ > slack || latest_ - begins > slack)) {
      place();
      begin_ = packets_.size();
      timed_ = false;
      const auto anew = begins + length_ * kParts;
      length_ = 0;
      earliest_ = latest_ = anew;
    } else if (timed_) {
      earliest_ = std::min(earliest_, begins);
      latest_ = std::max(latest_, begins);
    } else {
      earliest_ = latest_ = begins;
    }
    timed_ = true;
  }
  packet.dts = length_;
  length_ += packet.duration;
  packets_.push_back(packet);
}

void SoundClock::place() {
  const auto begin = static_cast<int64_t>(round_div(Wide{earliest_} + latest_, Wide{2 * kParts}));
  for (size_t i = begin_; i < packets_.size(); ++i) {
    packets_[i].dts += begin;
    // Behind a stretch that was a little late
    if (i == begin_ && i > 0)
      packets_[i - 1].duration = std::max<int64_t>(
          1, std::min(packets_[i - 1].duration, packets_[i].dts - packets_[i - 1].dts));
    packets_[i].pts = packets_[i].dts;
  }
}

}  // namespace clips::cut
