// SPDX-License-Identifier: LGPL-2.1-or-later
#include "value.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

namespace clips {

namespace {

using Result = tl::expected<Value, std::string>;

struct TypeName {
  ValueType type;
  const char* name;
};

constexpr std::array<TypeName, 14> kTypeNames{{
    {ValueType::Boolean, "boolean"},
    {ValueType::Int, "int"},
    {ValueType::UInt, "uint"},
    {ValueType::Int64, "int64"},
    {ValueType::UInt64, "uint64"},
    {ValueType::Double, "double"},
    {ValueType::String, "string"},
    {ValueType::Filename, "filename"},
    {ValueType::Uri, "uri"},
    {ValueType::Time, "time"},
    {ValueType::Fraction, "fraction"},
    {ValueType::Caps, "caps"},
    {ValueType::Structure, "structure"},
    {ValueType::Choice, "choice"},
}};

constexpr std::uint64_t kSecond = 1'000'000'000;

struct GFreeText {
  void operator()(gchar* text) const noexcept { g_free(text); }
};
using Text = std::unique_ptr<gchar, GFreeText>;

std::string quoted(std::string_view text) {
  return "“" + display_location(text) + "”";
}

auto refuse(std::string_view what, std::string_view text) {
  return tl::make_unexpected(std::string("must be ") + std::string(what) + ", not " + quoted(text));
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result parse_boolean(std::string_view text) {
  for (const char* yes : {"true", "yes", "on", "1"})
    if (text == yes) return Value(true);
  for (const char* no : {"false", "no", "off", "0"})
    if (text == no) return Value(false);
  return refuse("true or false", text);
}

template <typename Number, typename Held>
Result parse_integer(std::string_view text) {
  if (const auto number = parse_number<Held>(text)) {
    if (*number >= Held{std::numeric_limits<Number>::min()} &&
        *number <= Held{std::numeric_limits<Number>::max()})
      return Value(*number);
  }
  return refuse("a whole number from " + std::to_string(std::numeric_limits<Number>::min()) +
                    " to " + std::to_string(std::numeric_limits<Number>::max()),
                text);
}

Result parse_double(std::string_view text) {
  const auto number = parse_number<double>(text);
  if (!number || !std::isfinite(*number)) return refuse("a number", text);
  return Value(*number);
}

Result parse_fraction(std::string_view text) {
  const auto slash = text.find('/');
  const auto numerator = parse_number<std::int32_t>(text.substr(0, slash));
  const auto denominator = slash == std::string_view::npos
                               ? std::optional<std::int32_t>(1)
                               : parse_number<std::int32_t>(text.substr(slash + 1));
  // INT32_MIN has no positive counterpart, so it could not be reduced.
  if (!numerator || !denominator || *denominator <= 0 ||
      *numerator == std::numeric_limits<std::int32_t>::min())
    return refuse("a fraction such as 30000/1001", text);
  const auto divisor = std::gcd(*numerator, *denominator);
  return Value(Fraction{*numerator / divisor, *denominator / divisor});
}

// digits[.digits] in units of `unit` ns; more than nine decimals of a second are refused, as they
// could not be kept.
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t unit) {
  const auto dot = text.find('.');
  const auto whole = parse_number<std::uint64_t>(text.substr(0, dot));
  if (!whole || *whole > (kTimeNone - 1) / unit) return std::nullopt;
  std::uint64_t value = *whole * unit;
  if (dot != std::string_view::npos) {
    const auto decimals = text.substr(dot + 1);
    if (decimals.empty()) return std::nullopt;
    std::uint64_t weight = unit;
    for (const char digit : decimals) {
      if (digit < '0' || digit > '9' || weight % 10 != 0) return std::nullopt;
      weight /= 10;
      const std::uint64_t part = weight * static_cast<std::uint64_t>(digit - '0');
      if (value > kTimeNone - 1 - part) return std::nullopt;
      value += part;
    }
  }
  return value;
}

Result parse_time(std::string_view text) {
  constexpr const char* kWhat =
      "a time such as 12.5 (seconds), 12.5s, 400ms, 2m, 1h, 0:01:02.5 or none";
  if (text == "none") return Value(kTimeNone);

  struct Unit {
    std::string_view suffix;
    std::uint64_t nanoseconds;
  };
  // Longer suffixes first: "ms" also ends in "s".
  static constexpr std::array<Unit, 6> kUnits{{{"ns", 1},
                                               {"us", 1'000},
                                               {"ms", 1'000'000},
                                               {"s", kSecond},
                                               {"m", 60 * kSecond},
                                               {"h", 3600 * kSecond}}};
  if (text.find(':') == std::string_view::npos) {
    std::uint64_t unit = kSecond;
    std::string_view digits = text;
    for (const auto& [suffix, nanoseconds] : kUnits) {
      if (digits.ends_with(suffix)) {
        digits.remove_suffix(suffix.size());
        unit = nanoseconds;
        break;
      }
    }
    if (const auto value = parse_decimal(digits, unit)) return Value(*value);
    return refuse(kWhat, text);
  }

  // [H:]MM:SS[.fraction]
  std::uint64_t minutes = 0;
  std::string_view rest = text;
  for (int part = 0; part < 2; ++part) {
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) break;
    const auto number = parse_number<std::uint32_t>(rest.substr(0, colon));
    if (!number || (part == 1 && *number > 59)) return refuse(kWhat, text);
    minutes = minutes * 60 + *number;
    rest.remove_prefix(colon + 1);
  }
  const auto seconds = parse_decimal(rest, kSecond);
  if (!seconds || *seconds >= 60 * kSecond || minutes > (kTimeNone - 1 - *seconds) / (60 * kSecond))
    return refuse(kWhat, text);
  return Value(minutes * 60 * kSecond + *seconds);
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Result parse_location(ValueType type, std::string_view text) {
  if (text.empty()) return tl::make_unexpected(std::string("must not be empty"));
  if (text.find('\0') != std::string_view::npos)
    return tl::make_unexpected(std::string("must not contain a NUL byte"));
  if (!is_uri(text)) return Value(std::string(text));
  if (has_control_character(text))
    return tl::make_unexpected(std::string("must be a URI without control characters"));
  if (text.ends_with("://")) return refuse("a complete URI or a path", text);
  if (type == ValueType::Filename) {
    const auto path = to_path(std::string(text));
    if (!path) return tl::make_unexpected(path.error());
  }
  return Value(std::string(text));
}

Result parse_untested(ValueType type, std::string_view text, const ValueLimits& limits) {
  switch (type) {
    case ValueType::Boolean:
      return parse_boolean(text);
    case ValueType::Int:
      return parse_integer<std::int32_t, std::int64_t>(text);
    case ValueType::UInt:
      return parse_integer<std::uint32_t, std::uint64_t>(text);
    case ValueType::Int64:
      return parse_integer<std::int64_t, std::int64_t>(text);
    case ValueType::UInt64:
      return parse_integer<std::uint64_t, std::uint64_t>(text);
    case ValueType::Double:
      return parse_double(text);
    case ValueType::Time:
      return parse_time(text);
    case ValueType::Fraction:
      return parse_fraction(text);
    case ValueType::Filename:
    case ValueType::Uri:
      return parse_location(type, text);
    case ValueType::Choice: {
      if (std::find(limits.choices.begin(), limits.choices.end(), text) != limits.choices.end())
        return Value(std::string(text));
      std::string all;
      for (const auto& choice : limits.choices) all += (all.empty() ? "" : ", ") + choice;
      return refuse("one of " + all, text);
    }
    case ValueType::String:
    case ValueType::Caps:
    case ValueType::Structure:
      if (text.find('\0') != std::string_view::npos)
        return tl::make_unexpected(std::string("must not contain a NUL byte"));
      return Value(std::string(text));
  }
  return tl::make_unexpected(std::string("has an unknown type"));
}

bool less(const Value& a, const Value& b) {
  return std::visit(
      [&b](const auto& value) {
        using Held = std::decay_t<decltype(value)>;
        const auto& other = std::get<Held>(b);
        if constexpr (std::is_same_v<Held, Fraction>)
          return std::int64_t{value.numerator} * other.denominator <
                 std::int64_t{other.numerator} * value.denominator;
        else
          return value < other;
      },
      a);
}

}  // namespace

std::optional<ValueType> value_type_from_name(std::string_view name) noexcept {
  for (const auto& entry : kTypeNames)
    if (name == entry.name) return entry.type;
  return std::nullopt;
}

const char* value_type_name(ValueType type) noexcept {
  for (const auto& entry : kTypeNames)
    if (type == entry.type) return entry.name;
  return "unknown";
}

bool value_type_is_ordered(ValueType type) noexcept {
  switch (type) {
    case ValueType::Int:
    case ValueType::UInt:
    case ValueType::Int64:
    case ValueType::UInt64:
    case ValueType::Double:
    case ValueType::Time:
    case ValueType::Fraction:
      return true;
    default:
      return false;
  }
}

Result parse_value(ValueType type, std::string_view text, const ValueLimits& limits) {
  auto value = parse_untested(type, text, limits);
  if (!value || !value_type_is_ordered(type)) return value;
  // "none" is no time, so no limit holds for it.
  if (type == ValueType::Time && std::get<std::uint64_t>(*value) == kTimeNone) return value;
  const bool low = limits.minimum && less(*value, *limits.minimum);
  const bool high = limits.maximum && less(*limits.maximum, *value);
  if (!low && !high) return value;
  if (limits.minimum && limits.maximum)
    return refuse("between " + format_value(type, *limits.minimum) + " and " +
                      format_value(type, *limits.maximum),
                  text);
  if (low) return refuse("at least " + format_value(type, *limits.minimum), text);
  return refuse("at most " + format_value(type, *limits.maximum), text);
}

std::string format_value(ValueType type, const Value& value) {
  struct Formatter {
    ValueType type;
    std::string operator()(bool boolean) const { return boolean ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(std::uint64_t number) const {
      if (type != ValueType::Time) return std::to_string(number);
      if (number == kTimeNone) return "none";
      std::string text = std::to_string(number / kSecond);
      if (const auto rest = number % kSecond; rest != 0) {
        std::string decimals = std::to_string(kSecond + rest).substr(1);
        decimals.erase(decimals.find_last_not_of('0') + 1);
        text += "." + decimals;
      }
      return text + "s";
    }
    std::string operator()(double number) const {
      std::array<char, 64> buffer{};
      const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
      return {buffer.data(), end};
    }
    std::string operator()(const Fraction& fraction) const {
      return std::to_string(fraction.numerator) + "/" + std::to_string(fraction.denominator);
    }
    std::string operator()(const std::string& text) const { return text; }
  };
  return std::visit(Formatter{type}, value);
}

bool is_uri(std::string_view text) noexcept {
  const auto end = text.find("://");
  if (end == std::string_view::npos || end < 2) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!letter(text[0])) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

tl::expected<std::string, std::string> to_uri(const std::string& path_or_uri) {
  if (is_uri(path_or_uri)) return path_or_uri;
  const Text absolute(g_canonicalize_filename(path_or_uri.c_str(), nullptr));
  const Text uri(g_filename_to_uri(absolute.get(), nullptr, nullptr));
  if (!uri) return tl::make_unexpected("cannot be made a URI: " + quoted(path_or_uri));
  return std::string(uri.get());
}

tl::expected<std::string, std::string> to_path(const std::string& path_or_uri) {
  if (!is_uri(path_or_uri)) return path_or_uri;
  const Text path(g_filename_from_uri(path_or_uri.c_str(), nullptr, nullptr));
  if (!path) return refuse("a path or a file:// URI", path_or_uri);
  return std::string(path.get());
}

std::string display_location(std::string_view path_or_uri) {
  std::string text(path_or_uri);
  if (is_uri(text)) {
    const auto authority = text.find("://") + 3;
    text.erase(std::min(text.find_first_of("?#", authority), text.size()));
    const auto end = std::min(text.find('/', authority), text.size());
    const auto at = text.rfind('@', end);
    if (at != std::string::npos && at >= authority && at < end)
      text.erase(authority, at + 1 - authority);
  }
  const Text valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  std::string shown(valid.get());
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return shown;
}

}  // namespace clips
