// SPDX-License-Identifier: LGPL-2.1-or-later
// Parameter values: the first byte picks the type. What is accepted must read back as the same
// when it is printed, and must be in a range that is given.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "launchtext.hpp"
#include "value.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr std::array kTypes{
      clips::ValueType::Boolean, clips::ValueType::Int,      clips::ValueType::UInt,
      clips::ValueType::Int64,   clips::ValueType::UInt64,   clips::ValueType::Double,
      clips::ValueType::String,  clips::ValueType::Filename, clips::ValueType::Uri,
      clips::ValueType::Time,    clips::ValueType::Fraction, clips::ValueType::Caps,
      clips::ValueType::Choice};
  if (size == 0) return 0;
  const auto type = kTypes[data[0] % kTypes.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  clips::ValueLimits limits;
  limits.choices = {"slow", "fast"};
  const auto value = clips::parse_value(type, text, limits);
  if (value) {
    const auto again = clips::parse_value(type, clips::format_value(type, *value), limits);
    if (!again || *again != *value) std::abort();
  } else if (value.error().empty()) {
    std::abort();
  }
  clips::display_location(text);
  (void)clips::scan_launch_text(text);
  return 0;
}
