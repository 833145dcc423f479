// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "movie.hpp"

namespace clips::cut {

// Reads the sample tables of an MP4 or QuickTime file (ISO/IEC 14496-12, QuickTime File Format):
// the moov, wherever it stands, and every moof of a fragmented file. Media is not read.
Result<Movie> read_mp4(ByteReader& reader);

// Whether the first bytes of a source look like that container.
bool looks_like_mp4(ByteView head);

// The payload of a moov; for read_mp4() and the fuzzers.
Result<Movie> parse_moov(std::shared_ptr<const Bytes> payload, uint64_t source_size);

}  // namespace clips::cut
