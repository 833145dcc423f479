# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips ingest, stills and sprites with a bucket: the objects that a folder would have, the manifest last, all or nothing."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cliptest import Recipe, media
from cliptest.make import x264

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
from runner import PROGRAM, environment, wait_until_heeding  # noqa: E402

FAST = ["proxy-preset=ultrafast", "master-preset=ultrafast"]
FILM = Recipe("twoscenes", rate="25", seconds=4, width=640, height=360,
              filters="drawbox=y=100:h=260:w=640:color=blue:t=fill:enable='lt(n,71)',"
                      "drawbox=y=100:h=260:w=640:color=white:t=fill:enable='gte(n,71)',"
                      "drawbox=y=160:h=150:x=200:w=200:color=black:t=fill:enable='gte(n,71)'",
              video=x264(50))
SOURCE = "s3://testbucket/originals/a film.mp4"


@pytest.fixture(scope="module")
def film(s3):
    path = Path(media(FILM).path)
    s3.put("originals/a film.mp4", path.read_bytes())
    return path


def settings(s3, endpoint=None):
    env = s3.env(AWS_ENDPOINT_URL_S3=endpoint or s3.endpoint)
    return environment(**{k: v for k, v in env.items() if k.startswith("AWS_")})


def call(s3, *words, status=0, endpoint=None):
    done = subprocess.run([PROGRAM, *map(str, words), "--progress=json"], env=settings(s3, endpoint), capture_output=True,
                          text=True, timeout=90, check=False)
    assert done.returncode == status, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def ingest(s3, output, *words, source=SOURCE, **how):
    return call(s3, "ingest", source, output, "--name=film", *FAST, *words, **how)


def packets(data):
    return subprocess.run(["ffmpeg", "-v", "error", "-i", "-", "-map", "0", "-c", "copy", "-f", "streamhash", "-"],
                          input=data, capture_output=True, check=True).stdout


def requests(faults):
    """(method, key) of what has reached the store, in order."""
    return [(r["method"], r["path"].partition("?")[0].partition("testbucket/")[2]) for r in faults.requests()]


def test_a_bucket_gets_what_a_folder_gets_and_the_manifest_last(s3, film, faults, tmp_path):
    ingest(s3, tmp_path / "film", "--cuts=json,csv", source=film)
    events = ingest(s3, "s3://testbucket/films/a place/", "--cuts=json,csv", endpoint=faults.endpoint)
    local = {str(p.relative_to(tmp_path / "film")): p.read_bytes() for p in (tmp_path / "film").rglob("*") if p.is_file()}
    prefix = "films/a place/"
    stored = {key.removeprefix(prefix): s3.get(key) for key in s3.keys(prefix)}
    assert stored.keys() == local.keys()
    for name, data in stored.items():
        if name.endswith(".mp4"):
            assert packets(data) == packets(local[name]), name
        elif name == "artifacts/cuts/film.json":
            assert json.loads(data)["cuts"] == json.loads(local[name])["cuts"]
            assert json.loads(data)["clips"] == json.loads(local[name])["clips"]
        elif name != "ingest.json":
            assert data == local[name], name
    manifest = json.loads(stored["ingest.json"])
    assert manifest["complete"] is True and manifest["frames"] == manifest["frames_decoded"] == 100
    assert {o["path"]: o["bytes"] for o in manifest["outputs"]} == {
        name: len(data) for name, data in stored.items() if name != "ingest.json"}
    assert {e["uri"] for e in events if e["event"] == "published"} == {f"s3://testbucket/{prefix}{n}" for n in stored}
    written = [r for r in requests(faults) if r[0] in ("PUT", "POST", "DELETE")]
    assert written[-1][0] == "PUT" and written[-1][1].endswith("ingest.json")
    assert s3.head(prefix + "masters/film.mp4")["ContentType"] == "video/mp4"
    assert s3.head(prefix + "report.html")["ContentType"].startswith("text/html")
    assert s3.uploads() == []


def test_the_manifest_tells_each_still_apart_whichever_is_stored_first(s3, film, faults):
    faults.fault("PUT", "film_00000.jpg", 1, "stall:1")
    ingest(s3, "s3://testbucket/films/slow/", endpoint=faults.endpoint)
    listed = json.loads(s3.get("films/slow/ingest.json"))["outputs"]
    objects = {o["path"]: s3.head("films/slow/" + o["path"]) for o in listed}
    assert {o["path"]: (o["bytes"], o["digest"]) for o in listed if o["kind"] == "still"} == {
        path: (head["ContentLength"], "etag:" + head["ETag"].strip('"')) for path, head in objects.items() if "keyframes" in path}
    frames = [o["frame"] for o in listed if o["kind"] == "still"]
    assert len(frames) == 6 and frames == sorted(frames)


def test_again_does_nothing_and_says_so(s3, film, faults):
    ingest(s3, "s3://testbucket/films/again")
    events = ingest(s3, "s3://testbucket/films/again", endpoint=faults.endpoint)
    assert "complete already" in next(e["message"] for e in events if e["event"] == "note")
    assert {method for method, _ in requests(faults)} <= {"GET", "HEAD"}


