#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Links the few stock plugins that the sanitizer lanes need into a folder. usage: link-plugins.py FOLDER PLUGINS"""

import pathlib
import sys

PLUGINS = """
app audioconvert audioresample audiotestsrc autoconvert avi coreelements deinterlace dvdlpcmdec flv gio hls isomp4 jpeg
libav matroska mpegtsdemux mpegtsmux multifile playback png rawparse typefindfunctions videoconvertscale videocrop
videofilter videoparsersbad videorate videotestsrc voaacenc wavenc wavparse x264 x265 audioparsers volume faad fdkaac
opus opusparse vpx aom debugutilsbad codectimestamper subparse compositor audiomixer audiorate
""".split()

folder, plugins = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for name in PLUGINS:
    library, link = plugins / f"libgst{name}.so", folder / f"libgst{name}.so"
    if library.exists() and not link.exists():
        link.symlink_to(library)
