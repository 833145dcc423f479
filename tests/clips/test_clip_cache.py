# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clip after clip out of the same source: what is known of it is not asked for again, and never believed when it has changed."""

import contextlib
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading

import pytest
from cliptest import Video, media
from cutting import Gst, cut, fields, ns
from sources import source as source_of


class Store:
    """Files by name over HTTP, with byte ranges and ETags; counts what is asked."""

    def __init__(self):
        self.files, self.asked = {}, []
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                data = store.files.get(self.path.split("?")[0])
                wanted = self.headers.get("Range")
                store.asked.append(wanted)
                if data is None:
                    self.send_response(404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                first, last = 0, len(data) - 1
                if wanted:
                    found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
                    first, last = int(found[1]), min(int(found[2] or last), last)
                self.send_response(206 if wanted else 200)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()[:16]}"')
                self.send_header("Content-Length", str(max(0, last - first + 1)))
                if wanted:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(data[first:last + 1])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, name, path):
        with open(path, "rb") as file:
            self.files["/" + name] = file.read()
        return f"http://127.0.0.1:{self.server.server_port}/{name}"


@pytest.fixture
def store():
    store = Store()
    yield store
    store.server.shutdown()
    store.server.server_close()


def numbers(path, source):
    return list(Video(str(path), source.width, source.height).number)


def test_an_element_that_is_used_again_goes_on_with_the_open_source(tmp_path):
    source, clip = media("closed2s"), tmp_path / "clip.mp4"
    pipeline = Gst.parse_launch(f"clipexport name=c mode=edit uri={source.uri} ! filesink name=f")
    done = []
    for first in (105, 30, 300):
        pipeline.get_by_name("c").set_property("start-frame", first)
        pipeline.get_by_name("c").set_property("stop-frame", first + 20)
        pipeline.get_by_name("f").set_property("location", str(clip))
        pipeline.set_state(Gst.State.PLAYING)
        while True:
            message = pipeline.get_bus().timed_pop(20 * Gst.SECOND)
            assert message and message.type != Gst.MessageType.ERROR
            if message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == "clip-done":
                done.append(fields(message.get_structure()))
            if message.type == Gst.MessageType.EOS:
                break
        pipeline.set_state(Gst.State.READY)
        assert numbers(clip, source) == list(range(first, first + 20))
    pipeline.set_state(Gst.State.NULL)
    assert [d["requests"] for d in done] == [1, 0, 0]
    assert done[1]["bytes-read"] < done[0]["bytes-read"]


def test_a_clip_out_of_a_known_source_on_a_server_is_one_request(store, tmp_path):
    source = media("closed2s")
    uri = store.put("film.mp4", source.path)
    assert not cut(uri, tmp_path / "a.mp4", start=ns(4), stop=ns(6), mode="edit").error
    assert len(store.asked) > 1
    store.asked.clear()
    result = cut(uri, tmp_path / "b.mp4", start=ns(8), stop=ns(9), mode="edit")
    assert not result.error
    assert numbers(tmp_path / "b.mp4", source) == list(range(240, 270))
    assert (len(store.asked), result.done["requests"]) == (1, 1)
    # bounded at both ends, and the media alone
    assert re.fullmatch(r"bytes=\d+-\d+", store.asked[0])
    assert result.done["bytes-read"] < 1.1 * os.path.getsize(tmp_path / "b.mp4")


@pytest.mark.parametrize("mode", ["edit", "smart"])
def test_a_source_that_has_changed_on_its_server_is_read_anew(store, tmp_path, mode):
    old, new = media("closed2s"), media("r2997")
    uri = store.put("film.mp4", old.path)
    assert not cut(uri, tmp_path / "a.mp4", start=ns(4), stop=ns(6), mode="edit").error
    store.put("film.mp4", new.path)
    result = cut(uri, tmp_path / "b.mp4", start_frame=105, stop_frame=195, mode=mode)
    assert not result.error
    assert result.order == ["clip-range", "clip-done"]
    assert numbers(tmp_path / "b.mp4", new) == list(range(105, 195))


