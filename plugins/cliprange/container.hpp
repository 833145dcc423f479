// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "media.hpp"

namespace clips::cut {

// What of a source's index is wanted. Containers without tables must be walked through, which for a
// time range in a large one is not done from end to end.
struct Wish {
  // The range in ns of stream time; nothing: all of it.
  std::optional<std::pair<uint64_t, uint64_t>> range;
  // Sources up to this size are indexed whole whatever is wanted.
  uint64_t whole_up_to = 0;
  // Of sources larger than this only the header is read and the packets of the first second, if the
  // header lists key frames; if not, all up to `whole_up_to`, and a larger one is
  // Fault::Unsupported.
  std::optional<uint64_t> header_above;
};

// Reads the index of a source of any container that can be cut; `name` stands in errors.
Result<Movie> read_movie(ByteReader& reader, const std::string& name, const Wish& wish = {});

}  // namespace clips::cut
