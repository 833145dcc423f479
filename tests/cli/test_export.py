# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips export, many ranges of one video, and gst-clips clip --server, clip after clip in one process."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from cliptest import Recipe, Video, media, x264  # noqa: E402
from runner import call, environment, one_error  # noqa: E402


@pytest.fixture(scope="module")
def film():
    """Every picture a key frame, so that no range needs encoding."""
    return media(Recipe("runner-clip", rate="30000/1001", seconds=6, video=x264(1, 0)))


def listing(directory):
    return sorted(os.listdir(directory))


def numbers(path, film):
    return list(Video(str(path), film.width, film.height).number)


def results(result):
    return [e for e in result.named("message") if e["name"] == "clip-result"]


# -- export ----------------------------------------------------------------------------------


def test_each_range_is_a_file_with_exactly_its_frames(film, tmp_path):
    cuts = [(3, 10), (31, 92), (170, 180)]
    ranges = [f"--range={film.times[a]:.9f}-" + (f"{film.times[b]:.9f}" if b < 180 else "")
              for a, b in cuts]
    result = call("export", film.path, tmp_path / "clip-{index:02}.mp4", *ranges)
    assert (result.status, result.stdout, result.stderr) == (0, b"", ""), result
    assert listing(tmp_path) == ["clip-00.mp4", "clip-01.mp4", "clip-02.mp4"]
    last = len(film.times)
    for i, (a, b) in enumerate(cuts):
        assert numbers(tmp_path / f"clip-{i:02}.mp4", film) == list(range(a, min(b, last)))


