// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>

#include "cliprange/bytes.hpp"

namespace clips::cut {

// A source that is bytes in memory.
class MemoryReader final : public ByteReader {
 public:
  explicit MemoryReader(Bytes bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  Result<Bytes> read(uint64_t offset, size_t length, uint64_t) override {
    if (offset >= bytes_.size()) return fail(Fault::Truncated, "past the end");
    const auto n = static_cast<size_t>(std::min<uint64_t>(length, bytes_.size() - offset));
    read_ += n;
    return Bytes(bytes_.begin() + static_cast<ptrdiff_t>(offset),
                 bytes_.begin() + static_cast<ptrdiff_t>(offset + n));
  }
  uint64_t bytes_read() const { return read_; }

 private:
  Bytes bytes_;
  uint64_t read_ = 0;
};

}  // namespace clips::cut
