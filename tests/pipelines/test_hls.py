# SPDX-License-Identifier: LGPL-2.1-or-later
"""hls and hlsadaptive: segments that begin with key frames, playlists that appear last, sizes that fit."""

import os
import re
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from cliptest import OPUS, Recipe, media, packets, probe, verify, x264
from cliptest.read import Video
from definitions import TIMEOUT, ffmpeg, run

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from runner import call, environment, start  # noqa: E402

SOURCE = Recipe("hls", rate="24000/1001", seconds=9, video=x264(60, 3), sample_rate=44100)
RUNGS = {0: (1920, 1080), 1: (854, 480), 2: (256, 144)}


def segments(playlist):
    """[(duration, path)] of a media playlist, as a player reads it."""
    lines = Path(playlist).read_text(encoding="ascii").splitlines()
    assert lines[0] == "#EXTM3U" and lines[-1] == "#EXT-X-ENDLIST", lines
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in lines
    found = []
    for info, name in zip(lines, lines[1:]):
        if info.startswith("#EXTINF:"):
            found.append((Fraction(info[8:].rstrip(",")), Path(playlist).parent / name))
    target = int(next(x for x in lines if x.startswith("#EXT-X-TARGETDURATION:")).split(":")[1])
    assert all(round(d) <= target for d, _ in found)
    return found


def variants(playlist):
    """[(attributes, path)] of a multivariant playlist."""
    lines = Path(playlist).read_text(encoding="ascii").splitlines()
    found = []
    for info, name in zip(lines, lines[1:]):
        if info.startswith("#EXT-X-STREAM-INF:"):
            attributes = dict(re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', info.split(":", 1)[1]))
            found.append((attributes, Path(playlist).parent / name))
    return found


def keys(path):
    got = packets(str(path))
    first = got[0]["pts"]
    return [round(p["pts"] - first, 4) for p in got if p["key"]]


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def complete(folder, m):
    """Every picture of m is there once, in order, and each segment can be played by itself."""
    video = Video(str(folder / "index.m3u8"), m.width, m.height)
    assert list(video.number) == list(range(len(m.times)))
    for _, path in segments(folder / "index.m3u8"):
        assert packets(str(path))[0]["key"], path


def test_every_frame_is_there_in_segments_of_four_seconds(tmp_path):
    m = media(SOURCE)
    run("hls", m.path, tmp_path / "out")
    got = segments(tmp_path / "out/index.m3u8")
    # 96 pictures of 1001/24000 s are the first that last four seconds.
    assert [d for d, _ in got][:2] == [Fraction("4.004"), Fraction("4.004")]
    assert sum(d for d, _ in got) == pytest.approx(len(m.times) * 1001 / 24000, abs=1e-5)
    complete(tmp_path / "out", m)


def test_a_key_frame_stands_at_least_every_48_frames_and_none_at_scene_cuts(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3", "-f", "lavfi", "-i",
           "mandelbrot=s=320x180:r=25", "-filter_complex", "[1]trim=duration=6[b];[0][b]concat",
           "-c:v", "libx264", "-preset", "ultrafast", tmp_path / "cut.mp4")
    run("hls", tmp_path / "cut.mp4", tmp_path / "out")
    assert keys(tmp_path / "out/index.m3u8") == [0, 1.92, 3.84, 4, 5.92, 7.84, 8]


def test_sound_stays_with_the_picture(tmp_path):
    m = media(SOURCE)
    run("hls", m.path, tmp_path / "out")
    # The verifier counts from 0, a transport stream from about an hour.
    ffmpeg("-i", tmp_path / "out/index.m3u8", "-c", "copy", tmp_path / "all.mp4")
    got = verify(str(tmp_path / "all.mp4"), m, views=("honour",))["honour"]["audio"][0]
    want = verify(m.path, m, compare=False, views=("honour",))["honour"]["audio"][0]
    for mark in ("late_ms_start", "late_ms", "late_ms_end"):
        assert abs(got[mark] - want[mark]) < 1, (mark, got, want)


def test_a_silent_video_has_segments_without_sound(tmp_path):
    m = media(Recipe("hls-silent", seconds=5, tracks=()))
    run("hls", m.path, tmp_path / "out")
    complete(tmp_path / "out", m)
    kinds = [s["codec_type"] for s in probe(str(tmp_path / "out/index.m3u8"))["streams"]]
    assert kinds == ["video"]


def test_the_playlist_may_be_named(tmp_path):
    m = media(Recipe("hls-silent", seconds=5, tracks=()))
    run("hls", m.path, tmp_path / "out/film.m3u8")
    assert files(tmp_path / "out") == ["film.m3u8", "segment00000.ts", "segment00001.ts"]


def test_rungs_are_cut_at_the_same_frames_and_hold_every_frame(tmp_path):
    m = media(Recipe("hls-large", rate="25", seconds=6, width=1920, height=1080,
                     video=x264(50, 2, preset="ultrafast")))
    run("hlsadaptive", m.path, tmp_path / "out", preset="ultrafast")
    listed = variants(tmp_path / "out/index.m3u8")
    assert [a["RESOLUTION"] for a, _ in listed] == ["1920x1080", "854x480", "256x144"]
    assert [a["FRAME-RATE"] for a, _ in listed] == ["25.000"] * 3
    for (attributes, path), (width, height) in zip(listed, RUNGS.values()):
        assert keys(path) == [0, 1.92, 3.84, 4, 5.92]
        assert [d for d, _ in segments(path)] == [4, 2]
        assert len(packets(str(path))) == len(m.times)
        got = probe(str(path))["streams"]
        seen = next(s for s in got if s["codec_type"] == "video")
        assert (seen["width"], seen["height"]) == (width, height)
        assert f'{seen["level"]:02x}' in attributes["CODECS"] and "mp4a.40.2" in attributes["CODECS"]
        peak = max(os.path.getsize(p) * 8 / d for d, p in segments(path))
        assert int(attributes["BANDWIDTH"]) == pytest.approx(float(peak), abs=2)
    peaks = [int(a["BANDWIDTH"]) for a, _ in listed]
    assert peaks == sorted(peaks, reverse=True)


@pytest.mark.parametrize("width, height, expected", [
    (640, 360, ["640x360", "256x144"]),
    (200, 120, ["200x120"]),
    (1080, 1920, ["608x1080", "270x480", "80x144"]),
], ids=["360p", "tiny", "portrait"])
def test_no_rung_is_larger_than_the_source(tmp_path, width, height, expected):
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={width}x{height}:r=25:d=2", "-c:v", "libx264",
           "-preset", "ultrafast", tmp_path / "in.mp4")
    run("hlsadaptive", tmp_path / "in.mp4", tmp_path / "out", preset="ultrafast")
    listed = variants(tmp_path / "out/index.m3u8")
    assert [a["RESOLUTION"] for a, _ in listed] == expected


