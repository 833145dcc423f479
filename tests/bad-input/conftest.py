# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small good videos to be spoilt, and a judge of what a failed run leaves."""

import os
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.environ["CLIPS_SOURCE_ROOT"], "tests/cli"))
from runner import PROGRAM, call, environment, listing, one_error  # noqa: E402

FFMPEG = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
CONTAINERS = {
    "front.mp4": ["-movflags", "+faststart"],
    "back.mp4": [],
    "fragments.mp4": ["-movflags", "+frag_keyframe+empty_moov"],
    "file.mov": [],
    "file.mkv": [],
    "file.ts": [],
    "file.flv": [],
    "file.avi": [],
}


class Good:
    """Good files by name: two seconds of 320x180 with sound."""

    def __init__(self, directory):
        self.directory = directory
        self.base = directory / "base.mp4"
        subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "testsrc=s=320x180:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2",
                        "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-g", "25",
                        "-c:a", "aac", self.base], check=True)

    def __getitem__(self, name):
        path = self.directory / name
        if not path.exists():
            subprocess.run([*FFMPEG, "-i", self.base, "-c", "copy", *CONTAINERS[name], path], check=True)
        return path


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    return Good(tmp_path_factory.mktemp("good"))


class Place:
    """A directory of inputs, one for outputs, one for temporary files, one for the files of a task."""

    def __init__(self, path):
        self.path = path
        self.inputs, self.outputs, self.temporary, self.task = (path / name for name in ("in", "out", "tmp", "task"))
        for directory in (self.inputs, self.outputs, self.temporary, self.task):
            directory.mkdir()

    def run(self, *words, definition="proxy", **kwargs):
        begun = time.monotonic()
        env = kwargs.pop("env", None) or environment(TMPDIR=str(self.temporary))
        result = call("run", definition, *words, env=env, timeout=30, **kwargs)
        self.seconds = time.monotonic() - begun
        return result

    def fails(self, status, *words, **kwargs):
        """A run that must fail with this status, say one line and leave nothing; returns the line."""
        before = listing(self.path)
        result = self.run(*words, **kwargs)
        assert result.status == status, result
        assert self.seconds < 10
        line = one_error(result)
        assert listing(self.path) == before
        return line

    def succeeds(self, *words, **kwargs):
        result = self.run(*words, **kwargs)
        assert (result.status, result.stdout, result.stderr) == (0, b"", ""), result


def as_nobody(words, *readable):
    """The words of a call without root's rights, under which nothing is unreadable; skips where that cannot be."""
    if os.geteuid() != 0:
        return words
    for path in readable:
        for parent in [*path.parents][:-1]:
            os.chmod(parent, os.stat(parent).st_mode | 0o055)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *words]
    tried = subprocess.run([*words[:5], PROGRAM, "--version"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"without root's rights the build folder cannot be entered: {tried.stderr.strip()}")
    return words


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def mounted(place):
    """Mounts on the outputs' directory; taken off again after the test."""
    def mount(*options):
        done = subprocess.run(["mount", *options, place.outputs], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
        mounts.append(place.outputs)

    mounts = []
    yield mount
    for path in reversed(mounts):
        subprocess.run(["umount", path], check=True)
