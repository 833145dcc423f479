// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

namespace clips {

// The types a parameter of a pipeline definition may have. What each accepts as text is in
// docs/pipelines/format.md; parse_value() is the one place that decides.
enum class ValueType {
  Boolean,
  Int,
  UInt,
  Int64,
  UInt64,
  Double,
  String,
  Filename,
  Uri,
  Time,
  Fraction,
  Caps,
  Structure,
  Choice,
};

std::optional<ValueType> value_type_from_name(std::string_view name) noexcept;
const char* value_type_name(ValueType type) noexcept;
// Whether minimum and maximum make sense for the type.
bool value_type_is_ordered(ValueType type) noexcept;

struct Fraction {
  std::int32_t numerator = 0;
  std::int32_t denominator = 1;
  bool operator==(const Fraction&) const = default;
};

// Boolean: bool. Int, Int64: int64_t. UInt, UInt64, Time (ns): uint64_t. Double: double.
// Fraction: Fraction, reduced. Everything else: the text itself.
using Value = std::variant<bool, std::int64_t, std::uint64_t, double, Fraction, std::string>;

inline constexpr std::uint64_t kTimeNone = UINT64_MAX;

struct ValueLimits {
  std::optional<Value> minimum;
  std::optional<Value> maximum;
  // The values of a Choice.
  std::vector<std::string> choices;
};

// Reads a text as a value of the type and checks it against the limits. The error is the end of a
// sentence that starts with the parameter's name: "must be an integer, not “abc”".
tl::expected<Value, std::string> parse_value(ValueType type, std::string_view text,
                                             const ValueLimits& limits = {});

// The text that parse_value() reads back as the same value.
std::string format_value(ValueType type, const Value& value);

// Whether a text is a URI (has a scheme and “://”) and not a path.
bool is_uri(std::string_view text) noexcept;

// The URI of a path or URI; relative paths are taken from the current folder. Paths may hold any
// byte but NUL.
tl::expected<std::string, std::string> to_uri(const std::string& path_or_uri);
// The path of a path or file:// URI.
tl::expected<std::string, std::string> to_path(const std::string& path_or_uri);

// What may be shown of a location: without the user info and the query of a URI, which can hold
// credentials, and with bytes that are no UTF-8 or are control characters replaced.
std::string display_location(std::string_view path_or_uri);

}  // namespace clips
