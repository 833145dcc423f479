// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which packets a range needs and from where the source has to be read: the decisions of cliprange
// without GStreamer. The source here has a picture every 40 ms, a key frame a second, and the order
// I P b b P b b that most encoders write.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "rangeselector.hpp"

using namespace clips::cut;

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kPicture = 40 * kMs;
constexpr int64_t kSound = 20 * kMs;
constexpr int kGop = 25;

std::shared_ptr<void> number(int64_t n) {
  return std::make_shared<int64_t>(n);
}
int64_t number(const StreamPacket& packet) {
  return *std::static_pointer_cast<int64_t>(packet.payload);
}

// The pictures [first, last) in decode order; their payload is the number in display order.
std::vector<StreamPacket> pictures(int first, int last, bool dts) {
  std::vector<StreamPacket> all;
  int decoded = first;
  const auto add = [&](int n) {
    StreamPacket packet;
    packet.pts = n * kPicture;
    if (dts) packet.dts = (decoded - 2) * kPicture;
    packet.duration = kPicture;
    packet.key = n % kGop == 0;
    packet.payload = number(n);
    ++decoded;
    all.push_back(std::move(packet));
  };
  for (int gop = first; gop < last; gop += kGop) {
    const int end = std::min(gop + kGop, last);
    add(gop);
    for (int anchor = gop + 3; anchor - 3 < end - 1; anchor += 3) {
      const int p = std::min(anchor, end - 1);
      add(p);
      for (int b = anchor - 2; b < p; ++b) add(b);
    }
  }
  return all;
}

std::vector<StreamPacket> sound(int64_t from, int64_t to) {
  std::vector<StreamPacket> all;
  for (int64_t time = from / kSound * kSound; time < to; time += kSound) {
    StreamPacket packet;
    packet.pts = time;
    packet.dts = time;
    packet.duration = kSound;
    packet.payload = number(time / kSound);
    all.push_back(std::move(packet));
  }
  return all;
}

struct Cut {
  RangeSelector::Settings settings;
  bool dts = true;
  bool with_sound = true;
  int64_t preroll = kSound;
  int length = 250;        // pictures of the source
  int64_t sound_late = 0;  // how much later than asked sound begins after a seek
  int64_t lands_late = 0;  // the same of pictures
  std::vector<int64_t> seeks;
  std::vector<StreamPacket> video, audio;
  std::optional<Error> error;
  RangeSelector::Beginning beginning;
  uint64_t frames = 0;
  int64_t stop = 0;
  bool past_end = false;

  // The source as a demuxer would give it.
  bool run() {
    RangeSelector selector(settings);
    const size_t v = selector.add_track(TrackKind::Video);
    const size_t a = with_sound ? selector.add_track(TrackKind::Audio) : v;
    if (with_sound) selector.set_preroll(a, preroll);
    int64_t from = 0;
    if (const auto first = selector.first_seek()) {
      from = *first;
      seeks.push_back(from);
      selector.restart(from);
    }
    for (int rounds = 0; rounds < 30; ++rounds) {
      const auto landed =
          static_cast<int>((from + (from > 0 ? lands_late : 0)) / (kGop * kPicture) * kGop);
      auto pictures_left = pictures(std::min(landed, length), length, dts);
      auto sound_left = sound(landed * kPicture + (from > 0 ? sound_late : 0), length * kPicture);
      size_t i = 0, j = 0;
      bool again = false;
      while (!again) {
        const bool picture =
            i < pictures_left.size() &&
            (j >= sound_left.size() || pictures_left[i].pts <= sound_left[j].pts + 200 * kMs);
        if (picture) {
          selector.add(v, pictures_left[i++]);
        } else if (j < sound_left.size()) {
          if (with_sound) selector.add(a, sound_left[j]);
          ++j;
        } else {
          selector.end(v);
          if (with_sound) selector.end(a);
        }
        for (bool more = true; more;) {
          switch (selector.step()) {
            case RangeSelector::Step::Seek:
              from = selector.seek_target();
              seeks.push_back(from);
              selector.restart(from);
              again = true;
              more = false;
              break;
            case RangeSelector::Step::Failed:
              error = selector.error();
              return false;
            case RangeSelector::Step::Begin:
              beginning = selector.beginning();
              break;
            case RangeSelector::Step::Wait:
              more = false;
          }
        }
        while (auto packet = selector.take(v)) video.push_back(std::move(*packet));
        if (with_sound)
          while (auto packet = selector.take(a)) audio.push_back(std::move(*packet));
        if (selector.finished(v) && selector.finished(a)) {
          frames = selector.frames();
          stop = selector.actual_stop();
          past_end = selector.stop_past_end();
          return true;
        }
        if (i == pictures_left.size() && j == sound_left.size() && !again && !picture &&
            selector.finished(v))
          return true;
      }
    }
    ADD_FAILURE() << "it never ends";
    return false;
  }

