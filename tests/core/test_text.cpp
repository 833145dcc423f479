// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text.hpp"

#include <gtest/gtest.h>

#include <array>

using namespace clips::tool;

TEST(OneLine, plain_text_and_utf8_stay_as_they_are) {
  EXPECT_EQ("Pîpe 視頻 🎬 !%n'\"", one_line("Pîpe 視頻 🎬 !%n'\""));
}

TEST(OneLine, control_characters_become_escapes) {
  EXPECT_EQ("a\\nb\\tc\\rd", one_line("a\nb\tc\rd"));
  EXPECT_EQ("\\x1b[31mred", one_line("\x1b[31mred"));
  EXPECT_EQ("\\x00", one_line(std::string_view("\0", 1)));
}

TEST(OneLine, bytes_that_are_no_utf8_become_escapes) {
  EXPECT_EQ("caf\\xe9.mp4", one_line("caf\xe9.mp4"));
  EXPECT_EQ("\\xe2\\x82", one_line("\xe2\x82"));
}

TEST(OneLine, characters_that_turn_the_writing_direction_become_escapes) {
  EXPECT_EQ("\\xe2\\x80\\xae4pm.exe", one_line("\u202e4pm.exe"));
}

TEST(Redact, query_and_user_of_a_url_are_hidden) {
  EXPECT_EQ("Could not read https://b.example/k?... now",
            redact("Could not read https://b.example/k?X-Amz-Signature=abc&x=1 now"));
  EXPECT_EQ("https://...@host/a", redact("https://me:secret@host/a"));
  EXPECT_EQ("s3://bucket/key?...", redact("s3://bucket/key?region=x"));
  EXPECT_EQ("\"http://a/?...\" \"http://b/?...\"", redact("\"http://a/?x\" \"http://b/?y\""));
  EXPECT_EQ("http://...@h/", redact("http://a@b@h/"));
}

TEST(Redact, local_names_stay_as_they_are) {
  for (const char* text : {"/videos/who?.mp4", "file:///videos/who?.mp4", "a@b.mp4", "://", ""})
    EXPECT_EQ(text, redact(text));
}

TEST(Times, seconds_are_plain_decimals) {
  EXPECT_EQ("1000.0", seconds(1'000'000'000'000));
  EXPECT_EQ("0.000000001", seconds(1));
  EXPECT_EQ("0.0", seconds(0));
  EXPECT_EQ("12.34", seconds(12'340'000'000));
}

TEST(Times, clock_time_grows_hours_when_there_are_some) {
  EXPECT_EQ("0:00", clock_time(999'999'999));
  EXPECT_EQ("59:59", clock_time(3'599'000'000'000));
  EXPECT_EQ("1:00:00", clock_time(3'600'000'000'000));
  EXPECT_EQ("100:02:03", clock_time(360'123'000'000'000));
}

TEST(ShellQuote, only_what_needs_it_is_quoted) {
  EXPECT_EQ("input=/a/b.mp4", shell_quote("input=/a/b.mp4"));
  EXPECT_EQ("''", shell_quote(""));
  EXPECT_EQ("'it'\\''s $HOME'", shell_quote("it's $HOME"));
}

TEST(Nearest, a_slip_of_the_fingers_is_found_and_nonsense_is_not) {
  const std::array<std::string, 3> names = {"proxy", "master", "normalize"};
  EXPECT_EQ("proxy", nearest("porxy", names));
  EXPECT_EQ("normalize", nearest("normalise", names));
  EXPECT_EQ("", nearest("thumbnail", names));
  EXPECT_EQ(3U, edit_distance("kitten", "sitting"));
}
