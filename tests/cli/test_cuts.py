# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips cuts and convert."""

import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from runner import call, listing, one_error  # noqa: E402

FORMATS = ["json", "csv", "losslesscut", "edl", "otio", "ffmetadata", "webvtt", "qpfile"]
FFMPEG = ["ffmpeg", "-v", "error", "-nostdin", "-y"]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three scenes of 50 frames at 25 frames a second: cuts at the frames 50 and 100."""
    # fps behind concat: since FFmpeg 7 (Debian 13) concat leaves the rate open, and the last frame gets no duration.
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    scenes = [["-f", "lavfi", "-i", f"{source}=s=320x180:r=25"] for source in ("testsrc", "mandelbrot", "smptebars")]
    trims = "".join(f"[{i}]trim=duration=2,setpts=PTS-STARTPTS[s{i}];" for i in range(3))
    subprocess.run([*FFMPEG, *sum(scenes, []), "-filter_complex", trims + "[s0][s1][s2]concat=n=3,fps=25[v]",
                    "-map", "[v]", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", path], check=True)
    return path


@pytest.fixture(scope="module")
def cut_list(film):
    result = call("cuts", film)
    assert (result.status, result.stderr) == (0, ""), result
    return json.loads(result.text)


def test_the_cut_list_is_on_standard_output_with_exact_frames_and_times(film, cut_list):
    assert cut_list["format"] == "clips-cutlist/1"
    assert [(c["frame"], c["time"], c["kind"]) for c in cut_list["cuts"]] == [
        (50, 2_000_000_000, "cut"), (100, 4_000_000_000, "cut")]
    assert cut_list["source"] == {"uri": film.as_uri(), "width": 320, "height": 180, "frame-rate": "25/1",
                                  "variable": False, "frames": 150, "duration": 6_000_000_000}
    clips = cut_list["clips"]
    assert [c["start-frame"] for c in clips] + [150] == [0] + [c["end-frame"] for c in clips]


def test_events_name_every_cut_and_the_published_list(film, tmp_path):
    out = tmp_path / "cuts.json"
    result = call("cuts", "--progress=json", film, f"output={out}")
    assert result.status == 0, result
    cuts = result.named("cut")
    assert [(c["index"], c["frame"], c["stream-time"], c["kind"]) for c in cuts] == [
        (0, 50, 2_000_000_000, "cut"), (1, 100, 4_000_000_000, "cut")]
    assert all(0 <= c["score"] <= 1 and c["start-frame"] == c["end-frame"] == c["frame"] for c in cuts)
    assert result.events[-1]["outputs"] == [out.as_uri()]
    assert result.events[-1]["frames"] == 150
    assert [c["frame"] for c in json.loads(out.read_text())["cuts"]] == [50, 100]


def test_a_video_without_a_cut_is_a_list_of_one_clip(tmp_path):
    path = tmp_path / "still.mp4"
    subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "smptebars=s=320x180:r=25:d=1", "-c:v", "libx264", path], check=True)
    found = json.loads(call("cuts", path).text)
    assert found["cuts"] == [] and [(c["start-frame"], c["end-frame"]) for c in found["clips"]] == [(0, 25)]


def test_keys_of_the_definition_reach_the_detector(film):
    found = json.loads(call("cuts", film, "min-duration=3s", "method=correl").text)
    assert found["detector"]["method"] == "correl"
    assert found["detector"]["min-duration"] == 3_000_000_000
    assert all(c["end"] - c["start"] >= 3_000_000_000 for c in found["clips"])


def spoilt(film, directory, kind):
    path = directory / f"{kind}.mp4"
    if kind == "truncated":
        path.write_bytes(film.read_bytes()[:-1000])
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no video\n" * 50)
    elif kind == "sound":
        subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", path], check=True)
    elif kind == "pictureless":
        subprocess.run([*FFMPEG, "-i", film, "-frames:v", "0", path], check=True)
    return path


@pytest.mark.parametrize("kind", ["missing", "truncated", "empty", "text", "sound", "pictureless"])
@pytest.mark.parametrize("to_file", [False, True], ids=["stdout", "file"])
def test_a_failure_is_never_a_list(film, tmp_path, kind, to_file):
    path = spoilt(film, tmp_path, kind)
    before = listing(tmp_path)
    result = call("cuts", path, *([f"output={tmp_path}/cuts.json"] if to_file else []))
    assert result.status == 4, result
    assert f"{kind}.mp4" in one_error(result)
    assert listing(tmp_path) == before


def test_a_cut_list_that_cannot_be_written_is_exit_code_5(film, tmp_path):
    result = call("cuts", film, f"output={tmp_path}/absent/cuts.json")
    assert result.status == 5
    assert "absent" in one_error(result)


def test_the_input_is_not_set_twice(film):
    result = call("cuts", film, "input=other.mp4")
    assert result.status == 2
    assert "set twice" in one_error(result)


# convert


@pytest.fixture
def cuts_json(tmp_path, cut_list):
    path = tmp_path / "cuts.json"
    path.write_text(json.dumps(cut_list))
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_back_with_the_same_cuts(tmp_path, cuts_json, cut_list, name):
    out = tmp_path / f"cuts.{name}"
    result = call("convert", cuts_json, f"--to={name}", "-o", out)
    assert (result.status, result.stdout, result.stderr) == (0, b"", ""), result
    back = call("convert", out, f"--from={name}", "--to=json", "--frame-rate=25/1", "--frames=150")
    assert (back.status, back.stderr) == (0, ""), back
    found = json.loads(back.text)
    assert [c["frame"] for c in found["cuts"]] == [c["frame"] for c in cut_list["cuts"]]
    assert [c["start"] for c in found["clips"]] == [c["start"] for c in cut_list["clips"]]


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_found_out(tmp_path, cuts_json, name):
    out = tmp_path / "list"
    assert call("convert", cuts_json, f"--to={name}", f"--output={out}").status == 0
    assert call("convert", out, "--to=csv", "--frame-rate=25", "--frames=150").status == 0


@pytest.mark.parametrize("words, says, status", [
    (["cuts.json"], "--to=FORMAT", 2),
    (["cuts.json", "--to=xls"], "They are: json, csv,", 2),
    (["cuts.json", "--to=csv", "--from=xls"], "They are: json, csv,", 2),
    (["cuts.json", "--to=csv", "--frame-rate=fast"], "30000/1001", 2),
    (["cuts.json", "--to=csv", "--frames=-1"], "negative", 2),
    (["--to=csv"], "which one cut list", 2),
    (["absent.json", "--to=csv"], "absent.json", 4),
    (["noise", "--to=csv"], "looks like no cut list", 4),
    (["broken.json", "--to=csv"], "broken.json", 4),
    (["cuts.json", "--to=csv", "--output=absent/x.csv"], "absent", 5),
])
def test_what_convert_cannot_do_is_one_line(tmp_path, cuts_json, words, says, status):
    (tmp_path / "noise").write_text("nothing of the kind")
    (tmp_path / "broken.json").write_text(cuts_json.read_text().replace("\"frame\": 50", "\"frame\": 5000"))
    before = listing(tmp_path)
    result = call("convert", *words, cwd=tmp_path)
    assert result.status == status, result
    assert says in one_error(result)
    assert listing(tmp_path) == before
