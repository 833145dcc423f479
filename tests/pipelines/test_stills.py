# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stills and tensors: each is exactly the frame that was asked for, as good as FFmpeg's and prepared as models want it."""

import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from cliptest import Recipe, media
from cliptest.codec import geometry, read_codes
from cliptest.make import x264
from definitions import ffmpeg, turn

PROGRAM = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
SELECTIONS = {
    "multi": ({"select": "multi"}, lambda n: [n // 4, n // 2, 3 * n // 4]),
    "midpoint": ({"select": "midpoint"}, lambda n: [n // 2]),
    "even": ({"select": "even", "count": 4}, lambda n: [(2 * i + 1) * n // 8 for i in range(4)]),
    "first": ({"select": "first", "count": 3}, lambda n: [0, 1, 2]),
    "every": ({"select": "every", "step": 40}, lambda n: list(range(0, n, 40))),
    "frames": ({"select": "frames", "frames": "77,0,78,1,77"}, lambda n: [0, 1, 77, 78]),
}


class Stills(list):
    """The events `clip-frame` of a run; `decoded` frames were decoded for them."""

    decoded = 0


def run(name, source, output, status=0, **parameters):
    words = [f"{k.replace('_', '-')}={v}" for k, v in parameters.items()]
    done = subprocess.run([PROGRAM, "run", name, f"input={source}", f"output={output}", "--progress=json", *words],
                          capture_output=True, text=True, timeout=60, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == status, (done, events)
    if status:
        return [e for e in events if e["event"] == "error"]
    made = Stills(e for e in events if e.get("name") == "clip-frame")
    made.decoded = next(e for e in events if e.get("name") == "clip-frames-done")["decoded"]
    return made


def picture(path, pixels="gray"):
    shape = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", path],
                           capture_output=True, text=True, check=True).stdout.strip().split(",")
    width, height = map(int, shape[:2])
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", pixels, "-"],
                         capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(height, width, -1)


def number(path):
    """The number that is drawn into the picture."""
    grey = picture(path)[:, :, 0]
    height, width = grey.shape
    bw, bh = geometry(width, height)
    return int(read_codes(grey[None, : 2 * bh, : bw * 24], width, height)[0])


def numbers(directory):
    return [number(path) for path in sorted(directory.iterdir())]


# Indexed sources with closed and open groups, fields, edits, fragments and a variable rate; then
# those that are decoded from the begin.
@pytest.mark.parametrize("name,selection", [
    *(("closed2s", selection) for selection in SELECTIONS),
    *((name, selection) for name in ("editstart", "mkv") for selection in ("multi", "every", "frames")),
    *((name, "multi") for name in ("opengop", "intra", "vfr", "frag", "i50", "vp9", "ts")),
    *((name, "frames") for name in ("hevcopen", "av1")),
])
def test_each_still_is_the_frame_that_was_asked_for(name, selection, tmp_path):
    m = media(name)
    parameters, expected = SELECTIONS[selection]
    made = run("stills", m.path, tmp_path / "{index:04}.jpg", **parameters)
    count = len(m.times)
    assert [e["frame"] for e in made] == expected(count)
    step = 2 if name == "i50" else 1  # there each field has a number
    assert numbers(tmp_path) == [m.first + step * e["frame"] for e in made]


@pytest.mark.parametrize("name", ["closed2s", "r23976", "r5994", "vfr", "editstart"])
def test_a_time_rounded_to_milliseconds_means_the_frame_it_came_from(name, tmp_path):
    m = media(name)
    wanted = [0, 1, 50, 51, 52, len(m.times) - 1]
    times = ",".join(f"{m.times[i] - m.times[0]:.3f}" for i in wanted)
    made = run("stills", m.path, tmp_path / "{index:04}.png", select="times", times=times, format="png")
    assert [e["frame"] for e in made] == wanted
    assert numbers(tmp_path) == [m.first + i for i in wanted]


def test_a_range_counts_as_a_clip_of_its_own(tmp_path):
    m = media("closed2s")
    made = run("stills", m.path, tmp_path / "{index}.jpg", start_frame=100, stop_frame=200)
    assert [e["frame"] for e in made] == [125, 150, 175]
    assert numbers(tmp_path) == [125, 150, 175]
    again = run("stills", m.path, tmp_path / "{index}.jpg", start="3.333", stop="6.667")
    assert again == [dict(e, source=a["source"]) for e, a in zip(made, again)]


def test_only_what_the_stills_need_is_decoded(tmp_path):
    made = run("stills", media("long10").path, tmp_path / "{index}.jpg", select="frames", frames="301,601")
    assert made.decoded < 12  # two groups of 300
    made = run("stills", media("intra").path, tmp_path / "{index}.jpg")
    assert made.decoded == 3
    made = run("stills", media("mkv").path, tmp_path / "{index}.jpg", select="first", count=2)
    assert made.decoded <= 4


def test_pictures_that_no_wanted_one_refers_to_are_not_decoded(tmp_path):
    m = media("closed2s")
    packets = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pict_type", "-of",
                              "csv=p=0", "-read_intervals", "%+2", m.path], capture_output=True, text=True, check=True).stdout
    assert packets.count("B") > 20
    made = run("stills", m.path, tmp_path / "{index}.png", select="frames", frames="20,21,57", format="png")
    assert numbers(tmp_path) == [20, 21, 57]
    assert 3 < made.decoded < 45  # of 58


def ssim(distorted, reference):
    shape = re.findall(r"\d+", reference.name)[:2]
    said = subprocess.run(["ffmpeg", "-nostdin", "-i", distorted, "-f", "rawvideo", "-pix_fmt", "yuvj420p", "-s",
                           "x".join(shape), "-i", reference, "-lavfi", "ssim", "-f", "null", "-"],
                          capture_output=True, text=True, check=True).stderr
    return float(re.search(r"All:([0-9.]+)", said).group(1))


def test_jpeg_is_as_good_as_ffmpegs_and_no_larger(tmp_path):
    m = media(Recipe("stillquality", rate="10", seconds=3, width=640, height=360, tracks=(), video=x264(10, crf=12),
                     background="mandelbrot"))
    run("stills", m.path, tmp_path / "{index}.jpg")
    ours, theirs = [], []
    for index, frame in enumerate((7, 15, 22)):
        one = ["-i", m.path, "-vf", f"select=eq(n\\,{frame})", "-frames:v", "1"]
        reference = tmp_path / f"640x360-{index}.yuv"
        ffmpeg(*one, "-pix_fmt", "yuvj420p", "-f", "rawvideo", reference)
        direct = tmp_path / f"direct{index}.jpg"
        ffmpeg(*one, "-q:v", "2", direct)
        for path, found in ((tmp_path / f"{index}.jpg", ours), (direct, theirs)):
            found.append((path.stat().st_size, ssim(path, reference)))
    print("ours", ours, "FFmpeg", theirs)
    assert sum(size for size, _ in ours) <= sum(size for size, _ in theirs)
    assert all(a[1] >= b[1] - 0.0005 for a, b in zip(ours, theirs))


@pytest.mark.parametrize("colour", ["bt709:tv", "smpte170m:tv", "smpte170m:pc", "bt2020nc:tv"])
def test_a_jpeg_shows_the_colours_of_the_png(colour, tmp_path):
    matrix, span = colour.split(":")
    source = tmp_path / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x360:r=5:d=1,format=rgb24", "-vf",
           f"scale=out_color_matrix={matrix.replace('bt2020nc', 'bt2020')}:out_range={span},format=yuv420p",
           "-colorspace", matrix, "-color_range", span, "-c:v", "libx264", "-crf", "4", source)
    for form in ("jpeg", "png"):
        run("stills", source, tmp_path / ("{index}." + form), select="midpoint", format=form)
    jpeg, png = (picture(tmp_path / f"0.{form}", "rgb24").astype(int) for form in ("jpeg", "png"))
    flat = np.abs(np.diff(png, axis=1)).max(axis=2) == 0  # edges of colour are blurred in both
    assert np.abs(jpeg - png)[:, 1:][flat].mean() < 2.5
    assert np.abs((jpeg - png).mean(axis=(0, 1))).max() < 2
    assert jpeg.min() < 4 and jpeg.max() > 251


def test_white_is_white_and_black_is_black(tmp_path):
    source = tmp_path / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=white:s=320x240:r=5:d=1,drawbox=w=160:h=240:color=black:t=fill", "-pix_fmt",
           "yuv420p", "-c:v", "libx264", "-crf", "10", source)
    run("stills", source, tmp_path / "{index}.jpg", select="midpoint")
    grey = picture(tmp_path / "0.jpg", "rgb24")
    assert grey[:, :150].max() <= 2 and grey[:, 170:].min() >= 253


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(degrees, tmp_path):
    back = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}[degrees]
    flat = media(Recipe(f"turned{degrees}", rate="10", seconds=1, filters=back, tracks=()))
    turned = tmp_path / "turned.mp4"
    shutil.copy(flat.path, turned)
    turn(turned, degrees, *((360, 640) if degrees != 180 else (640, 360)))
    (tmp_path / "out").mkdir()
    run("stills", turned, tmp_path / "out/{index}.jpg", select="first", count=3)
    assert picture(tmp_path / "out/0.jpg").shape[:2] == (360, 640)
    assert numbers(tmp_path / "out") == [0, 1, 2]


def test_anamorphic_pixels_become_square(tmp_path):
    source = tmp_path / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=720x576:r=5:d=1,setsar=64/45", "-pix_fmt", "yuv420p", "-c:v", "libx264",
           source)
    run("stills", source, tmp_path / "{index}.jpg", select="midpoint")
    height, width = picture(tmp_path / "0.jpg").shape[:2]
    assert abs(width / height - 16 / 9) < 0.01 and min(width / 720, height / 576) >= 0.99


