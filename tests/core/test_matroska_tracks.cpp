// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <string>

#include "lib/matroskatracks.hpp"

using namespace clips;

namespace {

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> 8 * bytes);
  return text;
}

std::string element(const std::string& id, const std::string& body) {
  return id + "\x01" + number(body.size(), 7) + body;
}

std::string entry(unsigned track, unsigned type, const std::string& codec, std::uint64_t delay) {
  return element("\xae", element("\xd7", number(track, 1)) + element("\x83", number(type, 1)) +
                             element("\x86", codec) + element("\x56\xaa", number(delay, 4)));
}

const std::string ebml_head = element("\x1a\x45\xdf\xa3", std::string(20, 'x'));
const std::string unknown_size = "\x01" + std::string(7, '\xff');
const std::string segment = "\x18\x53\x80\x67" + unknown_size;
const std::string void_ = element("\xec", std::string(500, 'x'));
const std::string cluster = element("\x1f\x43\xb6\x75", std::string(900, 'x'));

std::string tracks(const std::string& entries) {
  return element("\x16\x54\xae\x6b", entries);
}
std::string file(const std::string& entries) {
  return ebml_head + segment + void_ + tracks(entries) + cluster;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Shows all bytes in pieces, as they come from a server.
MatroskaTracks read(const std::string& file, std::size_t piece) {
  MatroskaTracks tracks;
  for (std::size_t at = 0; at < file.size() && !tracks.done(); at += piece)
    tracks.feed(at, bytes_of(file).subspan(at, std::min(piece, file.size() - at)));
  return tracks;
}

}  // namespace

TEST(MatroskaTracks, delay_of_each_sound_track_is_found_in_pieces_of_any_size) {
  const std::string made = file(entry(1, 1, "V_MPEG4/ISO/AVC", 0) + entry(2, 2, "A_AAC", 21333333) +
                                entry(7, 2, "A_AC3", 5333333));
  for (const std::size_t piece : {1UL, 7UL, 100UL, made.size()}) {
    const auto found = read(made, piece);
    EXPECT_TRUE(found.done()) << piece;
    EXPECT_EQ(0U, found.delay(1)) << piece;
    EXPECT_EQ(21333333U, found.delay(2)) << piece;
    EXPECT_EQ(5333333U, found.delay(7)) << piece;
    EXPECT_EQ(0U, found.delay(3)) << piece;
  }
}

TEST(MatroskaTracks, pieces_that_overlap_and_skip_what_is_not_wanted_do) {
  const std::string made = file(entry(2, 2, "A_AAC", 21333333));
  const std::size_t at = made.find("\x16\x54\xae\x6b");
  MatroskaTracks found;
  found.feed(0, bytes_of(made).first(60));
  found.feed(10, bytes_of(made).subspan(10, 60));
  found.feed(at - 5, bytes_of(made).subspan(at - 5, 30));
  EXPECT_FALSE(found.done());
  found.feed(at, bytes_of(made).subspan(at));
  EXPECT_TRUE(found.done());
  EXPECT_EQ(21333333U, found.delay(2));
}

TEST(MatroskaTracks, opus_is_left_to_the_demuxer) {
  EXPECT_EQ(0U, read(file(entry(1, 2, "A_OPUS", 6500000)), 4096).delay(1));
}

TEST(MatroskaTracks, a_delay_that_no_encoder_has_is_damage) {
  EXPECT_EQ(0U, read(file(entry(1, 2, "A_AAC", 0xffffffff)), 4096).delay(1));
}

TEST(MatroskaTracks, what_cannot_be_read_ends_the_search) {
  for (const std::string& made :
       {std::string(100, '\0'), ebml_head + cluster + cluster, ebml_head + segment + cluster,
        ebml_head + segment + tracks(""), file("\xae\x88short"),
        ebml_head + segment + "\x16\x54\xae\x6b" + unknown_size + std::string(50, 'x')}) {
    EXPECT_EQ(0U, read(made, 4096).delay(1)) << made;
  }
  EXPECT_TRUE(read(std::string(100, '\0'), 4096).done());
  EXPECT_TRUE(read(ebml_head + segment + cluster, 4096).done());
}
