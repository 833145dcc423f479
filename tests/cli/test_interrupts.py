# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signals, parents that end, and what is left then."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from runner import (PROGRAM, call, environment, listing, start, wait_until, wait_until_heeding,  # noqa: E402
                    wait_until_reading, wait_until_writing)
from timing import quickest_within, seconds_of  # noqa: E402

ENDLESS = ["bars", "frames=-1", "live=true"]


def wait_until_running(process):
    """Until the first progress event: the pipeline runs and its output is begun."""
    for line in process.stdout:
        if json.loads(line)["event"] == "progress":
            return
    raise AssertionError(f"ended with {process.wait()}")


def finish(process):
    out, err = process.communicate(timeout=10)
    return [json.loads(line) for line in out.splitlines()], err


@pytest.fixture
def running(tmp_path):
    def begin(*options):
        process = start("run", "--progress=json", *options, *ENDLESS, f"output={tmp_path}/bars.mkv",
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        processes.append(process)
        wait_until_running(process)
        return process

    processes = []
    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_a_signal_ends_the_run_within_two_seconds_and_leaves_nothing(tmp_path, running, number):
    process = running()
    begun = time.monotonic()
    process.send_signal(number)
    events, err = finish(process)
    assert time.monotonic() - begun < 2
    assert process.returncode == 128 + number
    assert err == b""
    assert [e["event"] for e in events if e["event"] != "progress"] == ["error"]
    assert events[-1]["domain"] == "interrupt"
    assert listing(tmp_path) == {}


def test_without_events_an_interrupt_is_one_line(tmp_path):
    process = start("run", *ENDLESS, f"output={tmp_path}/bars.mkv", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until_writing(process.pid, tmp_path)
    process.terminate()
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (143, b"", b"gst-clips: Interrupted; no output was kept.\n")
    assert listing(tmp_path) == {}


def test_asked_to_finish_the_output_is_whole_and_shorter(tmp_path, running):
    process = running("--finish-on-interrupt")
    time.sleep(0.5)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    events, _ = finish(process)
    assert time.monotonic() - begun < 2
    assert process.returncode == 0
    assert events[-1]["event"] == "done" and events[-1]["frames"] > 5
    check = call("run", "--progress=json", "copy", f"input={tmp_path}/bars.mkv", f"output={tmp_path}/copy.mkv")
    assert check.status == 0, check
    probe = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets",
                            "-of", "csv=p=0", tmp_path / "bars.mkv"], capture_output=True, text=True)
    assert probe.stderr == "" and int(probe.stdout) == events[-1]["frames"]


def stuck(tmp_path):
    """A run that cannot stop in time: its one block is held for a minute."""
    (tmp_path / "data").write_bytes(bytes(100000))
    process = start("run", "copy", f"input={tmp_path}/data", f"output={tmp_path}/out", "pause=60000000",
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until_reading(process, tmp_path / "data")
    time.sleep(0.5)
    assert process.poll() is None
    return process


def test_a_run_that_is_stuck_is_gone_within_two_seconds_too(tmp_path):
    def interrupt():
        process = stuck(tmp_path)
        process.terminate()
        took = seconds_of(lambda: process.wait(30))
        process.communicate()
        assert process.returncode == 143
        assert list(listing(tmp_path)) == [os.fsencode(tmp_path / "data")]
        return took

    quickest_within(2, interrupt)


def test_a_second_signal_ends_it_at_once(tmp_path):
    def interrupt_twice():
        process = stuck(tmp_path)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        took = seconds_of(lambda: process.wait(30))
        process.communicate()
        assert process.returncode == 130
        assert list(listing(tmp_path)) == [os.fsencode(tmp_path / "data")]
        return took

    quickest_within(0.5, interrupt_twice)


def test_a_signal_that_a_shell_ignores_stays_ignored(tmp_path):
    process = start("run", *ENDLESS, f"output={tmp_path}/bars.mkv",
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_until_heeding(process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    assert process.wait(5) == 143


def test_a_run_that_was_suspended_and_resumed_still_heeds_signals(tmp_path):
    process = start("run", *ENDLESS, f"output={tmp_path}/bars.mkv", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until_writing(process.pid, tmp_path)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.2)
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (143, b"gst-clips: Interrupted; no output was kept.\n")
    assert listing(tmp_path) == {}


# The parent says its child's number and is then killed; the file says whether the child has ended.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
time.sleep(60)
"""


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def killed_parent(tmp_path, *options):
    words = [PROGRAM, "run", *options, *ENDLESS, f"output={tmp_path}/bars.mkv"]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *words], stdout=subprocess.PIPE, env=environment())
    child = int(parent.stdout.readline())
    wait_until_writing(child, tmp_path)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return child


def test_a_killed_parent_ends_the_run_and_nothing_is_left(tmp_path):
    child = killed_parent(tmp_path, "--die-with-parent")
    wait_until(lambda: gone(child), "it goes on without its parent")
    assert listing(tmp_path) == {}


def test_without_being_asked_a_run_outlives_its_parent(tmp_path):
    child = killed_parent(tmp_path)
    time.sleep(0.5)
    try:
        assert not gone(child)
    finally:
        os.kill(child, signal.SIGKILL)