# --- tensors ---

MODELS = {
    "clip": (224, [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
    "dinov2": (256, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


def reference(path, model):
    """By Pillow and NumPy, as torchvision's Resize, CenterCrop and Normalize do it."""
    from PIL import Image

    shorter, mean, deviation = MODELS[model]
    image = Image.open(path).convert("RGB")
    w, h = image.size
    size = (shorter, int(shorter * h / w)) if w <= h else (int(shorter * w / h), shorter)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - 224) / 2.0) for side in size)
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224))).astype(np.float64) / 255
    return ((pixels - mean) / deviation).transpose(2, 0, 1)


@pytest.mark.parametrize("model,size", [("clip", (640, 360)), ("clip", (223, 500)), ("clip", (224, 224)),
                                        ("dinov2", (1920, 1080)), ("dinov2", (120, 90))])
def test_tensors_equal_the_reference(model, size, tmp_path):
    source = tmp_path / "source.mp4"
    width, height = size
    ffmpeg("-f", "lavfi", "-i", f"mandelbrot=s={width + width % 2}x{height + height % 2}:r=10", "-frames:v", "8",
           "-vf", f"crop={width}:{height}:0:0:exact=1", "-pix_fmt", "yuv444p", "-c:v", "libx264", "-crf", "10", source)
    run("frames", source, tmp_path / "out.npy", count=3, model=model)
    run("stills", source, tmp_path / "{index}.png", select="even", count=3, format="png")
    tensors = np.load(tmp_path / "out.npy")
    assert tensors.dtype == np.dtype("<f4") and tensors.shape == (3, 3, 224, 224)
    for index, tensor in enumerate(tensors):
        assert np.abs(tensor - reference(tmp_path / f"{index}.png", model)).max() < 1e-3


