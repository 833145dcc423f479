// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launchtext.hpp"

#include <algorithm>

namespace clips {

namespace {

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_word_character);
}

// The text without the quotes and backslashes that gst-launch removes from a property's value.
std::string unquoted(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' || text[i] == '\'') continue;
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

// Splits at blanks and “!” outside of quotes, brackets of caps lists and ranges included.
tl::expected<std::vector<std::string>, std::string> split(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  int depth = 0;
  const auto flush = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      if (i + 1 == text.size()) return tl::make_unexpected(std::string("ends in a backslash"));
      word += c;
      word += text[++i];
    } else if (quote) {
      word += c;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      word += c;
      quote = c;
    } else if (depth == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
      flush();
    } else if (depth == 0 && c == '!') {
      flush();
      words.emplace_back("!");
    } else {
      if (c == '[' || c == '{' || c == '<') ++depth;
      if ((c == ']' || c == '}' || c == '>') && depth > 0) --depth;
      word += c;
    }
  }
  if (quote) return tl::make_unexpected(std::string("has a quote that is never closed"));
  flush();
  return words;
}

}  // namespace

tl::expected<LaunchText, std::string> scan_launch_text(std::string_view text) {
  LaunchText result;
  for (auto at = text.find("${"); at != std::string_view::npos; at = text.find("${", at)) {
    const auto end = text.find('}', at);
    if (end == std::string_view::npos)
      return tl::make_unexpected(std::string("has a ${ that is never closed"));
    const auto name = text.substr(at + 2, end - at - 2);
    if (!is_word(name))
      return tl::make_unexpected("has the malformed token “" +
                                 std::string(text.substr(at, end + 1 - at)) + "”");
    result.tokens.emplace_back(name);
    at = end + 1;
  }

  const auto words = split(text);
  if (!words) return tl::make_unexpected(words.error());
  for (const auto& word : *words) {
    if (is_word(word)) {
      result.elements.push_back({word, {}});
    } else if (word.starts_with("name=") && !result.elements.empty()) {
      result.elements.back().name = unquoted(std::string_view(word).substr(5));
    }
  }
  return result;
}

}  // namespace clips