def test_the_clips_of_a_cut_list_put_together_are_the_source(tmp_path):
    source = media("closed2s")
    cuts = [0, 1, 45, 60, 61, 200, 359]
    document = {
        "format": "clips-cutlist/1",
        "source": {"uri": source.uri, "width": 640, "height": 360, "frame-rate": "30/1", "variable": False,
                   "frames": 360, "duration": 12_000_000_000},
        "detector": {"method": "hand", "threshold": 0.0, "min-duration": 0, "version": "1"},
        "cuts": [{"frame": f, "time": f * 1_000_000_000 // 30, "kind": "cut", "start-frame": f, "end-frame": f,
                  "score": 1.0} for f in cuts[1:]],
        "clips": [{"index": i, "start-frame": a, "end-frame": b, "start": a * 1_000_000_000 // 30,
                   "end": b * 1_000_000_000 // 30} for i, (a, b) in enumerate(zip(cuts, [*cuts[1:], 360]))],
    }
    path = tmp_path / "cuts.json"
    path.write_text(json.dumps(document))
    clips = tmp_path / "clips"
    clips.mkdir()
    result = call("export", "--progress=json", source.path, clips / "{index}.mp4", f"--cut-list={path}")
    assert result.status == 0, result
    seen = []
    for i in range(len(cuts)):
        seen += numbers(clips / f"{i}.mp4", source)
    assert seen == list(range(360))
    told = results(result)
    assert [t["status"] for t in told] == ["published"] * 7
    assert [t["frames"] for t in told] == [b - a for a, b in zip(cuts, [*cuts[1:], 360])]
    assert result.events[-1]["outputs"] == [(clips / f"{i}.mp4").as_uri() for i in range(7)]


def test_a_range_that_fails_does_not_hinder_the_others(film, tmp_path):
    result = call("export", "--progress=json", film.path, tmp_path / "{index}.mp4", "--range=0-1", "--range=90-91",
                  "--range=2-3")
    assert result.status == 4, result
    assert listing(tmp_path) == ["0.mp4", "2.mp4"]
    first, second, third = results(result)
    assert (first["status"], second["status"], third["status"]) == ("published", "failed", "published")
    assert "source ends at" in second["message"]
    assert numbers(tmp_path / "2.mp4", film) == [i for i, t in enumerate(film.times) if 1.9995 <= t < 2.9995]
    assert "1 of 3 clips" in result.events[-1]["message"]


def test_a_source_that_cannot_be_cut_is_a_wrong_input_and_no_missing_plugin(tmp_path):
    packed = tmp_path / "packed.avi"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-c:v", "libxvid", "-bf", "2", packed],
                   check=True)
    result = call("clip", packed, tmp_path / "clip.mp4", "--start=0.5s", "--stop=1s")
    assert result.status == 4 and "packed bitstream" in one_error(result)
    assert listing(tmp_path) == ["packed.avi"]


def test_an_output_that_cannot_be_written_fails_alone(film, tmp_path):
    (tmp_path / "1.mp4").mkdir()
    result = call("export", "--progress=json", film.path, tmp_path / "{index}.mp4", "--range=0-1", "--range=1-2",
                  "--range=2-3")
    assert result.status == 5, result
    assert [r["status"] for r in results(result)] == ["published", "failed", "published"]
    assert listing(tmp_path) == ["0.mp4", "1.mp4", "2.mp4"]


def test_the_result_of_a_clip_names_its_output_whatever_its_bytes(film, tmp_path):
    result = call("export", "--progress=json", film.path, os.fsencode(tmp_path) + b"/a\xff\n{index}.mp4", "--range=0-1")
    assert result.status == 0, result
    assert [r["output"] for r in results(result)] == [f"{tmp_path}/a\\xff\\x0a0.mp4"]


@pytest.mark.parametrize("words, says", [
    (["--range=1"], "between start and stop"), (["--range=2-x"], "START-STOP"), ([], "ranges"),
    (["--range=0-1", "--range=1-2", "OUTPUT=clip.mp4"], "{index}"),
    (["--range=0-1", "--cut-list=none.json"], "not both"), (["--cut-list=none.json"], "none.json"),
])
def test_what_makes_no_sense_is_said_before_anything_is_written(film, tmp_path, words, says):
    name = "clip.mp4" if "OUTPUT=clip.mp4" in words else "{index}.mp4"
    words = [w for w in words if not w.startswith("OUTPUT")]
    result = call("export", film.path, tmp_path / name, *words)
    assert result.status != 0
    assert says in one_error(result)
    assert listing(tmp_path) == []


# -- names -----------------------------------------------------------------------------------


def test_in_a_folder_a_clip_is_named_after_its_id_and_the_time(film, tmp_path):
    result = call("clip", film.path, f"{tmp_path}/", "--id=film 7", "--start=1", "--stop=2")
    assert result.status == 0, result
    (name,) = listing(tmp_path)
    start, stamp = name.removesuffix(".mp4").rsplit("_", 1)
    assert start == "clip_film_7"
    assert len(stamp) == 13 and stamp.isdigit()


def test_without_an_id_another_range_has_another_name(film, tmp_path):
    for stop in ("2", "2", "3"):
        assert call("clip", film.path, f"{tmp_path}/", "--start=1", f"--stop={stop}").status == 0
    ids = {name.split("_")[1] for name in listing(tmp_path)}
    assert len(ids) == 2


# -- the server ------------------------------------------------------------------------------


def serve(requests, *options, timeout=60):
    text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in requests)
    result = subprocess.run(["gst-clips", "clip", "--server", *options], input=text, text=True, capture_output=True,
                            timeout=timeout, check=False, env=environment())
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def test_the_server_answers_each_request_with_a_line(film, tmp_path):
    result, answers = serve([
        {"id": 1, "input": film.path, "output": str(tmp_path / "a.mp4"), "start": 1, "stop": 2.0},
        {"id": "two", "input": film.path, "output": str(tmp_path / "b.mp4"), "start-frame": 31, "stop-frame": 92},
        {"id": 3, "input": film.path, "output": f"{tmp_path}/", "start": "0:03", "stop": "0:04", "mode": "edit"},
    ])
    assert (result.returncode, result.stderr) == (0, "")
    assert [(a["id"], a["status"]) for a in answers] == [(1, "done"), ("two", "done"), (3, "done")]
    assert answers[0]["output"] == (tmp_path / "a.mp4").as_uri()
    assert answers[0]["bytes"] == os.path.getsize(tmp_path / "a.mp4")
    assert (answers[1]["range"]["first-frame"], answers[1]["range"]["frames"]) == (31, 61)
    assert numbers(tmp_path / "b.mp4", film) == list(range(31, 92))
    assert os.path.basename(answers[2]["output"]).startswith("clip_3_")


