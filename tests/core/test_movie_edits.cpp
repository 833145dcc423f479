// SPDX-License-Identifier: LGPL-2.1-or-later
// Edit lists of movie boxes, written here box by box.
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "movie_edits.hpp"

using clips::media::correct_edits;
using clips::media::is_movie_box;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes number(uint64_t value, unsigned bytes = 4) {
  Bytes out;
  for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<uint8_t>(value >> 8 * i));
  return out;
}

Bytes box(std::string_view type, const Bytes& body) {
  return number(body.size() + 8) + Bytes(type.begin(), type.end()) + body;
}

// The head of a full box, then its times, in 4 or 8 bytes each.
Bytes versioned(unsigned version, const Bytes& body) {
  return Bytes{static_cast<uint8_t>(version), 0, 0, 0} + body;
}

struct Edit {
  uint64_t duration;
  uint64_t media_time;  // ~0: nothing is shown
};

struct Track {
  bool sound = true;
  uint32_t timescale = 48000;
  uint64_t length = 0;
  std::vector<Edit> edits;
  std::vector<std::pair<uint32_t, uint32_t>> stts, ctts;
};

uint64_t total(const std::vector<Edit>& edits) {
  uint64_t sum = 0;
  for (const Edit& edit : edits) sum += edit.duration;
  return sum;
}

Bytes table(const std::vector<std::pair<uint32_t, uint32_t>>& entries) {
  Bytes out = versioned(0, number(entries.size()));
  for (const auto& [count, value] : entries) out = out + number(count) + number(value);
  return out;
}

Bytes track_box(const Track& track, unsigned version) {
  const unsigned size = version ? 8 : 4;
  const auto time = [&](uint64_t value) { return number(value, size); };
  const Bytes tkhd = box("tkhd", versioned(version, time(0) + time(0) + number(1) + number(0) +
                                                        time(total(track.edits)) + Bytes(60)));
  Bytes elst = versioned(version, number(track.edits.size()));
  for (const Edit& edit : track.edits)
    elst = elst + time(edit.duration) + time(edit.media_time) + number(0x10000);
  const Bytes edts = track.edits.empty() ? Bytes{} : box("edts", box("elst", elst));
  const Bytes mdhd = box("mdhd", versioned(version, time(0) + time(0) + number(track.timescale) +
                                                        time(track.length) + number(0)));
  const std::string_view handler = track.sound ? "soun" : "vide";
  const Bytes hdlr =
      box("hdlr", versioned(0, number(0) + Bytes(handler.begin(), handler.end()) + Bytes(13)));
  // The sample rate is a 16.16 number at byte 24 of a sound entry.
  const Bytes entry =
      track.sound ? box("mp4a", Bytes(24) + number(48000, 2) + Bytes(10)) : box("avc1", Bytes(78));
  Bytes stbl = box("stsd", versioned(0, number(1) + entry)) + box("stts", table(track.stts));
  if (!track.ctts.empty()) stbl = stbl + box("ctts", table(track.ctts));
  return box("trak", tkhd + edts + box("mdia", mdhd + hdlr + box("minf", box("stbl", stbl))));
}

constexpr uint32_t kMovieScale = 120000;

Bytes movie(const std::vector<Track>& tracks, unsigned version = 0) {
  const unsigned size = version ? 8 : 4;
  uint64_t longest = 0;
  Bytes body;
  for (const Track& track : tracks) {
    longest = std::max(longest, total(track.edits));
    body = body + track_box(track, version);
  }
  const Bytes mvhd =
      box("mvhd", versioned(version, number(0, size) + number(0, size) + number(kMovieScale) +
                                         number(longest, size) + Bytes(80)));
  return box("moov", mvhd + body);
}

// A second of sound behind 1024 samples of an encoder's start.
Track second_of_sound() {
  Track track;
  track.length = 1024 + 48000;
  track.edits = {{kMovieScale * 49024ULL / 48000, 0}};
  track.stts = {{48, 1024}};
  return track;
}

Track shortened_sound() {
  Track track = second_of_sound();
  track.edits = {{kMovieScale, 1024}};
  return track;
}

