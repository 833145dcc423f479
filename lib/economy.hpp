// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

// What stock elements do with more memory and time than it takes. Bins call these for what
// `deep-element-added` gives them; they do nothing for other elements than theirs.

namespace clips {

// For a libavcodec video decoder that feeds an encoder. By itself it takes a thread for each
// processor, and with it four whole pictures or so: for pictures up to 1080p half of the processors
// decode faster than all of them encode, larger ones keep the decoder's choice. It also decodes
// into the pictures that it passes on, which saves nothing, since they are copied as long as it
// refers to them.
void spare_decoder_memory(GstElement* decoder);

// For an x264enc that makes nothing but key frames and was not told how many threads to take: one
// for each processor. x264 takes half as many again, each with pictures of its own, since frames
// wait for those that they refer to; these refer to none.
void spare_encoder_memory(GstElement* encoder);

// videoflip (1.22) copies every picture until it is first told to turn any.
void pass_unturned_pictures(GstElement* flip);

}  // namespace clips
