// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace clips::tool {

class Reporter;

// Writes a document to a path or URI, whole or not at all. Says one line on standard error when it
// fails, or through the reporter of the larger task that this is a part of; returns what the
// process returns.
int publish_text(const std::string& text, const char* path_or_uri, Reporter* larger = nullptr);

}  // namespace clips::tool
