# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sprite sheets: each tile that the WebVTT document names is the frame of its time, and the cues cover the video."""

import json
import os
import re
import subprocess

import numpy as np
import pytest
from cliptest import Recipe, media
from cliptest.codec import geometry, read_codes
from definitions import ffmpeg
from PIL import Image

PROGRAM = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"


def run(source, directory, status=0, output="s-{index}.jpg", vtt="s.vtt", **parameters):
    """The cues of a run, or its error events."""
    words = [f"{k}={v}" for k, v in parameters.items()]
    done = subprocess.run([PROGRAM, "run", "sprites", f"input={source}", f"output={directory / output}",
                           f"vtt={directory / vtt}", "--progress=json", *words],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [e for e in events if e["event"] == "error"] if status else cues(directory / vtt)


def milliseconds(text):
    hours, minutes, seconds, fraction = map(int, re.fullmatch(r"(\d\d+):(\d\d):(\d\d)\.(\d{3})", text).groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction


def cues(path):
    """(start, end, name, x, y, w, h) of each, times in ms."""
    head, *blocks = path.read_text().removesuffix("\n").split("\n\n")
    assert head == "WEBVTT"
    found = []
    for block in blocks:
        times, text = block.split("\n")
        start, end = map(milliseconds, times.split(" --> "))
        name, place = re.fullmatch(r"(.*)#xywh=(\d+,\d+,\d+,\d+)", text).groups()
        found.append((start, end, name, *map(int, place.split(","))))
    return found


def tiles(directory, found):
    for _, _, name, x, y, w, h in found:
        with Image.open(directory / name) as sheet:
            assert x + w <= sheet.width and y + h <= sheet.height
            yield sheet.convert("L").crop((x, y, x + w, y + h))


def numbers(directory, found):
    """The numbers that are drawn into the tiles, read at the size of their source."""
    width, height = 640, 360
    bw, bh = geometry(width, height)
    greys = np.stack([np.asarray(tile.resize((width, height))) for tile in tiles(directory, found)])
    return read_codes(greys[:, : 2 * bh, : bw * 24], width, height).tolist()


def sizes(directory):
    return [Image.open(path).size for path in sorted(directory.glob("*.jpg"))]


def assert_cues_cover(found, times, end):
    """No gap from 0 to the end, and each next one begins with its frame, to the millisecond."""
    assert found[0][0] == 0 and abs(found[-1][1] - 1000 * end) <= 1.001
    assert all(a[1] == b[0] and a[0] < a[1] for a, b in zip(found, found[1:]))
    assert all(0 <= cue[0] - 1000 * time <= 1.001 for cue, time in zip(found[1:], times[1:]))


def video_end(m):
    """When the video's last frame ends, in seconds; where packets have no duration the rate is 60."""
    packets = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
                              "packet=pts_time,duration_time", "-of", "csv=p=0", m.path],
                             capture_output=True, text=True, check=True).stdout.split()
    return max(sum(1 / 60 if field == "N/A" else float(field) for field in line.split(",")[:2]) for line in packets)


