// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstmediasource.hpp"

namespace clips::cut {

MediaSource::MediaSource(std::shared_ptr<UriReader> reader, const Movie& movie)
    : reader_(std::move(reader)) {
  if (movie.packets) view_.emplace(*reader_, movie.packets);
}

Result<Bytes> MediaSource::read(uint64_t offset, size_t length, uint64_t more) {
  return view_ ? view_->read(offset, length, more) : reader_->read(offset, length, more);
}

Result<BufferRef> MediaSource::read_buffer(uint64_t offset, size_t length, uint64_t more) {
  if (!view_) return reader_->read_buffer(offset, length, more);
  auto bytes = view_->read(offset, length, more);
  if (!bytes) return tl::make_unexpected(bytes.error());
  return wrap(std::move(*bytes));
}

BufferRef wrap(Bytes bytes) {
  auto* owned = new Bytes(std::move(bytes));
  return BufferRef::adopt(gst_buffer_new_wrapped_full(
      GST_MEMORY_FLAG_READONLY, owned->data(), owned->size(), 0, owned->size(), owned,
      [](gpointer data) { delete static_cast<Bytes*>(data); }));
}

}  // namespace clips::cut
