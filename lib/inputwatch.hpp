// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace clips {

// Has a source element's media checked for being whole, so that a truncated file is an error and
// not a short output (see completeness.hpp). A local file is checked before its first bytes go
// downstream; anything else as its bytes pass, at the latest before the end of stream does. A
// truncated input is one error message of the source (STREAM/DEMUX).
//
// Does nothing for elements that are no byte sources with a URI, and nothing the second time.
// Callable from any thread; bins call it for what `source-setup` or `deep-element-added` gives
// them.
void watch_input(GstElement* source);

}  // namespace clips
