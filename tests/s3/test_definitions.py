# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every definition reads from a store and writes to one: gst-clips as a person runs it."""

import json
import os
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(os.environ["CLIPS_SOURCE_ROOT"])
PROGRAM = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
MIB = 1 << 20

# Where the output goes, and what else a definition wants to be told.
TRIED = {
    "proxy": ("mp4", []),
    "web": ("mp4", []),
    "master": ("mp4", []),
    "normalize": ("mp4", []),
    "remux": ("mp4", []),
    "tempclip": ("mp4", ["start=500ms", "stop=1500ms"]),
    "cuts": ("json", []),
}


@pytest.fixture(scope="session")
def movie(s3, tmp_path_factory):
    """Three seconds of H.264 and AAC, in the store and here."""
    path = tmp_path_factory.mktemp("media") / "in.mov"
    source = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=30:d=3", "-f", "lavfi", "-i", "sine=d=3"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *codecs, path], check=True)
    s3.put("in.mov", path.read_bytes())
    return path


def environment(s3, **changes):
    changes.setdefault("AWS_ENDPOINT_URL", s3.endpoint)
    clean = s3.env(GST_CLIPS_PIPELINE_PATH=str(ROOT / "pipelines"), **changes)
    clean.pop("G_DEBUG", None)
    return clean


def run(s3, *words, **changes):
    command = [PROGRAM, "run", *words]
    return subprocess.run(command, env=environment(s3, **changes), capture_output=True, text=True, timeout=90, check=False)


def boxes(data):
    """Names of the top-level boxes."""
    names, at = [], 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        assert 8 <= size <= len(data) - at, "the boxes do not tile the file"
        names.append(name.decode())
        at += size
    return names


def stream_hashes(path):
    """Packets of each stream with their times."""
    said = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "packet=stream_index,pts_time,duration_time,data_hash", "-show_data_hash", "md5"]
        + ["-of", "compact", path],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(said.stdout.splitlines())


@pytest.mark.parametrize("name", TRIED)
def test_definition_makes_in_a_store_what_it_makes_in_a_file(s3, movie, name, tmp_path):
    ending, words = TRIED[name]
    key = f"definitions/{name}.{ending}"
    done = run(s3, name, "input=s3://testbucket/in.mov", f"output=s3://testbucket/{key}", *words)
    assert done.returncode == 0, done.stderr
    ours, local = tmp_path / f"ours.{ending}", tmp_path / f"local.{ending}"
    ours.write_bytes(s3.get(key))
    done = run(s3, name, f"input={movie}", f"output={local}", *words)
    assert done.returncode == 0, done.stderr
    if ending == "json":
        assert json.loads(ours.read_text())["cuts"] == json.loads(local.read_text())["cuts"]
        return
    data = ours.read_bytes()
    order = boxes(data)
    assert order[0] == "ftyp" and order.index("moov") < order.index("mdat")
    assert stream_hashes(ours) == stream_hashes(local)
    # What is only copied may stay QuickTime.
    assert s3.head(key)["ContentType"] == ("video/quicktime" if data[8:12] == b"qt  " else "video/mp4")
    assert s3.uploads() == []


# Into a folder and below a prefix; {} stands for either.
FOLDERS = {
    "stills": ["run", "stills", "output={}/{{index:03}}.jpg"],
    "frames": ["run", "frames", "output={}/frames.npy"],
    "hls": ["run", "hls", "output={}/index.m3u8"],
    "hlsadaptive": ["run", "hlsadaptive", "output={}"],
    "export": ["run", "export", "output={}/clip-{{index}}.mp4", "ranges=0-1s,1500ms-2500ms"],
    "stream": ["run", "stream", "output={}/stream.mp4", "start=500ms", "stop=1500ms"],
    "ingest": ["ingest", "{}"],
}


