// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <string>
#include <string_view>

namespace clips {

// A file name, URI or other text from outside as one line of valid UTF-8 for messages and logs:
// control characters and bytes that are not UTF-8 become \xHH.
inline std::string display_name(std::string_view name) {
  std::string shown;
  const auto escape = [&](unsigned char byte) {
    constexpr char digits[] = "0123456789abcdef";
    shown += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  };
  while (!name.empty()) {
    const gunichar c = g_utf8_get_char_validated(name.data(), static_cast<gssize>(name.size()));
    if (c >= 0x110000 || c < 0x20 || c == 0x7f) {
      escape(static_cast<unsigned char>(name.front()));
      name.remove_prefix(1);
      continue;
    }
    const auto length = static_cast<std::size_t>(g_utf8_skip[static_cast<guchar>(name.front())]);
    shown += name.substr(0, length);
    name.remove_prefix(length);
  }
  return shown;
}

}  // namespace clips
