# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips run: values, events, progress, exit codes."""

import base64
import http.server
import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from runner import DEFINITIONS, PROGRAM, call, environment, listing, one_error  # noqa: E402


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * 4000)
    return path


def test_a_run_makes_its_output_and_says_nothing_when_not_on_a_terminal(tmp_path, data):
    result = call("run", "copy", f"input={data}", f"output={tmp_path}/out")
    assert (result.status, result.stdout, result.stderr) == (0, b"", "")
    assert (tmp_path / "out").read_bytes() == data.read_bytes()


def test_a_definition_that_is_not_installed_runs_from_its_file(tmp_path, data):
    env = environment(GST_CLIPS_PIPELINE_PATH="/nonexistent")
    result = call("run", f"{DEFINITIONS}/copy.pipeline", f"input={data}", f"output={tmp_path}/out", env=env)
    assert result.status == 0, result
    assert (tmp_path / "out").exists()


def test_events_tell_the_whole_run(tmp_path):
    out = tmp_path / "bars.mkv"
    result = call("run", "--progress=json", "bars", f"output={out}", "frames=50", "live=true")
    assert result.status == 0, result
    assert result.stderr == ""
    *_, published, last, done = result.events
    assert published["event"] == "published"
    assert published["uri"] == out.as_uri()
    assert published["bytes"] == out.stat().st_size
    assert last["event"] == "progress" and last["position"] == last["duration"]
    assert done["event"] == "done"
    assert done["outputs"] == [out.as_uri()]
    assert done["frames"] == 50
    assert 1900 < done["duration_ms"] < 10000
    assert 5000 < done["peak_rss_kib"] < 1000000
    assert list(done) == ["event", "outputs", "duration_ms", "frames", "peak_rss_kib"]


def test_progress_never_goes_back_and_is_whole_only_on_success(tmp_path):
    result = call("run", "--progress=json", "bars", f"output={tmp_path}/bars.mkv", "frames=50", "live=true")
    steps = result.named("progress")
    assert len(steps) > 4
    positions = [step["position"] for step in steps]
    assert positions == sorted(positions)
    for step in steps[:-1]:
        assert step["duration"] is None or step["position"] < step["duration"]


def test_progress_is_not_whole_when_the_run_fails(tmp_path, data):
    result = call("run", "--progress=json", "copy", f"input={data}", f"output={tmp_path}/out",
                  "pause=20000", "fail-after=40")
    assert result.status != 0
    for step in result.named("progress"):
        assert step["duration"] is None or step["position"] < step["duration"]
    assert not result.named("done")
    assert not (tmp_path / "out").exists()


def test_a_failure_is_one_error_event_and_nothing_on_stderr(tmp_path):
    result = call("run", "--progress=json", "copy", "input=/nonexistent/x", f"output={tmp_path}/out")
    assert result.status == 4
    assert result.stderr == ""
    assert [e["event"] for e in result.events] == ["error"]
    error = result.events[0]
    assert list(error) == ["event", "source", "domain", "code", "message"]
    assert (error["domain"], error["code"]) == ("resource", "not-found")
    assert "/nonexistent/x" in error["message"]
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("words, says", [
    (["copy", "input"], "\"input\" is no setting"),
    (["copy", "=x"], "\"=x\" is no setting"),
    (["copy", "input=a", "input=b", "output=c"], "\"input\" is set twice."),
    (["copy", "input=a", "outptu=b"], "Did you mean \"output\"?"),
    (["copy", "input=a", "output=b", "colour=red"], "It has: input, output, block, pause, fail-after."),
    (["copy", "input=a", "output=b", "block=0"], "block"),
    (["copy", "input=a", "output=b", "block=4k"], "4k"),
    (["copy", "input=a", "output=b", "block=99999999999999999999"], "block"),
    (["copy", "output=b"], "input"),
    (["bars", "output=b", "pattern=plaid"], "plaid"),
    (["bars", "output=b", "start=soon"], "soon"),
    (["bars", "output=b", "form=((("], "form"),
    (["cpy", "input=a"], "Did you mean \"copy\"?"),
    (["nothing-like-it", "input=a"], "gst-clips list"),
    (["./absent.pipeline"], "absent.pipeline"),
    (["invert"], "invertbin"),
    ([], "which definition"),
    (["copy", "--progress=loud", "input=a"], "loud"),
    (["copy", "--no-such-option"], "no-such-option"),
])
def test_a_wrong_call_is_refused_with_one_line_before_anything_starts(tmp_path, words, says):
    result = call("run", *words, cwd=tmp_path)
    assert result.status == 2, result
    assert says in one_error(result)
    assert listing(tmp_path) == {}


