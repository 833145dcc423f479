// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstdint>

namespace clips::s3 {

// Limits of S3's multipart uploads:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
inline constexpr int kMaxParts = 10'000;
inline constexpr std::uint64_t kMinPartSize = std::uint64_t{5} << 20;
inline constexpr std::uint64_t kMaxPartSize = std::uint64_t{5} << 30;

// How long each part of an object of unknown length is. Parts double every 900, so that 5 MiB to
// begin with reach 8.8 TiB within 10 000 parts, more than any store takes for one object, while the
// first 4 GiB still go in small ones.
class PartPlan {
 public:
  // `equal`: all parts have the first one's size, for stores that insist on it.
  PartPlan(std::uint64_t first, bool equal, int most = kMaxParts)
      : first_(std::clamp(first, kMinPartSize, kMaxPartSize)), equal_(equal), most_(most) {}

  // Bytes of part `number`, from 1 on; 0 when there is no such part.
  std::uint64_t size(int number) const {
    if (number < 1 || number > most_) return 0;
    if (equal_) return first_;
    return std::min(first_ << ((number - 1) / kStep), kMaxPartSize);
  }

  // Bytes of all parts.
  std::uint64_t capacity() const {
    std::uint64_t total = 0;
    for (int number = 1; number <= most_; number++) total += size(number);
    return total;
  }

 private:
  static constexpr int kStep = 900;
  std::uint64_t first_;
  bool equal_;
  int most_;
};

}  // namespace clips::s3
