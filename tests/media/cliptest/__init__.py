# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coded test media: every picture carries its number and every stretch of sound its time.

make.media() makes them, read.Video and read.Audio read the codes back, verify.verify() judges a
clip or a whole transcode with them, boxes.layout() says how an MP4 file is laid out.
"""

from .codec import AudioCode
from .make import AAC, OPUS, PCM, RECIPES, Media, Recipe, media, x264, x265
from .read import Audio, Video, audio_lag, packets, probe, stream
from .verify import faults, verify

__all__ = [
    "AAC", "Audio", "AudioCode", "Media", "OPUS", "PCM", "RECIPES", "Recipe", "Video",
    "audio_lag", "faults", "media", "packets", "probe", "stream", "verify", "x264", "x265",
]
