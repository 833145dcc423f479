// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container.hpp"

#include "aviindex.hpp"
#include "flvindex.hpp"
#include "mkvindex.hpp"
#include "mp4index.hpp"
#include "tsindex.hpp"

namespace clips::cut {

Result<Movie> read_movie(ByteReader& reader, const std::string& name, const Wish& wish) {
  const auto head = reader.read(0, kTsHead, 4096);
  if (!head) return tl::make_unexpected(head.error());
  if (looks_like_mp4(*head)) return read_mp4(reader);
  if (looks_like_mkv(*head)) return read_mkv(reader, wish);
  if (looks_like_flv(*head)) return read_flv(reader, wish);
  if (wish.header_above && reader.size() > std::max(*wish.header_above, wish.whole_up_to))
    return fail(Fault::Unsupported, "The source is large and has no index.");
  if (looks_like_avi(*head)) return read_avi(reader);
  if (looks_like_ts(*head)) return read_ts(reader);
  return fail(Fault::WrongType,
              name +
                  " is not an MP4, QuickTime, Matroska, WebM, MPEG-TS, FLV or AVI file, the "
                  "containers that can be cut.");
}

}  // namespace clips::cut
