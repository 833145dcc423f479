# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole ingest: one decode, outputs like those of separate runs, all or nothing, and a report that works."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import browser
import pytest
from cliptest import Recipe, Video, media, packets, stream
from cliptest.make import x264
from test_stills import number

sys.path.insert(0, os.path.join(os.environ["CLIPS_SOURCE_ROOT"], "tests/cli"))
from runner import PROGRAM, call, environment, start, wait_until, wait_until_heeding  # noqa: E402

FAST = ["proxy-preset=ultrafast", "master-preset=ultrafast"]
# Two scenes that nobody takes for one; the code stays readable on both.
CUTS = (71,)
FILM = Recipe("twoscenes", rate="25", seconds=4, width=640, height=360,
              filters="drawbox=y=100:h=260:w=640:color=blue:t=fill:enable='lt(n,71)',"
                      "drawbox=y=100:h=260:w=640:color=white:t=fill:enable='gte(n,71)',"
                      "drawbox=y=160:h=150:x=200:w=200:color=black:t=fill:enable='gte(n,71)'",
              video=x264(50))


def ingest(source, output, *words, status=0, timeout=120):
    done = call("ingest", str(source), str(output), "--progress=json", *FAST, *words, timeout=timeout)
    assert done.status == status, done
    return done


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ingest") / "film"
    result = ingest(media(FILM).path, folder, "--name=film", "--cuts=json,csv,edl")
    return folder, result


def test_every_output_is_there_and_the_manifest_is_true(done):
    folder, result = done
    manifest = json.loads((folder / "ingest.json").read_text())
    assert manifest["format"] == "clips-ingest/1" and manifest["complete"] is True
    assert files(folder) == sorted([o["path"] for o in manifest["outputs"]] + ["ingest.json"])
    for output in manifest["outputs"]:
        data = (folder / output["path"]).read_bytes()
        assert (output["bytes"], output["digest"]) == (len(data), "sha256:" + hashlib.sha256(data).hexdigest())
    assert {o["kind"] for o in manifest["outputs"]} == {"proxy", "master", "cuts", "still", "report"}
    assert {"artifacts/cuts/film.json", "artifacts/cuts/film.csv", "artifacts/cuts/film.edl"} <= set(files(folder))
    assert manifest["frames"] == 100 and manifest["cuts"] == 1 and manifest["peak_rss_kib"] > 0
    assert result.named("done")[0]["outputs"][-1].endswith("/ingest.json")
    told = {e["uri"].rsplit("/film/")[1]: e["bytes"] for e in result.named("published")}
    assert told == {name: (folder / name).stat().st_size for name in files(folder)}


def test_the_source_is_decoded_once(done):
    folder, _ = done
    manifest = json.loads((folder / "ingest.json").read_text())
    assert manifest["frames_decoded"] == 100
    assert manifest["frames_decoded_for_stills"] < 100


def test_one_decoder_serves_proxy_master_and_cuts(tmp_path):
    outputs = [f"{name}-output={tmp_path}/{name}" for name in ("proxy", "master", "cuts")]
    log = tmp_path / "log"
    done = call("run", "ingest", f"input={media(FILM).path}", *outputs, *FAST, timeout=60,
                env=environment(GST_DEBUG="GST_ELEMENT_FACTORY:4", GST_DEBUG_NO_COLOR="1", GST_DEBUG_FILE=str(log)))
    assert done.status == 0, done
    made = re.findall(r'creating element "(\w+)"', log.read_text())
    # One for the pictures and one for the sound; one encoder of each output.
    assert sum(bool(re.match("avdec_h264|openh264dec|vah264dec|v4l2", name)) for name in made) == 1
    assert sum(bool(re.match("avdec_aac|fdkaacdec|faad", name)) for name in made) == 1
    assert made.count("x264enc") == 2 and made.count("avenc_aac") == 2


def test_every_cut_is_a_key_frame_of_the_master(done):
    folder, _ = done
    cuts = json.loads((folder / "artifacts/cuts/film.json").read_text())["cuts"]
    assert [c["frame"] for c in cuts] == list(CUTS)
    keys = [round(p["pts"] * 25) for p in packets(folder / "masters/film.mp4") if p["key"]]
    assert set(CUTS) <= set(keys)