# By the index, and decoded from the begin.
@pytest.mark.parametrize("name", ["closed2s", "vfr", "mkv"])
def test_each_tile_is_the_frame_that_its_cue_begins_with(name, tmp_path):
    m = media(name)
    count = len(m.times)
    found = run(m.path, tmp_path, count=7, columns=2, rows=2, width=320)
    chosen = [(2 * i + 1) * count // 14 for i in range(7)]
    assert numbers(tmp_path, found) == [m.first + i for i in chosen]
    assert_cues_cover(found, [m.times[i] for i in chosen], video_end(m))
    assert [cue[2] for cue in found] == ["s-0.jpg"] * 4 + ["s-1.jpg"] * 3
    assert sizes(tmp_path) == [(640, 360), (640, 360)]


@pytest.mark.parametrize("name", ["closed2s", "mkv"])
def test_every_step_and_a_last_sheet_of_one_tile(name, tmp_path):
    m = media(name)
    step = (len(m.times) + 3) // 4
    found = run(m.path, tmp_path, select="every", step=step, columns=1, rows=3, width=320)
    chosen = list(range(0, len(m.times), step))
    assert len(chosen) == 4
    assert numbers(tmp_path, found) == [m.first + i for i in chosen]
    assert_cues_cover(found, [m.times[i] for i in chosen], video_end(m))
    assert sizes(tmp_path) == [(320, 540), (320, 180)]


def test_a_video_of_fewer_frames_than_asked_for_gives_each_once(tmp_path):
    m = media(Recipe("fewsprites", rate="10", seconds=1, tracks=()))
    found = run(m.path, tmp_path, columns=4, width=320)
    assert numbers(tmp_path, found) == list(range(m.first, m.first + 10))
    assert_cues_cover(found, m.times, 1)
    assert sizes(tmp_path) == [(1280, 540)]


def test_one_thumbnail_is_a_sheet_of_its_own_size(tmp_path):
    m = media("closed2s")
    found = run(m.path, tmp_path, count=1, width=320)
    assert numbers(tmp_path, found) == [m.first + len(m.times) // 2]
    assert_cues_cover(found, [0], video_end(m))
    assert sizes(tmp_path) == [(320, 180)]


def test_odd_and_anamorphic_pictures_have_tiles_of_their_shape(tmp_path):
    source = tmp_path / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=white:s=720x576:r=5:d=1,setsar=64/45", "-pix_fmt", "yuv420p", "-c:v", "libx264",
           source)
    found = run(source, tmp_path, count=4, columns=2, width=161)
    assert {cue[5:] for cue in found} == {(161, 91)}
    assert all(np.asarray(tile).min() > 225 for tile in tiles(tmp_path, found))


def test_free_places_are_black(tmp_path):
    source = tmp_path / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=white:s=320x180:r=5:d=1", "-pix_fmt", "yuv420p", "-c:v", "libx264", source)
    run(source, tmp_path, count=3, columns=2)
    sheet = np.asarray(Image.open(tmp_path / "s-0.jpg").convert("RGB"))
    assert sheet.shape == (180, 320, 3)
    assert sheet[100:, 170:].max() < 20 and sheet[:80].min() > 235


def test_names_are_urls_behind_the_prefix(tmp_path):
    folder = tmp_path / "50% of it"
    folder.mkdir()
    found = run(media("closed2s").path, folder, count=2, rows=1, columns=1, output="a b#{index:03}.jpg",
                prefix="https://cdn.example/a b/")
    assert [cue[2] for cue in found] == [f"https://cdn.example/a%20b/a%20b%23{i:03}.jpg" for i in range(2)]
    assert sorted(path.name for path in folder.glob("*.jpg")) == ["a b#000.jpg", "a b#001.jpg"]


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"rows": 1001}, {"width": 8}, {"select": "times"}, {"count": 0},
                                   {"width": 4096, "columns": 5}, {"output": "s.jpg"}])
def test_wrong_values_are_one_error_and_leave_nothing(wrong, tmp_path):
    errors = run(media("closed2s").path, tmp_path, status=2, **wrong)
    assert len(errors) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["closed2s", "mkv"])
def test_a_truncated_source_leaves_neither_sheets_nor_document(name, tmp_path):
    source = tmp_path / f"cut.{name}"
    with open(media(name).path, "rb") as whole:
        data = whole.read()
    source.write_bytes(data[: len(data) * 3 // 4])
    (tmp_path / "out").mkdir()
    errors = run(source, tmp_path / "out", status=4, select="every", step=5, columns=1, rows=1)
    assert len(errors) == 1 and "truncated" in errors[0]["message"]
    assert list((tmp_path / "out").iterdir()) == []


def test_element_alone_makes_png_sheets(tmp_path):
    m = media("closed2s")
    size = "video/x-raw,format=RGB,width=320,height=180"
    done = subprocess.run(["gst-launch-1.0", "-q", *(
        f"clipframes uri=file://{m.path} select=even count=5 ! videoconvertscale ! {size} ! spritesheet name=s columns=2 rows=2 "
        f"location={tmp_path}/{{index}}.png ! pngenc ! urisinkbin uri={tmp_path}/{{index}}.png next-file=buffer "
        f"s.vtt ! queue ! urisinkbin uri={tmp_path}/s.vtt").split()], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    found = cues(tmp_path / "s.vtt")
    assert numbers(tmp_path, found) == [m.first + (2 * i + 1) * len(m.times) // 10 for i in range(5)]
    assert [Image.open(tmp_path / f"{i}.png").size for i in range(2)] == [(640, 360), (320, 180)]
