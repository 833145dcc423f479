// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <string>

#include "lib/mpeg4packed.hpp"

using namespace clips;

namespace {

const std::string head(
    "\x00\x00\x01\xb0\xf5\x00\x00\x01\xb2"
    "DivX503b1234p",
    22);
const std::string picture("\x00\x00\x01\xb6\x10 a picture", 15);

std::optional<std::size_t> second(const std::string& packet) {
  return second_picture(std::as_bytes(std::span(packet.data(), packet.size())));
}

}  // namespace

TEST(Mpeg4Packed, the_second_picture_of_a_packet_is_found_behind_headers_and_in_front_of_more) {
  EXPECT_EQ(picture.size(), second(picture + picture));
  EXPECT_EQ(head.size() + picture.size(), second(head + picture + picture));
  EXPECT_EQ(picture.size(), second(picture + picture + picture));
}

TEST(Mpeg4Packed, a_packet_with_one_picture_or_none_has_no_second) {
  for (const std::string& packet : {std::string(), std::string("\x00\x00\x01", 3), head, picture,
                                    head + picture, picture + std::string("\x00\x00\x01", 3)})
    EXPECT_FALSE(second(packet)) << packet.size();
}

TEST(Mpeg4Packed, only_a_few_bytes_are_a_placeholder) {
  EXPECT_TRUE(is_placeholder(1));
  EXPECT_TRUE(is_placeholder(7));
  EXPECT_FALSE(is_placeholder(20));
}