@pytest.mark.parametrize("request_, code, exit_", [
    ("no json", "invalid", 2), ("[]", "invalid", 2), ({"id": 1}, None, 2),
    ({"id": 1, "input": "F", "output": "O", "strat": 1}, None, 2),
    ({"id": 1, "input": "F", "output": "O", "start": 2, "stop": 1}, None, 2),
    ({"id": 1, "input": "F", "output": "O", "start": [1]}, "invalid", 2),
    ({"id": 1, "input": "/nowhere.mp4", "output": "O"}, "not-found", 4),
    ({"id": 1, "input": "F", "output": "fd://1"}, "invalid", 2),
    ({"id": 1, "input": "F", "output": "/nowhere/at/all.mp4"}, None, 5),
])
def test_a_request_that_fails_hinders_no_other(film, tmp_path, request_, code, exit_):
    good = {"id": 2, "input": film.path, "output": str(tmp_path / "good.mp4"), "start": 1, "stop": 2}
    if isinstance(request_, dict):
        names = {"F": film.path, "O": str(tmp_path / "bad.mp4")}
        request_ = {k: names.get(v, v) if isinstance(v, str) else v for k, v in request_.items()}
    result, answers = serve([request_, good])
    assert result.returncode == 0
    assert answers[0]["status"] == "failed" and answers[0]["message"]
    assert answers[0]["exit"] == exit_
    if code:
        assert answers[0]["code"] == code
    assert answers[1]["status"] == "done"
    assert listing(tmp_path) == ["good.mp4"]


def test_the_server_never_replaces_what_it_reads(film, tmp_path):
    source = tmp_path / "film.mp4"
    source.write_bytes(open(film.path, "rb").read())
    before = source.stat()
    result, (answer,) = serve([{"input": str(source), "output": str(source), "start": 1, "stop": 2}])
    assert (result.returncode, answer["code"], answer["exit"]) == (0, "same-file", 2)
    assert source.stat().st_ino == before.st_ino
    assert listing(tmp_path) == ["film.mp4"]


def test_a_source_that_has_changed_is_read_anew(film, tmp_path):
    other = media(Recipe("runner-clip-2", rate="25", seconds=3, video=x264(1, 0)))
    copy = tmp_path / "film.mp4"
    shutil.copy(film.path, copy)
    process = subprocess.Popen(["gst-clips", "clip", "--server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=environment())

    def ask(name):
        request = {"input": str(copy), "output": str(tmp_path / name), "start-frame": 10, "stop-frame": 20}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    assert ask("a.mp4")["status"] == "done"
    assert ask("b.mp4")["status"] == "done"
    shutil.copy(other.path, tmp_path / "new.mp4")
    os.rename(tmp_path / "new.mp4", copy)
    assert ask("c.mp4")["status"] == "done"
    process.stdin.close()
    assert process.wait(10) == 0
    assert numbers(tmp_path / "a.mp4", film) == numbers(tmp_path / "b.mp4", film) == list(range(10, 20))
    video = Video(str(tmp_path / "c.mp4"), other.width, other.height)
    assert list(video.number) == list(range(10, 20))
    assert abs(video.pts[1] - video.pts[0] - 0.04) < 1e-6


def test_several_at_a_time_give_the_same_clips(film, tmp_path):
    requests = [{"id": i, "input": film.path, "output": str(tmp_path / f"{i}.mp4"), "start-frame": 10 * i,
                 "stop-frame": 10 * i + 5 + i} for i in range(12)]
    result, answers = serve(requests, "--jobs=4")
    assert result.returncode == 0
    assert sorted(a["id"] for a in answers) == list(range(12))
    for i in range(12):
        assert numbers(tmp_path / f"{i}.mp4", film) == list(range(10 * i, 10 * i + 5 + i))


def test_an_interrupt_ends_the_server_and_leaves_no_part(film, tmp_path):
    process = subprocess.Popen(["gst-clips", "clip", "--server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=environment())
    request = {"input": film.path, "output": str(tmp_path / "a.mp4"), "start": 1, "stop": 2}
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["status"] == "done"
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 143
    assert listing(tmp_path) == ["a.mp4"]
