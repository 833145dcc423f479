// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "command.hpp"

namespace clips::tool {

// gst-clips cuts edit: changes a cut list as people do in a review. `arguments` begins behind
// "edit".
int edit_cuts(const Command& command, std::vector<char*> arguments);

}  // namespace clips::tool
