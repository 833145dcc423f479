// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "failure.hpp"

namespace clips::tool {

// All bytes of a small document at a path or URI.
tl::expected<std::string, Problem> read_whole(const std::string& path_or_uri);

}  // namespace clips::tool
