// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "gsturireader.hpp"
#include "media.hpp"

namespace clips::cut {

// The packets of a movie at their Sample::offset, whether the source holds them in one piece or
// they have to be gathered.
class MediaSource final : public ByteReader {
 public:
  MediaSource(std::shared_ptr<UriReader> reader, const Movie& movie);
  uint64_t size() const override { return view_ ? view_->size() : reader_->size(); }
  Result<Bytes> read(uint64_t offset, size_t length, uint64_t more) override;
  // Without a copy where the source holds the bytes.
  Result<BufferRef> read_buffer(uint64_t offset, size_t length, uint64_t more);
  bool remote() const { return reader_->remote(); }

 private:
  const std::shared_ptr<UriReader> reader_;
  std::optional<MediaView> view_;
};

// A buffer of these bytes.
BufferRef wrap(Bytes bytes);

}  // namespace clips::cut
