# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips clean: a cache of temporary clips stays small."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from runner import call, one_error, start  # noqa: E402


@pytest.fixture
def cache(tmp_path):
    """Makes clips by age in seconds; the newest is the most recently used."""
    def make(name, age=0, size=1000, used=None):
        path = tmp_path / name
        path.write_bytes(bytes(size))
        now = time.time()
        os.utime(path, (now - (age if used is None else used), now - age))
        return path

    make.path = tmp_path
    return make


def clean(directory, *options):
    result = call("clean", *options, directory)
    assert (result.status, result.stderr) == (0, ""), result
    assert result.text.count("\n") == 1
    return json.loads(result.text)


def names(directory):
    return sorted(os.listdir(directory))


def test_clips_older_than_a_quarter_of_an_hour_go(cache):
    cache("clip_a_1.mp4", age=16 * 60)
    cache("clip_b_2.mp4", age=14 * 60)
    told = clean(cache.path)
    assert names(cache.path) == ["clip_b_2.mp4"]
    assert {k: told[k] for k in ("examined", "expired", "evicted", "freed_bytes", "kept_files", "kept_bytes")} == {
        "examined": 2, "expired": 1, "evicted": 0, "freed_bytes": 1000, "kept_files": 1, "kept_bytes": 1000}


def test_then_the_least_recently_used_go_until_the_rest_fits(cache):
    cache("clip_a_1.mp4", age=300, used=10)
    for number, age in enumerate([200, 100, 50]):
        cache(f"clip_b_{number}.mp4", age=age)
    cache("clip_old_9.mp4", age=10000, size=5000)
    told = clean(cache.path, "--max-bytes=2500")
    assert names(cache.path) == ["clip_a_1.mp4", "clip_b_2.mp4"]
    assert (told["expired"], told["evicted"], told["kept_bytes"]) == (1, 2, 2000)


def test_nothing_is_evicted_that_fits_after_the_old_ones_are_gone(cache):
    cache("clip_old_1.mp4", age=10000, size=5000)
    cache("clip_new_2.mp4", age=10, size=2500)
    assert clean(cache.path, "--max-bytes=2500")["evicted"] == 0
    assert names(cache.path) == ["clip_new_2.mp4"]


def test_other_files_are_not_touched(cache):
    others = ["film.mp4", "clip_a.mp4", ".clip_a_1.mp4", "clip_a_1.mp4.part", "Clip_a_1.mp4", "notes"]
    for name in others:
        cache(name, age=100000)
    (cache.path / "clip_dir_1.mp4").mkdir()
    os.symlink(cache.path / "film.mp4", cache.path / "clip_link_1.mp4")
    assert clean(cache.path, "--max-bytes=0")["examined"] == 0
    assert names(cache.path) == sorted([*others, "clip_dir_1.mp4", "clip_link_1.mp4"])


def test_files_that_are_being_written_are_spared(cache):
    busy = cache("clip_busy_1.mp4", age=10000)
    cache("clip_idle_2.mp4", age=10000)
    with open(busy, "ab"):
        told = clean(cache.path, "--max-bytes=0")
    assert names(cache.path) == ["clip_busy_1.mp4"]
    assert (told["spared"], told["expired"]) == (1, 1)
    assert clean(cache.path)["expired"] == 1
    assert names(cache.path) == []


def test_a_clip_that_is_being_read_may_go(cache):
    path = cache("clip_a_1.mp4", age=10000)
    with open(path, "rb") as reader:
        assert clean(cache.path)["expired"] == 1
        assert len(reader.read()) == 1000


