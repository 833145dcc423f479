// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <tl/expected.hpp>

#include "failure.hpp"

namespace clips::tool {

struct ProbeOptions {
  bool key_frames = true;
  // Whether packets are counted where the header does not tell their number.
  bool count_frames = false;
  // For sources without an index that can be read, which are looked at by demuxing their start.
  unsigned timeout_s = 20;
};

// The facts that a media file's header states: docs/probe.md has the fields.
tl::expected<nlohmann::ordered_json, Problem> probe(const std::string& path_or_uri,
                                                    const ProbeOptions& options);

}  // namespace clips::tool
