# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips task: arguments and results in files."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from cliptest import media

sys.path.insert(0, os.path.dirname(__file__))
from runner import DEFINITIONS, PROGRAM, ROOT, call, environment, listing, wait_until_gone, wait_until_reading  # noqa: E402

FFMPEG = ["ffmpeg", "-v", "error", "-nostdin", "-y"]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three scenes of 50 frames at 24000/1001: cuts at the frames 50 and 100."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    scenes = [["-f", "lavfi", "-i", f"{s}=s=320x180:r=24000/1001"] for s in ("testsrc", "mandelbrot", "smptebars")]
    trims = "".join(f"[{i}]trim=end_frame=50,setpts=PTS-STARTPTS[s{i}];" for i in range(3))
    subprocess.run([*FFMPEG, *sum(scenes, []), "-filter_complex",
                    trims + "[s0][s1][s2]concat=n=3,fps=24000/1001[v]", "-map", "[v]", "-pix_fmt", "yuv420p", "-c:v",
                    "libx264", "-preset", "veryfast", "-g", "12", path], check=True)
    return str(path)


def task(tmp_path, name, arguments, *words, text=None, env=None, expect=0):
    """The result of a task, what it printed, and nothing beside its result file in the folder."""
    args, result = tmp_path / "args.json", tmp_path / "result.json"
    args.write_text(json.dumps(arguments) if text is None else text)
    done = call("task", *words, name, f"--args-file={args}", f"--result-file={result}", env=env, timeout=60)
    assert done.status == expect, done
    found = json.loads(result.read_text())
    assert found["status"] == ("success" if expect == 0 else "error")
    if expect:
        assert found["error"]["exit_code"] == expect and found["task"] == name
        assert done.lines == ["gst-clips: " + found["error"]["message"]]
    else:
        assert done.stderr == ""
    assert not re.search(r"\de[+-]?\d", result.read_text()), "numbers are plain decimals"
    return found, done.events


def test_scenes_have_the_shape_of_the_contract(film, tmp_path):
    found, events = task(tmp_path, "detect_scenes", {"source_video_id": 42, "input": film, "min_duration_seconds": 1.0})
    assert list(found) == ["status", "cut_points", "confidence_scores", "metadata"]
    points = found["cut_points"]
    assert [list(p) for p in points] == [["start_frame", "end_frame", "start_time_seconds", "end_time_seconds"]] * 3
    assert [(p["start_frame"], p["end_frame"]) for p in points] == [(0, 50), (50, 100), (100, 150)]
    for point in points:
        assert abs(point["start_time_seconds"] - point["start_frame"] * 1001 / 24000) < 1e-6
        assert abs(point["end_time_seconds"] - point["end_frame"] * 1001 / 24000) < 1e-3
    assert len(found["confidence_scores"]) == 3 and all(0 <= s <= 1 for s in found["confidence_scores"])
    properties = found["metadata"].pop("video_properties")
    assert found["metadata"] == {
        "source_video_id": "42", "total_scenes_detected": 3,
        "detection_params": {"threshold": 0.6, "method": "correl", "min_duration_seconds": 1.0}}
    assert (properties["width"], properties["height"], properties["total_frames"]) == (320, 180, 150)
    assert properties["fps"] == pytest.approx(24000 / 1001) and abs(properties["duration_seconds"] - 6.25625) < 2e-3
    assert any(e["event"] == "cut" for e in events)


def test_detection_parameters_reach_the_detector(film, tmp_path):
    found, _ = task(tmp_path, "detect_scenes", {"input": film, "method": "adaptive", "threshold": 0.99,
                                                "min_duration_seconds": 4})
    assert found["metadata"]["detection_params"] == {"threshold": 0.99, "method": "adaptive", "min_duration_seconds": 4.0}
    assert all(p["end_time_seconds"] - p["start_time_seconds"] >= 4 for p in found["cut_points"])


@pytest.mark.parametrize("source", ["absent.mp4", "text.mp4", "cut.mp4"])
@pytest.mark.parametrize("name, more", [
    ("detect_scenes", {}), ("encode", {"output": "out.mp4", "preset": "proxy"}), ("probe", {}),
    ("temp_clip", {"start_time_seconds": 0, "clip_id": "a", "directory": "."}),
    ("keyframes", {"directory": "."}),
])
def test_a_failure_is_an_error_and_never_one_clip_of_the_whole(film, tmp_path, name, more, source):
    (tmp_path / "text.mp4").write_text("nothing of the kind\n" * 99)
    (tmp_path / "cut.mp4").write_bytes(open(film, "rb").read()[:-999])
    more = {k: os.path.join(tmp_path, v) if k in ("output", "directory") else v for k, v in more.items()}
    before = set(listing(tmp_path))
    found, _ = task(tmp_path, name, {"input": f"{tmp_path}/{source}", **more}, expect=4)
    assert source in found["error"]["message"] and "cut_points" not in found
    made = {os.path.basename(p) for p in set(listing(tmp_path)) - before}
    assert made == {b"args.json", b"result.json"}


