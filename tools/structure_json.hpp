// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace clips::tool {

// The fields of a message's structure in JSON: numbers, booleans and strings as such, enums by
// their nick, fractions as "n/d", lists as arrays, structures as objects; what has no text form is
// left out. Secrets of URLs and of HTTP headers become dots.
nlohmann::ordered_json structure_to_json(const GstStructure* structure);
nlohmann::ordered_json value_to_json(const GValue* value);

// Null for no text.
nlohmann::ordered_json text_or_null(const gchar* text);

// What somebody gives as JSON; what is wrong with it when it is none, has a key twice, or a text
// with a NUL, behind which the rest of a path or word would be lost.
tl::expected<nlohmann::ordered_json, std::string> parse_given(std::string_view text);

// A value on one line, whatever bytes its texts hold: file names need not be UTF-8. Numbers are
// plain decimals, never in exponent form.
std::string json_line(const nlohmann::ordered_json& value);

}  // namespace clips::tool
