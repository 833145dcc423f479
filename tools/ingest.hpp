// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "run_definition.hpp"

namespace clips::tool {

struct IngestRequest {
  std::string input;             // a path or URI
  std::string output;            // a folder, or the beginning of S3 keys
  std::string formats = "json";  // of the cut list, with commas between
  std::string name;              // of the outputs; empty: the input's
  bool stills = true;
};

// Runs the whole ingest and reports; `words` are KEY=VALUE settings of the definition ingest.
// Returns what the process returns. A folder gets its files only when all of them are whole; what
// a failed run has stored in a bucket is removed again.
int ingest(const Command& command, const IngestRequest& request, const std::vector<char*>& words,
           const RunFlags& flags);

}  // namespace clips::tool
