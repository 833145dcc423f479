// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "container.hpp"

namespace clips::cut {

// Reads a Flash Video file (Adobe Flash Video File Format Specification 10.1, annex E; enhanced
// RTMP for H.265) from tag to tag: H.264 or H.265, and AAC, MP3 or PCM of 16 bits. Stream time 0 is
// the earliest timestamp. Only the heads of tags are looked at.
Result<Movie> read_flv(ByteReader& reader, const Wish& wish = {});
bool looks_like_flv(ByteView head);

}  // namespace clips::cut
