# SPDX-License-Identifier: LGPL-2.1-or-later
"""The proxy, many times in a row in one process: no hang, no broken output, no growing memory."""

import os
import resource

import gi
import pytest
from cliptest import Recipe, media, packets
from cliptest.boxes import layout

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

RUNS = 200
Gst.init(None)


def proxy(source, output):
    """One run; the message that ended it, or None after a minute without one, which is a hang on any machine."""
    pipeline = Gst.Pipeline.new(None)
    encoder = Gst.ElementFactory.make("proxybin")
    encoder.set_property("input", source)
    encoder.set_property("output", output)
    encoder.set_property("preset", "ultrafast")
    pipeline.add(encoder)
    pipeline.set_state(Gst.State.PLAYING)
    ended = pipeline.get_bus().timed_pop_filtered(
        60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    return ended


def peak_rss():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("tracks", [(), (0,)], ids=["silent", "sounding"])
def test_two_hundred_runs_in_a_row_end_with_a_whole_file(tracks, tmp_path):
    m = media(Recipe("tiny", rate="10", seconds=1, width=320, height=180, tracks=tracks))
    first = None
    for i in range(RUNS):
        output = str(tmp_path / "out.mp4")
        ended = proxy(m.path, output)
        assert ended is not None, f"run {i} hangs"
        assert ended.type == Gst.MessageType.EOS, f"run {i}: {ended.parse_error()}"
        lay = layout(output)
        assert [t["samples"] for t in lay["tracks"]][:1] == [10]
        assert len(lay["tracks"]) == 1 + len(tracks) and lay["faststart"]
        size = os.path.getsize(output)
        first = first or size
        # threads of x264 do not change the picture; only the creation time may differ
        assert size == first, f"run {i} made {size} bytes, the first one {first}"
        if i == 50:
            warm = peak_rss()
        os.unlink(output)
    assert peak_rss() < 1.2 * warm + 8192, "memory grows from run to run"
    assert os.listdir(tmp_path) == []


def test_the_last_of_many_runs_is_as_good_as_the_first(tmp_path):
    m = media(Recipe("tiny", rate="10", seconds=1, width=320, height=180))
    hashes = []
    for i in range(5):
        output = str(tmp_path / f"{i}.mp4")
        ended = proxy(m.path, output)
        assert ended is not None and ended.type == Gst.MessageType.EOS
        hashes.append([p["data_hash"] for p in packets(output)])
    assert all(h == hashes[0] for h in hashes)
