// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <string>

#include "lib/completeness.hpp"

using namespace clips;

namespace {

std::string big(std::uint64_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> 8 * bytes);
  return text;
}

std::string little(std::uint64_t value, int bytes) {
  const std::string text = big(value, bytes);
  return {text.rbegin(), text.rend()};
}

std::string box(const std::string& type, std::size_t body) {
  return big(8 + body, 4) + type + std::string(body, 'x');
}

std::string element(const std::string& id, std::size_t body) {
  return id + "\x01" + big(body, 7) + std::string(body, 'x');
}

std::string flv_tag(std::size_t body) {
  return "\x09" + big(body, 3) + std::string(7, '\0') + std::string(body, 'x') + big(11 + body, 4);
}

const std::string flv_head = std::string("FLV\x01\x05\0\0\0\x09", 9) + std::string(4, '\0');
const std::string ebml_head = element("\x1a\x45\xdf\xa3", 20);
const std::string cluster = element("\x1f\x43\xb6\x75", 3000);

std::string mp4() {
  return box("ftyp", 24) + box("moov", 900) + box("mdat", 5000);
}
std::string mp4_large_box() {
  return box("ftyp", 24) + box("moov", 900) + big(1, 4) + "mdat" + big(5016, 8) +
         std::string(5000, 'x');
}
std::string fragments() {
  std::string file = box("ftyp", 24) + box("moov", 900);
  for (int i = 0; i < 5; ++i) file += box("moof", 300) + box("mdat", 900);
  return file;
}
std::string matroska() {
  return ebml_head + element("\x18\x53\x80\x67", 9000);
}
std::string matroska_live() {
  std::string file = ebml_head + "\x18\x53\x80\x67\x01" + std::string(7, '\xff');
  for (int i = 0; i < 3; ++i) file += cluster;
  return file;
}
std::string avi() {
  return "RIFF" + little(6004, 4) + "AVI " + std::string(6000, 'x') + "RIFF" + little(3004, 4) +
         "AVIX" + std::string(3000, 'x');
}
std::string flv() {
  return flv_head + flv_tag(2000) + flv_tag(100) + flv_tag(4000);
}
std::string transport() {
  std::string file;
  for (int i = 0; i < 40; ++i) file += "\x47" + std::string(187, 'x');
  return file;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Reads exactly what is wanted, as from a file.
ContainerWalk walk(const std::string& file) {
  ContainerWalk walk(file.size());
  int reads = 0;
  while (const auto range = walk.wants()) {
    if (++reads > 100) throw std::runtime_error("the walk does not end");
    walk.feed(range->offset, bytes_of(file).subspan(range->offset, range->size));
  }
  return walk;
}

// Shows all bytes in pieces, as they come from a server.
ContainerWalk stream(const std::string& file, std::size_t piece, bool size_known) {
  ContainerWalk walk(size_known ? std::optional<std::uint64_t>(file.size()) : std::nullopt);
  for (std::size_t at = 0; at < file.size(); at += piece)
    walk.feed(at, bytes_of(file).subspan(at, std::min(piece, file.size() - at)));
  walk.finish(file.size());
  return walk;
}

struct Sample {
  const char* name;
  std::string (*make)();
  std::string_view container;
  // The head without which the format cannot be told, and the bytes at the end that may be missing.
  std::size_t head, slack;
};

class EveryContainer : public ::testing::TestWithParam<Sample> {};

}  // namespace

TEST_P(EveryContainer, whole_file_is_not_called_truncated) {
  const std::string file = GetParam().make();
  EXPECT_NE(Completeness::truncated, walk(file).state());
  EXPECT_EQ(GetParam().container, walk(file).container());
  for (const std::size_t piece : {1UL, 7UL, 188UL, 4096UL, file.size()})
    for (const bool size_known : {true, false}) {
      const ContainerWalk seen = stream(file, piece, size_known);
      EXPECT_NE(Completeness::truncated, seen.state()) << piece << size_known;
      EXPECT_NE(Completeness::undecided, seen.state()) << piece << size_known;
    }
}