// Four pictures, shown as 0 2 1 3 (ticks 0, 10, 15, 40): the last one is long.
Track pictures() {
  Track track;
  track.sound = false;
  track.timescale = 1000;
  track.stts = {{3, 10}, {1, 30}};
  track.ctts = {{1, 0}, {1, 5}, {1, 0}, {1, 20}};
  track.length = 60;
  track.edits = {{kMovieScale * 60 / 1000, 0}};
  return track;
}

class EitherVersion : public testing::TestWithParam<unsigned> {};

TEST_P(EitherVersion, start_samples_of_sound_are_hidden_and_all_durations_shrink) {
  Bytes bytes = movie({second_of_sound()}, GetParam());
  const auto changed = correct_edits(bytes, 1024);
  ASSERT_TRUE(changed) << changed.error();
  EXPECT_EQ(1u, *changed);
  EXPECT_EQ(movie({shortened_sound()}, GetParam()), bytes);
}

TEST_P(EitherVersion, a_delay_before_the_sound_stays) {
  Track before = second_of_sound(), after = shortened_sound();
  const uint64_t nothing = GetParam() ? ~0ULL : 0xffffffff;
  before.edits.insert(before.edits.begin(), {5000, nothing});
  after.edits.insert(after.edits.begin(), {5000, nothing});
  Bytes bytes = movie({before}, GetParam());
  ASSERT_TRUE(correct_edits(bytes, 1024));
  EXPECT_EQ(movie({after}, GetParam()), bytes);
}

TEST_P(EitherVersion, pictures_are_shown_to_the_end_of_the_last_one) {
  Track after = pictures();
  after.edits = {{kMovieScale * 80 / 1000, 0}};  // decoded at 30, shown at 50, 30 long
  Bytes bytes = movie({pictures()}, GetParam());
  const auto changed = correct_edits(bytes, 0);
  ASSERT_TRUE(changed);
  EXPECT_EQ(1u, *changed);
  EXPECT_EQ(movie({after}, GetParam()), bytes);
}

INSTANTIATE_TEST_SUITE_P(MovieEdits, EitherVersion, testing::Values(0, 1));

TEST(MovieEdits, the_movie_is_as_long_as_its_longest_track) {
  Track video = pictures();
  video.ctts.clear();
  Track longer = shortened_sound();
  Bytes bytes = movie({video, second_of_sound()});
  ASSERT_TRUE(correct_edits(bytes, 1024));
  EXPECT_EQ(movie({video, longer}), bytes);
}

TEST(MovieEdits, sound_without_start_samples_and_pictures_in_order_are_left_alone) {
  Track video = pictures();
  video.ctts.clear();
  Bytes bytes = movie({video, second_of_sound()});
  const Bytes before = bytes;
  const auto changed = correct_edits(bytes, 0);
  ASSERT_TRUE(changed);
  EXPECT_EQ(0u, *changed);
  EXPECT_EQ(before, bytes);
}

TEST(MovieEdits, what_cannot_be_corrected_is_an_error_and_stays_as_it_is) {
  Track no_edits = second_of_sound();
  no_edits.edits.clear();
  Track only_a_delay = second_of_sound();
  only_a_delay.edits = {{100, 0xffffffff}};
  Track timeless = second_of_sound();
  timeless.timescale = 0;
  for (const Bytes& bad :
       {movie({no_edits}), movie({only_a_delay}), movie({timeless}), box("moov", box("free", {})),
        box("free", Bytes(20)), Bytes{}, movie({second_of_sound()}) + Bytes(4)}) {
    Bytes bytes = bad;
    EXPECT_FALSE(correct_edits(bytes, 1024));
    EXPECT_EQ(bad, bytes);
  }
}

TEST(MovieEdits, no_cut_through_a_movie_is_read_behind_its_end) {
  const Bytes whole = movie({second_of_sound(), pictures()});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (size >= 8) {
      const Bytes length = number(size);
      std::copy(length.begin(), length.end(), cut.begin());
    }
    const Bytes before = cut;
    const auto changed = correct_edits(cut, 1024);
    EXPECT_TRUE(changed || cut == before) << size;
  }
}

TEST(MovieEdits, absurd_counts_of_samples_take_no_time) {
  Track track = pictures();
  track.stts.assign(64, {0xffffffff, 0xffffffff});
  track.ctts.assign(64, {0xffffffff, 0x7fffffff});
  Bytes bytes = movie({track});
  correct_edits(bytes, 0);
  EXPECT_TRUE(is_movie_box(bytes));
}

}  // namespace