@pytest.mark.parametrize("name,selection", [("closed2s", "even"), ("closed2s", "first"), ("closed2s", "every"),
                                            ("mkv", "even")])
def test_a_tensor_file_holds_the_frames_that_were_asked_for(name, selection, tmp_path):
    m = media(name)
    parameters, expected = SELECTIONS[selection]
    made = run("frames", m.path, tmp_path / "out.npy", **parameters)
    assert [e["frame"] for e in made] == expected(len(m.times))
    assert np.load(tmp_path / "out.npy").shape == (len(made), 3, 224, 224)


# --- what does not work ---


WRONG = [
    ({"select": "times", "times": "99"}, 4),
    ({"select": "times", "times": "soon"}, 2),
    ({"select": "times"}, 2),
    ({"select": "frames", "frames": "1,100000"}, 4),
    ({"select": "frames", "frames": "-1"}, 2),
    ({"start": 5, "stop": 5}, 2),
    ({"start": 99}, 4),
]


# What chooses frames is the same element in both: of frames one of each status.
@pytest.mark.parametrize("definition,parameters,status",
                         [("stills", *wrong) for wrong in WRONG] + [("frames", *wrong) for wrong in WRONG[:2]])
def test_a_wrong_selection_is_one_error_and_leaves_nothing(definition, parameters, status, tmp_path):
    errors = run(definition, media("closed2s").path, tmp_path / "{index}.out" if definition == "stills" else
                 tmp_path / "out.npy", status=status, **parameters)
    assert len(errors) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("definition", ["stills", "frames"])
@pytest.mark.parametrize("name", ["closed2s", "mkv"])
def test_a_truncated_source_is_an_error_and_leaves_nothing(definition, name, tmp_path):
    m = media(name)
    source = tmp_path / f"cut.{name}"
    whole = open(m.path, "rb").read()
    source.write_bytes(whole[: len(whole) * 3 // 4])
    (tmp_path / "out").mkdir()
    errors = run(definition, source, tmp_path / "out/{index}", status=4, select="first", count=2) \
        if definition == "stills" else run(definition, source, tmp_path / "out/a.npy", status=4, select="multi")
    assert len(errors) == 1 and "truncated" in errors[0]["message"]
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_video_is_an_error(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("Dear diary, this is no video.\n" * 100)
    (tmp_path / "out").mkdir()
    for source in (text, tmp_path / "absent.mp4", media("novideo").path):
        assert len(run("stills", source, tmp_path / "out/{index}.jpg", status=4)) == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_without_an_index_in_their_name_are_refused(tmp_path):
    assert len(run("stills", media("closed2s").path, tmp_path / "a.jpg", status=2)) == 1
    assert list(tmp_path.iterdir()) == []
