// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace clips {

// A name with places for a running number and a timestamp, for sinks that write one object a
// buffer. The tokens are `{index}`, `{index:0N}` (at least N digits, N from 1 to 19) and `{pts}`
// (nanoseconds). There is no other syntax, so a name never reaches a format function: any other
// brace is an error, and a percent sign is a percent sign.
class NameTemplate {
 public:
  // The error is a sentence without a full stop that says what is wrong.
  static tl::expected<NameTemplate, std::string> parse(std::string_view text) {
    NameTemplate result;
    bool varies = false;
    std::string literal;
    const auto finish_literal = [&] {
      if (!literal.empty())
        result.pieces_.push_back({Kind::literal, 0, std::exchange(literal, {})});
    };
    while (!text.empty()) {
      const char c = text.front();
      if (c == '}') return tl::unexpected(std::string("a } stands without its {"));
      if (c != '{') {
        literal += c;
        text.remove_prefix(1);
        continue;
      }
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) return tl::unexpected(std::string("a { is not closed"));
      const std::string_view token = text.substr(1, end - 1);
      finish_literal();
      if (token == "index") {
        result.pieces_.push_back({Kind::index, 0, {}});
      } else if (token == "pts") {
        result.pieces_.push_back({Kind::pts, 0, {}});
      } else if (const auto digits = index_digits(token)) {
        result.pieces_.push_back({Kind::index, *digits, {}});
      } else {
        return tl::unexpected("{" + std::string(token) +
                              "} is none of {index}, {index:05} and {pts}");
      }
      varies = true;
      text.remove_prefix(end + 1);
    }
    finish_literal();
    if (!varies)
      return tl::unexpected(
          std::string("every file would replace the one before; put {index} into it"));
    return result;
  }

  bool needs_pts() const {
    for (const auto& piece : pieces_)
      if (piece.kind == Kind::pts) return true;
    return false;
  }

  // `pts` in nanoseconds; it is not looked at unless needs_pts().
  std::string render(std::uint64_t index, std::uint64_t pts) const {
    std::string name;
    for (const auto& piece : pieces_) {
      if (piece.kind == Kind::literal) {
        name += piece.text;
        continue;
      }
      const std::string number = std::to_string(piece.kind == Kind::index ? index : pts);
      if (number.size() < piece.digits) name.append(piece.digits - number.size(), '0');
      name += number;
    }
    return name;
  }

 private:
  enum class Kind { literal, index, pts };
  struct Piece {
    Kind kind;
    unsigned digits;
    std::string text;
  };

  static std::optional<unsigned> index_digits(std::string_view token) {
    constexpr std::string_view prefix = "index:0";
    if (!token.starts_with(prefix)) return std::nullopt;
    token.remove_prefix(prefix.size());
    unsigned digits = 0;
    const auto [end, status] = std::from_chars(token.data(), token.data() + token.size(), digits);
    if (status != std::errc() || end != token.data() + token.size()) return std::nullopt;
    if (token.front() == '0' || digits > 19) return std::nullopt;
    return digits;
  }

  std::vector<Piece> pieces_;
};

}  // namespace clips
