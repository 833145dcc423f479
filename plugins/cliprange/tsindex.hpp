// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "media.hpp"

namespace clips::cut {

constexpr size_t kTsHead = 3 * 204;  // bytes that show what it is

// Reads an MPEG transport stream (ISO/IEC 13818-1) from end to end, once: it has no index. The
// first program's H.264, H.265, AAC, MPEG and AC-3 streams; stream time 0 is the earliest
// timestamp. Memory: the packet that is being gathered of each stream, and the index.
Result<Movie> read_ts(ByteReader& reader);
bool looks_like_ts(ByteView head);

}  // namespace clips::cut
