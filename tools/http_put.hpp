// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

#include "failure.hpp"

namespace clips::tool {

struct PutResult {
  std::string etag;  // as the server sent it; empty when it sent none
  std::uint64_t bytes = 0;
};

// Sends a whole file to a presigned URL with one PUT, which a store takes whole or not at all.
// What may pass is tried again, until a signal comes. The URL's query is never told.
tl::expected<PutResult, Problem> http_put(const std::string& url, int descriptor);

}  // namespace clips::tool