@pytest.mark.parametrize("name", FOLDERS)
def test_definition_makes_the_same_names_below_a_prefix_as_in_a_folder(s3, movie, name, tmp_path):
    verb, *words = FOLDERS[name]
    below = f"folders/{name}"
    (tmp_path / below).mkdir(parents=True)
    for source, target in (("s3://testbucket/in.mov", f"s3://testbucket/{below}"), (str(movie), str(tmp_path / below))):
        words_now = [word.format(target) for word in words]
        if verb == "run":
            words_now.append(f"input={source}")
        else:
            words_now.insert(0, source)
        command = [PROGRAM, verb, *words_now]
        done = subprocess.run(command, env=environment(s3), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    local = {str(path.relative_to(tmp_path)): path for path in (tmp_path / below).rglob("*") if path.is_file()}
    assert sorted(s3.keys(below)) == sorted(local) and local
    for key, path in local.items():
        assert s3.head(key)["ContentLength"] > 0 and path.stat().st_size > 0
        if key.endswith((".jpg", ".npy")):
            assert s3.get(key) == path.read_bytes()
    assert s3.uploads() == []


def test_proxy_makes_no_temporary_file(s3, movie, tmp_path):
    """There is no folder for one, and mp4mux with faststart=true could not begin without."""
    nowhere = str(tmp_path / "absent")
    done = run(s3, "proxy", "input=s3://testbucket/in.mov", "output=s3://testbucket/no-temp.mp4", TMPDIR=nowhere)
    assert done.returncode == 0, done.stderr
    order = boxes(s3.get("no-temp.mp4"))
    assert order.index("moov") < order.index("mdat")


def test_object_that_stood_there_stays_until_the_new_one_is_whole(s3, movie):
    s3.put("standing.mp4", b"old")
    words = ["proxy", "input=s3://testbucket/in.mov", "output=s3://testbucket/standing.mp4"]
    # Slow enough to be met in the middle.
    process = subprocess.Popen([PROGRAM, "run", *words, "preset=veryslow"], env=environment(s3), stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    assert s3.get("standing.mp4") == b"old" and process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) != 0
    assert s3.get("standing.mp4") == b"old"
    assert s3.uploads() == []
    assert run(s3, *words).returncode == 0
    assert boxes(s3.get("standing.mp4"))[0] == "ftyp"


def test_input_that_breaks_off_is_no_object(s3, movie):
    s3.put("half.mov", movie.read_bytes()[: movie.stat().st_size // 2])
    done = run(s3, "proxy", "input=s3://testbucket/half.mov", "output=s3://testbucket/from-half.mp4")
    assert done.returncode != 0
    assert s3.head("from-half.mp4") is None and s3.uploads() == []


def test_refusals_of_either_store_are_one_error_each(s3, movie):
    for words, named in (
        (["input=s3://testbucket/absent.mov", "output=s3://testbucket/x.mp4"], "s3://testbucket/absent.mov"),
        (["input=s3://testbucket/in.mov", "output=s3://no-such-bucket/x.mp4"], "s3://no-such-bucket/x.mp4"),
    ):
        done = run(s3, "proxy", *words)
        assert done.returncode != 0
        assert len(done.stderr.splitlines()) == 1 and named in done.stderr, done.stderr
    assert s3.head("x.mp4") is None


def peak_mib(process):
    peak = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                found = [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
        except OSError:
            found = []
        peak = max([peak, *found])
        time.sleep(0.02)
    return peak / 1024


def test_proxy_of_an_input_larger_than_the_budget_stays_within_256_mib(s3, tmp_path):
    """1080p, 300 MB, from the store to the store."""
    once, path = tmp_path / "once.mov", tmp_path / "large.mov"
    source = ["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=30:d=2", "-f", "lavfi", "-i", "sine=d=2"]
    rate = ["-b:v", "150M", "-minrate", "150M", "-maxrate", "150M", "-bufsize", "40M", "-x264-params", "nal-hrd=cbr"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:v", "libx264", "-preset", "ultrafast", *rate, "-c:a", "aac", once], check=True)
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "7", "-i", once, "-c", "copy", path], check=True)
    assert path.stat().st_size > 256 * MIB
    s3.boto.upload_file(str(path), s3.bucket, "large.mov")
    words = ["proxy", "input=s3://testbucket/large.mov", "output=s3://testbucket/large.mp4"]
    process = subprocess.Popen([PROGRAM, "run", *words], env=environment(s3))
    peak = peak_mib(process)
    assert process.returncode == 0
    print(f"peak {peak:.0f} MiB")
    assert peak <= 256
    order = boxes(s3.get("large.mp4"))
    assert order.index("moov") < order.index("mdat")
    s3.boto.delete_object(Bucket=s3.bucket, Key="large.mov")
