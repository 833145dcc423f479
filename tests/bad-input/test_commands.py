# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every command with bad inputs and bad places: one clear error, the right exit code, nothing left; and names of all kinds work.

The command `run proxy` has tests of its own in test_inputs.py and test_outputs.py; here are the others, each with the same faults.
"""

import json
import os
import random
import subprocess
import time

import pytest

from conftest import FFMPEG
from runner import ROOT, call, environment, listing

FAST = ["proxy-preset=ultrafast", "master-preset=ultrafast"]
RANGE = ["--start=0.2", "--stop=1.2"]


def words_of(command, source, output):
    """The call, and the environment that it needs."""
    name, *more = command.split()
    definitions = {"stills": ["select=even", "count=20"], "frames": ["count=2"], "hls": [], "hlsadaptive": [], "stream": [],
                   "master": [], "web": [], "normalize": [], "remux": [], "tempclip": ["start=200ms", "stop=1200ms"]}
    if name in definitions:
        return ["run", name, b"input=" + source, b"output=" + output, *definitions[name]], {}
    if name == "sprites":
        return ["run", name, b"input=" + source, b"output=" + output, b"vtt=" + output.replace(b"{index}.jpg", b"s.vtt"), "count=3"], {}
    if name == "job":
        return ["job"], {"JOB_ID": "j", "INPUT_URL": source, "OUTPUT_URL": output, "PRESET": more[0]}
    if name == "task":
        return ["task", more[0], "--args-file=args.json", "--result-file=result.json"], {}
    return {"ingest": lambda: ["ingest", source, output, *FAST],
            "cuts": lambda: ["cuts", source, b"output=" + output],
            "clip": lambda: ["clip", source, output, *RANGE],
            "export": lambda: ["export", source, output, "--range=0.2-1.2", "--range=1.2-1.6"],
            "probe": lambda: ["probe", source],
            "convert": lambda: ["convert", source, "--to=csv", b"--output=" + output],
            "edit": lambda: ["cuts", "edit", source, "--add=20f", b"--output=" + output]}[name](), {}


def arguments_of(task, source, output):
    """What stands in the file of a task's arguments; those that write into a folder do so where the output lies."""
    return {"input": source,
            **{"detect_scenes": {},
               "encode": {"output": output, "preset": "proxy"},
               "export": {"directory": os.path.dirname(output), "ranges": [{"start_time_seconds": 0.2, "end_time_seconds": 1.2}]},
               "keyframes": {"directory": os.path.dirname(output)},
               "temp_clip": {"directory": os.path.dirname(output), "clip_id": "a", "start_frame": 5, "end_frame": 30},
               "probe": {}}[task]}


# Each command with the name of its output.
VIDEO = {"ingest": "film", "stills": "{index}.jpg", "sprites": "{index}.jpg", "frames": "out.npy", "hls": "stream", "hlsadaptive": "stream",
         "stream": "out.mp4", "cuts": "cuts.json", "clip": "clip.mp4", "export": "{index}.mp4", "probe": "none",
         "master": "out.mp4", "web": "out.mp4", "normalize": "out.mp4", "remux": "out.mp4", "tempclip": "clip.mp4",
         "job ingest": "film", "job hls": "stream", "job master": "out.mp4",
         "task detect_scenes": "none", "task encode": "out.mp4", "task export": "clip", "task keyframes": "still", "task temp_clip": "clip",
         "task probe": "none"}
LISTS = {"convert": "list.csv", "edit": "list.json"}
CUT_LIST = {"format": "clips-cutlist/1",
            "source": {"uri": "", "width": 320, "height": 180, "frame-rate": "25/1", "variable": False, "frames": 50,
                       "duration": 2_000_000_000},
            "detector": {"method": "adaptive", "threshold": 0.45, "min-duration": 0, "version": "1.22.0"},
            "cuts": [], "clips": [{"index": 0, "start-frame": 0, "end-frame": 50, "start": 0, "end": 2_000_000_000}]}