  std::vector<int64_t> shown() const {
    std::vector<int64_t> numbers;
    for (const StreamPacket& packet : video)
      if (!packet.hidden) numbers.push_back(number(packet));
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }
};

std::vector<int64_t> from_to(int64_t first, int64_t last) {
  std::vector<int64_t> numbers;
  for (int64_t n = first; n < last; ++n) numbers.push_back(n);
  return numbers;
}

Cut cut(int64_t start, std::optional<int64_t> stop = {}) {
  Cut cut;
  cut.settings.request.start = static_cast<uint64_t>(start);
  if (stop) cut.settings.request.stop = static_cast<uint64_t>(*stop);
  return cut;
}

TEST(RangeSelector, shows_exactly_the_pictures_of_the_range_whatever_the_order) {
  for (const bool dts : {true, false})
    for (int first = 0; first < 60; ++first)
      for (const int count : {1, 2, 3, 7, 30}) {
        Cut c = cut(first * kPicture, (first + count) * kPicture);
        c.dts = dts;
        ASSERT_TRUE(c.run()) << c.error->message;
        ASSERT_EQ(c.shown(), from_to(first, first + count)) << first << " " << dts;
        ASSERT_EQ(c.frames, static_cast<uint64_t>(count));
        ASSERT_EQ(c.stop, (first + count) * kPicture);
        ASSERT_EQ(c.beginning.zero, first * kPicture);
        ASSERT_EQ(c.beginning.key_frame, first / kGop * kGop * kPicture);
        ASSERT_EQ(c.beginning.lead, static_cast<uint64_t>(first % kGop));
      }
}

TEST(RangeSelector, everything_that_is_shown_can_be_decoded_and_nothing_comes_behind_the_last) {
  for (int stop = 31; stop < 60; ++stop) {
    Cut c = cut(30 * kPicture, stop * kPicture);
    ASSERT_TRUE(c.run());
    ASSERT_FALSE(c.video.empty());
    EXPECT_EQ(number(c.video.front()), 25);
    EXPECT_FALSE(c.video.back().hidden);
    for (const StreamPacket& packet : c.video) {
      const int64_t time = (number(packet) - 30) * kPicture;
      if (time < 0)
        EXPECT_LT(packet.pts + 500 * kMs, time);  // far enough to be hidden for sure
      else
        EXPECT_EQ(packet.pts, time);
    }
  }
}

TEST(RangeSelector, rounded_times_mean_the_picture_they_came_from) {
  for (const int64_t off : {-400'000, 0, 400'000}) {
    Cut c = cut(30 * kPicture + off, 40 * kPicture + off);
    ASSERT_TRUE(c.run());
    EXPECT_EQ(c.shown(), from_to(30, 40)) << off;
    EXPECT_EQ(c.beginning.zero, 30 * kPicture);
  }
}

TEST(RangeSelector, decode_times_are_made_where_there_are_none) {
  Cut c = cut(30 * kPicture, 90 * kPicture);
  c.dts = false;
  ASSERT_TRUE(c.run());
  std::optional<int64_t> before;
  for (const StreamPacket& packet : c.video) {
    ASSERT_TRUE(packet.dts);
    if (!packet.hidden) {
      EXPECT_LE(*packet.dts, packet.pts);
    }
    if (before) {
      EXPECT_EQ(*packet.dts - *before, kPicture);
    }
    before = packet.dts;
  }
}

TEST(RangeSelector, sound_has_what_its_decoder_needs_in_front_and_ends_with_the_picture) {
  Cut c = cut(31 * kPicture, 45 * kPicture);
  c.preroll = 80 * kMs;
  ASSERT_TRUE(c.run());
  EXPECT_EQ(c.audio.front().pts, -80 * kMs);
  EXPECT_EQ(c.audio.back().pts + kSound, 14 * kPicture);
  EXPECT_EQ(c.seeks.size(), 1u);
}