def test_what_is_not_whole_is_made_anew_and_the_manifest_goes_first(s3, film, faults):
    prefix = "films/redone/"
    ingest(s3, f"s3://testbucket/{prefix}", "--cuts=json,csv")
    s3.boto.delete_object(Bucket=s3.bucket, Key=prefix + "proxies/film.mp4")
    events = ingest(s3, f"s3://testbucket/{prefix}", "--no-stills", "master=false", endpoint=faults.endpoint)
    assert [e for e in events if e["event"] == "note"] == []
    written = [r for r in requests(faults) if r[0] in ("PUT", "POST", "DELETE")]
    assert written[0] == ("DELETE", prefix + "ingest.json") and written[-1] == ("PUT", prefix + "ingest.json")
    # Nor is anything left of what the first one made and the second one does not.
    assert set(s3.keys(prefix)) == {prefix + n for n in ("proxies/film.mp4", "artifacts/cuts/film.json", "report.html",
                                                         "ingest.json")}


def test_a_failed_ingest_leaves_nothing_of_its_own_and_no_manifest(s3, film, faults, tmp_path):
    prefix = "films/failed/"
    for spoilt in ("film_00004.jpg", "report.html", "ingest.json"):
        faults.reset()
        faults.fault("PUT", spoilt, 99, "status:403:AccessDenied")
        (error,) = [e for e in ingest(s3, f"s3://testbucket/{prefix}", status=5, endpoint=faults.endpoint)
                    if e["event"] == "error"]
        assert spoilt in error["message"]
        assert s3.keys(prefix) == [] and s3.uploads() == []
    ingest(s3, f"s3://testbucket/{prefix}")
    before = s3.keys(prefix)
    ingest(s3, f"s3://testbucket/{prefix}", source=tmp_path / "absent.mp4", status=4)
    assert s3.keys(prefix) == [key for key in before if not key.endswith("ingest.json")]
    ingest(s3, f"s3://testbucket/{prefix}", "--no-stills")
    assert not any("keyframes" in key for key in s3.keys(prefix))


def test_a_manifest_that_cannot_be_removed_stops_the_ingest_before_it_begins(s3, film, faults):
    prefix = "films/kept/"
    ingest(s3, f"s3://testbucket/{prefix}")
    before = {key: s3.head(key)["ETag"] for key in s3.keys(prefix)}
    faults.fault("DELETE", "ingest.json", 99, "status:403:AccessDenied")
    events = ingest(s3, f"s3://testbucket/{prefix}", "--no-stills", status=5, endpoint=faults.endpoint)
    assert "ingest.json" in events[-1]["message"]
    assert {key: s3.head(key)["ETag"] for key in s3.keys(prefix)} == before


def test_an_interrupt_leaves_no_object_and_no_upload(s3, film):
    for number, after in ((signal.SIGTERM, 0.5), (signal.SIGINT, 1.5)):
        running = subprocess.Popen([PROGRAM, "ingest", media("long10").path, "s3://testbucket/films/interrupted",
                                    "master-preset=slower"], env=settings(s3), stderr=subprocess.PIPE)
        wait_until_heeding(running)
        time.sleep(after)
        running.send_signal(number)
        running.communicate(timeout=30)
        assert running.returncode == 128 + number
        assert s3.keys("films/interrupted") == [] and s3.uploads() == []


def stills(s3, source, output, **how):
    return call(s3, "run", "stills", f"input={source}", f"output={output}", "select=every", "step=4", **how)


def test_stills_that_fail_are_taken_back(s3, film, faults, tmp_path):
    assert len([e for e in stills(s3, film, "s3://testbucket/stills/{index}.jpg") if e["event"] == "published"]) == 25
    assert len(s3.keys("stills/")) == 25
    # What is on its way beside the one that is refused goes as well.
    faults.fault("PUT", "refused/20.jpg", 99, "status:403:AccessDenied")
    stills(s3, film, "s3://testbucket/refused/{index}.jpg", status=5, endpoint=faults.endpoint)
    assert [r for r in requests(faults) if r[0] == "DELETE"]
    assert s3.keys("refused/") == []
    whole = film.read_bytes()
    spoilt = tmp_path / "spoilt.mp4"
    middle = len(whole) // 2
    spoilt.write_bytes(whole[:middle] + bytes(len(whole) - middle))
    stills(s3, spoilt, "s3://testbucket/spoilt/{index}.jpg", status=4)
    assert s3.keys("spoilt/") == []


def sprites(s3, source, folder, **how):
    return call(s3, "run", "sprites", f"input={source}", f"output={folder}/s {{index}}.jpg", f"vtt={folder}/s.vtt", "count=5",
                "rows=1", "columns=2", **how)


@pytest.mark.parametrize("refused", ["2.jpg", "s.vtt"])
def test_sprites_and_their_document_are_there_together_or_not_at_all(refused, s3, film, faults):
    sprites(s3, SOURCE, "s3://testbucket/sprites")
    assert s3.keys("sprites/") == [f"sprites/{name}" for name in ("s 0.jpg", "s 1.jpg", "s 2.jpg", "s.vtt")]
    faults.fault("PUT", f"half/.*{refused}", 99, "status:403:AccessDenied")
    sprites(s3, SOURCE, "s3://testbucket/half", status=5, endpoint=faults.endpoint)
    assert s3.keys("half/") == []
