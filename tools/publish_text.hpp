// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace clips::tool {

// Writes a document to a path or URI, whole or not at all. Says one line on standard error when it
// fails; returns what the process returns.
int publish_text(const std::string& text, const char* path_or_uri);

}  // namespace clips::tool
