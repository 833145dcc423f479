# SPDX-License-Identifier: LGPL-2.1-or-later
"""Places where no output can be written: one clear error, exit code 5, nothing left behind."""

import os
import subprocess

import pytest

from conftest import as_nobody
from runner import PROGRAM, environment


def test_a_missing_directory(place, good):
    line = place.fails(5, f"input={good['front.mp4']}", f"output={place.outputs}/absent/out.mp4")
    assert f"{place.outputs}/absent" in line


def test_a_directory_as_target(place, good):
    place.fails(5, f"input={good['front.mp4']}", f"output={place.outputs}")


def test_a_file_as_directory(place, good):
    (place.outputs / "file").touch()
    place.fails(5, f"input={good['front.mp4']}", f"output={place.outputs}/file/out.mp4")


def test_a_name_that_is_too_long(place, good):
    place.fails(5, f"input={good['front.mp4']}", f"output={place.outputs}/{'x' * 300}.mp4")


def test_a_bad_input_does_not_touch_the_old_output(place):
    old = place.outputs / "out.mp4"
    old.write_bytes(b"old")
    place.fails(4, f"input={place.inputs}/absent.mp4", f"output={old}")
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("definition", ["proxy", "web"])
def test_a_folder_for_temporary_files_that_is_missing_is_done_without(place, good, definition):
    place.succeeds(f"input={good['front.mp4']}", f"output={place.outputs}/out.mp4", definition=definition,
                   env=environment(TMPDIR=str(place.path / "absent")))
    assert os.listdir(place.outputs) == ["out.mp4"]


def test_a_folder_for_temporary_files_that_is_full_is_named(place, good, mounted):
    place.outputs.rmdir()
    place.temporary.rename(place.outputs)
    mounted("-t", "tmpfs", "-o", "size=16k", "none")
    line = place.fails(5, f"input={good['front.mp4']}", f"output={place.inputs}/out.mp4",
                       env=environment(TMPDIR=str(place.outputs)))
    assert f"TMPDIR is {place.outputs}" in line
    assert os.listdir(place.inputs) == []


def test_a_full_disk(place, good, mounted):
    mounted("-t", "tmpfs", "-o", "size=16k", "none")
    line = place.fails(5, f"input={good['front.mp4']}", f"output={place.outputs}/out.mp4")
    assert "space" in line
    assert os.listdir(place.outputs) == []


def test_a_read_only_disk(place, good, mounted):
    mounted("-t", "tmpfs", "-o", "ro", "none")
    line = place.fails(5, f"input={good['front.mp4']}", f"output={place.outputs}/out.mp4")
    assert "read-only" in line.lower()


def test_a_directory_that_may_not_be_written(place, good):
    place.outputs.chmod(0o555)
    words = as_nobody([PROGRAM, "run", "proxy", f"input={good['front.mp4']}", f"output={place.outputs}/out.mp4"],
                      good.base, place.outputs)
    done = subprocess.run(words, capture_output=True, text=True, timeout=30,
                          env=environment(HOME="/nonexistent", GST_REGISTRY_UPDATE="no"))
    assert done.returncode == 5, done
    assert done.stderr.count("\n") == 1 and "out.mp4" in done.stderr
    assert os.listdir(place.outputs) == []