def test_a_choice_without_its_plugin_is_exit_code_3(tmp_path):
    result = call("run", "bars", f"output={tmp_path}/out", "encoder=absent")
    assert result.status == 3, result
    assert "nosuchelement" in one_error(result)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("name", [
    "a b", "quo\"te", "it's", "new\nline", "ex!claim", "%n%s%d", "back\\slash", "视频🎬", "caps,x=(int)1", "a ! fakesink",
    "$HOME", "key=value", "-", "--help", "{index}", b"caf\xe9 \xff\xfe",
], ids=repr)
def test_a_file_name_is_only_a_name(tmp_path, data, name):
    raw = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    os.mkdir(raw)
    source = os.path.join(raw, os.fsencode(name) + b".in")
    os.link(data, source)
    result = call("run", "copy", b"input=" + source, b"output=" + os.path.join(raw, os.fsencode(name)))
    assert (result.status, result.stderr) == (0, ""), result
    with open(os.path.join(raw, os.fsencode(name)), "rb") as out:
        assert out.read() == data.read_bytes()
    assert len(os.listdir(raw)) == 2


def test_a_name_cannot_forge_a_line_of_output(tmp_path):
    name = b"x\n{\"event\":\"done\"}\x1b[2J\xff"
    result = call("run", b"copy", b"input=" + name, f"output={tmp_path}/out", cwd=tmp_path)
    assert result.status == 4
    assert "\\n{\"event\"" in one_error(result)
    assert "\x1b" not in result.stderr
    result = call("run", "--progress=json", b"copy", b"input=" + name, f"output={tmp_path}/out", cwd=tmp_path)
    assert [e["event"] for e in result.events] == ["error"]


def test_media_on_standard_output_are_only_media(tmp_path, data):
    result = call("run", "copy", f"input={data}", "output=fd://1")
    assert (result.status, result.stdout) == (0, data.read_bytes())
    result = call("run", "copy", "input=/nonexistent", "output=fd://1")
    assert result.status == 4
    assert one_error(result)


def test_standard_output_does_not_carry_events_and_media_at_once(data):
    result = call("run", "--progress=json", "copy", f"input={data}", "output=fd://1")
    assert result.status == 2
    assert [(e["event"], e["domain"]) for e in result.events] == [("error", "usage")]


