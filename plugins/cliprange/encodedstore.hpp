// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "bytes.hpp"

namespace clips::cut {

// The bytes of encoded pictures until the clip is written: a few megabytes in memory, what goes
// beyond in a file without a name, so that a crash leaves nothing.
class EncodedStore {
 public:
  EncodedStore() = default;
  ~EncodedStore();
  EncodedStore(const EncodedStore&) = delete;
  EncodedStore& operator=(const EncodedStore&) = delete;

  // Returns where it was put.
  Result<uint64_t> append(ByteView bytes);
  Result<Bytes> read(uint64_t offset, size_t length) const;

 private:
  Bytes memory_;
  int file_ = -1;
  uint64_t file_size_ = 0;
};

}  // namespace clips::cut
