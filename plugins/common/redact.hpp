// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace clips {

// The text without the secrets that URLs carry: the query (signatures) and user:password@. For
// whatever people and logs get to see.
inline std::string redact(std::string_view text) {
  const auto is_scheme_character = [](char c) {
    return g_ascii_isalnum(c) || c == '+' || c == '-' || c == '.';
  };
  const auto ends_url = [](char c) {
    return g_ascii_isspace(c) || c == '"' || c == '\'' || c == '<' || c == '>' || c == '\\';
  };
  std::string result;
  while (true) {
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos) return result.append(text);
    const std::size_t authority = colon + 3;
    std::size_t begin = colon;
    while (begin > 0 && is_scheme_character(text[begin - 1])) --begin;
    const std::string_view scheme = text.substr(begin, colon - begin);
    const std::size_t end = static_cast<std::size_t>(
        std::find_if(text.begin() + static_cast<std::ptrdiff_t>(authority), text.end(), ends_url) -
        text.begin());
    const std::string_view url = text.substr(authority, end - authority);
    result.append(text.substr(0, authority));
    const std::size_t at = url.substr(0, url.find('/')).rfind('@');
    const std::string_view rest = at == std::string_view::npos ? url : url.substr(at + 1);
    if (at != std::string_view::npos) result.append("...@");
    // In a local file's URI the question mark is part of the name in practice.
    const std::size_t query = scheme == "file" ? std::string_view::npos : rest.find('?');
    result.append(rest.substr(0, query));
    if (query != std::string_view::npos) result.append("?...");
    text.remove_prefix(end);
  }
}

}  // namespace clips