def test_a_second_run_replaces_the_first(tmp_path):
    long, short = media(SOURCE), media(Recipe("hls-silent", seconds=5, tracks=()))
    run("hls", long.path, tmp_path / "out")
    run("hls", short.path, tmp_path / "out")
    complete(tmp_path / "out", short)


@pytest.mark.parametrize("definition", ["hls", "hlsadaptive"])
def test_a_source_that_is_cut_off_leaves_nothing(tmp_path, definition):
    # moov first, so that segments are made before the end is missed.
    ffmpeg("-i", media(SOURCE).path, "-c", "copy", "-movflags", "+faststart", tmp_path / "a.mp4")
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 4 // 5])
    done = call("run", definition, f"input={tmp_path}/cut.mp4", f"output={tmp_path}/out")
    assert done.status == 4 and "cut.mp4 is truncated" in done.stderr, done
    assert not (tmp_path / "out").exists()


def test_a_missing_folder_above_is_one_clear_error(tmp_path):
    done = call("run", "hls", f"input={media(SOURCE).path}", f"output={tmp_path}/no/out")
    assert done.status == 5 and len(done.lines) == 1, done
    assert "Could not make the folder" in done.stderr


def test_an_interrupt_leaves_nothing(tmp_path):
    m = media(SOURCE)
    process = start("run", "hls", f"input={m.path}", f"output={tmp_path}/out", "preset=veryslow",
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
    while not list(tmp_path.glob("out/segment*")):
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 143, said
    assert not (tmp_path / "out").exists()


def test_what_others_put_into_the_folder_stays(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 5000)
    assert call("run", "hls", f"input={broken}", f"output={tmp_path}/out").status == 4
    assert files(tmp_path / "out") == ["notes.txt"]


def test_variable_rate_and_opus_come_out_whole(tmp_path):
    m = media(Recipe("hls-opus", seconds=6, audio=OPUS))
    run("hls", m.path, tmp_path / "out")
    complete(tmp_path / "out", m)
