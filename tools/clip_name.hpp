// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "definitions.hpp"

namespace clips::tool {

// The output of a clip: as given, or, for a folder or a prefix that ends in a slash,
// clip_<id>_<unix ms>.mp4 in it, the name that `gst-clips clean` knows. Without an id one is made
// of what is cut, so that another range has another name.
std::string clip_output(const std::string& output, const std::string& id, const Settings& settings);

}  // namespace clips::tool