def test_space_is_kept_free_on_the_disk(cache):
    disk = cache.path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        for number in range(9):
            cache(f"disk/clip_a_{number}.mp4", age=100 - number, size=100_000)
        told = clean(disk, "--min-free=500000")
        assert told["free_bytes"] >= 500_000
        assert names(disk) == [f"clip_a_{number}.mp4" for number in range(9 - told["kept_files"], 9)]
        assert 3 <= told["kept_files"] <= 5
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("option", ["--max-bytes=2500", "--max-age=60", "--max-bytes=0", "--min-free=9000000000000000"])
def test_a_dry_run_tells_the_same_and_removes_nothing(cache, option):
    for number, age in enumerate([2000, 200, 100, 50]):
        cache(f"clip_a_{number}.mp4", age=age)
    before = names(cache.path)
    told = clean(cache.path, "--dry-run", option)
    assert names(cache.path) == before
    done = clean(cache.path, option)
    assert names(cache.path) != before
    # Others write to the disk as well.
    assert abs(told.pop("free_bytes") - done.pop("free_bytes")) < 10**9
    assert told == done


def test_cleaners_at_the_same_time_remove_no_more_than_one_would(cache):
    for number in range(200):
        cache(f"clip_a_{number}.mp4", age=number)
    cleaners = [start("clean", "--max-bytes=50000", cache.path, stdout=subprocess.PIPE) for _ in range(6)]
    told = [json.loads(cleaner.communicate(timeout=20)[0]) for cleaner in cleaners]
    assert names(cache.path) == sorted(f"clip_a_{number}.mp4" for number in range(50))
    assert sum(t["evicted"] for t in told) == 150


def test_what_writers_write_meanwhile_is_whole_and_there(cache):
    """Writers in place, with old times, and writers by rename; cleaners that may keep nothing that is not written."""
    faults, stop = [], threading.Event()

    def in_place(number):
        for turn in range(40):
            path = cache.path / f"clip_w{number}_{turn}.mp4"
            with open(path, "wb") as file:
                for _ in range(5):
                    file.write(b"x" * 100)
                    file.flush()
                    os.utime(path, (1, 1))
                    if os.fstat(file.fileno()).st_nlink != 1:
                        faults.append(f"{path.name} is gone while it is written")
                    time.sleep(0.002)

    def by_rename(number):
        for turn in range(200):
            part = cache.path / f".clip_r{number}_{turn}.part"
            part.write_bytes(b"y" * 500)
            os.rename(part, cache.path / f"clip_r{number}_{turn}.mp4")

    def cleaner():
        while not stop.is_set():
            result = call("clean", "--max-age=0", "--max-bytes=100000", cache.path)
            if result.status != 0 or json.loads(result.text)["failed"]:
                faults.append(str(result))

    writers = [threading.Thread(target=work, args=(n,)) for n in range(2) for work in (in_place, by_rename)]
    cleaners = [threading.Thread(target=cleaner) for _ in range(2)]
    for thread in writers + cleaners:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in cleaners:
        thread.join()
    assert faults == []
    time.sleep(1.1)
    clean(cache.path, "--max-age=0")
    assert names(cache.path) == []


def test_watching_goes_on_until_a_signal(cache):
    process = start("clean", "--watch=1", cache.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert json.loads(process.stdout.readline())["examined"] == 0
        cache("clip_a_1.mp4", age=10000)
        while json.loads(process.stdout.readline())["expired"] == 0:
            pass
        assert names(cache.path) == []
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=5)
        assert (process.returncode, err) == (143, b"") and time.monotonic() - begun < 2
    finally:
        process.kill()
        process.communicate()


def test_watching_ends_when_the_directory_is_gone(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    process = start("clean", "--watch=1", folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    folder.rmdir()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 4 and err.count(b"\n") == 1


def test_an_empty_cache_is_clean(tmp_path):
    assert clean(tmp_path)["examined"] == 0


@pytest.mark.parametrize("words, says, status", [
    ([], "which one directory", 2),
    (["a", "b"], "which one directory", 2),
    (["--max-age=-1", "."], "negative", 2),
    (["--max-age=old", "."], "max-age", 2),
    (["--watch=-1", "."], "watch", 2),
    (["absent"], "absent", 4),
])
def test_what_it_cannot_do_is_one_line(tmp_path, words, says, status):
    result = call("clean", *words, cwd=tmp_path)
    assert result.status == status, result
    assert says in one_error(result)
