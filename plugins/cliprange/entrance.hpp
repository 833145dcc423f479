// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "bytes.hpp"
#include "movie.hpp"

namespace clips::cut {

// What is read of a key frame to find out what it is.
constexpr uint32_t kHeadBytes = 4000;

// Whether decoding that begins at the key frame `key` (decode order) gives the pictures that are
// shown from the media time `from` on as they are. So it is at a picture that refers to no other;
// an H.264 stream may instead be refreshed piece by piece (intra refresh), and its entrances, which
// containers call key frames too, lead to whole pictures some pictures later.
Result<bool> decodes_from(ByteReader& reader, const Track& video, uint64_t key, int64_t from);

}  // namespace clips::cut
