# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips job: one job from the environment, or a share of a manifest."""

import contextlib
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from cliptest import media

sys.path.insert(0, os.path.dirname(__file__))
from runner import DEFINITIONS, PROGRAM, ROOT, call, children, environment, listing, wait_until_gone, wait_until_reading  # noqa: E402

FIELDS = ["event", "job_id", "preset", "status", "exit_code", "input", "output", "outputs", "bytes", "media", "frames",
          "started_at", "finished_at", "duration_ms", "peak_rss_kib", "warnings", "error", "host", "version"]
INDICES = ["GST_CLIPS_INDEX", "GST_CLIPS_COUNT", "JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX",
           "AWS_BATCH_JOB_ARRAY_SIZE", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN",
           "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"]


@pytest.fixture
def film():
    return media("closed2s").path


@pytest.fixture
def slow(tmp_path):
    """The preset web-optimized as a copy that can be slowed down, and a source for it."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "web.pipeline").write_text((DEFINITIONS / "copy.pipeline").read_text().replace("name=copy", "name=web", 1))
    source = tmp_path / "source"
    source.write_bytes(bytes(4096 * 1000))
    (tmp_path / "out").mkdir()
    return {"GST_CLIPS_PIPELINE_PATH": f"{folder}:{ROOT / 'pipelines'}", "JOB_ID": "slow", "INPUT_URL": str(source),
            "OUTPUT_URL": f"{tmp_path}/out/copy.bin", "PRESET": "web-optimized"}


def plain(**variables):
    return environment(**{name: None for name in [*INDICES, "JOB_ID", "INPUT_URL", "OUTPUT_URL", "PRESET",
                                                  "JOB_TIME_LIMIT"]} | variables)


def job(*words, timeout=60, **variables):
    result = call("job", *words, env=plain(**variables), timeout=timeout)
    assert len(result.events) == 1, result
    told = result.events[0]
    assert list(told) == FIELDS
    assert told["exit_code"] == result.status
    return result, told


def packets(path):
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-"],
                          capture_output=True, check=True)
    return done.stdout


def test_the_default_preset_copies_every_packet(film, tmp_path):
    out = tmp_path / "out.mp4"
    result, told = job(JOB_ID="a-1", INPUT_URL=film, OUTPUT_URL=str(out))
    assert (result.status, result.stderr) == (0, "")
    assert (told["status"], told["job_id"], told["preset"], told["error"]) == ("success", "a-1", "default", None)
    assert packets(out) == packets(film)
    assert told["outputs"][0]["uri"] == out.as_uri() and told["bytes"] == out.stat().st_size
    assert told["media"]["video"] | {"codec": "h264", "width": 640, "height": 360} == told["media"]["video"]
    assert told["media"]["audio"]["codec"] == "aac" and told["media"]["container"] == "mp4"
    assert told["duration_ms"] > 0 and told["peak_rss_kib"] > 0
    assert told["started_at"] <= told["finished_at"] and told["finished_at"].endswith("Z")


def test_a_job_can_be_done_again_with_the_same_result(film, tmp_path):
    out = tmp_path / "out.mp4"
    for _ in range(2):
        job(JOB_ID="again", INPUT_URL=film, OUTPUT_URL=str(out))
        first, before = out.read_bytes(), listing(tmp_path)
    assert out.read_bytes() == first and listing(tmp_path) == before and len(before) == 1


@pytest.mark.parametrize("preset, encoder", [("web-optimized", "h264"), ("proxy", "h264")])
def test_presets_encode_and_take_settings(tmp_path, preset, encoder):
    out = tmp_path / "out.mp4"
    source = tmp_path / "film.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", media("closed2s").path, "-t", "1", "-c", "copy", source], check=True)
    result, told = job("crf=40", "audio=false", JOB_ID="x", INPUT_URL=str(source), OUTPUT_URL=str(out), PRESET=preset)
    assert result.status == 0, result
    assert told["media"]["video"]["codec"] == encoder and told["media"]["audio"] is None
    assert told["frames"] >= 30


@pytest.mark.parametrize("preset, names", [
    ("hls", ["index.m3u8", "segment00000.ts", "segment00001.ts", "segment00002.ts"]), ("hls-adaptive", None)])
def test_streams_are_a_folder_with_every_file_in_the_result(film, tmp_path, preset, names):
    folder = tmp_path / "stream"
    result, told = job("crf=40", JOB_ID="x", INPUT_URL=film, OUTPUT_URL=str(folder), PRESET=preset)
    assert result.status == 0, result
    there = {path.as_uri(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert {o["uri"]: o["bytes"] for o in told["outputs"]} == there and told["bytes"] == sum(there.values())
    assert told["media"] is None and told["frames"] == 360
    if names:
        assert sorted(os.listdir(folder)) == names


def test_an_ingest_is_a_folder_with_its_manifest_in_the_result(film, tmp_path):
    folder = tmp_path / "film"
    words = ["proxy-preset=ultrafast", "master-preset=ultrafast"]
    variables = {"JOB_ID": "x", "INPUT_URL": film, "OUTPUT_URL": str(folder), "PRESET": "ingest"}
    result, told = job(*words, **variables)
    assert result.status == 0 and told["status"] == "success", result
    there = {path.as_uri(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    made = {o["uri"]: o["bytes"] for o in told["outputs"]}
    assert made.keys() == there.keys() and told["outputs"][-1]["uri"].endswith("/ingest.json")
    assert {o["kind"] for o in told["outputs"]} == {"proxy", "master", "cuts", "still", "report", "manifest"}
    assert made == there and told["bytes"] == sum(there.values())
    assert told["media"] is None and told["frames"] == 360 and told["peak_rss_kib"] > 0
    # The job can be run again: what is there is the result again.
    before = {path: os.stat(path).st_mtime_ns for path in folder.rglob("*")}
    again, told_again = job(*words, **variables)
    assert again.status == 0 and told_again["outputs"] == told["outputs"]
    assert {path: os.stat(path).st_mtime_ns for path in folder.rglob("*")} == before


def test_a_failed_ingest_is_a_failed_job_without_outputs(film, tmp_path):
    (tmp_path / "cut.mp4").write_bytes(open(film, "rb").read()[:-9999])
    before = listing(tmp_path)
    result, told = job(JOB_ID="x", INPUT_URL=f"{tmp_path}/cut.mp4", OUTPUT_URL=f"{tmp_path}/film", PRESET="ingest")
    assert result.status == 4 and told["status"] == "failed" and told["outputs"] == [] and told["bytes"] == 0
    assert "cut.mp4" in told["error"]["message"] and listing(tmp_path) == before


GOOD = {"JOB_ID": "j", "INPUT_URL": "/dev/null/film.mp4", "OUTPUT_URL": "out.mp4"}


@pytest.mark.parametrize("change, says, code", [
    ({"JOB_ID": None}, "JOB_ID is not set", "missing-value"),
    ({"JOB_ID": ""}, "JOB_ID is not set", "missing-value"),
    ({"INPUT_URL": None}, "INPUT_URL is not set", "missing-value"),
    ({"OUTPUT_URL": None}, "OUTPUT_URL is not set", "missing-value"),
    ({"PRESET": "fastest"}, "They are: default, web-optimized, hls", "value"),
    ({"INPUT_URL": "gopher://host/a"}, "gopher", "value"),
    ({"INPUT_URL": "fd://3"}, "fd", "value"),
    ({"OUTPUT_URL": "fd://1"}, "fd", "value"),
    ({"OUTPUT_URL": "ftp://host/a.mp4"}, "ftp", "value"),
    ({"OUTPUT_URL": "https://host/a?X-Amz-Signature=geheim", "PRESET": "hls"}, "several files", "value"),
    ({"JOB_ID": "a\nb"}, "control character", "value"),
])
def test_variables_that_are_missing_or_wrong_fail_before_any_work(tmp_path, change, says, code):
    result = call("job", env=plain(**(GOOD | change)), cwd=tmp_path)
    assert result.status == 2, result
    (told,) = result.events
    assert list(told) == FIELDS
    assert (told["status"], told["exit_code"], told["error"]["code"]) == ("failed", 2, code)
    assert says in told["error"]["message"] and len(result.lines) == 1 and says in result.lines[0]
    assert listing(tmp_path) == {} and "geheim" not in result.text + result.stderr


@pytest.mark.parametrize("word, status", [("crf=999", 2), ("nosuch=1", 2), ("crf", 2), ("input=other.mp4", 2)])
def test_a_wrong_setting_fails_before_any_work(film, tmp_path, word, status):
    result, told = job(word, JOB_ID="x", INPUT_URL=film, OUTPUT_URL=f"{tmp_path}/out.mp4", PRESET="proxy")
    assert result.status == status and told["status"] == "failed", result
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("source, output, status", [
    ("absent.mp4", "out.mp4", 4), ("text.mp4", "out.mp4", 4), ("cut.mp4", "out.mp4", 4),
    ("film.mp4", "absent/out.mp4", 5),
])
@pytest.mark.parametrize("preset", ["default", "proxy"])
def test_the_exit_code_says_whose_fault_it_was(film, tmp_path, source, output, status, preset):
    (tmp_path / "text.mp4").write_text("nothing of the kind\n" * 99)
    (tmp_path / "cut.mp4").write_bytes(open(film, "rb").read()[:-9999])
    os.symlink(film, tmp_path / "film.mp4")
    before = listing(tmp_path)
    result, told = job(JOB_ID="x", INPUT_URL=f"{tmp_path}/{source}", OUTPUT_URL=f"{tmp_path}/{output}", PRESET=preset)
    assert result.status == status, result
    assert told["status"] == "failed" and told["outputs"] == [] and told["media"] is None
    assert source in told["error"]["message"] or "absent" in told["error"]["message"]
    assert listing(tmp_path) == before


# Presigned PUT


class Store(http.server.BaseHTTPRequestHandler):
    """Takes PUTs like a store with presigned URLs; the server's `answers` are given first."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        self.server.requests.append((self.path, dict(self.headers), len(body)))
        if answer == 200:
            self.server.stored[self.path.split("?")[0]] = body
        self.send_response(answer)
        self.send_header("ETag", '"abc"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def store(*answers):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.answers, server.stored, server.requests = list(answers), {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, f"http://127.0.0.1:{server.server_port}/bucket/clip.mp4?X-Amz-Credential=k&X-Amz-Signature=geheim"
    server.shutdown()


def test_a_presigned_url_gets_the_whole_file_in_one_put(film, tmp_path):
    with store() as (server, url):
        result, told = job(JOB_ID="put", INPUT_URL=film, OUTPUT_URL=url)
    assert result.status == 0, result
    assert "geheim" not in result.text + result.stderr
    ((path, headers, size),) = server.requests
    assert "X-Amz-Signature=geheim" in path
    assert headers["Content-Type"] == "video/mp4" and "Transfer-Encoding" not in headers
    (tmp_path / "got.mp4").write_bytes(server.stored["/bucket/clip.mp4"])
    assert packets(tmp_path / "got.mp4") == packets(film)
    assert told["outputs"] == [{"uri": url.split("?")[0] + "?...", "bytes": size, "etag": '"abc"'}]
    assert told["media"]["video"]["frames"] == 360 and told["media"]["size"] == size


def test_what_may_pass_is_put_again(film):
    with store(503, 500) as (server, url):
        result, _ = job(JOB_ID="put", INPUT_URL=film, OUTPUT_URL=url)
    assert result.status == 0 and len(server.requests) == 3


@pytest.mark.parametrize("answers, requests, says", [
    ([403], 1, "403"), ([404], 1, "404"), ([400], 1, "400"), ([503] * 9, 4, "503"),
])
def test_a_refused_put_is_exit_code_5(film, answers, requests, says):
    with store(*answers) as (server, url):
        result, told = job(JOB_ID="put", INPUT_URL=film, OUTPUT_URL=url)
    assert result.status == 5 and says in told["error"]["message"], result
    assert told["outputs"] == [] and len(server.requests) == requests
    assert "geheim" not in result.text + result.stderr


def test_a_failed_run_puts_nothing(tmp_path):
    with store() as (server, url):
        result, _ = job(JOB_ID="put", INPUT_URL=f"{tmp_path}/absent.mp4", OUTPUT_URL=url)
    assert result.status == 4 and server.requests == []


# Limits, signals, crashes


def test_a_job_over_its_time_limit_is_stopped_and_leaves_nothing(slow, tmp_path):
    begun = time.monotonic()
    result, told = job("pause=100000", JOB_TIME_LIMIT="1", **slow)
    assert time.monotonic() - begun < 10
    assert result.status == 1 and told["status"] == "timeout" and told["error"]["code"] == "time-limit"
    assert listing(tmp_path / "out") == {}


def test_a_job_within_its_time_limit_is_a_success(slow):
    result, told = job("--time-limit=60", JOB_TIME_LIMIT="1000000000", **slow)
    assert (result.status, told["status"], told["media"]) == (0, "success", None), result


@pytest.mark.parametrize("words, variables, says", [
    (["--time-limit=-5"], {}, "time-limit"), ([], {"JOB_TIME_LIMIT": "soon"}, "JOB_TIME_LIMIT"),
    (["--progress=bar"], {}, "progress"), (["--array-size=4"], {}, "manifest"),
])
def test_wrong_options_are_one_line(words, variables, says):
    result = call("job", *words, env=plain(**GOOD, **variables))
    assert result.status == 2 and result.stdout == b"" and says in result.lines[0] and len(result.lines) == 1


@contextlib.contextmanager
def running(slow):
    """A job that takes a hundred seconds, and the run below it."""
    process = subprocess.Popen([PROGRAM, "job", "pause=100000"], env=plain(**slow), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    below = []
    try:
        below = wait_until_reading(process, slow["INPUT_URL"])
        assert len(below) == 1
        yield process, below
    finally:
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.communicate()


def test_the_list_of_processes_shows_no_signature(tmp_path):
    asked, seen = queue.Queue(), threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.put(self.path)
            seen.wait(20)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/film.mp4?X-Amz-Signature=geheim"
    process = subprocess.Popen([PROGRAM, "job"], stdout=subprocess.PIPE,
                               env=plain(JOB_ID="x", INPUT_URL=url, OUTPUT_URL=f"{tmp_path}/out.mp4"))
    try:
        assert asked.get(timeout=20) == "/film.mp4?X-Amz-Signature=geheim"
        below = children(process.pid)
        assert len(below) == 1
        with open(f"/proc/{below[0]}/cmdline", "rb") as file:
            words = file.read()
        assert b"/film.mp4?..." in words and b"geheim" not in words
    finally:
        seen.set()
        out, _ = process.communicate(timeout=20)
        server.shutdown()
    assert process.returncode == 4 and b"geheim" not in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_signal_ends_the_job_with_a_result_and_nothing_left(slow, tmp_path, number):
    with running(slow) as (process, below):
        process.send_signal(number)
        out, err = process.communicate(timeout=5)
        told = json.loads(out.splitlines()[-1])
    assert process.returncode == 128 + number
    assert (told["event"], told["status"], told["exit_code"]) == ("result", "interrupted", 128 + number)
    assert err == b"" and listing(tmp_path / "out") == {}
    wait_until_gone(below)


def test_a_killed_job_takes_its_run_with_it(slow, tmp_path):
    with running(slow) as (process, below):
        process.kill()
        process.wait()
        wait_until_gone(below)
    assert listing(tmp_path / "out") == {}


def test_a_crash_is_a_result_too(slow, tmp_path):
    with running(slow) as (process, below):
        os.kill(below[0], signal.SIGKILL)
        out, _ = process.communicate(timeout=5)
    told = json.loads(out.splitlines()[-1])
    assert process.returncode == 1 and told["status"] == "failed" and told["error"]["code"] == "crashed"
    assert "signal 9" in told["error"]["message"] and listing(tmp_path / "out") == {}


# A share of a manifest


@pytest.fixture
def manifest(tmp_path, slow):
    (tmp_path / "small").write_bytes(b"x" * 100)
    path = tmp_path / "jobs.jsonl"
    lines = [{"job_id": f"job-{i}", "input_url": str(tmp_path / "small"), "output_url": f"{tmp_path}/out/{i}",
              "preset": "web-optimized", "settings": {"block": 1 + i}} for i in range(5)]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return path


def share(manifest, slow, *words, **variables):
    path = slow["GST_CLIPS_PIPELINE_PATH"]
    return call("job", f"--index-from-environment={manifest}", *words,
                env=plain(GST_CLIPS_PIPELINE_PATH=path, **variables), timeout=60)


def done_jobs(result):
    *told, summary = result.events
    assert [e["event"] for e in told] == ["result"] * len(told) and summary["event"] == "summary"
    assert summary["jobs"] == 5 and summary["succeeded"] == len([e for e in told if e["status"] == "success"])
    return [int(e["job_id"].removeprefix("job-")) for e in told]


@pytest.mark.parametrize("variables, count, expected", [
    # One pod an index.
    (lambda i: {"JOB_COMPLETION_INDEX": str(i)}, 5, lambda i: [i]),
    (lambda i: {"JOB_COMPLETION_INDEX": str(i), "GST_CLIPS_COUNT": "3"}, 3, None),
    (lambda i: {"AWS_BATCH_JOB_ARRAY_INDEX": str(i), "AWS_BATCH_JOB_ARRAY_SIZE": "3"}, 3, None),
    (lambda i: {"CLOUD_RUN_TASK_INDEX": str(i), "CLOUD_RUN_TASK_COUNT": "2"}, 2, None),
    (lambda i: {"GST_CLIPS_INDEX": str(i), "GST_CLIPS_COUNT": "7"}, 7, None),
    # --array=0-2, --array=1-3, --array=10-30:10
    *[(lambda i, low=low, step=step: {
        "SLURM_ARRAY_TASK_ID": str(low + i * step), "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": str(low),
        "SLURM_ARRAY_TASK_MAX": str(low + 2 * step), "SLURM_ARRAY_TASK_STEP": str(step)}, 3, None)
      for low, step in ((0, 1), (1, 1), (10, 10))],
], ids=["kubernetes", "kubernetes-counted", "aws", "cloud-run", "plain", "slurm", "slurm-from-1", "slurm-step"])
def test_every_job_is_in_one_share(manifest, slow, tmp_path, variables, count, expected):
    seen = []
    for index in range(count):
        result = share(manifest, slow, **variables(index))
        assert (result.status, result.stderr) == (0, ""), result
        mine = done_jobs(result)
        assert mine == (expected(index) if expected else [i for i in range(5) if i % count == index])
        seen += mine
    assert sorted(seen) == list(range(5))
    assert sorted(os.listdir(tmp_path / "out")) == sorted(str(i) for i in range(5))


def test_part_of_a_slurm_array_is_done_again_with_the_same_shares(manifest, slow):
    result = share(manifest, slow, "--array-size=3", SLURM_ARRAY_TASK_ID="2", SLURM_ARRAY_TASK_COUNT="1",
                   SLURM_ARRAY_TASK_MIN="2", SLURM_ARRAY_TASK_MAX="2", SLURM_ARRAY_TASK_STEP="1")
    assert done_jobs(result) == [2]


def test_one_failed_job_does_not_hinder_the_others(manifest, slow, tmp_path):
    lines = manifest.read_text().splitlines()
    lines[2] = lines[2].replace("/small", "/absent")
    manifest.write_text("\n".join(lines))
    result = share(manifest, slow, GST_CLIPS_INDEX="0", GST_CLIPS_COUNT="1")
    assert result.status == 4, result
    assert done_jobs(result) == list(range(5))
    assert result.events[-1]["failed"] == ["job-2"] and result.events[-1]["succeeded"] == 4
    assert sorted(os.listdir(tmp_path / "out")) == ["0", "1", "3", "4"]


def test_a_share_behind_the_end_is_empty_and_done(manifest, slow, tmp_path):
    result = share(manifest, slow, JOB_COMPLETION_INDEX="99")
    assert result.status == 0 and done_jobs(result) == [] and os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("variables, says", [
    ({}, "GST_CLIPS_INDEX"),
    ({"JOB_COMPLETION_INDEX": "one"}, "JOB_COMPLETION_INDEX"),
    ({"JOB_COMPLETION_INDEX": "-1"}, "JOB_COMPLETION_INDEX"),
    ({"JOB_COMPLETION_INDEX": "1", "SLURM_ARRAY_TASK_ID": "1"}, "both set"),
    ({"GST_CLIPS_INDEX": "3", "GST_CLIPS_COUNT": "3"}, "not below"),
    ({"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MIN": "1",
      "SLURM_ARRAY_TASK_MAX": "5", "SLURM_ARRAY_TASK_STEP": "1"}, "--array-size"),
])
def test_a_share_that_cannot_be_told_is_refused_before_any_work(manifest, slow, tmp_path, variables, says):
    result = share(manifest, slow, **variables)
    assert result.status == 2 and result.stdout == b"" and len(result.lines) == 1 and says in result.lines[0], result
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("spoil, says", [
    (lambda lines: [*lines, "{"], "jobs.jsonl:6"), (lambda lines: [*lines, "[]"], "jobs.jsonl:6"),
    (lambda lines: [*lines, lines[3]], "job-3"),
    (lambda lines: [*lines, lines[3].replace("job-3", "job-9")], "another job writes"),
    (lambda lines: [lines[0].replace("web-optimized", "best")], "jobs.jsonl:1"),
    (lambda lines: [lines[0].replace("preset", "Preset")], "\"Preset\" is unknown"),
    (lambda lines: [lines[0].replace("\"job-0\"", "5")], "job_id"),
    (lambda lines: [lines[0].replace("{\"block\": 1}", "[]")], "settings"),
    (lambda lines: [lines[0].replace("1}", "[1]}")], "block"),
    (lambda lines: [], "jobs.jsonl"),
])
def test_a_wrong_manifest_is_refused_before_any_work(manifest, slow, tmp_path, spoil, says):
    manifest.write_text("\n".join(spoil(manifest.read_text().splitlines()[:5])))
    result = share(manifest, slow, GST_CLIPS_INDEX="0", GST_CLIPS_COUNT="1")
    assert result.status in (2, 4) and result.stdout == b"" and len(result.lines) == 1, result
    assert says in result.lines[0], result
    assert os.listdir(tmp_path / "out") == []


def test_a_signal_ends_a_share_after_the_job_at_hand(manifest, slow, tmp_path):
    text = manifest.read_text().replace("/small", "/source").replace('"settings": {"block": ', '"settings": {"pause": 10000')
    manifest.write_text(text)
    process = subprocess.Popen([PROGRAM, "job", f"--index-from-environment={manifest}"],
                               env=plain(GST_CLIPS_PIPELINE_PATH=slow["GST_CLIPS_PIPELINE_PATH"], GST_CLIPS_INDEX="0",
                                         GST_CLIPS_COUNT="1"), stdout=subprocess.PIPE)
    wait_until_reading(process, tmp_path / "source")
    process.terminate()
    out, _ = process.communicate(timeout=5)
    told = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 143
    assert [e["status"] for e in told if e["event"] == "result"] == ["interrupted"]
    assert os.listdir(tmp_path / "out") == []


def test_a_manifest_can_be_a_url(manifest, slow, tmp_path):
    shutil.copy(manifest, tmp_path / "out")
    result = share((tmp_path / "out" / "jobs.jsonl").as_uri(), slow, JOB_COMPLETION_INDEX="0")
    assert result.status == 0 and done_jobs(result) == [0]
