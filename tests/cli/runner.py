# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls gst-clips as a stranger would and looks at what it leaves: used by tests/cli and tests/bad-input."""

import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(os.environ["CLIPS_SOURCE_ROOT"])
PROGRAM = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
DEFINITIONS = ROOT / "tests/cli/definitions"


def environment(**changes):
    """The environment of a test: the shipped definitions and those of the tests; no terminal."""
    path = f"{DEFINITIONS}:{ROOT / 'pipelines'}"
    result = {**os.environ, "GST_CLIPS_PIPELINE_PATH": path, "LC_ALL": "C.UTF-8"}
    # A critical of GLib would end the process before it can say anything; the tests read stderr.
    result.pop("G_DEBUG", None)
    result.update(changes)
    return {name: value for name, value in result.items() if value is not None}


class Result:
    """A finished call: status, the lines of stdout and stderr."""

    def __init__(self, status, out, err):
        self.status = status
        self.stdout = out
        self.stderr = err.decode("utf-8", "surrogateescape")
        self.lines = self.stderr.splitlines()

    @property
    def text(self):
        return self.stdout.decode()

    @property
    def events(self):
        return [json.loads(line) for line in self.stdout.decode().splitlines()]

    def named(self, event):
        return [e for e in self.events if e["event"] == event]

    def __repr__(self):
        return f"status {self.status}\nstdout {self.stdout[-2000:]!r}\nstderr {self.stderr[-4000:]}"


def call(*words, timeout=20, env=None, **kwargs):
    """Runs gst-clips with the words; str or bytes, as a shell would hand them over."""
    done = subprocess.run([PROGRAM, *words], capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL,
                          env=env or environment(), **kwargs)
    return Result(done.returncode, done.stdout, done.stderr)


def start(*words, env=None, **kwargs):
    return subprocess.Popen([PROGRAM, *words], stdin=subprocess.DEVNULL, env=env or environment(), **kwargs)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def wait_until(condition, what, seconds=30):
    """Patience for a busy machine; no measure of how fast anything is."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return result


def open_files(pid):
    """What a process has open; of a file without a name its folder and a number."""
    found = []
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    except OSError:
        pass  # closed meanwhile, or the process has ended
    return found


def wait_until_reading(process, path):
    """Until a process, or one that it has started, reads a file; those that it has started."""
    def reading():
        below = children(process.pid)
        if any(str(path) in open_files(pid) for pid in [process.pid, *below]):
            return [below]
        assert process.poll() is None, f"ended with {process.returncode}"
        return None

    return wait_until(reading, f"{path} is not read")[0]


def wait_until_writing(pid, directory):
    """Until a run has opened its output, with a name or without: it has begun then, and heeds signals."""
    wait_until(lambda: any(name.startswith(f"{directory}/") for name in open_files(pid)), f"nothing is written in {directory}")


def wait_until_heeding(process):
    """Until gst-clips takes signals itself, which is the first thing that it does; before that they just kill it."""
    def heeding():
        assert process.poll() is None, f"ended with {process.returncode}"
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            blocked = next(int(line.split()[1], 16) for line in status if line.startswith("SigBlk:"))
        return blocked >> (signal.SIGTERM - 1) & 1

    wait_until(heeding, "signals are not heeded")


def wait_until_gone(pids):
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), f"still there: {pids}")


def one_error(result):
    """The one line that a failed call may say, without the program's name in front."""
    assert result.stdout == b"", result
    assert len(result.lines) == 1, result
    assert result.lines[0].startswith("gst-clips: "), result
    return result.lines[0][len("gst-clips: "):]


def listing(directory):
    """Every name below a directory, hidden ones too, with its size."""
    found = {}
    for top, _, names in os.walk(os.fsencode(directory)):
        for name in names:
            path = os.path.join(top, name)
            found[path] = os.lstat(path).st_size
    return found
