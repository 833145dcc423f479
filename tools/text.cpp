// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <vector>

namespace clips::tool {

namespace {

std::string escaped(unsigned char byte) {
  switch (byte) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\x%02x", byte);
  return text.data();
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const gunichar c = g_utf8_get_char_validated(text.data(), static_cast<gssize>(text.size()));
    const bool valid = c != static_cast<gunichar>(-1) && c != static_cast<gunichar>(-2) && c != 0;
    const std::size_t length =
        valid ? static_cast<std::size_t>(g_utf8_next_char(text.data()) - text.data()) : 1;
    // Line and paragraph separators and direction marks are format characters to Unicode.
    if (valid && !g_unichar_iscntrl(c) && c != 0x2028 && c != 0x2029 &&
        g_unichar_type(c) != G_UNICODE_FORMAT) {
      line.append(text.substr(0, length));
    } else {
      for (const char byte : text.substr(0, length))
        line += escaped(static_cast<unsigned char>(byte));
    }
    text.remove_prefix(length);
  }
  return line;
}

std::string clock_time(std::uint64_t nanoseconds) {
  const std::uint64_t total = nanoseconds / 1'000'000'000;
  std::array<char, 32> text{};
  if (total >= 3600) {
    std::snprintf(text.data(), text.size(), "%llu:%02u:%02u",
                  static_cast<unsigned long long>(total / 3600),
                  static_cast<unsigned>(total / 60 % 60), static_cast<unsigned>(total % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%u:%02u", static_cast<unsigned>(total / 60),
                  static_cast<unsigned>(total % 60));
  }
  return text.data();
}

std::string seconds(std::uint64_t nanoseconds) {
  std::string fraction = std::to_string(nanoseconds % 1'000'000'000);
  fraction.insert(0, 9 - fraction.size(), '0');
  fraction.erase(std::max<std::size_t>(fraction.find_last_not_of('0') + 1, 1));
  return std::to_string(nanoseconds / 1'000'000'000) + "." + fraction;
}

std::string object_name(std::string_view text) {
  constexpr std::size_t longest = 100;
  std::string name;
  for (const char c : text) {
    if (g_ascii_isalnum(c) || c == '-')
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  }
  if (name.size() > longest) name.resize(longest);
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name.empty() ? "default" : name;
}

std::string shell_quote(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return g_ascii_isalnum(c) || std::string_view("_-./:=,+@%").find(c) != std::string_view::npos;
  });
  if (plain) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

unsigned edit_distance(std::string_view a, std::string_view b) {
  std::vector<unsigned> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    unsigned diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const unsigned above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace clips::tool
