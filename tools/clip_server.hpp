// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace clips::tool {

// Answers requests for clips, one JSON object a line on standard input, with one a line on standard
// output, until the input ends; up to `jobs` at a time. Returns what the process returns.
int serve_clips(unsigned jobs);

}  // namespace clips::tool
