// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "cutter.hpp"

namespace clips::cut {

// Enum types that the elements of this plugin share; the nicks are what a user types.
GType mode_get_type();
GType snap_get_type();
GType fallback_get_type();
// The property `container`, and its value as the number of that type.
GType container_get_type();
gint container_value(std::optional<Container> container);
std::optional<Container> container_of(gint value);

// Posts the one error message for a failure.
void post_error(GstElement* element, const Error& error);

// The fields of the element message `clip-range`.
GstStructure* describe(const Report& report, const Request& request);

}  // namespace clips::cut
