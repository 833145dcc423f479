# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every mode out of every structure, with the cuts that are hard: around key frames, of few pictures, at both ends of the source.

Without CLIPS_MODES=whole only each SHARE-th case runs. CLIPS_MODES_PART "3/25" runs the third of 25 pieces.
"""

import os
import random

import pytest
from cliptest import faults, verify
from cutting import SECOND, cut, ns
from sources import source as source_of
from test_matrix import SOURCES

SHARE = 29
WHOLE = os.environ.get("CLIPS_MODES") == "whole"
PART, PARTS = (int(n) for n in os.environ.get("CLIPS_MODES_PART", "1/1").split("/"))

# beside those of the matrix of ranges
OTHERS = [
    ("vp8", ("auto",)),
    ("webm-live", ("auto", "edit")),
    ("mkv-vorbis", ("auto", "smart")),
    ("mkv-prores", ("auto", "copy")),
    ("mkv-mjpeg", ("auto", "copy")),
    ("mkv-noaudio", ("auto", "smart", "edit")),
    ("ts-noaudio", ("auto", "smart", "edit")),
    ("ts-far", ("auto", "smart", "edit")),
    ("m2ts", ("auto", "smart", "edit")),
]
# FFmpeg, which judges the clips, does not cut Vorbis in MP4 to the sample.
VORBIS = ("vp8", "mkv-vorbis")
RANDOM_LENGTHS = (0.2, 0.7, 1.4)


def cuts(times, keys, rng):
    """Starts and stops in seconds."""
    frame, end = times[1] - times[0], times[-1]
    inner = [k for k in keys if times[0] < k < end - 1.3] or [times[len(times) // 2]]
    key = inner[len(inner) // 2]
    found = [
        (key, key + 1),
        (key - frame, key + 0.7),
        (key + frame, key + 0.7 + frame),
        (key + 0.3, key + 0.3 + frame * 1.01),  # one picture
        (key + 0.3, key + 0.3 + frame * 3.01),
        (key - frame * 1.5, key + frame * 0.4),  # across the key frame
        (key + 0.005, key + 1.005),  # between two pictures
        (times[0], times[0] + 1.1),
        (end - 0.7, end + 5),
        (end - frame * 0.2, end + 5),  # the last picture
    ]
    while len(found) < 14:
        start = rng.uniform(times[0], max(times[0], end - 1.5))
        found.append((round(start, 3), round(start + rng.choice(RANDOM_LENGTHS), 3)))
    return [(max(a, times[0]), b) for a, b in found]


def cases():
    every = [(name, (*modes, "exact")[(i + n) % (len(modes) + 1)], n)
             for i, (name, modes) in enumerate(SOURCES + OTHERS) for n in range(14)]
    return (every if WHOLE else every[::SHARE])[PART - 1::PARTS]


def copies():
    every = [name for name, _ in SOURCES + OTHERS if name not in VORBIS]
    return (every if WHOLE else every[::SHARE // 5])[PART - 1::PARTS]


@pytest.mark.parametrize("name, mode, which", cases())
def test_a_hard_cut_is_exact(name, mode, which, tmp_path):
    source = source_of(name)
    times = source.times
    if "vfr" in name:  # those of its pictures that have sound
        times = [t for t in times if t < source.recipe.seconds - 0.05]
    start, stop = cuts(times, source.keyframes, random.Random(f"{name} {which}"))[which]
    if "vfr" in name:
        stop = min(stop, times[-1] + 0.005)
    wanted = [t for t in times if start - 0.0005 <= t < stop - 0.0005]
    container = "matroska" if name in VORBIS else "auto"
    clip = tmp_path / ("c.mkv" if name in VORBIS else "c.mov" if source.recipe.ext == "mov" else "c.mp4")
    result = cut(source.uri, clip, start=ns(start), stop=ns(stop), mode=mode, container=container)
    if not wanted:  # between two pictures of a variable rate
        assert "There is no picture in the range" in result.error
        return
    assert not result.error, result.error
    assert result.range["frames"] == len(wanted)
    assert abs(result.actual[0] - wanted[0] * SECOND) < 2_000
    report = verify(str(clip), source, start, stop, views=("honour",))
    found = faults(report, "exact")
    if wanted[-1] - wanted[0] < 0.12:  # the sound of so short a clip cannot be placed
        found = [f for f in found if not f.startswith("audio")]
    # The last picture is shown beyond the end of the source's own sound.
    end_of_sound = source.recipe.seconds - source.audio_shift
    if stop > times[-1] and 2 * times[-1] - times[-2] > end_of_sound + 0.001:
        found = [f for f in found if "ends -" not in f]
    assert found == [], (start, stop, result.range["mode"], result.range["reason"])


@pytest.mark.parametrize("name", copies())
def test_a_copy_begins_at_a_key_frame_and_ends_where_it_was_told(name, tmp_path):
    source = source_of(name)
    times = [t for t in source.times if t < source.recipe.seconds - 0.05]
    first = len(times) * 2 // 5
    last = min(first + 40, len(times) - 1)
    clip = tmp_path / ("c.mov" if source.recipe.ext == "mov" else "c.mp4")
    result = cut(source.uri, clip, start=ns(times[first]), stop=ns(times[last]), mode="copy")
    assert not result.error, result.error
    key = max(k for k in source.keyframes if k <= times[first] + 0.0005)
    assert abs(result.actual[0] - key * SECOND) < 2_000
    assert result.range["lead-frames"] == sum(key - 0.0005 <= t < times[first] - 0.0005 for t in times)
    report = verify(str(clip), source, times[first], times[last], views=("honour",))
    found = faults(report, "copy")
    if "opengop" in name:  # its first key frame is no IDR: FFmpeg misses what it refers to, and says so
        found = [f for f in found if "decoder complaints" not in f]
    assert found == []
    assert report["honour"]["video"]["bit_identical"] == report["honour"]["video"]["frames"]
