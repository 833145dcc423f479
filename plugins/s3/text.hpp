// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace clips::s3 {

std::string to_lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
// Without blanks, tabs and line ends at both ends.
std::string_view trim(std::string_view text);
bool has_control_characters(std::string_view text);
// All of the text, decimal, no sign.
std::optional<std::uint64_t> parse_uint(std::string_view text);
std::string to_hex(std::span<const unsigned char> bytes);
// Text from a store as it may stand in a message: printable, one line, at most `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = 300);

}  // namespace clips::s3
