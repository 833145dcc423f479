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

// A video decoder's own default is to pass over any number of packets that it cannot decode: of a
// damaged file the output would lack pictures, and nothing would say so. With this it ends in an
// error (STREAM/DECODE) when more than ten have failed, which was GStreamer's own limit once. Does
// nothing for other elements.
void limit_decoding_errors(GstElement* decoder);

}  // namespace clips
