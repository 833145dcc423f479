// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace clips::media {

// Puts the frames of a video of any rate on a grid of a constant one. The grid begins with the
// first frame; it has duration * rate places, to the nearest whole number and at least one. Each
// place shows the frame that is nearest to it in time, of two equally near ones the earlier.
//
// Times are in nanoseconds. A frame is anything that can be copied; `emit(frame, place)` gets each
// place once, in order.
template <typename Frame>
class FrameGrid {
 public:
  FrameGrid(std::uint64_t numerator, std::uint64_t denominator)
      : numerator_(numerator), denominator_(denominator) {}

  // When the place is shown: rounded down, as GStreamer does it.
  std::uint64_t time(std::uint64_t place) const {
    return first_ + static_cast<std::uint64_t>(Wide{place} * denominator_ * kSecond / numerator_);
  }

  bool empty() const { return empty_; }

  // The next frame. One whose time is before that of the frame before it is left out.
  template <typename Emit>
  void add(Frame frame, std::uint64_t at, Emit&& emit) {
    if (empty_) {
      first_ = at;
    } else if (at < last_at_) {
      return;
    } else {
      settle(at, emit);
    }
    last_ = std::move(frame);
    last_at_ = at;
    empty_ = false;
  }

  // All frames have been added and the last of them ends at `end`.
  template <typename Emit>
  void finish(std::uint64_t end, Emit&& emit) {
    if (empty_) return;
    const std::uint64_t places = count(std::max(end, last_at_));
    if (unsure_ && next_ <= places) emit(std::move(held_), next_ - 1);
    for (; next_ < places; ++next_) emit(last_, next_);
    *this = FrameGrid(numerator_, denominator_);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr std::uint64_t kSecond = 1'000'000'000;
  // Containers round times; a frame is not to win or lose a place by that. Matroska has
  // milliseconds, GStreamer loses a nanosecond here and there.
  static constexpr std::uint64_t kFrameSlack = 1'000'000;
  static constexpr std::uint64_t kEndSlack = 1'000;

  // How many places a video has that ends then.
  std::uint64_t count(std::uint64_t end) const {
    const Wide twice = Wide{end - first_ + kEndSlack} * 2 * numerator_ / (denominator_ * kSecond);
    return std::max<std::uint64_t>(1, static_cast<std::uint64_t>((twice + 1) / 2));
  }

  // The last frame gets the places that are nearer to it than to a frame at `next`.
  template <typename Emit>
  void settle(std::uint64_t next, Emit&& emit) {
    const std::uint64_t places = count(next);
    if (unsure_ && next_ <= places) {
      emit(std::move(held_), next_ - 1);
      unsure_ = false;
    }
    const std::uint64_t gap = next - last_at_;
    const std::uint64_t border = last_at_ + gap / 2 + std::min(gap / 8, kFrameSlack);
    for (std::uint64_t at = time(next_); at <= border;) {
      at = time(++next_);
      Frame shown = at <= border ? last_ : std::move(last_);
      // A video that ended with the next frame would not have this place.
      unsure_ = next_ > places;
      if (unsure_)
        held_ = std::move(shown);
      else
        emit(std::move(shown), next_ - 1);
    }
  }

  std::uint64_t numerator_;
  std::uint64_t denominator_;
  std::uint64_t first_ = 0;
  bool empty_ = true;
  Frame last_{};
  std::uint64_t last_at_ = 0;
  std::uint64_t next_ = 0;  // the first place that has no frame yet
  // The place before `next_` has this frame, if there is that place at all.
  bool unsure_ = false;
  Frame held_{};
};

}  // namespace clips::media
