// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>

namespace clips::media {

// True if the bytes are exactly one `moov` box (ISO/IEC 14496-12) with a 32-bit size.
bool is_movie_box(std::span<const uint8_t> bytes) noexcept;

// Corrects the edit lists of a movie box in place.
//
// AAC: the first `samples` of each track are hidden. Its media starts that much later, and the
// durations of the edit, the track and the movie shrink by it. Pictures stored in another order
// than they are shown: the edit reaches to the end of the last one shown. mp4mux makes it as long
// as the decode times are, which hides the last picture of a variable frame rate.
// A delay that the edit list begins with (an empty edit) stays.
//
// Returns the number of tracks changed. The error is a sentence without a full stop; the box is
// then unchanged.
tl::expected<unsigned, std::string> correct_edits(std::span<uint8_t> movie, uint32_t samples);

}  // namespace clips::media
