# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole ingest: one decode, outputs like those of separate runs, all or nothing, and a report that works."""

import hashlib
import json
import os
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
from runner import PROGRAM, call, environment  # noqa: E402

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


def test_the_source_is_decoded_once(done):
    folder, _ = done
    manifest = json.loads((folder / "ingest.json").read_text())
    assert manifest["frames_decoded"] == 100
    assert manifest["frames_decoded_for_stills"] < 100


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
    folder, _ = done
    before = {p: (folder / p).stat() for p in files(folder)}
    again = ingest(media(FILM).path, folder, "--name=film", "--cuts=json,csv,edl")
    assert "complete already" in again.named("note")[0]["message"]
    assert {p: (folder / p).stat() for p in files(folder)} == before


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
    time.sleep(after)
    running.send_signal(signal.SIGTERM)
    began = time.monotonic()
    running.communicate(timeout=20)
    assert running.returncode == 143 and time.monotonic() - began < 10
    assert not (tmp_path / "out").exists() or files(tmp_path / "out") == []


@pytest.mark.parametrize("words,status", [
    (["nonsense=1"], 2), (["proxy-crf=99"], 2), (["proxy-output=x"], 2), (["--cuts=nonsense"], 2),
    (["--finish-on-interrupt"], 2),
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
    reason = browser.missing()
    if reason:
        pytest.skip(reason)
    with browser.Browser() as b:
        b.open((folder / "report.html").as_uri())
        assert b.script("return document.querySelectorAll('.clip').length") == 2
        assert b.script("return document.querySelectorAll('.mark').length") == 1
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
