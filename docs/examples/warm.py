#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts clip after clip out of one video: warm.py VIDEO START-STOP... (seconds) makes clip-0.mp4, clip-1.mp4, ...

The pipeline goes back to READY between clips, so the source stays open and its index is read once.
"""
import pathlib
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)
pipeline = Gst.parse_launch("clipexport name=clip ! filepublishsink name=file")
clip, file = pipeline.get_by_name("clip"), pipeline.get_by_name("file")
clip.set_property("uri", pathlib.Path(sys.argv[1]).resolve().as_uri())
status = 0
for index, words in enumerate(sys.argv[2:]):
    start, stop = (round(float(word) * Gst.SECOND) for word in words.split("-"))
    clip.set_property("start", start)
    clip.set_property("stop", stop)
    file.set_property("location", f"clip-{index}.mp4")
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    if message.type == Gst.MessageType.ERROR:
        print(f"clip-{index}.mp4: {message.parse_error()[0].message}", file=sys.stderr)
        status = 1
    pipeline.set_state(Gst.State.READY)
pipeline.set_state(Gst.State.NULL)
sys.exit(status)