def test_a_source_that_became_longer_on_its_server_is_cut_where_it_had_nothing(store, tmp_path):
    old, new = source_of("mov-mjpeg"), media("closed2s")
    assert old.times[-1] < 6
    uri = store.put("film.mp4", old.path)
    assert not cut(uri, tmp_path / "a.mp4", start=ns(1), stop=ns(2), mode="edit").error
    store.put("film.mp4", new.path)
    assert not cut(uri, tmp_path / "b.mp4", start_frame=240, stop_frame=270, mode="edit").error
    assert numbers(tmp_path / "b.mp4", new) == list(range(240, 270))


def test_a_source_that_is_gone_is_an_error_although_its_index_is_known(store, tmp_path):
    uri = store.put("film.mp4", media("closed2s").path)
    assert not cut(uri, tmp_path / "a.mp4", start=ns(4), stop=ns(6), mode="edit").error
    store.files.clear()
    result = cut(uri, tmp_path / "b.mp4", start=ns(4), stop=ns(6), mode="edit")
    assert result.errors == 1 and "Not Found" in result.error
    assert not os.path.exists(tmp_path / "b.mp4")


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    old, new, path = media("closed2s"), media("r2997"), tmp_path / "film.mp4"
    for source in (old, new):
        shutil.copy(source.path, tmp_path / "part")
        os.rename(tmp_path / "part", path)
        assert not cut(path.as_uri(), tmp_path / "clip.mp4", start_frame=100, stop_frame=130, mode="edit").error
        assert numbers(tmp_path / "clip.mp4", source) == list(range(100, 130))


def launch(uri, folder, clip, start="4", stop="6"):
    subprocess.run(["gst-launch-1.0", "-q", "clipexport", f"uri={uri}", "mode=edit", f"start={start}000000000",
                    f"stop={stop}000000000", f"index-cache={folder}", "!", "filesink", f"location={clip}"], check=True)


def test_a_folder_keeps_indexes_for_other_processes(store, tmp_path):
    source, folder = media("closed2s"), tmp_path / "indexes"
    uri = store.put("film.mp4", source.path)
    launch(uri + "?X-Amz-Signature=one", folder, tmp_path / "a.mp4")
    (kept,) = os.listdir(folder)
    assert kept.endswith(".clipindex")
    store.asked.clear()
    launch(uri + "?X-Amz-Signature=two", folder, tmp_path / "b.mp4")
    assert len(store.asked) == 1
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-1], lambda b: b[:99] + b"?" + b[100:], lambda b: b * 2])
def test_a_damaged_index_is_not_looked_at(store, tmp_path, damage):
    source, folder = media("closed2s"), tmp_path / "indexes"
    uri = store.put("film.mp4", source.path)
    launch(uri, folder, tmp_path / "a.mp4")
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    launch(uri, folder, tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert kept.read_bytes() == whole


def test_without_a_cache_everything_is_read_every_time(store, tmp_path):
    uri = store.put("film.mp4", media("closed2s").path)
    asked = []
    for _ in range(2):
        store.asked.clear()
        assert not cut(uri, tmp_path / "a.mp4", start=ns(4), stop=ns(6), mode="edit", index_cache="none").error
        asked.append(len(store.asked))
    assert asked[0] == asked[1] > 1


def test_the_example_for_applications_cuts_clip_after_clip(tmp_path):
    source = media("closed2s")
    example = os.environ["CLIPS_SOURCE_ROOT"] + "/docs/examples/warm.py"
    done = subprocess.run([sys.executable, example, source.path, "4-5", "90-91", "6-6.5"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "clip-1.mp4" in done.stderr and "source ends at" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["clip-0.mp4", "clip-2.mp4"]
    assert numbers(tmp_path / "clip-0.mp4", source) == list(range(120, 150))
    assert numbers(tmp_path / "clip-2.mp4", source) == list(range(180, 195))
