// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace clips::tool {

// Removes files and objects, given as URIs, within `patience`. False when one of them is still
// there; one that did not exist is no failure.
bool remove_outputs(const std::vector<std::string>& uris, std::chrono::milliseconds patience);

}  // namespace clips::tool