// A cut that falls between two whole parts of a format without a total length cannot be seen.
TEST_P(EveryContainer, file_cut_anywhere_is_truncated_unless_cut_between_whole_parts) {
  const std::string file = GetParam().make();
  const std::string name = GetParam().name;
  int unseen = 0;
  for (std::size_t size = GetParam().head; size < file.size() - GetParam().slack; ++size) {
    const std::string cut = file.substr(0, size);
    const ContainerWalk at_once = walk(cut);
    if (at_once.state() == Completeness::truncated) {
      EXPECT_GT(at_once.expected_size(), size);
    } else {
      ++unseen;
    }
    if (size % 37 == 0) {
      EXPECT_EQ(at_once.state() == Completeness::truncated,
                stream(cut, 1000, true).state() == Completeness::truncated)
          << size;
      EXPECT_EQ(at_once.state() == Completeness::truncated,
                stream(cut, 1000, false).state() == Completeness::truncated)
          << size;
    }
  }
  const int allowed = name == "mp4" || name == "mp4_large_box" ? 2  // before moov and mdat
                      : name == "fragments"                    ? 5  // before each fragment
                      : name == "matroska_live"                ? 3
                      : name == "avi"                          ? 1 + 4 + 9  // slack of the first
                      : name == "flv"                          ? 2 * 5
                      : name == "transport"                    ? 36
                                                               : 0;
  EXPECT_LE(unseen, allowed);
}

TEST_P(EveryContainer, nothing_is_said_twice) {
  ContainerWalk walk = stream(GetParam().make(), 512, true);
  const Completeness state = walk.state();
  walk.feed(0, bytes_of("more"));
  walk.finish(1);
  EXPECT_EQ(state, walk.state());
  EXPECT_FALSE(walk.wants());
}

INSTANTIATE_TEST_SUITE_P(
    Completeness, EveryContainer,
    ::testing::Values(Sample{"mp4", mp4, "MP4", 12, 0},
                      Sample{"mp4_large_box", mp4_large_box, "MP4", 12, 0},
                      Sample{"fragments", fragments, "MP4", 960, 0},
                      Sample{"matroska", matroska, "Matroska", 16, 0},
                      Sample{"matroska_live", matroska_live, "Matroska", 60, 0},
                      Sample{"avi", avi, "AVI", 12, 9}, Sample{"flv", flv, "FLV", 20, 4},
                      Sample{"transport", transport, "MPEG-TS", 624, 0}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(Completeness, size_of_a_truncated_file_is_told) {
  const std::string file = mp4();
  EXPECT_EQ(file.size(), walk(file.substr(0, 3000)).expected_size());
  EXPECT_EQ(matroska().size(), walk(matroska().substr(0, 3000)).expected_size());
}

TEST(Completeness, unknown_bytes_have_no_verdict) {
  for (const std::string& file : {std::string(), std::string("x"), std::string(5000, 'x'),
                                  std::string("RIFF0000JUNK"), std::string(5000, '\0')})
    EXPECT_EQ(Completeness::unknown, walk(file).state());
}

TEST(Completeness, padding_and_zero_bytes_at_the_end_are_allowed) {
  EXPECT_EQ(Completeness::complete, walk(mp4() + std::string(4, '\0')).state());
  EXPECT_EQ(Completeness::complete, walk(mp4() + box("free", 900).substr(0, 500)).state());
  EXPECT_EQ(Completeness::complete,
            stream(mp4() + box("free", 900).substr(0, 500), 100, false).state());
}

TEST(Completeness, sizes_near_the_end_of_the_number_range_do_not_overflow) {
  for (const std::uint64_t size : {~0ULL, ~0ULL - 1, 1ULL << 63}) {
    const std::string file = box("ftyp", 24) + big(1, 4) + "mdat" + big(size, 8) + "xx";
    EXPECT_NE(Completeness::complete, walk(file).state());
  }
  const std::string file = ebml_head + "\x18\x53\x80\x67\x01" + big((1ULL << 56) - 2, 7) + "x";
  EXPECT_EQ(Completeness::truncated, walk(file).state());
}
