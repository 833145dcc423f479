// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace clips {

// Gives an MP4 muxer that puts its header first a temporary file without a name. By itself it makes
// a named one in the temporary folder, as large as the output, which a killed process leaves
// there for ever; and where that folder is missing or may not be written it waits for ever.
//
// Does nothing for other elements, for one whose file was chosen already, and the second time.
// Bins call it for what `deep-element-added` gives them, before the muxer leaves NULL.
void use_nameless_faststart_file(GstElement* muxer);

// An s3sink moves the index of an MP4 to the front by itself, while it uploads. So where it is the
// only sink of `bin` and an MP4 muxer is told to put its header first, the muxer need not: it makes
// no temporary file then. Called with each element that is added, in whatever order they come.
void leave_index_to_s3sink(GstBin* bin, GstElement* added);

}  // namespace clips