@pytest.mark.parametrize("script", ["/app/scripts/detect.py", "tasks.py", "./run"])
def test_a_leading_script_path_is_passed_over(film, tmp_path, script):
    found, _ = task(tmp_path, "probe", {"input": film}, script)
    assert found["probe"]["streams"][0]["frames"] == 150 and "key_frames" not in found["probe"]["streams"][0]


def test_probe_gives_key_frames_when_asked(film, tmp_path):
    found, _ = task(tmp_path, "probe", {"input": film, "key_frames": True, "count_frames": True})
    assert found["probe"]["streams"][0]["key_frames"]["frame"][:3] == [0, 12, 24]


def test_encode_tells_what_it_made(film, tmp_path):
    out = tmp_path / "proxy.mp4"
    found, _ = task(tmp_path, "encode", {"input": film, "output": str(out), "preset": "proxy",
                                              "settings": {"crf": 40, "audio": False}})
    assert found["outputs"][0]["uri"] == out.as_uri() and found["bytes"] == out.stat().st_size
    assert found["media"]["video"] | {"codec": "h264", "width": 320, "frames": 150} == found["media"]["video"]


def test_a_temporary_clip_has_exactly_its_frames(film, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    before = int(time.time() * 1000)
    found, _ = task(tmp_path, "temp_clip", {"input": film, "start_frame": 13, "end_frame": 61, "clip_id": "../a b",
                                            "directory": str(folder)})
    name = re.fullmatch(r"clip_a_b_(\d+)\.mp4", found["file_name"])
    assert before <= int(name[1]) <= time.time() * 1000 + 1
    assert os.listdir(folder) == [found["file_name"]] and found["clip_path"] == f"{folder}/{found['file_name']}"
    assert found["media"]["video"]["frames"] == 48


def test_a_range_can_be_times(film, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    found, _ = task(tmp_path, "temp_clip", {"input": film, "start_time_seconds": 1.001, "end_time_seconds": "0:02.002",
                                            "clip_id": "t", "directory": str(folder)})
    assert found["media"]["video"]["frames"] == 24


needs_export = pytest.mark.skipif(not (ROOT / "pipelines/export.pipeline").exists(),
                                  reason="the definition export is not in this tree")


@needs_export
def test_exports_are_a_file_a_range(film, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    found, _ = task(tmp_path, "export", {
        "input": film, "directory": str(folder), "name": "my clip",
        "ranges": [{"id": "a", "start_time_seconds": 0, "end_time_seconds": 1.001},
                   {"start_time_seconds": "0:02.002", "end_time_seconds": 3.003, "id": 7},
                   {"start_time_seconds": 4.004}]})
    assert [(e["id"], e["status"], e["frames"]) for e in found["exports"]] == [
        ("a", "published", 24), ("7", "published", 24), (None, "published", 54)]
    assert sorted(os.listdir(folder)) == ["my_clip_0.mp4", "my_clip_1.mp4", "my_clip_2.mp4"]
    assert [e["uri"] for e in found["exports"]] == [(folder / name).as_uri() for name in sorted(os.listdir(folder))]


@needs_export
def test_a_bad_range_does_not_hinder_the_others(film, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    ranges = [{"start_time_seconds": 1, "end_time_seconds": 2}, {"start_time_seconds": 99, "end_time_seconds": 100},
              {"start_time_seconds": 3, "end_time_seconds": 4}]
    args, result = tmp_path / "args.json", tmp_path / "result.json"
    args.write_text(json.dumps({"input": film, "directory": str(folder), "ranges": ranges}))
    done = call("task", "export", f"--args-file={args}", f"--result-file={result}", timeout=60)
    found = json.loads(result.read_text())
    assert done.status == found["error"]["exit_code"] != 0 and len(done.lines) == 1
    assert found["status"] == "error" and [e["status"] for e in found["exports"]] == ["published", "failed", "published"]
    assert found["exports"][1]["message"] and sorted(os.listdir(folder)) == ["clip_0.mp4", "clip_2.mp4"]


@needs_export
@pytest.mark.parametrize("source", ["absent.mp4", "text.mp4"])
def test_an_export_of_what_is_no_film_is_an_error(tmp_path, source):
    (tmp_path / "text.mp4").write_text("nothing of the kind\n" * 99)
    found, _ = task(tmp_path, "export", {"input": f"{tmp_path}/{source}", "directory": str(tmp_path),
                                         "ranges": [{"start_time_seconds": 0}]}, expect=4)
    assert source in found["error"]["message"] and not list(tmp_path.glob("clip_*"))


@pytest.mark.parametrize("strategy, tags", [("multi", ["25pct", "50pct", "75pct"]), ("midpoint", ["50pct"])])
def test_keyframes_are_pictures_of_the_places_asked_for(film, tmp_path, strategy, tags):
    folder = tmp_path / "out"
    folder.mkdir()
    found, _ = task(tmp_path, "keyframes", {"input": film, "directory": str(folder), "name": "clip 1",
                                            "strategy": strategy, "start_frame": 50, "end_frame": 100})
    assert [k["tag"] for k in found["keyframes"]] == tags and found["strategy"] == strategy
    names = [f"clip_1_{i}.jpg" for i in range(len(tags))]
    assert sorted(os.listdir(folder)) == names
    assert [k["uri"] for k in found["keyframes"]] == [(folder / name).as_uri() for name in names]
    assert [k["frame"] for k in found["keyframes"]] == ([62, 75, 87] if strategy == "multi" else [75])
    assert all(abs(k["time_seconds"] - k["frame"] * 1001 / 24000) < 1e-3 for k in found["keyframes"])
    assert all((folder / name).read_bytes().startswith(b"\xff\xd8") for name in names)


@pytest.mark.parametrize("frames, places", [(1, [0, 0, 0]), (2, [0, 1, 1]), (3, [0, 1, 2])])
def test_keyframes_of_a_clip_of_a_few_frames_name_a_picture_for_each_place(film, tmp_path, frames, places):
    folder = tmp_path / "out"
    folder.mkdir()
    found, _ = task(tmp_path, "keyframes", {"input": film, "directory": str(folder), "start_frame": 50,
                                            "end_frame": 50 + frames})
    assert [k["tag"] for k in found["keyframes"]] == ["25pct", "50pct", "75pct"]
    assert [k["frame"] for k in found["keyframes"]] == [50 + place for place in places]
    names = [f"keyframe_{place}.jpg" for place in places]
    assert [k["uri"] for k in found["keyframes"]] == [(folder / name).as_uri() for name in names]
    assert sorted(os.listdir(folder)) == sorted(set(names))


def test_cleanup_tells_its_statistics(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    for name, age in (("clip_a_1.mp4", 5000), ("clip_b_2.mp4", 10)):
        (folder / name).write_bytes(b"x" * 100)
        os.utime(folder / name, (time.time() - age,) * 2)
    dry, _ = task(tmp_path, "cleanup", {"directory": str(folder), "dry_run": True})
    assert len(os.listdir(folder)) == 2
    found, _ = task(tmp_path, "cleanup", {"directory": str(folder)})
    assert os.listdir(folder) == ["clip_b_2.mp4"]
    assert found["statistics"]["expired"] == dry["statistics"]["expired"] == 1
    task(tmp_path, "cleanup", {"directory": f"{folder}/absent"}, expect=4)


WRONG = [
    ("detect_scenes", {}, "\"input\" is not set"),
    ("detect_scenes", {"input": "a", "treshold": 1}, "Did you mean \"threshold\"?"),
    ("detect_scenes", {"input": "a", "threshold": "high"}, "must be a number"),
    ("detect_scenes", {"input": "a", "threshold": -1}, "not negative"),
    ("detect_scenes", {"input": "a", "method": "guess"}, "guess"),
    ("detect_scenes", {"input": "a", "min_duration_seconds": "soon"}, "soon"),
    ("detect_scenes", {"input": ["a"]}, "must be a text"),
    ("encode", {"input": "a", "output": "b"}, "\"preset\" is not set"),
    ("encode", {"input": "a", "output": "b", "preset": "best"}, "best"),
    ("encode", {"input": "a\nb", "output": "b", "preset": "proxy"}, "input holds a control character: a\\nb."),
    ("encode", {"input": "gopher://a", "output": "b", "preset": "proxy"}, "input: there is nothing that reads gopher URLs"),
    ("encode", {"input": "a", "output": "fd://1", "preset": "proxy"}, "fd"),
    ("encode", {"input": "a", "output": "b", "preset": "proxy", "settings": {"crf": [1]}}, "settings.crf"),
    ("encode", {"input": "a", "output": "b", "preset": "proxy", "settings": {"crf": 99}}, "crf"),
    ("temp_clip", {"input": "a", "clip_id": "x", "directory": "."}, "start_time_seconds"),
    ("temp_clip", {"input": "a", "clip_id": "x", "directory": ".", "start_frame": 1, "start_time_seconds": 1}, "exclude"),
    ("temp_clip", {"input": "a", "clip_id": "x", "directory": ".", "start_frame": 1.5}, "integer"),
    ("keyframes", {"input": "a", "directory": ".", "strategy": "all"}, "midpoint or multi"),
    ("export", {"input": "a", "directory": "."}, "at least one"),
    ("export", {"input": "a", "directory": ".", "ranges": []}, "at least one"),
    ("export", {"input": "a", "directory": ".", "ranges": [{"start": 1}]}, "ranges[0]."),
    ("cleanup", {"directory": ".", "max_bytes": "1 GB"}, "integer"),
    ("probe", {"input": "a", "key_frames": "yes"}, "true or false"),
]


@pytest.mark.parametrize("name, arguments, says", WRONG)
def test_wrong_arguments_are_refused_before_any_work(tmp_path, name, arguments, says):
    found, events = task(tmp_path, name, arguments, expect=2)
    assert says in found["error"]["message"] and events == []
    assert sorted(os.listdir(tmp_path)) == ["args.json", "result.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "\"probe\"", "{\"input\": 1e999}", "{\"input\": \"film.mp4\\u0000x\"}",
                                  "{\"input\": \"a\", \"input\": \"b\"}", "{\"input\": \"a\", \"settings\": {\"crf\": \"2\\u00000\"}}"])
def test_arguments_that_are_no_object_are_an_error(tmp_path, text):
    args, result = tmp_path / "args.json", tmp_path / "result.json"
    args.write_text(text)
    done = call("task", "probe", f"--args-file={args}", f"--result-file={result}")
    assert done.status in (2, 4) and len(done.lines) == 1
    assert json.loads(result.read_text())["status"] == "error"


@pytest.mark.parametrize("words, says", [
    ([], "which one task"), (["wash"], "They are: detect_scenes"), (["probe"], "--args-file"),
    (["probe", "--args-file=a"], "--result-file"), (["one", "probe"], "which one task"),
    (["a.py", "b.py", "probe"], "which one task"),
])
def test_a_wrong_call_is_one_line(tmp_path, words, says):
    done = call("task", *words, cwd=tmp_path)
    assert done.status == 2 and says in done.lines[0] and len(done.lines) == 1 and done.stdout == b""


def test_a_result_that_cannot_be_written_is_exit_code_5(film, tmp_path):
    (tmp_path / "args.json").write_text(json.dumps({"input": film}))
    done = call("task", "probe", f"--args-file={tmp_path}/args.json", f"--result-file={tmp_path}/absent/r.json")
    assert done.status == 5 and len(done.lines) == 1


def test_an_old_result_does_not_outlive_the_start(film, tmp_path):
    (tmp_path / "result.json").write_text("{\"status\": \"success\", \"old\": 1}")
    found, _ = task(tmp_path, "probe", {"input": film})
    assert "old" not in found


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
                         ids=["term", "int", "kill"])
def test_a_task_that_is_stopped_leaves_no_result(tmp_path, number, status):
    folder = tmp_path / "definitions"
    folder.mkdir()
    slow = (DEFINITIONS / "copy.pipeline").read_text().replace("name=copy", "name=web", 1)
    (folder / "web.pipeline").write_text(slow)
    (tmp_path / "source").write_bytes(bytes(4096 * 1000))
    (tmp_path / "result.json").write_text("{\"status\": \"success\"}")
    (tmp_path / "args.json").write_text(json.dumps({
        "input": str(tmp_path / "source"), "output": str(tmp_path / "out.bin"), "preset": "web-optimized",
        "settings": {"pause": 100000}}))
    process = subprocess.Popen(
        [PROGRAM, "task", "encode", f"--args-file={tmp_path}/args.json", f"--result-file={tmp_path}/result.json"],
        env=environment(GST_CLIPS_PIPELINE_PATH=f"{folder}:{ROOT / 'pipelines'}"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    below = wait_until_reading(process, tmp_path / "source")
    process.send_signal(number)
    process.communicate(timeout=5)
    assert process.returncode == status
    wait_until_gone(below)
    assert sorted(os.listdir(tmp_path)) == ["args.json", "definitions", "source"]
