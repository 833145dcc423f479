# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clips out of objects: what is known of one is not asked for again, and never believed when it has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cliptest import Video, media

sys.path.insert(0, str(Path(__file__).parent.parent / "clips"))
from cutting import cut, ns  # noqa: E402
from sources import source as source_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("keys")
URI = "s3://testbucket/film.mp4"


@pytest.fixture
def store(s3, faults, monkeypatch):
    """Puts a file at URI; its requests are counted by the proxy in front of the gateway."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", faults.endpoint)

    def put(source):
        s3.put("film.mp4", Path(source.path).read_bytes())
        faults.reset()
        return source

    return put


def asked(faults):
    return [(r["method"], r["status"]) for r in faults.requests()]


def numbers(path, source):
    return list(Video(str(path), source.width, source.height).number)


def test_a_clip_out_of_a_known_object_is_one_request(store, faults, tmp_path):
    source = store(media("closed2s"))
    assert not cut(URI, tmp_path / "a.mp4", start=ns(2), stop=ns(3), mode="edit").error
    faults.reset()
    result = cut(URI, tmp_path / "b.mp4", start=ns(8), stop=ns(9), mode="edit")
    assert not result.error
    assert numbers(tmp_path / "b.mp4", source) == list(range(240, 270))
    assert asked(faults) == [("GET", 206)]
    assert result.done["requests"] == 1
    file = cut(source.uri, tmp_path / "c.mp4", start=ns(8), stop=ns(9), mode="edit")
    assert not file.error
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes()


def test_a_folder_keeps_indexes_of_objects_for_other_processes(store, faults, tmp_path):
    source = store(media("closed2s"))
    for start in (2, 8):
        faults.reset()
        subprocess.run(["gst-launch-1.0", "-q", "clipexport", f"uri={URI}", "mode=edit", f"start={ns(start)}",
                        f"stop={ns(start + 1)}", f"index-cache={tmp_path}/indexes", "!", "filesink",
                        f"location={tmp_path}/clip.mp4"], check=True, timeout=60)
    assert asked(faults) == [("GET", 206)]
    assert numbers(tmp_path / "clip.mp4", source) == list(range(240, 270))


@pytest.mark.parametrize("mode", ["edit", "smart"])
def test_an_object_that_was_replaced_is_read_anew(store, tmp_path, mode):
    store(media("closed2s"))
    assert not cut(URI, tmp_path / "a.mp4", start=ns(4), stop=ns(6), mode="edit").error
    new = store(media("r2997"))
    result = cut(URI, tmp_path / "b.mp4", start_frame=105, stop_frame=195, mode=mode)
    assert (result.error, result.order) == ("", ["clip-range", "clip-done"])
    assert numbers(tmp_path / "b.mp4", new) == list(range(105, 195))


def test_an_object_that_is_gone_is_an_error_although_its_index_is_known(store, s3, tmp_path):
    store(media("closed2s"))
    assert not cut(URI, tmp_path / "a.mp4", start=ns(4), stop=ns(6), mode="edit").error
    s3.boto.delete_object(Bucket=s3.bucket, Key="film.mp4")
    result = cut(URI, tmp_path / "b.mp4", start=ns(4), stop=ns(6), mode="edit")
    assert result.errors == 1 and "there is no such object" in result.error
    assert not os.path.exists(tmp_path / "b.mp4")


@pytest.mark.parametrize("name", ["closed2s", "frag", "mov-mjpeg", "mkv", "vp9", "ts"])
def test_a_truncated_object_is_an_error_and_no_clip(store, s3, name, tmp_path):
    source = source_of(name)
    whole = Path(source.path).read_bytes()
    s3.put("film.mp4", whole[:len(whole) * 7 // 10])
    end = source.times[-1]
    result = cut(URI, tmp_path / "a.mp4", start=ns(end / 2), stop=ns(end * 0.9), mode="edit")
    assert result.errors == 1 and "truncated" in result.error
    assert not result.eos and not os.path.exists(tmp_path / "a.mp4")


def test_the_same_element_cuts_on_from_the_open_object(store, faults, tmp_path):
    from cutting import Gst

    source = store(media("closed2s"))
    pipeline = Gst.parse_launch(f"clipexport name=c mode=edit index-cache=none uri={URI} ! filesink name=f")
    counts = []
    for first in (105, 30, 30):
        faults.reset()
        pipeline.get_by_name("c").set_property("start-frame", first)
        pipeline.get_by_name("c").set_property("stop-frame", first + 20)
        pipeline.get_by_name("f").set_property("location", str(tmp_path / "clip.mp4"))
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(
            20 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        assert message and message.type == Gst.MessageType.EOS
        pipeline.set_state(Gst.State.READY)
        assert numbers(tmp_path / "clip.mp4", source) == list(range(first, first + 20))
        counts.append(len(asked(faults)))
    pipeline.set_state(Gst.State.NULL)
    # Also what is in memory is asked for: it may have been replaced.
    assert counts[1:] == [1, 1]
