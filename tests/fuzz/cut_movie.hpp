// SPDX-License-Identifier: LGPL-2.1-or-later
// What every index is put through once it was read: cuts of all kinds, laid out and not written.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cliprange/clean.hpp"
#include "cliprange/cutter.hpp"
#include "cliprange/media.hpp"
#include "clips/memory_reader.hpp"

namespace clips::cut {

inline void cut_movie(Result<Movie> movie, ByteReader& reader) {
  if (!movie) return;
  // The index alone may promise billions of samples of constant size; walking them is only slow.
  for (const Track& track : movie->tracks)
    if (track.samples.count() > 1'000'000) return;
  (void)why_not_clean(*movie, true);
  const auto shared = std::make_shared<const Movie>(std::move(*movie));
  std::optional<MediaView> view;
  if (shared->packets) view.emplace(reader, shared->packets);
  ByteReader& media = view ? static_cast<ByteReader&>(*view) : reader;
  for (const Container container : {Container::Mp4, Container::Matroska}) {
    for (const Mode mode : {Mode::Edit, Mode::Copy, Mode::Whole}) {
      Options options;
      options.request.mode = mode;
      options.request.start = 40'000'000;
      options.container = container;
      const auto clip = make_clip(shared, media, options, nullptr);
      if (!clip || !view) continue;
      for (const Run& run : clip->writer->runs())
        if (run.store == Store::Source) (void)media.read(run.offset, run.length);
    }
  }
}

}  // namespace clips::cut
