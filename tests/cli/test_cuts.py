# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips cuts and convert."""

import csv
import fractions
import io
import json
import os
import re
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


# Readers of others: what the programs that the formats are for make of ours. tests/elements/test_scenecut.py has FFmpeg
# (ffmetadata, webvtt) and x264 (qpfile). OpenTimelineIO is not in Debian: its JSON is walked here by its documentation.


@pytest.fixture(params=["24000/1001", "25/1", "30000/1001", "60000/1001"])
def long_list(tmp_path, request):
    """A list of an hour with cuts around the minutes, where drop-frame counting jumps."""
    rate = fractions.Fraction(request.param)
    frames = int(3600 * rate)
    cuts = sorted({int(60 * minute * rate) + shift for minute in range(1, 60) for shift in (-20, 0, 17)})
    times = [int(frame * 10**9 / rate) for frame in [0, *cuts, frames]]
    edges = [0, *cuts, frames]
    document = {
        "format": "clips-cutlist/1",
        "source": {"uri": "file:///film.mp4", "width": 640, "height": 360, "frame-rate": request.param,
                   "variable": False, "frames": frames, "duration": times[-1]},
        "detector": {"method": "adaptive", "threshold": 0.5, "min-duration": 0, "version": "1.22.0"},
        "cuts": [{"frame": f, "time": t, "kind": "cut", "start-frame": f, "end-frame": f, "score": 1}
                 for f, t in zip(cuts, times[1:])],
        "clips": [{"index": i, "start-frame": edges[i], "end-frame": edges[i + 1], "start": times[i], "end": times[i + 1]}
                  for i in range(len(edges) - 1)],
    }
    path = tmp_path / "long.json"
    path.write_text(json.dumps(document))
    return path, rate, edges, times


def converted(path, name):
    result = call("convert", path, f"--to={name}")
    assert (result.status, result.stderr) == (0, ""), result
    return result.text


def test_pythons_csv_reader_finds_the_columns_of_pyscenedetect(long_list):
    path, rate, edges, times = long_list
    rows = list(csv.DictReader(io.StringIO(converted(path, "csv"), newline="")))
    assert [int(r["Start Frame"]) - 1 for r in rows] == edges[:-1]
    assert [int(r["End Frame"]) for r in rows] == edges[1:]
    assert [int(r["Scene Number"]) for r in rows] == list(range(1, len(edges)))
    for row, start, end in zip(rows, times, times[1:]):
        assert re.fullmatch(r"\d+\.\d{6,9}", row["Start Time (seconds)"])
        assert abs(fractions.Fraction(row["Start Time (seconds)"]) * 10**9 - start) < 1
        assert abs(fractions.Fraction(row["End Time (seconds)"]) * 10**9 - end) < 1
        assert int(row["Length (frames)"]) == int(row["End Frame"]) - int(row["Start Frame"]) + 1


def test_losslesscut_finds_three_columns_of_seconds(long_list):
    path, _, _, times = long_list
    rows = list(csv.reader(io.StringIO(converted(path, "losslesscut"), newline="")))
    assert all(len(row) == 3 for row in rows)
    assert [round(fractions.Fraction(row[0]) * 10**9) for row in rows] == times[:-1]
    assert [round(fractions.Fraction(row[1]) * 10**9) for row in rows] == times[1:]


