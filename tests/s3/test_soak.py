# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many short ingests in a row: nothing gathers in the folder, the bucket, the temporary folder, or in a long-lived process.

CLIPS_SOAK_RUNS says how many, 500 if it does not; CLIPS_SOAK_FIRST with which number they begin, to do them in parts.
"""

import ctypes
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import gi
import pytest
from cliptest import Recipe, media

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
from runner import PROGRAM, environment  # noqa: E402

RUNS = int(os.environ.get("CLIPS_SOAK_RUNS", "500"))
FIRST = int(os.environ.get("CLIPS_SOAK_FIRST", "0"))
FAST = {"proxy-preset": "ultrafast", "master-preset": "ultrafast"}
# After this many runs everything that is made once has been made.
WARM = min(60, RUNS // 3)


@pytest.fixture(scope="module")
def film():
    return media(Recipe("tiny", rate="10", seconds=1, width=320, height=180)).path


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_ingests_in_a_row_leave_only_their_outputs(s3, film, tmp_path, kind):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    folder = tmp_path / "out"
    folder.mkdir()
    env = {k: v for k, v in s3.env(AWS_ENDPOINT_URL_S3=s3.endpoint, TMPDIR=str(temporary)).items()
           if k.startswith("AWS_") or k == "TMPDIR"}
    prefix = "soak/ingest/"
    expected = None
    for run in range(FIRST, FIRST + RUNS):
        # Each with another parameter than the last one, so that each is done anew.
        words = [f"proxy-crf={20 + run % 20}", *(f"{k}={v}" for k, v in FAST.items())]
        output = folder if kind == "folder" else f"s3://{s3.bucket}/{prefix}"
        done = subprocess.run([PROGRAM, "ingest", film, output, "--name=film", "--progress=json", *words],
                              env=environment(**env), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and '"note"' not in done.stdout, (run, done)
        if kind == "folder":
            there = files(folder)
        else:
            there = [key.removeprefix(prefix) for key in s3.keys(prefix)]
        expected = expected or there
        assert there == expected, run
        assert os.listdir(temporary) == [], run
    text = (folder / "ingest.json").read_bytes() if kind == "folder" else s3.get(prefix + "ingest.json")
    assert json.loads(text)["complete"] is True
    assert s3.uploads() == []


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
                                                     "fordblks", "keepcost")]


def in_use():
    """Bytes that malloc has given out and not got back, of all arenas: without what it keeps free for later."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Mallinfo2
    info = mallinfo2()
    return info.uordblks + info.hblkhd


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def run_once(source, place):
    pipeline = Gst.Pipeline.new(None)
    element = Gst.ElementFactory.make("ingestbin")
    element.set_property("input", source)
    for output, path in (("proxy-output", "proxy.mp4"), ("master-output", "master.mp4"), ("cuts-output", "cuts.json")):
        element.set_property(output, f"{place}/{path}")
    for name, value in FAST.items():
        element.set_property(name, value)
    pipeline.add(element)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message is not None, "hangs"
    assert message.type == Gst.MessageType.EOS, message.parse_error()


def test_a_long_lived_process_does_not_grow(s3, keys, film, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    Gst.init(None)
    places = [str(tmp_path), f"s3://{s3.bucket}/soak/process"]
    warm = None
    for run in range(RUNS):
        run_once(film, places[run % 2])
        gc.collect()
        if run == WARM:
            warm = resident(), descriptors(), len(os.listdir("/proc/self/task")), in_use()
        if run >= WARM and (run - WARM) % max(1, (RUNS - WARM) // 4) == 0:
            print(f"run {run}: {resident() >> 10} KiB, {in_use() >> 10} KiB in use, {descriptors()} descriptors", flush=True)
    print(f"after {WARM} runs {warm[0] >> 20} MiB, {warm[3] >> 10} KiB in use, {warm[1]} descriptors, {warm[2]} threads; after {RUNS} "
          f"{resident() >> 20} MiB, {in_use() >> 10} KiB, {descriptors()}, {len(os.listdir('/proc/self/task'))}")
    # It goes up and down by 2 MiB and levels off: 1000 runs to a folder ended with as much as 250.
    assert in_use() < warm[3] + (4 << 20)
    # What malloc keeps free in the arenas of its threads settles for some hundred runs; a buffer or element kept from each
    # run would be more than this.
    assert resident() < warm[0] * 1.1 + (4 << 20)
    assert descriptors() <= warm[1] + 2
    assert len(os.listdir("/proc/self/task")) <= warm[2] + 4
    assert sorted(os.listdir(tmp_path)) == ["cuts.json", "master.mp4", "proxy.mp4"]
    assert s3.uploads() == []
