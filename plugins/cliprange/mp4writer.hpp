// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "clipwriter.hpp"

namespace clips::cut {

// Writes one MP4 or QuickTime file.
class MovieWriter final : public ClipWriter {
 public:
  MovieWriter(Container container, bool moov_first)
      : container_(container), moov_first_(moov_first) {}
  std::string why_not(const Track&) const override { return {}; }
  bool hides() const override { return true; }
  Result<bool> finish() override;

 private:
  struct Chunk {
    uint32_t track;
    uint32_t samples;
    uint64_t offset;  // in the media
  };
  void interleave();
  Bytes moov(uint64_t media_offset, bool wide) const;
  void trak(ByteWriter& w, size_t index, uint32_t movie_scale, uint64_t media_offset,
            bool wide) const;
  uint32_t movie_timescale() const;

  const Container container_;
  const bool moov_first_;
  std::vector<Chunk> chunks_;
  uint64_t media_size_ = 0;
};

}  // namespace clips::cut
