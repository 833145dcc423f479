// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <nlohmann/json.hpp>

namespace clips::tool {

// The fields of a message's structure in JSON: numbers, booleans and strings as such, enums by
// their nick, fractions as "n/d", lists as arrays, structures as objects; what has no text form is
// left out.
nlohmann::ordered_json structure_to_json(const GstStructure* structure);
nlohmann::ordered_json value_to_json(const GValue* value);

}  // namespace clips::tool
