// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "media.hpp"

namespace clips::cut {

// Reads an AVI file (RIFF, with OpenDML's further chunks) from end to end, once: H.264, MPEG-4 part
// 2 or Motion JPEG, and MP3, MP2, AC-3, AAC or PCM of 16 bits. AVI has no timestamps: picture k in
// display order is shown at the place of the k-th packet, which for pictures that are stored in
// another order than they are shown is found out from their headers.
Result<Movie> read_avi(ByteReader& reader);
bool looks_like_avi(ByteView head);

}  // namespace clips::cut
