// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace clips {

// Has what a matroskademux or flvdemux sends begin where the file says that it does, and the
// pictures of an avidemux shown when they are to be:
//
// - They open with a segment that starts at the first data they meet. Where another stream has
//   earlier data it gets a segment of its own (FLV), or a second one follows for all, and what
//   went out in between is early by the difference: the first picture of every file with B-frames
//   and AAC. Here all streams share one origin: 0, or where a file that starts late starts.
// - matroskademux ignores CodecDelay for all codecs but Opus (1.22 and 1.26), which makes the
//   sound of what FFmpeg 7 writes late by the encoder's start-up samples: 21.3 ms of AAC, 5.3 ms
//   of AC-3.
//
// - AVI has no times of showing: the k-th picture that is shown has the time of the k-th packet.
//   avidemux (1.22 and 1.26) gives key frames the time of their own packet, which contradicts that
//   where there are B-frames: two pictures of one time, or going back. And of DivX's packed
//   bitstream each packet gets the one picture that its time is meant for.
//
// Segments that answer a seek keep their start. Does nothing for any other element. Callable from
// any thread before the element has pads; bins call it for what `deep-element-added` gives them.
void correct_demuxer_times(GstElement* element);

}  // namespace clips
