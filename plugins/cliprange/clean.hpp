// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "movie.hpp"

namespace clips::cut {

// What keeps a movie from being clean, as the rest of a sentence that begins with "because"; empty
// if it is. Clean is an MP4 of one track of progressive 8-bit 4:2:0 SDR H.264 (Baseline, Main or
// High, one parameter set box for all of it) and at most one of AAC, without sound none. Judged by
// the sample entries; no media is read.
std::string why_not_clean(const Movie& movie, bool with_sound);

}  // namespace clips::cut
