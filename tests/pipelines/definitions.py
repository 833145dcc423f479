# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a pipeline definition the way a person does, and compares what it made with its source."""

import struct
import subprocess

from cliptest import faults, verify

# A fast machine needs a second for each of these; a hang must not look like a slow one.
TIMEOUT = 60


class Failed(Exception):
    """gst-launch-1.0 ended with an error; the text is what it said."""


def run(definition, source, output, **parameters):
    """gst-launch-1.0 <definition>bin input=… output=… …; parameters with _ for -."""
    words = [f"{k.replace('_', '-')}={v}" for k, v in parameters.items()]
    command = ["gst-launch-1.0", "-q", f"{definition}bin", f"input={source}", f"output={output}"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=TIMEOUT,
                          check=False)
    if done.returncode:
        raise Failed(done.stderr)
    assert "CRITICAL" not in done.stderr and "WARNING" not in done.stderr, done.stderr
    return str(output)


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True,
                   timeout=TIMEOUT)


def turn(path, degrees, width, height):
    """Writes the display matrix of a camera that was held turned into the only track of an MP4."""
    a, b, c, d, x, y = {90: (0, 1, -1, 0, height, 0), 180: (-1, 0, 0, -1, width, height),
                        270: (0, -1, 1, 0, 0, width)}[degrees]
    data = bytearray(path.read_bytes())
    one = 1 << 16
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a * one, b * one, 0, c * one, d * one,
                     0, x * one, y * one, 1 << 30)
    path.write_bytes(data)


def whole(output, media, audio_end_ms=30.0, audio_ms=1.0):
    """What stands between the output and being all of media, frame by frame, in time.

    The source's own reading is the reference for sound: AVI, for one, cannot say that an encoder
    began with start-up samples. audio_end_ms: the sound may end this much early or late (a packet
    of the source, and qtdemux 1.22 does not read the last one of a file with edit lists).
    audio_ms: how far sound may be from the picture.
    """
    got = verify(output, media, views=("honour",))
    want = verify(media.path, media, compare=False, views=("honour",))
    found = [f for f in faults(got, "copy") if not f.startswith(("audio", "picture starts"))]
    video = got["honour"]["video"]
    if video.get("timing_spread_ms", 99) > 0.02:
        found.append(f"frame timing varies by {video['timing_spread_ms']} ms")
    for index, sound in enumerate(got["honour"]["audio"]):
        own = want["honour"]["audio"][index]
        if "late_ms" not in sound:
            found.append(f"audio {index} unrecognised")
            continue
        for mark in ("late_ms_start", "late_ms", "late_ms_end"):
            if abs(sound[mark] - own[mark]) > audio_ms:
                found.append(f"audio {index} {mark}: {sound[mark]}, in the source {own[mark]}")
        if sound["gaps"] and not own["gaps"]:
            found.append(f"audio {index} gaps {sound['gaps']}")
        if abs(sound["leak_after_ms"] - own["leak_after_ms"]) > audio_end_ms:
            found.append(f"audio {index} ends {sound['leak_after_ms']} ms behind the picture, in "
                         f"the source {own['leak_after_ms']}")
    return found
