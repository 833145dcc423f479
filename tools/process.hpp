// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace clips::tool {

// Has the kernel send SIGTERM to this process when its parent ends. False when the parent has ended
// already.
bool die_with_parent();

// The most memory that this process has held, in KiB; 0 when the system does not say.
std::uint64_t peak_rss_kib();

}  // namespace clips::tool