def spoil(path, fault, whole):
    if fault == "missing":
        return
    if fault == "directory":
        path.mkdir()
    else:
        path.write_bytes({"empty": b"", "truncated": whole[:len(whole) * 6 // 10], "noise": random.Random(7).randbytes(50_000),
                          "text": b"Dear diary, this is no video.\n" * 100}[fault])


def run(place, command, source, output):
    words, variables = words_of(command, os.fsencode(source), os.fsencode(output))
    if command.startswith("task"):
        (place.task / "args.json").write_text(json.dumps(arguments_of(command.split()[1], os.fspath(source), os.fspath(output))))
    begun = time.monotonic()
    result = call(*words, env=environment(TMPDIR=str(place.temporary), **variables), cwd=place.task, timeout=60)
    assert time.monotonic() - begun < 20
    return result


def failed_task(place, task, status):
    """What the result file of a task that must have failed so gives as the reason; takes it and the arguments away."""
    found = json.loads((place.task / "result.json").read_text())
    assert found["status"] == "error" and found["task"] == task and found["error"]["exit_code"] == status
    assert set(found) <= {"status", "task", "error", "exports"}
    assert all(e["status"] == "failed" for e in found.get("exports", []))
    (place.task / "args.json").unlink()
    (place.task / "result.json").unlink()
    return found["error"]["message"]


def fails(place, command, source, output, status):
    """A call that must fail so, say it once and leave nothing; returns what it said."""
    before = listing(place.path)
    result = run(place, command, source, output)
    assert result.status == status, result
    said = failed_task(place, command.split()[1], status) if command.startswith("task") else None
    assert listing(place.path) == before
    if command.startswith("job"):
        (told,) = result.events
        assert told["status"] == "failed" and told["exit_code"] == status and result.lines == []
        return told["error"]["message"]
    if command.startswith("task"):
        assert result.lines == ["gst-clips: " + said], result
        assert {e["event"] for e in result.events} <= {"progress", "cut", "message", "published"}
        return said
    assert result.stdout == b"" and len(result.lines) == 1, result
    assert result.lines[0].startswith("gst-clips: ")
    return result.lines[0]


@pytest.mark.parametrize("fault", ["missing", "empty", "truncated", "noise", "text", "directory"])
@pytest.mark.parametrize("command", VIDEO)
def test_what_is_no_whole_video(place, good, command, fault):
    source = place.inputs / "film.mp4"
    spoil(source, fault, good["front.mp4"].read_bytes())
    assert "film.mp4" in fails(place, command, source, place.outputs / VIDEO[command], 4)


@pytest.mark.parametrize("fault", ["missing", "empty", "truncated", "noise", "text", "directory"])
@pytest.mark.parametrize("command", LISTS)
def test_what_is_no_cut_list(place, command, fault):
    source = place.inputs / "list.json"
    spoil(source, fault, json.dumps(CUT_LIST).encode())
    assert "list.json" in fails(place, command, source, place.outputs / LISTS[command], 4)


# Those that decode; what is only copied or listed is not looked into.
@pytest.mark.parametrize("command", ["ingest", "stills", "sprites", "frames", "hls", "hlsadaptive", "cuts", "master", "web", "job ingest",
                                     "job hls", "job master", "task detect_scenes", "task encode", "task keyframes"])
def test_a_film_whose_second_half_is_damaged(place, good, command):
    """Pictures that nothing can decode must not just be missing from the output."""
    whole = good["front.mp4"].read_bytes()
    source = place.inputs / "film.mp4"
    middle = (whole.index(b"mdat") + len(whole)) // 2
    source.write_bytes(whole[:middle] + random.Random(3).randbytes(len(whole) - middle))
    assert "film.mp4" in fails(place, command, source, place.outputs / VIDEO[command], 4)


@pytest.mark.parametrize("command", ["ingest", "stills", "sprites", "frames", "hls", "hlsadaptive", "cuts", "master", "task keyframes"])
def test_a_moving_gif_is_refused_soon(place, command):
    """Its decoder in GStreamer 1.22 never ends."""
    source = place.inputs / "film.gif"
    subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1", source], check=True)
    assert "gif decoder" in fails(place, command, source, place.outputs / VIDEO[command], 3)


@pytest.mark.parametrize("ext", ["mp3", "wav", "m4a", "mkv"])
@pytest.mark.parametrize("command", ["ingest", "stills", "sprites", "frames", "hls", "hlsadaptive", "cuts"])
def test_sound_alone_has_no_pictures(place, command, ext):
    source = place.inputs / f"film.{ext}"
    subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "sine=d=1", source], check=True)
    said = fails(place, command, source, place.outputs / VIDEO[command], 4)
    assert "no video stream" in said and f"film.{ext}" in said


def source_of(place, good, command):
    if command in LISTS:
        path = place.inputs / "list.json"
        path.write_text(json.dumps(CUT_LIST))
        return path
    return good["front.mp4"]


WRITERS = {name: output for name, output in {**VIDEO, **LISTS}.items() if output != "none"}


@pytest.mark.parametrize("command", WRITERS)
def test_a_file_where_a_folder_should_be(place, good, command):
    (place.outputs / "file").touch()
    said = fails(place, command, source_of(place, good, command), place.outputs / "file" / WRITERS[command], 5)
    assert str(place.outputs / "file") in said


# ingest makes the folders that its outputs need.
@pytest.mark.parametrize("command", [name for name in WRITERS if "ingest" not in name])
def test_a_missing_folder(place, good, command):
    said = fails(place, command, source_of(place, good, command), place.outputs / "absent" / "deep" / WRITERS[command], 5)
    assert str(place.outputs / "absent") in said


@pytest.mark.parametrize("command", WRITERS)
def test_a_read_only_disk(place, good, mounted, command):
    source = source_of(place, good, command)
    mounted("-t", "tmpfs", "-o", "ro", "none")
    assert "read-only" in fails(place, command, source, place.outputs / WRITERS[command], 5).lower()


@pytest.mark.parametrize("command", [name for name in WRITERS if name not in ("cuts", *LISTS)])
def test_a_disk_that_fills_up(place, good, mounted, command):
    mounted("-t", "tmpfs", "-o", "size=12k", "none")
    assert "space" in fails(place, command, good["front.mp4"], place.outputs / VIDEO[command], 5)
    assert os.listdir(place.outputs) == []