def test_proxy_and_cut_list_equal_those_of_separate_runs(done, tmp_path):
    folder, _ = done
    source = media(FILM).path
    for name, words in (("proxy", ["preset=ultrafast", f"output={tmp_path}/proxy.mp4"]),
                        ("cuts", [f"output={tmp_path}/cuts.json"])):
        assert call("run", name, f"input={source}", *words, timeout=60).status == 0
    for track in ("v:0", "a:0"):
        assert packets(tmp_path / "proxy.mp4", track) == packets(folder / "proxies/film.mp4", track)
    assert (tmp_path / "cuts.json").read_bytes() == (folder / "artifacts/cuts/film.json").read_bytes()


def test_master_and_stills_equal_those_of_separate_runs(done, tmp_path):
    folder, _ = done
    source = media(FILM).path
    manifest = json.loads((folder / "ingest.json").read_text())
    stills = [o for o in manifest["outputs"] if o["kind"] == "still"]
    frames = ",".join(str(o["frame"]) for o in stills)
    assert call("run", "stills", f"input={source}", f"output={tmp_path}/{{index}}.jpg", "select=frames", f"frames={frames}",
                timeout=60).status == 0
    for index, still in enumerate(stills):
        assert (tmp_path / f"{index}.jpg").read_bytes() == (folder / still["path"]).read_bytes()
    # With a cut the master has a key frame more than one by itself; without one it has the same packets.
    ingest(source, tmp_path / "plain", "--name=film", "--no-stills", "threshold=1")
    assert json.loads((tmp_path / "plain/ingest.json").read_text())["cuts"] == 0
    assert call("run", "master", f"input={source}", f"output={tmp_path}/master.mp4", "preset=ultrafast", timeout=60).status == 0
    for track in ("v:0", "a:0"):
        assert packets(tmp_path / "master.mp4", track) == packets(tmp_path / "plain/masters/film.mp4", track)


@pytest.mark.parametrize("rate, count, cut", [("10", 40, (28, 29)), ("50", 200, (142,))])
def test_another_frame_rate_holds_for_all_outputs(rate, count, cut, tmp_path):
    source = media(FILM).path
    folder = tmp_path / "film"
    ingest(source, folder, "--name=film", f"frame-rate={rate}")
    manifest = json.loads((folder / "ingest.json").read_text())
    assert (manifest["frames"], manifest["frames_decoded"]) == (count, 100)
    listed = json.loads((folder / "artifacts/cuts/film.json").read_text())
    assert listed["source"]["frame-rate"] == f"{rate}/1" and [c["frame"] in cut for c in listed["cuts"]] == [True]
    shown = {name: list(Video(str(folder / name / "film.mp4"), 640, 360).number) for name in ("proxies", "masters")}
    assert shown["proxies"] == shown["masters"] and len(shown["masters"]) == count
    assert call("run", "proxy", f"input={source}", f"output={tmp_path}/proxy.mp4", "preset=ultrafast", f"frame-rate={rate}",
                timeout=60).status == 0
    assert list(Video(str(tmp_path / "proxy.mp4"), 640, 360).number) == shown["proxies"]
    keys = [round(p["pts"] * int(rate)) for p in packets(folder / "masters/film.mp4") if p["key"]]
    assert listed["cuts"][0]["frame"] in keys
    stills = [o for o in manifest["outputs"] if o["kind"] == "still"]
    assert [number(folder / o["path"]) for o in stills] == [shown["masters"][o["frame"]] for o in stills]


def test_proxy_and_master_show_every_frame(done):
    folder, _ = done
    for name in ("proxies", "masters"):
        assert list(Video(str(folder / name / "film.mp4"), 640, 360).number) == list(range(100))
        assert stream(folder / name / "film.mp4", "audio")["codec_name"] == "aac"


def test_stills_are_the_quarters_of_every_clip(done):
    folder, _ = done
    wanted = []
    for start, end in zip((0, *CUTS), (*CUTS, 100)):
        wanted += [start + (end - start) * k // 4 for k in (1, 2, 3)]
    manifest = json.loads((folder / "ingest.json").read_text())
    stills = [o for o in manifest["outputs"] if o["kind"] == "still"]
    assert [o["frame"] for o in stills] == wanted
    assert [number(folder / o["path"]) for o in stills] == wanted


def test_again_with_the_same_parameters_does_nothing_and_says_so(done):
    folder, result = done
    before = {p: (folder / p).stat() for p in files(folder)}
    again = ingest(media(FILM).path, folder, "--name=film", "--cuts=json,csv,edl")
    assert "complete already" in again.named("note")[0]["message"]
    # What it has found is what the first one has made.
    assert again.named("published") == result.named("published")
    assert {p: (folder / p).stat() for p in files(folder)} == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "clips-ingest/1"}',
                                  '{"format": "clips-ingest/1", "complete": "yes", "outputs": [{"path": 5}]}',
                                  '{"format": "clips-ingest/1", "complete": true, "outputs": [{"path": "../precious"}]}'])
