# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips clip: a range of a video as a file of its own."""

import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from cliptest import media, verify, faults, Recipe, x264  # noqa: E402
from runner import call, listing, one_error  # noqa: E402


@pytest.fixture(scope="module")
def film():
    """Every picture a key frame, so that no range needs encoding."""
    return media(Recipe("runner-clip", rate="30000/1001", seconds=6, video=x264(1, 0)))


def test_a_clip_has_exactly_the_frames_of_its_range(film, tmp_path):
    out = tmp_path / "clip.mp4"
    start, stop = film.times[31], film.times[92]
    result = call("clip", film.path, out, f"--start={start:.9f}", f"--stop={stop:.9f}")
    assert (result.status, result.stdout, result.stderr) == (0, b"", ""), result
    assert faults(verify(out, film, start, stop), "exact") == []


def test_frames_may_be_said_instead_of_times_and_the_events_tell_what_was_cut(film, tmp_path):
    out = tmp_path / "clip.mp4"
    result = call("clip", "--progress=json", film.path, out, "start-frame=31", "stop-frame=92")
    assert result.status == 0, result
    (told,) = [e for e in result.named("message") if e["name"] == "clip-range"]
    assert (told["first-frame"], told["last-frame"], told["frames"]) == (31, 91, 61)
    assert result.events[-1]["event"] == "done"
    assert result.events[-1]["outputs"] == [out.as_uri()]


@pytest.mark.parametrize("words, says, status", [
    (["--start=2", "--stop=1"], "start", 2),
    (["--start=100", "--stop=110"], "start", 4),
    (["--start=soon"], "soon", 2),
    (["--start=1", "start=2"], "set twice", 2),
    (["mode=best"], "best", 2),
])
def test_a_range_that_cannot_be_is_one_line_and_no_file(film, tmp_path, words, says, status):
    result = call("clip", film.path, tmp_path / "clip.mp4", *words)
    assert result.status == status, result
    assert says in one_error(result)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("command, range_, output", [
    ("clip", ["--start=1", "--stop=2"], "film.mp4"), ("clip", ["--start=1", "--stop=2"], "link.mp4"),
    ("export", ["--range=1-2"], "film.mp4"),
])
def test_what_is_read_is_never_replaced(film, tmp_path, command, range_, output):
    source = tmp_path / "film.mp4"
    shutil.copy(film.path, source)
    os.link(source, tmp_path / "link.mp4")
    before = listing(tmp_path)
    result = call(command, source, tmp_path / output, *range_)
    assert result.status == 2, result
    assert "replace" in one_error(result)
    assert listing(tmp_path) == before


def test_a_truncated_source_is_an_error(film, tmp_path):
    cut = tmp_path / "cut.mp4"
    whole = open(film.path, "rb").read()
    cut.write_bytes(whole[:len(whole) // 2])
    result = call("clip", cut, tmp_path / "clip.mp4", "--start=0", "--stop=6")
    assert result.status == 4, result
    assert "truncated" in one_error(result)
    assert list(listing(tmp_path)) == [os.fsencode(cut)]


def test_input_and_output_are_both_needed(film):
    result = call("clip", film.path)
    assert result.status == 2
    assert "where to" in one_error(result)