# All at once: a newline, both quotes, what gst-launch, printf, a shell and a URL take for theirs, and what is no UTF-8.
HOSTILE = b"-a b\n'\"!%n%s#1?{x}$(id);\\\xe8\xa7\x86 caf\xe9"
# Outputs whose names are templates have no other braces; the result of a job is one line.
TEMPLATES = ["ingest", "stills", "sprites", "hls", "hlsadaptive", "export", "keyframes"]


@pytest.mark.parametrize("command", {**VIDEO, **LISTS})
def test_hostile_names(place, good, command):
    name = HOSTILE
    if any(word in command.split() for word in TEMPLATES):
        name = name.replace(b"{x}", b"")
    if command.startswith("job") or command == "task encode":
        name = name.replace(b"\n", b"")
    if command.startswith("task"):
        # JSON is UTF-8.
        name = name.decode("utf-8", "ignore").encode()
    inputs, outputs = (os.path.join(os.fsencode(d), name) for d in (place.inputs, place.outputs))
    os.mkdir(inputs)
    os.mkdir(outputs)
    source = os.path.join(inputs, name + b".mp4")
    with open(source, "wb") as file:
        file.write(source_of(place, good, command).read_bytes())
    output = {**VIDEO, **LISTS}[command].encode()
    source, output = (os.fsdecode(path) for path in (source, os.path.join(outputs, output)))
    result = run(place, command, source, output)
    assert result.status == 0, result
    assert result.lines == []
    assert (os.listdir(outputs) != []) == (command in WRITERS)
    assert sorted(os.listdir(place.path)) == ["in", "out", "task", "tmp"] and os.listdir(place.temporary) == []


@pytest.mark.parametrize("name", ["{x}", "{index}"])
def test_a_place_of_an_ingest_with_braces_is_refused_before_any_work(place, good, name):
    (place.outputs / name).mkdir()
    assert "{ or }" in fails(place, "ingest", good["front.mp4"], place.outputs / name / "film", 2)


def test_every_definition_that_is_shipped_is_here():
    shipped = {path.stem for path in (ROOT / "pipelines").glob("*.pipeline")}
    # proxy has tests of its own, export is behind the command of its name, and ingest behind its.
    assert shipped - {"proxy"} <= {name.split()[0] for name in VIDEO}


ARGUMENTS = {"missing": None, "empty": b"", "truncated": b'{"input": "fil', "noise": random.Random(7).randbytes(5000), "text": b"Dear diary\n" * 99,
             "a list": b"[]", "no UTF-8": b'{"input": "caf\xe9.mp4"}', "a number too large": b'{"input": 1e999}', "nested": b"[" * 100_000}


@pytest.mark.parametrize("fault", [*ARGUMENTS, "directory"])
@pytest.mark.parametrize("task", ["probe", "cleanup"])
def test_what_holds_no_arguments_of_a_task(place, task, fault):
    args = place.task / "args.json"
    if fault == "directory":
        args.mkdir()
    elif ARGUMENTS[fault] is not None:
        args.write_bytes(ARGUMENTS[fault])
    result = call("task", task, f"--args-file={args}", f"--result-file={place.task}/result.json")
    assert result.status == 4 and result.stdout == b"" and "args.json" in result.stderr
    told = json.loads((place.task / "result.json").read_text())
    assert told["status"] == "error" and told["error"]["exit_code"] == 4
    assert result.lines == ["gst-clips: " + told["error"]["message"]]
    assert set(os.listdir(place.task)) <= {"args.json", "result.json"}


@pytest.mark.parametrize("fault", ["a file as folder", "missing", "directory", "read-only"])
def test_a_task_whose_result_has_no_place(place, good, mounted, fault):
    """Told in one line even so, and nothing of the result or of its old one is left."""
    result = {"a file as folder": place.outputs / "file" / "result.json", "missing": place.outputs / "absent" / "result.json",
              "directory": place.outputs, "read-only": place.outputs / "result.json"}[fault]
    (place.task / "args.json").write_text(json.dumps({"input": str(good["front.mp4"])}))
    if fault == "a file as folder":
        (place.outputs / "file").touch()
    if fault == "read-only":
        mounted("-t", "tmpfs", "-o", "ro", "none")
    before = listing(place.path)
    done = call("task", "probe", f"--args-file={place.task}/args.json", f"--result-file={result}")
    assert done.status == 5 and len(done.lines) == 1 and str(place.outputs) in done.lines[0], done
    assert listing(place.path) == before


@pytest.mark.parametrize("fault", ["missing", "file"])
def test_no_folder_to_clean(place, fault):
    folder = place.inputs / "film.mp4"
    if fault == "file":
        folder.write_bytes(b"none")
    before = listing(place.path)
    (place.task / "args.json").write_text(json.dumps({"directory": str(folder)}))
    done = call("task", "cleanup", f"--args-file={place.task}/args.json", f"--result-file={place.task}/result.json")
    assert done.status == 4 and done.lines == ["gst-clips: " + failed_task(place, "cleanup", 4)] and "film.mp4" in done.lines[0]
    assert listing(place.path) == before
