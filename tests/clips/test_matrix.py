# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random ranges over every structure, each clip decoded and every number in it read.

CLIPS_MATRIX is how many ranges there are in all (the slow lane: 1000); the seed is fixed, so a
range that failed fails again. CLIPS_MATRIX_PART "3/25" runs the third of 25 pieces of them.
"""

import os
import random

import pytest
from cliptest import faults, verify
from cutting import SECOND, cut, ns
from sources import source as source_of

COUNT = int(os.environ.get("CLIPS_MATRIX", "43"))
PART, PARTS = (int(n) for n in os.environ.get("CLIPS_MATRIX_PART", "1/1").split("/"))

# source, modes that are exact there
SOURCES = [
    ("closed2s", ("auto", "smart", "edit")),
    ("r23976", ("auto", "smart", "edit")),
    ("r2997", ("auto", "smart", "edit")),
    ("r5994", ("auto", "smart", "edit")),
    ("vfr", ("auto", "smart", "edit")),
    ("i50", ("auto", "smart", "edit")),
    ("long10", ("auto", "smart", "edit")),
    ("onegop", ("auto", "edit")),
    ("opengop", ("auto", "smart")),
    ("editstart", ("auto", "smart", "edit")),
    ("multiaudio", ("auto", "smart", "edit")),
    ("noaudio", ("auto", "smart", "edit")),
    ("opusmp4", ("auto", "smart", "edit")),
    ("frag", ("edit",)),
    ("hevc", ("auto", "smart", "edit")),
    ("hevcopen", ("auto", "smart", "edit")),
    ("intra", ("auto", "copy")),
    ("prores", ("auto", "copy")),
    ("mov-mjpeg", ("auto", "copy")),
    ("av1", ("auto", "exact")),
    ("vp9", ("auto", "edit")),
    ("mkv", ("auto", "smart", "edit")),
    ("mkv-opengop", ("auto", "smart")),
    ("mkv-long10", ("auto", "smart", "edit")),
    ("mkv-onegop", ("auto", "edit")),
    ("mkv-r23976", ("auto", "smart", "edit")),
    ("mkv-vfr", ("auto", "smart", "edit")),
    ("mkv-i50", ("auto", "smart", "edit")),
    ("mkv-hevc", ("auto", "smart", "edit")),
    ("mkv-hevcopen", ("auto", "smart", "edit")),
    ("mkv-opusmp4", ("auto", "smart", "edit")),
    ("mkv-live", ("auto", "smart", "edit")),
    ("mkv-intra", ("auto", "copy")),
    ("ts", ("auto", "smart", "edit")),
    ("ts-opengop", ("auto", "smart")),
    ("ts-r5994", ("auto", "smart", "edit")),
    ("ts-i50", ("auto", "smart", "edit")),
    ("ts-multiaudio", ("auto", "smart", "edit")),
    ("ts-wrap", ("auto", "smart", "edit")),
    ("ts-hevc", ("auto", "smart", "edit")),
    ("ts-hevcopen", ("auto", "smart", "edit")),
]


def ranges(times, rng):
    """A range of frames and the nanoseconds that ask for it."""
    length = rng.choice([1, 2, 3, 7, 30, 61, 90])
    first = rng.randrange(0, max(1, len(times) - length - 1))
    last = min(first + length, len(times) - 1)
    a, b = ns(times[first]), ns(times[last])
    how = rng.choice(["exact", "milliseconds", "early"])
    if how == "milliseconds":
        a, b = (round(t / 1_000_000) * 1_000_000 for t in (a, b))
    if how == "early":
        # anywhere behind the frame before
        before = ns(times[first - 1]) if first else 0
        a = rng.randrange(before + 600_000, a + 1) if a - before > 700_000 else a
    return first, last, a, b


def plan():
    rng = random.Random(4)
    cases = []
    while len(cases) < COUNT:
        for name, modes in SOURCES:
            cases.append((name, rng.choice(modes), rng.randrange(1 << 30)))
    return cases[:COUNT][PART - 1::PARTS]


@pytest.mark.parametrize("name, mode, seed", plan())
def test_a_random_range_is_exact(name, mode, seed, tmp_path):
    source = source_of(name)
    # of the variable rate's pictures, those that have sound
    times = [t for t in source.times if t < source.recipe.seconds - 0.05]
    first, last, start, stop = ranges(times, random.Random(seed))
    clip = str(tmp_path / ("c.mov" if source.recipe.ext == "mov" else "c.mp4"))
    result = cut(source.uri, clip, start=start, stop=stop, mode=mode)
    assert not result.error, result.error
    assert result.range["frames"] == last - first
    assert result.range["first-frame"] == first
    a, b = source.times[first], source.times[last]
    report = verify(clip, source, a, b, views=("honour",))
    found = faults(report, "exact")
    if (b - a) < 0.12:  # the sound of so short a clip cannot be placed
        found = [f for f in found if not f.startswith("audio")]
    assert found == [], (start, stop, result.range["mode"], result.range["reason"])
    video = report["honour"]["video"]
    copied = result.range["frames-copied"]
    # FFmpeg does not find its way to the place in a stream whose clock is far or begins anew
    if name != "ts-wrap":
        assert video["bit_identical"] >= copied
    if copied < video["frames"]:
        assert video["worst_psnr_db"] > 45
    if result.range["mode"] == "smart":
        # exact in players that ignore edit lists, too
        ignored = verify(clip, source, a, b, compare=source.fields,
                         views=("ignore",))["ignore"]["video"]
        assert (ignored["leak_before"], ignored["leak_after"]) == (0, 0)
        assert ignored["errors"] == 0
    assert result.actual[2] == last - first
    assert abs(result.actual[0] - a * SECOND) < 2_000
