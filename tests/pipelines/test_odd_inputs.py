# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turned cameras, single frames, tiny and odd pictures: every operation has the right pictures in the right number."""

import glob
import json
import os
import subprocess

import numpy as np
import pytest
from definitions import ffmpeg, turn
from PIL import Image

PROGRAM = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
QUARTERS = ("red", "green", "blue", "white")
# The quarters top left, top right, bottom left, bottom right once the camera's turn is undone.
UPRIGHT = {90: "brwg", 180: "wbgr", 270: "gwrb"}
MEAN, DEVIATION = [.48145466, .4578275, .40821073], [.26862954, .26130258, .27577711]


def call(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done


def quarters(image):
    letters = ""
    for x, y in ((.25, .25), (.75, .25), (.25, .75), (.75, .75)):
        red, green, blue = image.convert("RGB").getpixel((int(x * image.width), int(y * image.height)))
        letters += ("w" if min(red, green, blue) > 150 else "r" if red > 150 else "b" if blue > 150 else "g" if green > 80 else "?")
    return letters


def picture(path):
    with Image.open(path) as image:
        return image.size, quarters(image)


def first_picture(video, tmp_path):
    ffmpeg("-i", video, "-frames:v", 1, tmp_path / "first.png")
    return picture(tmp_path / "first.png")


@pytest.mark.parametrize("degrees", UPRIGHT)
def test_a_turned_camera_is_upright_in_every_output(degrees, tmp_path):
    source = tmp_path / "source.mp4"
    colors = sum((["-f", "lavfi", "-i", f"color={color}:s=160x90:r=5:d=1"] for color in QUARTERS), [])
    ffmpeg(*colors, "-filter_complex", "[0][1]hstack[a];[2][3]hstack[b];[a][b]vstack", "-pix_fmt", "yuv420p", "-c:v", "libx264", source)
    turn(source, degrees, 320, 180)
    size = (320, 180) if degrees == 180 else (180, 320)
    upright = (size, UPRIGHT[degrees])
    assert first_picture(source, tmp_path) == upright, "as ffmpeg shows it"
    call("run", "stills", f"input={source}", f"output={tmp_path}/still-{{index}}.jpg")
    assert [picture(path) for path in glob.glob(f"{tmp_path}/still-*")] == [upright] * 3
    call("run", "sprites", f"input={source}", f"output={tmp_path}/sheet-{{index}}.jpg", f"vtt={tmp_path}/s.vtt", "count=1", f"width={size[0] // 2}")
    assert picture(tmp_path / "sheet-0.jpg") == ((size[0] // 2, size[1] // 2), UPRIGHT[degrees])
    call("run", "frames", f"input={source}", f"output={tmp_path}/frames.npy", "count=1")
    pixels = np.load(tmp_path / "frames.npy")[0].transpose(1, 2, 0) * DEVIATION + MEAN
    assert quarters(Image.fromarray((255 * pixels.clip(0, 1)).astype(np.uint8))) == UPRIGHT[degrees]
    call("ingest", source, tmp_path / "film", "--name=film", "master-preset=ultrafast", "proxy-preset=ultrafast")
    for folder in ("proxies", "masters"):
        assert first_picture(tmp_path / f"film/{folder}/film.mp4", tmp_path) == upright
    assert [picture(path) for path in glob.glob(f"{tmp_path}/film/artifacts/keyframes/*")] == [upright] * 3
    for name in ("hls", "hlsadaptive"):
        call("run", name, f"input={source}", f"output={tmp_path}/{name}", "preset=ultrafast")
        playlist = tmp_path / name / "index.m3u8"
        assert first_picture(playlist, tmp_path)[1] == UPRIGHT[degrees]


ODD = {
    "one frame": ("testsrc2=s=320x180:r=25", 1, [], "mp4"),
    "one frame of Matroska": ("testsrc2=s=320x180:r=25", 1, [], "mkv"),
    "two frames": ("testsrc2=s=320x180:r=25", 2, [], "mp4"),
    "two frames of MPEG-TS": ("testsrc2=s=320x180:r=25", 2, [], "ts"),
    "2x2": ("testsrc2=s=2x2:r=25", 10, [], "mp4"),
    "18x2": ("testsrc2=s=18x2:r=25", 10, [], "mp4"),
    "33x17": ("testsrc2=s=34x18:r=25,format=yuv444p,crop=33:17:exact=1", 10, ["-pix_fmt", "yuv444p"], "mp4"),
    "ten bits": ("testsrc2=s=64x48:r=25", 10, ["-pix_fmt", "yuv420p10le"], "mp4"),
    "begins late": ("testsrc2=s=64x48:r=25", 10, ["-output_ts_offset", "40000"], "ts"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_videos_have_all_their_frames_in_every_output(name, tmp_path):
    lavfi, count, more, ext = ODD[name]
    source = tmp_path / f"source.{ext}"
    ffmpeg("-f", "lavfi", "-i", lavfi, "-frames:v", count, *(more or ["-pix_fmt", "yuv420p"]), "-c:v", "libx264", source)
    shown = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "json", source], capture_output=True, check=True)
    video = json.loads(shown.stdout)["streams"][0]
    size = (video["width"], video["height"])
    call("run", "stills", f"input={source}", f"output={tmp_path}/still-{{index}}.png", "select=first", "count=100", "format=png")
    stills = glob.glob(f"{tmp_path}/still-*")
    assert len(stills) == count and {picture(path)[0] for path in stills} == {size}
    call("run", "sprites", f"input={source}", f"output={tmp_path}/sheet-{{index}}.jpg", f"vtt={tmp_path}/s.vtt", "width=16")
    assert (tmp_path / "s.vtt").read_text().count("#xywh=") == count
    call("run", "frames", f"input={source}", f"output={tmp_path}/frames.npy", "count=3")
    assert np.load(tmp_path / "frames.npy").shape == (min(count, 3), 3, 224, 224)
    call("run", "hls", f"input={source}", f"output={tmp_path}/hls", "preset=ultrafast")
    call("run", "stream", f"input={source}", f"output={tmp_path}/stream.mp4")
    call("ingest", source, tmp_path / "film", "--name=film", "master-preset=ultrafast", "proxy-preset=ultrafast")
    for made in (tmp_path / "hls/index.m3u8", tmp_path / "stream.mp4", tmp_path / "film/proxies/film.mp4", tmp_path / "film/masters/film.mp4"):
        found = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=nb_read_frames",
                                "-of", "json", made], capture_output=True, check=True)
        assert int(json.loads(found.stdout)["streams"][0]["nb_read_frames"]) == count, made
    assert json.loads((tmp_path / "film/artifacts/cuts/film.json").read_text())["source"]["frames"] == count