TEST(RangeSelector, sound_that_begins_late_after_a_seek_is_fetched_by_a_second_one) {
  Cut c = cut(56 * kPicture, 70 * kPicture);
  c.sound_late = 400 * kMs;
  ASSERT_TRUE(c.run());
  ASSERT_GT(c.seeks.size(), 1u);
  EXPECT_LT(c.seeks[1], c.seeks[0]);
  EXPECT_LE(c.audio.front().pts, 0);
  EXPECT_EQ(c.shown(), from_to(56, 70));
}

TEST(RangeSelector, a_source_that_lands_late_is_sent_further_back) {
  Cut c = cut(61 * kPicture, 70 * kPicture);
  c.lands_late = 1500 * kMs;
  ASSERT_TRUE(c.run());
  EXPECT_GT(c.seeks.size(), 1u);
  EXPECT_EQ(c.shown(), from_to(61, 70));
}

TEST(RangeSelector, copy_shows_everything_from_the_key_frame_on) {
  Cut c = cut(30 * kPicture, 40 * kPicture);
  c.settings.hide = false;
  ASSERT_TRUE(c.run());
  EXPECT_EQ(c.beginning.zero, 25 * kPicture);
  EXPECT_EQ(c.video.front().pts, 0);
  EXPECT_EQ(c.shown().front(), 25);
  EXPECT_GE(c.shown().back(), 39);
  for (const auto& [snap, key] : {std::pair{Snap::After, 50}, {Snap::Nearest, 25}}) {
    Cut other = cut(30 * kPicture, 60 * kPicture);
    other.settings.hide = false;
    other.settings.request.snap = snap;
    ASSERT_TRUE(other.run());
    EXPECT_EQ(other.shown().front(), key);
  }
}

TEST(RangeSelector, a_range_from_the_beginning_needs_no_seek) {
  Cut c = cut(0, 10 * kPicture);
  ASSERT_TRUE(c.run());
  EXPECT_TRUE(c.seeks.empty());
  EXPECT_EQ(c.shown(), from_to(0, 10));
}

TEST(RangeSelector, a_stop_past_the_end_is_the_end_and_none_is_as_well) {
  Cut c = cut(240 * kPicture, 999 * kPicture);
  ASSERT_TRUE(c.run());
  EXPECT_EQ(c.shown(), from_to(240, 250));
  EXPECT_TRUE(c.past_end);
  EXPECT_EQ(c.stop, 250 * kPicture);
  Cut open = cut(240 * kPicture);
  ASSERT_TRUE(open.run());
  EXPECT_EQ(open.shown(), from_to(240, 250));
  EXPECT_FALSE(open.past_end);
}

TEST(RangeSelector, what_cannot_be_cut_says_why) {
  const auto fault = [](Cut c) {
    EXPECT_FALSE(c.run());
    return c.error ? c.error->fault : Fault::Cancelled;
  };
  EXPECT_EQ(fault(cut(5 * kPicture, 5 * kPicture)), Fault::Settings);
  EXPECT_EQ(fault(cut(251 * kPicture, 260 * kPicture)), Fault::Range);
  EXPECT_EQ(fault(cut(30 * kPicture + 5 * kMs, 30 * kPicture + 9 * kMs)), Fault::Range);
  Cut far = cut(49 * kPicture, 60 * kPicture);
  far.settings.request.max_lead_in = 500 * kMs;
  EXPECT_EQ(fault(far), Fault::NoKeyFrame);
  Cut empty = cut(5 * kPicture, 9 * kPicture);
  empty.length = 0;
  EXPECT_EQ(fault(empty), Fault::Range);
}

TEST(FrameCounter, knows_the_times_of_pictures_by_their_number) {
  for (const bool dts : {true, false}) {
    FrameCounter counter(30, 41);
    for (const StreamPacket& packet : pictures(0, 100, dts)) {
      if (counter.complete()) break;
      counter.add(packet);
    }
    ASSERT_TRUE(counter.complete());
    EXPECT_LT(counter.count(), 75u);
    EXPECT_EQ(counter.time_of(30), 30 * kPicture);
    EXPECT_EQ(counter.time_of(41), 41 * kPicture);
    EXPECT_EQ(counter.time_of(-1), std::nullopt);
  }
}

}  // namespace
