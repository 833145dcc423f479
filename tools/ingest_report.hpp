// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/cutlist.hpp"

namespace clips::tool {

// A small picture for the page.
struct ReportPicture {
  std::uint64_t frame = 0;
  std::string jpeg;
};

struct Report {
  std::string title;
  std::string proxy;  // relative to the page
  std::vector<std::string> facts;
  CutList list;
  // Where each clip begins in the proxy, and where the last one ends, in ns.
  std::vector<std::uint64_t> starts;
  std::vector<ReportPicture> pictures;  // by frame
  std::vector<float> scores;            // 0 to 1, one a frame; may be empty
};

// One HTML page with everything in it but the proxy: a player, the scores over time with the
// cuts marked, and a strip of pictures for each clip. Nothing is loaded from elsewhere.
std::string make_report(const Report& report);

}  // namespace clips::tool
