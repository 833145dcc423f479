// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "container.hpp"

namespace clips::cut {

// Reads the index of a Matroska or WebM file (RFC 9559): the headers of every block, or of those
// around a range that the cues lead to. Media is looked at where its headers must be.
Result<Movie> read_mkv(ByteReader& reader, const Wish& wish = {});
bool looks_like_mkv(ByteView head);

}  // namespace clips::cut