def test_a_reader_that_goes_away_is_an_output_that_failed(tmp_path):
    data = tmp_path / "data"
    data.write_bytes(bytes(3_000_000))
    process = subprocess.Popen([PROGRAM, "run", "copy", f"input={data}", "output=fd://1"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(10) == 5
    assert err.count("\n") == 1 and "reader" in err


def test_a_bar_is_drawn_on_a_terminal_and_its_percentage_only_grows(tmp_path):
    master, slave = pty.openpty()
    process = subprocess.Popen([PROGRAM, "run", "bars", f"output={tmp_path}/bars.mkv", "frames=50", "live=true"],
                               stdout=subprocess.PIPE, stderr=slave, env=environment(TERM="xterm"))
    os.close(slave)
    text = b""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            try:
                text += os.read(master, 65536)
            except OSError:
                break
    os.close(master)
    assert process.wait(10) == 0
    assert process.stdout.read() == b""
    drawn = [int(p) for p in re.findall(rb"(\d+) %", text)]
    assert len(drawn) > 2 or re.search(rb"\r0:0", text)
    assert drawn == sorted(drawn) and all(p < 100 for p in drawn)
    assert re.search(rb"gst-clips: done in [0-9.]+ s, 50 frames, file://", text)


def test_print_launch_gives_a_line_that_does_the_same(tmp_path, data):
    name = tmp_path / "it's \"a\\b\" ! x.bin"
    line = call("run", "--print-launch", "copy", f"input={data}", f"output={name}", "block=100").text
    assert line.startswith("gst-launch-1.0 -e copybin ") and line.count("\n") == 1
    assert not name.exists()
    subprocess.run(line, shell=True, check=True, env=environment(), capture_output=True, timeout=20)
    assert name.read_bytes() == data.read_bytes()


def test_print_launch_writes_times_in_nanoseconds(tmp_path):
    line = call("run", "--print-launch", "bars", f"output={tmp_path}/x.mkv", "start=1.5").text
    assert "start=\"1500000000\"" in line


def test_what_is_secret_in_a_url_is_never_shown(tmp_path):
    url = "http://user:PASSWORD@127.0.0.1:9/video.mp4?X-Amz-Signature=SIGNATURE"
    for words in (["--print-launch"], [], ["--progress=json"], [f"--dot={tmp_path}"]):
        result = call("run", *words, "copy", f"input={url}", f"output={tmp_path}/x")
        shown = result.stdout.decode() + result.stderr + "".join(p.read_text() for p in tmp_path.glob("*.dot"))
        assert "SIGNATURE" not in shown and "PASSWORD" not in shown, words


class Login(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = "Authorization" in self.headers
        self.send_response(200 if known else 401)
        self.send_header("Set-Cookie" if known else "WWW-Authenticate", "session=COOKIE" if known else 'Basic realm="x"')
        self.send_header("Content-Length", "5" if known else "0")
        self.end_headers()
        self.wfile.write(b"bytes" if known else b"")

    def log_message(self, *_):
        pass


def test_a_login_is_in_no_event(tmp_path):
    """souphttpsrc posts the headers of its request, with the password in it."""
    definition = tmp_path / "fetch.pipeline"
    definition.write_text((DEFINITIONS / "copy.pipeline").read_text().replace("filesrc", "souphttpsrc")
                          .replace("name=copy", "name=fetch", 1).replace("type=filename", "type=uri"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Login)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://user:PASSWORD@127.0.0.1:{server.server_port}/a"
    result = call("run", "--progress=json", definition, f"input={url}", f"output={tmp_path}/out")
    server.shutdown()
    assert result.status == 0 and (tmp_path / "out").read_bytes() == b"bytes", result
    for secret in ("PASSWORD", "COOKIE", base64.b64encode(b"user:PASSWORD").decode()):
        assert secret not in result.text
    headers = [e for e in result.named("message") if e["name"] == "http-headers"]
    assert headers and headers[-1]["request-headers"]["Authorization"] == "..."


@pytest.mark.parametrize("words", [["run", "copy", "URL"], ["probe", "URL", "URL"], ["describe", "URL"], ["cuts", "URL", "URL"]])
def test_a_wrong_call_shows_no_secret_either(words):
    url = "http://user:PASSWORD@host/video.mp4?SIGNATURE"
    result = call(*(word.replace("URL", url) for word in words))
    assert result.status == 2 and "SIGNATURE" not in result.stderr and "PASSWORD" not in result.stderr, result


def test_dot_writes_the_running_and_the_failed_graph(tmp_path, data):
    assert call("run", f"--dot={tmp_path}", "copy", f"input={data}", f"output={tmp_path}/out").status == 0
    assert "digraph" in (tmp_path / "playing.dot").read_text()
    assert call("run", f"--dot={tmp_path}", "copy", "input=/nonexistent", f"output={tmp_path}/out2").status == 4
    assert "digraph" in (tmp_path / "error.dot").read_text()
    result = call("run", "--dot=/nonexistent", "copy", f"input={data}", f"output={tmp_path}/out3")
    assert result.status == 2 and "no directory" in one_error(result)


def test_gstreamers_own_options_work_before_and_behind_the_command(tmp_path, data):
    for words in (["--gst-debug=filesrc:5", "run"], ["run", "--gst-debug=filesrc:5"]):
        result = call(*words, "copy", f"input={data}", f"output={tmp_path}/out", env=environment(GST_DEBUG=None))
        assert result.status == 0
        assert "filesrc" in result.stderr
