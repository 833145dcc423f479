# SPDX-License-Identifier: LGPL-2.1-or-later
"""A run that is killed at any moment never shows a part under the target's name, and a re-run works."""

import os
import random
import signal
import subprocess
import time

import pytest

from runner import listing, start, environment

KILLS = 50


def faults_of(path):
    """What ffmpeg says against a file that must be whole; its video packets."""
    done = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-show_entries",
                           "stream=nb_read_packets", "-of", "csv=p=0", path], capture_output=True, text=True)
    return done.stderr, int(done.stdout.strip() or 0)


@pytest.fixture(scope="module")
def video(good):
    return good["front.mp4"]


def begin(place, video):
    return start("run", "proxy", f"input={video}", f"output={place.outputs}/out.mp4",
                 env=environment(TMPDIR=str(place.temporary)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_kill_9_at_random_moments_never_shows_a_part_and_a_re_run_succeeds(place, video):
    target = place.outputs / "out.mp4"
    begun = time.monotonic()
    assert begin(place, video).wait(30) == 0
    whole = time.monotonic() - begun
    assert faults_of(target) == ("", 50)
    chance = random.Random(9)
    seen = {"killed": 0, "done": 0}
    for number in range(KILLS):
        target.unlink(missing_ok=True)
        process = begin(place, video)
        # Half of them near the end, where the output gets its name.
        time.sleep(chance.uniform(0, whole) if number % 2 else chance.uniform(0.8, 1.1) * whole)
        process.kill()
        process.communicate()
        seen["killed" if process.returncode == -signal.SIGKILL else "done"] += 1
        # Either nothing or all of it. A hidden temporary name is not the target's.
        if target.exists():
            assert faults_of(target) == ("", 50), number
        assert {os.fsdecode(os.path.basename(p)) for p in listing(place.outputs)} <= {"out.mp4"}, number
    assert seen["killed"] > KILLS // 4
    target.unlink(missing_ok=True)
    assert begin(place, video).wait(30) == 0
    assert faults_of(target) == ("", 50)
    assert list(listing(place.outputs)) == [os.fsencode(target)]
    assert listing(place.temporary) == {}


@pytest.mark.parametrize("moment", [0.02, 0.1, 0.2, 0.3, 0.5, 0.7])
def test_sigterm_at_any_moment_is_gone_within_two_seconds_and_leaves_nothing(place, video, moment):
    process = begin(place, video)
    time.sleep(moment)
    begun = time.monotonic()
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - begun < 2
    assert process.returncode in (0, 143, -signal.SIGTERM), err
    assert listing(place.temporary) == {}
    if process.returncode == 0:
        assert faults_of(place.outputs / "out.mp4") == ("", 50)
    else:
        assert listing(place.outputs) == {}
