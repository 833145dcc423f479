# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inputs that are no whole video: one clear error, exit code 4, in time, nothing left behind."""

import os
import random
import subprocess

import pytest

from conftest import CONTAINERS, FFMPEG, as_nobody
from runner import PROGRAM, environment

# Where a file is cut, in hundredths of its size.
PLACES = [1, 5, 12, 25, 40, 55, 70, 85, 95, 99]


def test_whole_files_of_every_container_pass(place, good):
    for name in CONTAINERS:
        place.succeeds(f"input={good[name]}", f"output={place.outputs}/{name}.mp4")
        assert (place.outputs / f"{name}.mp4").stat().st_size > 1000


@pytest.mark.parametrize("percent", PLACES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_truncated_file_is_an_error_and_never_a_short_output(place, good, name, percent):
    whole = good[name].read_bytes()
    cut = place.inputs / name
    size = len(whole) * percent // 100
    # A transport stream states no length: that it was cut shows only within a packet.
    if name == "file.ts" and size % 188 == 0:
        size += 94
    cut.write_bytes(whole[:size])
    line = place.fails(4, f"input={cut}", f"output={place.outputs}/out.mp4")
    # Of a hundredth of a file even the format may be unknown.
    if percent > 1:
        assert "truncated" in line and str(cut) in line


@pytest.mark.parametrize("name", ["front.mp4", "file.mkv", "file.ts"])
def test_one_missing_byte_at_the_end_is_noticed(place, good, name):
    cut = place.inputs / name
    cut.write_bytes(good[name].read_bytes()[:-1])
    assert "truncated" in place.fails(4, f"input={cut}", f"output={place.outputs}/out.mp4")


def test_a_missing_file_is_named(place):
    line = place.fails(4, f"input={place.inputs}/absent.mp4", f"output={place.outputs}/out.mp4")
    assert "Could not find" in line and "absent.mp4" in line


def test_an_empty_file(place):
    (place.inputs / "empty.mp4").touch()
    place.fails(4, f"input={place.inputs}/empty.mp4", f"output={place.outputs}/out.mp4")


def test_a_directory(place):
    assert "directory" in place.fails(4, f"input={place.inputs}", f"output={place.outputs}/out.mp4")


def test_a_text_file_named_mp4(place):
    (place.inputs / "notes.mp4").write_text("Dear diary, this is no video.\n" * 100)
    place.fails(4, f"input={place.inputs}/notes.mp4", f"output={place.outputs}/out.mp4")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_random_bytes(place, seed, suffix):
    path = place.inputs / f"noise.{suffix}"
    path.write_bytes(random.Random(seed).randbytes(200_000))
    place.fails(4, f"input={path}", f"output={place.outputs}/out.mp4")


def test_random_bytes_behind_a_right_beginning(place, good):
    whole = good["front.mp4"].read_bytes()
    path = place.inputs / "spoilt.mp4"
    start = whole.index(b"mdat") + 4
    path.write_bytes(whole[:start] + random.Random(1).randbytes(len(whole) - start))
    place.fails(4, f"input={path}", f"output={place.outputs}/out.mp4")


def test_sound_without_picture(place, good):
    path = place.inputs / "sound.m4a"
    subprocess.run([*FFMPEG, "-i", good.base, "-vn", "-c:a", "copy", path], check=True)
    assert "video" in place.fails(4, f"input={path}", f"output={place.outputs}/out.mp4")


@pytest.mark.parametrize("name", ["none.mp4", "none.mkv"])
def test_a_video_of_no_pictures(place, good, name):
    path = place.inputs / name
    subprocess.run([*FFMPEG, "-i", good.base, "-frames:v", "0", "-an", path], check=True)
    place.fails(4, f"input={path}", f"output={place.outputs}/out.mp4")


def test_a_demuxer_that_fails_at_once_is_never_waited_for(place, good):
    """decodebin loses such an error now and then; the run hung for ever once in fifty times."""
    path = place.inputs / "none.mp4"
    subprocess.run([*FFMPEG, "-i", good.base, "-frames:v", "0", "-an", path], check=True)
    for _ in range(100):
        assert place.run(f"input={path}", f"output={place.outputs}/out.mp4").status == 4


def test_an_unreadable_file(place, good):
    path = place.inputs / "private.mp4"
    path.write_bytes(good["front.mp4"].read_bytes())
    path.chmod(0)
    place.outputs.chmod(0o777)
    words = as_nobody([PROGRAM, "run", "proxy", f"input={path}", f"output={place.outputs}/out.mp4"], path)
    done = subprocess.run(words, capture_output=True, text=True, timeout=30,
                          env=environment(HOME="/nonexistent", GST_REGISTRY_UPDATE="no"))
    assert done.returncode == 4, done
    assert done.stderr.count("\n") == 1 and "private.mp4" in done.stderr
    assert os.listdir(place.outputs) == []


def test_a_server_that_is_not_there(place):
    place.fails(4, "input=http://127.0.0.1:9/video.mp4", f"output={place.outputs}/out.mp4")


def test_a_scheme_that_nobody_knows(place):
    assert place.fails(3, "input=gopher9://host/video.mp4", f"output={place.outputs}/out.mp4")


NAMES = ["a b.mp4", "it's \"quoted\".mp4", "new\nline.mp4", "ex!claim ! fakesink.mp4", "%n %s %d.mp4", "视频 🎬.mp4",
         "100% #1?.mp4", "back\\slash.mp4", "-dash.mp4", "{index}.mp4", b"caf\xe9 \xff.mp4"]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_hostile_names_work(place, good, name):
    source, target = (os.path.join(os.fsencode(d), os.fsencode(name)) for d in (place.inputs, place.outputs))
    with open(source, "wb") as file:
        file.write(good["front.mp4"].read_bytes())
    place.succeeds(b"input=" + source, b"output=" + target)
    assert os.listdir(os.fsencode(place.outputs)) == [os.fsencode(name)]
    assert os.path.getsize(target) > 1000


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_hostile_names_of_missing_files_are_told_on_one_line(place, name):
    source = os.path.join(os.fsencode(place.inputs), os.fsencode(name))
    place.fails(4, b"input=" + source, f"output={place.outputs}/out.mp4")
