// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "definition.hpp"

using namespace clips;

TEST(Value, time_reads_seconds_units_and_clock_notation) {
  const auto ns = [](const char* text) {
    return std::get<std::uint64_t>(parse_value(ValueType::Time, text).value());
  };
  EXPECT_EQ(12'500'000'000u, ns("12.5"));
  EXPECT_EQ(400'000'000u, ns("400ms"));
  EXPECT_EQ(3'723'500'000'000u, ns("1:02:03.5"));
  EXPECT_EQ(kTimeNone, ns("none"));
}