def test_what_is_no_manifest_of_ours_is_replaced_and_names_nothing_to_remove(text, tmp_path):
    (tmp_path / "precious").touch()
    folder = tmp_path / "film"
    folder.mkdir()
    (folder / "ingest.json").write_text(text)
    ingest(media(FILM).path, folder, "--name=film", "--no-stills", "master=false")
    assert json.loads((folder / "ingest.json").read_text())["complete"] is True
    assert sorted(os.listdir(tmp_path)) == ["film", "precious"]


@pytest.mark.parametrize("spoil", ["missing", "changed", "parameters"])
def test_an_ingest_that_is_not_whole_or_another_is_made_anew(spoil, tmp_path):
    folder = tmp_path / "film"
    source = media(FILM).path
    ingest(source, folder, "--name=film", "master=false", "--cuts=json,csv")
    words = ["master=false", "--cuts=json,csv"]
    if spoil == "missing":
        (folder / "proxies/film.mp4").unlink()
    elif spoil == "changed":
        path = folder / "artifacts/cuts/film.csv"
        path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    else:
        words = ["master=false"]
    assert ingest(source, folder, "--name=film", *words).named("note") == []
    manifest = json.loads((folder / "ingest.json").read_text())
    assert files(folder) == sorted([o["path"] for o in manifest["outputs"]] + ["ingest.json"])
    assert ("artifacts/cuts/film.csv" in files(folder)) == (spoil != "parameters")


def test_the_manifest_goes_before_anything_is_redone_and_a_failure_leaves_none(tmp_path):
    folder = tmp_path / "film"
    source = media(FILM).path
    ingest(source, folder, "--name=film", "master=false")
    before = files(folder)
    running = start("ingest", media("long10").path, str(folder), "--name=film", "master-preset=slower", stderr=subprocess.PIPE)
    wait_until(lambda: not (folder / "ingest.json").exists(), "the manifest stays")
    # It has begun: nothing says any more that all is there, yet the older files are whole until the end.
    assert running.poll() is None and not (folder / "ingest.json").exists()
    assert set(before) - {"ingest.json"} <= set(files(folder))
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 130
    assert files(folder) == [name for name in before if name != "ingest.json"]
    # What the first one made is not left behind, although its manifest is gone.
    ingest(source, folder, "--name=film", "master=false", "--no-stills")
    manifest = json.loads((folder / "ingest.json").read_text())
    assert files(folder) == sorted([o["path"] for o in manifest["outputs"]] + ["ingest.json"])


def test_a_second_ingest_in_the_folder_is_refused_and_hinders_nothing(tmp_path):
    folder = tmp_path / "film"
    running = start("ingest", media("long10").path, str(folder), "--name=film", *FAST, stderr=subprocess.PIPE)
    wait_until(lambda: list(tmp_path.glob("film/.clips-ingest-*/proxies")), "it does not begin")
    second = call("ingest", media(FILM).path, str(folder), "--name=film", *FAST, timeout=60)
    assert second.status == 5 and "Another ingest is at work" in second.lines[0]
    assert running.poll() is None
    running.communicate(timeout=90)
    assert running.returncode == 0
    manifest = json.loads((folder / "ingest.json").read_text())
    assert files(folder) == sorted([o["path"] for o in manifest["outputs"]] + ["ingest.json"])


def test_what_a_killed_one_has_left_goes_with_the_next(tmp_path):
    folder = tmp_path / "film"
    running = start("ingest", media("long10").path, str(folder), "--name=film", "master-preset=slower", stderr=subprocess.PIPE)
    wait_until(lambda: list(tmp_path.glob("film/.clips-ingest-*/proxies")), "it does not begin")
    running.kill()
    running.communicate()
    assert list(folder.glob(".clips-ingest-*")) and not (folder / "ingest.json").exists()
    ingest(media(FILM).path, folder, "--name=film", "master=false", "--no-stills")
    assert sorted(os.listdir(folder)) == ["artifacts", "ingest.json", "proxies", "report.html"]


