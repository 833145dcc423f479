# SPDX-License-Identifier: LGPL-2.1-or-later
"""hls to a bucket: the same objects as a folder has, the playlist last, and none when it fails."""

import os
import subprocess

import pytest

TIMEOUT = 60
PROGRAM = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True, timeout=TIMEOUT)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("hls") / "in.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=9", "-f", "lavfi", "-i", "sine=440:d=9", "-c:v", "libx264",
           "-preset", "ultrafast", "-c:a", "aac", "-movflags", "+faststart", path)
    return path


def run(s3, definition, source, output, endpoint=None):
    return subprocess.run(
        [PROGRAM, "run", definition, f"input={source}", f"output={output}", "preset=ultrafast"],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
        env=s3.env(AWS_ENDPOINT_URL=endpoint or s3.endpoint))


def test_a_bucket_gets_what_a_folder_gets(s3, source, tmp_path):
    assert run(s3, "hls", source, tmp_path / "out").returncode == 0
    done = run(s3, "hls", source, f"s3://{s3.bucket}/films/one")
    assert done.returncode == 0, done.stderr
    names = ["index.m3u8", "segment00000.ts", "segment00001.ts", "segment00002.ts"]
    assert s3.keys("films/one/") == ["films/one/" + name for name in names]
    for name in ("index.m3u8", "segment00002.ts"):
        assert s3.get("films/one/" + name) == (tmp_path / "out" / name).read_bytes()
    playlist = s3.head("films/one/index.m3u8")
    assert playlist["ContentType"] == "application/vnd.apple.mpegurl"
    assert playlist["CacheControl"] == "no-cache"
    assert s3.head("films/one/segment00000.ts")["ContentType"] == "video/mp2t"
    assert s3.uploads() == []


def test_variants_have_folders_of_their_own(s3, source):
    done = run(s3, "hlsadaptive", source, f"s3://{s3.bucket}/films/two/")
    assert done.returncode == 0, done.stderr
    keys = s3.keys("films/two/")
    assert "films/two/index.m3u8" in keys
    assert {key.split("/")[2] for key in keys} == {"index.m3u8", "v1", "v2"}


def test_a_source_that_is_cut_off_leaves_no_object(s3, source, tmp_path):
    whole = source.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 4 // 5])
    done = run(s3, "hls", tmp_path / "cut.mp4", f"s3://{s3.bucket}/films/three")
    assert done.returncode != 0
    assert s3.keys("films/three") == []


def test_an_older_stream_stays_when_nothing_was_written(s3, source, tmp_path):
    assert run(s3, "hls", source, f"s3://{s3.bucket}/films/four").returncode == 0
    before = s3.keys("films/four")
    (tmp_path / "broken.mp4").write_bytes(bytes(5000))
    assert run(s3, "hls", tmp_path / "broken.mp4", f"s3://{s3.bucket}/films/four").returncode != 0
    assert s3.keys("films/four") == before


def test_an_older_stream_is_gone_once_its_segments_were_replaced(s3, faults, source):
    assert run(s3, "hls", source, f"s3://{s3.bucket}/films/six").returncode == 0
    faults.fault("PUT", "segment00002.ts", 99, "status:403:AccessDenied")
    assert run(s3, "hls", source, f"s3://{s3.bucket}/films/six", faults.endpoint).returncode != 0
    assert "films/six/index.m3u8" not in s3.keys("films/six")


def test_a_playlist_that_the_store_refuses_takes_the_segments_with_it(s3, faults, source):
    faults.fault("PUT", "index.m3u8", 99, "status:403:AccessDenied")
    done = run(s3, "hls", source, f"s3://{s3.bucket}/films/five", faults.endpoint)
    assert done.returncode != 0
    assert "index.m3u8" in done.stderr
    assert s3.keys("films/five") == []
