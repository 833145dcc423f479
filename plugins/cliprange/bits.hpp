// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "bytes.hpp"

namespace clips::cut {

// Reads bits from the most significant on, and the numbers of ITU-T H.264 section 9.1.
class BitReader {
 public:
  explicit BitReader(ByteView data, size_t at = 0) : data_(data), at_(at) {}
  size_t position() const { return at_; }
  bool bad() const { return bad_; }
  unsigned bit() {
    if (at_ / 8 >= data_.size()) {
      bad_ = true;
      return 0;
    }
    const unsigned v = (data_[at_ / 8] >> (7 - at_ % 8)) & 1u;
    ++at_;
    return v;
  }
  unsigned bits(int n) {
    unsigned v = 0;
    while (n-- > 0) v = v << 1 | bit();
    return v;
  }
  unsigned ue() {
    int zeros = 0;
    while (!bit() && !bad_ && zeros < 31) ++zeros;
    return (1u << zeros) - 1 + bits(zeros);
  }

 private:
  ByteView data_;
  size_t at_;
  bool bad_ = false;
};

}  // namespace clips::cut
