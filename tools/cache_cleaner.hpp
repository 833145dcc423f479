// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <tl/expected.hpp>

namespace clips::tool {

// What a folder of temporary clips, clip_<id>_<unix ms>.mp4, may hold. Other files are not
// touched.
struct CachePolicy {
  std::uint64_t max_age_s = 15 * 60;
  // Of what is left after the old ones are gone.
  std::uint64_t max_bytes = 1'000'000'000;
  // Free space on the disk to keep, as far as removing clips can.
  std::uint64_t min_free_bytes = 500'000'000;
  // Only tell what would be done.
  bool dry_run = false;
};

struct CacheStatistics {
  std::uint64_t examined = 0;  // clips found
  std::uint64_t expired = 0;   // removed for their age
  std::uint64_t evicted = 0;   // removed for space, least recently used first
  std::uint64_t spared = 0;    // being written
  std::uint64_t failed = 0;    // could not be removed
  std::uint64_t freed_bytes = 0;
  std::uint64_t kept_files = 0;
  std::uint64_t kept_bytes = 0;
  std::uint64_t free_bytes = 0;  // on the disk, afterwards
  std::string first_failure;     // a sentence; empty when nothing failed
};

nlohmann::ordered_json cache_statistics_json(const std::string& directory,
                                             const CacheStatistics& statistics);

// The error is a sentence: the folder cannot be read.
tl::expected<CacheStatistics, std::string> clean_cache(const std::string& directory,
                                                       const CachePolicy& policy);

}  // namespace clips::tool