def timecode_frame(code, rate):
    """SMPTE ST 12-1: the frame that a timecode counts; a semicolon says that numbers are dropped."""
    hours, minutes, seconds, frames = (int(part) for part in re.split("[:;]", code))
    base = round(rate)
    number = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if ";" in code:
        dropped = 2 * base // 30
        assert not (seconds == 0 and frames < dropped and minutes % 10), f"{code} does not exist"
        whole = hours * 60 + minutes
        number -= dropped * (whole - whole // 10)
    return number


def test_the_events_of_an_edl_count_the_frames_by_the_standard(long_list):
    path, rate, edges, _ = long_list
    text = converted(path, "edl")
    lines = text.splitlines()
    assert lines[0].startswith("TITLE:")
    assert lines[1] == ("FCM: DROP FRAME" if rate.denominator == 1001 and rate > 24 else "FCM: NON-DROP FRAME")
    events = re.findall(r"^(\d{3})  AX +V +C +(\S+) (\S+) (\S+) (\S+)\r?$", text, re.M)
    assert [int(e[0]) for e in events] == list(range(1, len(edges)))
    for event, start, end in zip(events, edges, edges[1:]):
        assert [timecode_frame(code, rate) for code in event[1:]] == [start, end, start, end]


def test_otio_is_a_timeline_of_clips_that_tile_their_media(long_list):
    path, rate, edges, _ = long_list
    timeline = json.loads(converted(path, "otio"))
    assert timeline["OTIO_SCHEMA"] == "Timeline.1" and timeline["tracks"]["OTIO_SCHEMA"] == "Stack.1"
    (track,) = [t for t in timeline["tracks"]["children"] if t["kind"] == "Video"]
    assert track["OTIO_SCHEMA"] == "Track.1"

    def frames(time_range):
        assert time_range["OTIO_SCHEMA"] == "TimeRange.1"
        start, duration = time_range["start_time"], time_range["duration"]
        assert start["OTIO_SCHEMA"] == duration["OTIO_SCHEMA"] == "RationalTime.1"
        # OTIO keeps rates as floats; equal to the nearest double, so that its own arithmetic is exact.
        assert start["rate"] == duration["rate"] == float(rate)
        return start["value"], start["value"] + duration["value"]

    assert [frames(clip["source_range"]) for clip in track["children"]] == list(zip(edges, edges[1:]))
    for clip in track["children"]:
        assert clip["OTIO_SCHEMA"] in ("Clip.1", "Clip.2")
        assert clip["media_reference"]["OTIO_SCHEMA"] == "ExternalReference.1"
        assert clip["media_reference"]["target_url"] == "file:///film.mp4"
        assert frames(clip["media_reference"]["available_range"]) == (0, edges[-1])


def test_webvtt_cues_show_the_first_frame_of_each_clip(long_list):
    path, rate, edges, _ = long_list
    blocks = [b for b in converted(path, "webvtt").split("\n\n") if "-->" in b]
    assert len(blocks) == len(edges) - 1
    for block, frame in zip(blocks, edges):
        hours, minutes, seconds, millis = map(int, re.search(r"(\d+):(\d+):(\d+)\.(\d{3}) -->", block).groups())
        at = fractions.Fraction(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis, 1000)
        assert int(at * rate) == frame


# cuts edit


def edited(path, *words):
    result = call("cuts", "edit", path, *words)
    assert (result.status, result.stderr) == (0, ""), result
    found = json.loads(result.text)
    clips = found["clips"]
    assert [c["start-frame"] for c in clips] + [150] == [0] + [c["end-frame"] for c in clips]
    assert [c["start"] for c in clips[1:]] == [c["end"] for c in clips[:-1]]
    return [c["frame"] for c in found["cuts"]]


@pytest.mark.parametrize("words, frames", [
    ([], [50, 100]),
    (["--add=3.0"], [50, 75, 100]),
    (["--add=75f"], [50, 75, 100]),
    (["--add=75f@3.0"], [50, 75, 100]),
    (["--add=0:00:01"], [25, 50, 100]),
    (["--add=40ms"], [1, 50, 100]),
    (["--remove=2.0"], [100]),
    (["--remove=50f", "--remove=100f"], []),
    (["--move=2.0=2.4"], [60, 100]),
    (["--move=50f=1f"], [1, 100]),
    (["--move=50f=85f"], [85, 100]),
    (["--move=100f=149f"], [50, 149]),
    # In the order in which they are given.
    (["--add=70f", "--remove=70f", "--move=50f=70f"], [70, 100]),
    (["--move=50f=70f", "--move=70f=50f"], [50, 100]),
    (["--remove=50f", "--add=51f"], [51, 100]),
])
def test_edits_keep_the_tiling(cuts_json, words, frames):
    assert edited(cuts_json, *words) == frames


@pytest.mark.parametrize("words, says", [
    (["--add=0"], "strictly inside"),
    (["--add=150f"], "strictly inside"),
    (["--add=6.0"], "behind the last frame"),
    (["--add=50f"], "already"),
    (["--remove=51f"], "no cut at frame 51"),
    (["--move=50f=86f"], "from frame 1 to frame 85"),
    (["--move=50f=0f"], "from frame 1 to frame 85"),
    (["--move=50f=120f"], "from frame 1 to frame 85"),
    (["--move=100f=64f"], "from frame 65 to frame 149"),
    (["--move=51f=60f"], "no cut at frame 51"),
    # The first one is right; still nothing is done.
    (["--add=75f", "--remove=1f"], "--remove=1f"),
    (["--add=soon"], "\"soon\""), (["--add=-1"], "\"-1\""), (["--add=75f@x"], "75f@x"), (["--add=f"], "\"f\""),
    (["--add=1e1f"], "1e1f"), (["--move=50f"], "50f"), (["--move=50f="], "50f="), (["--remove=none"], "none"),
    (["--output=x"], "exclude"), (["--to=xls"], "They are"), (["more.json"], "which one cut list"),
])
def test_an_edit_that_breaks_a_rule_changes_nothing(cuts_json, words, says):
    before = cuts_json.read_bytes()
    result = call("cuts", "edit", cuts_json, "--in-place", *words)
    assert result.status == 2, result
    assert says in one_error(result)
    assert cuts_json.read_bytes() == before and sorted(os.listdir(cuts_json.parent)) == ["cuts.json"]


def test_an_edit_in_place_replaces_the_list_and_keeps_what_it_says(cuts_json, cut_list):
    result = call("cuts", "edit", "--in-place", "--move=2.0=2.4", cuts_json)
    assert (result.status, result.stdout, result.stderr) == (0, b"", ""), result
    found = json.loads(cuts_json.read_text())
    assert found["source"] == cut_list["source"] and found["detector"] == cut_list["detector"]
    assert found["cuts"][1] == cut_list["cuts"][1]
    assert found["cuts"][0] == {"frame": 60, "time": 2_400_000_000, "kind": "cut", "start-frame": 60, "end-frame": 60,
                                "score": 1}


def test_another_format_is_edited_as_what_it_is(tmp_path, cuts_json):
    out = tmp_path / "cuts.csv"
    assert call("convert", cuts_json, "--to=csv", f"--output={out}").status == 0
    result = call("cuts", "edit", out, "--frame-rate=25/1", "--remove=50f")
    assert result.status == 0, result
    assert [int(row["Start Frame"]) for row in csv.DictReader(io.StringIO(result.text, newline=""))] == [1, 101]


def test_times_of_a_variable_rate_are_asked_for(tmp_path, cuts_json, cut_list):
    document = json.loads(json.dumps(cut_list))
    document["source"]["variable"] = True
    cuts_json.write_text(json.dumps(document))
    for place in ("75f", "3.0"):
        result = call("cuts", "edit", cuts_json, f"--add={place}")
        assert result.status == 2 and "rate is variable" in one_error(result)
    assert edited(cuts_json, "--add=75f@3.123456789", "--remove=2.0") == [75, 100]


def test_a_film_called_edit_is_reached_by_its_path(tmp_path, film):
    os.symlink(film, tmp_path / "edit")
    result = call("cuts", "./edit", cwd=tmp_path)
    assert result.status == 0 and len(json.loads(result.text)["cuts"]) == 2
