// SPDX-License-Identifier: LGPL-2.1-or-later
#include "entrance.hpp"

#include "nal.hpp"

namespace clips::cut {

Result<bool> decodes_from(ByteReader& reader, const Track& video, uint64_t key, int64_t from) {
  // There is nothing in front of the first picture: what it gives is what the source shows.
  if (key == 0 || !is_avc(video.codec)) return true;
  const Sample entrance = video.samples.at(key);
  const auto format = nal_format(video.codec, video.descriptions[entrance.description - 1]);
  if (!format) return true;
  const auto head_of = [&](const Sample& s) {
    return reader.read(s.offset, std::min(s.size, kHeadBytes));
  };
  const auto head = head_of(entrance);
  if (!head) return tl::make_unexpected(head.error());
  const unsigned needed = avc_recovery(*format, *head);
  // Frame numbers count the pictures that others refer to.
  unsigned referred = 0;
  bool recovered = needed == 0;
  std::optional<Error> error;
  video.samples.each(key, video.samples.count(), [&](uint64_t, const Sample& s) {
    if (s.pts > from) return false;
    recovered = referred >= needed;
    if (recovered) return false;
    const auto packet = head_of(s);
    if (!packet)
      error = packet.error();
    else
      referred += !is_avc_disposable(*packet, format->length_size);
    return !error;
  });
  if (error) return tl::make_unexpected(*error);
  return recovered;
}

}  // namespace clips::cut
