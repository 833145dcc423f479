// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "common/name_template.hpp"

namespace {

using clips::NameTemplate;

std::string render(std::string_view text, std::uint64_t index, std::uint64_t pts) {
  const auto parsed = NameTemplate::parse(text);
  return parsed ? parsed->render(index, pts) : "error: " + parsed.error();
}

TEST(NameTemplate, index_is_written_plain_or_padded) {
  EXPECT_EQ(render("a-{index}.jpg", 7, 0), "a-7.jpg");
  EXPECT_EQ(render("a-{index:05}.jpg", 7, 0), "a-00007.jpg");
  EXPECT_EQ(render("{index:02}", 12345, 0), "12345");
}

TEST(NameTemplate, pts_is_nanoseconds) {
  EXPECT_EQ(render("{pts}/{index}", 1, 18446744073709551615u), "18446744073709551615/1");
}

TEST(NameTemplate, only_pts_needs_a_timestamp) {
  EXPECT_FALSE(NameTemplate::parse("{index}")->needs_pts());
  EXPECT_TRUE(NameTemplate::parse("{index}{pts}")->needs_pts());
}

TEST(NameTemplate, percent_signs_newlines_and_odd_bytes_stay_as_they_are) {
  EXPECT_EQ(render("100%n%s\n\xff{index}", 3, 0),
            "100%n%s\n\xff"
            "3");
}

TEST(NameTemplate, other_tokens_are_rejected) {
  for (const char* text : {"{}", "{index:5}", "{index:0}", "{index:00}", "{index:020}",
                           "{index:05d}", "{Index}", "{index:0-5}", "{name}{index}", "{index",
                           "index}", "{{index}}", "{index }", "%d", "plain", ""})
    EXPECT_FALSE(NameTemplate::parse(text)) << text;
}

}  // namespace