@pytest.mark.parametrize("name", ["mkv", "noaudio", "vfr"])
def test_other_sources_work(name, tmp_path):
    m = media(name)
    ingest(m.path, tmp_path / "out", "--name=a")
    manifest = json.loads((tmp_path / "out/ingest.json").read_text())
    assert manifest["frames"] == manifest["frames_decoded"] == len(m.times)
    stills = [o for o in manifest["outputs"] if o["kind"] == "still"]
    assert [number(tmp_path / "out" / o["path"]) for o in stills] == [o["frame"] for o in stills]
    if name == "mkv":  # its stills come from the master
        assert manifest["frames_decoded_for_stills"] < len(m.times)


@pytest.mark.parametrize("after", [0.3, 1.0])
def test_an_interrupt_leaves_nothing(after, tmp_path):
    running = subprocess.Popen([PROGRAM, "ingest", media("long10").path, str(tmp_path / "out"), "master-preset=slower"],
                               env=environment(), stderr=subprocess.PIPE)
    wait_until_heeding(running)
    time.sleep(after)
    running.send_signal(signal.SIGTERM)
    began = time.monotonic()
    running.communicate(timeout=20)
    assert running.returncode == 143 and time.monotonic() - began < 10
    assert not (tmp_path / "out").exists() or files(tmp_path / "out") == []


@pytest.mark.parametrize("words,status", [
    (["nonsense=1"], 2), (["proxy-crf=99"], 2), (["proxy-output=x"], 2), (["--cuts=nonsense"], 2),
    (["--finish-on-interrupt"], 2), (["--print-launch"], 2), (["--dot=/tmp"], 2),
])
def test_wrong_values_are_refused_before_any_work(words, status, tmp_path):
    result = call("ingest", media(FILM).path, str(tmp_path / "out"), *words)
    assert result.status == status and len(result.lines) >= 1
    assert list(tmp_path.iterdir()) == []


def test_bad_inputs_are_one_error_and_leave_nothing(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("Dear diary, this is no video.\n" * 100)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(open(media(FILM).path, "rb").read()[:-2000])
    for source in (text, cut, tmp_path / "absent.mp4", media("novideo").path):
        result = call("ingest", str(source), str(tmp_path / "out"), timeout=60)
        assert result.status == 4 and len(result.lines) == 1, (source, result)
        assert not (tmp_path / "out").exists()
    result = call("ingest", media(FILM).path, "/proc/nowhere", timeout=60)
    assert result.status == 5 and len(result.lines) == 1, result
    result = call("ingest", media(FILM).path, "ftp://host/out", timeout=60)
    assert result.status == 2


def test_the_report_works_in_a_browser(done):
    folder, _ = done
    page = (folder / "report.html").read_text()
    assert "http://" not in page and "https://" not in page and 'src="proxies/film.mp4"' in page
    # The highest score of a column of the timeline, at the cut; the base line is 120, 1 is 110 up.
    ((path,)) = re.findall(r'class="scores" d="M0 120([^"]+)Z"', page)
    steps = [(int(x), 120 - int(y)) for x, y in re.findall(r"H(\d+)V(\d+)", path)]
    at, peak = max(steps, key=lambda step: step[1])
    assert peak > 50 and at == CUTS[0] * 10 and len(path) < 20_000
    reason = browser.missing()
    if reason:
        pytest.skip(reason)
    with browser.Browser() as b:
        b.open((folder / "report.html").as_uri())
        assert b.script("return document.querySelectorAll('.clip').length") == 2
        assert b.script("return document.querySelectorAll('.mark').length") == 1
        curve, plot = (b.script(f"const r = document.querySelector('{s}').getBoundingClientRect(); return [r.left, r.width, r.height]")
                       for s in ("path.scores", "svg"))
        assert curve[0] == pytest.approx(plot[0], abs=2) and curve[1] == pytest.approx(plot[1], abs=3) and curve[2] > 50
        assert b.script("return getComputedStyle(document.querySelector('path.scores')).fill") == "rgb(185, 196, 210)"
        assert b.script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
        for index, frame in ((1, CUTS[0]), (0, 0), (1, CUTS[0])):
            b.script(f"document.querySelectorAll('.clip .about button')[{index}].click()")
            for _ in range(100):
                if not b.script("const v = document.querySelector('video'); return v.seeking || v.readyState < 2"):
                    break
                time.sleep(0.1)
            at = b.script("return document.querySelector('video').currentTime")
            assert frame / 25 <= at < (frame + 1) / 25
            assert b.script("return document.querySelector('.clip.now').id") == f"clip-{index + 1}"
        b.script("document.querySelector('.mark').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
        b.wait(f"Math.abs(document.querySelector('video').currentTime - {CUTS[0] / 25}) < 0.02")
        assert len(b.screenshot()) > 10_000
