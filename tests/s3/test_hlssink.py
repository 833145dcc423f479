# SPDX-License-Identifier: LGPL-2.1-or-later
"""s3hlssink against a real gateway: what a player finds, when, and with which headers."""

import random
import re
import time

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402
from timing import quickest_within, seconds_of  # noqa: E402

Gst.init(None)

pytestmark = pytest.mark.usefixtures("keys")


def launch(s3, prefix, endpoint=None, seconds=6, live=False, **values):
    pipeline = Gst.parse_launch(
        f"videotestsrc num-buffers={seconds * 25} is-live={live} ! video/x-raw,width=160,height=120,framerate=25/1 ! "
        "x264enc speed-preset=ultrafast tune=zerolatency key-int-max=25 ! h264parse ! sink.video "
        f"audiotestsrc num-buffers={seconds * 43} is-live={live} ! audio/x-raw,rate=44100 ! avenc_aac ! aacparse ! sink.audio "
        "s3hlssink name=sink target-duration=1"
    )
    sink = pipeline.get_by_name("sink")
    sink.set_property("endpoint-uri", endpoint or s3.endpoint)
    sink.set_property("uri", f"s3://{s3.bucket}/{prefix}/index.m3u8")
    for name, value in values.items():
        Gst.util_set_object_arg(sink, name.replace("_", "-"), str(value))
    return pipeline


def run(pipeline, each=None, timeout=30):
    """(errors, published URIs) to EOS or the first error."""
    errors, published = [], []
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    end = time.monotonic() + timeout
    eos = False
    while not eos and not errors:
        assert time.monotonic() < end, "neither EOS nor an error"
        message = bus.timed_pop(Gst.SECOND // 10)
        if not message:
            continue
        if message.type == Gst.MessageType.EOS:
            eos = True
        elif message.type == Gst.MessageType.ERROR:
            errors.append(message.parse_error()[0])
        elif message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == "published":
            published.append(message.get_structure().get_string("uri"))
            if each:
                each()
    while message := bus.pop():
        if message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == "published":
            published.append(message.get_structure().get_string("uri"))
    pipeline.set_state(Gst.State.NULL)
    return errors, published


def names(playlist):
    return [line for line in playlist.decode().splitlines() if line and not line.startswith("#")]


def test_whole_video_is_there_at_eos_with_types_and_cache_rules(s3):
    errors, published = run(launch(s3, "vod", playlist_length=0, max_files=0))
    assert errors == []
    playlist = s3.get("vod/index.m3u8")
    assert b"#EXT-X-ENDLIST" in playlist
    segments = names(playlist)
    assert segments == [f"segment{i:05}.ts" for i in range(len(segments))] and len(segments) >= 5
    assert s3.keys("vod/") == ["vod/index.m3u8", *(f"vod/{name}" for name in segments)]
    head = s3.head("vod/index.m3u8")
    assert (head["ContentType"], head["CacheControl"]) == ("application/vnd.apple.mpegurl", "no-cache")
    for name in segments:
        head = s3.head("vod/" + name)
        assert head["ContentType"] == "video/mp2t" and "immutable" in head["CacheControl"]
        data = s3.get("vod/" + name)
        assert len(data) % 188 == 0 and set(data[::188]) == {0x47}
    durations = [float(text) for text in re.findall(rb"#EXTINF:([0-9.]+)", playlist)]
    assert abs(sum(durations) - 6) < 0.2
    assert f"s3://{s3.bucket}/vod/index.m3u8" == published[-1]


def test_playlist_never_names_a_segment_that_is_not_there(s3, faults):
    faults.fault("PUT", "segment0000[13]", 2, "stall:0.5")
    checked = []

    def each():
        if "live/index.m3u8" in s3.keys("live/"):
            keys = set(s3.keys("live/"))
            wanted = {"live/" + name for name in names(s3.get("live/index.m3u8"))}
            # The playlist is newer than the listing: what it names was there before it.
            assert wanted <= set(s3.keys("live/")) | keys
            checked.append(len(wanted))

    errors, _ = run(launch(s3, "live", faults.endpoint, playlist_length=3, max_files=4), each)
    assert errors == []
    assert checked and max(checked) <= 3


def test_old_segments_go_away(s3):
    errors, _ = run(launch(s3, "rolling", seconds=10, playlist_length=2, max_files=3))
    assert errors == []
    kept = [key for key in s3.keys("rolling/") if key.endswith(".ts")]
    assert 2 <= len(kept) <= 4
    assert {"rolling/" + name for name in names(s3.get("rolling/index.m3u8"))} <= set(kept)


def test_failures_that_pass_are_survived(s3, faults):
    faults.fault("PUT", "segment", 3, "status:503:SlowDown")
    faults.fault("PUT", "segment", 2, "reset")
    faults.fault("PUT", "m3u8", 1, "status:500:InternalError")
    errors, _ = run(launch(s3, "survived", faults.endpoint, playlist_length=0, max_files=0))
    assert errors == []
    wanted = names(s3.get("survived/index.m3u8"))
    assert {"survived/" + name for name in wanted} <= set(s3.keys("survived/"))
    assert b"#EXT-X-ENDLIST" in s3.get("survived/index.m3u8")


def test_failure_that_stays_is_one_error_and_no_eos(s3, faults):
    faults.fault("PUT", "segment00002", 1000, "status:403:AccessDenied")
    errors, published = run(launch(s3, "denied", faults.endpoint, playlist_length=0, max_files=0))
    assert len(errors) == 1 and "denied/segment00002.ts" in errors[0].message
    assert errors[0].matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_AUTHORIZED)
    playlist = s3.get("denied/index.m3u8") if s3.head("denied/index.m3u8") else b""
    assert "segment00002.ts" not in names(playlist) and b"ENDLIST" not in playlist


def test_stop_during_a_request_that_hangs_is_quick(s3, faults):
    def stop_while_it_hangs():
        faults.fault("PUT", ".", 100, "stall:5")
        pipeline = launch(s3, "stalled", faults.endpoint, max_inflight=1)
        pipeline.set_state(Gst.State.PLAYING)
        time.sleep(1.5)
        return seconds_of(lambda: pipeline.set_state(Gst.State.NULL))

    quickest_within(0.3, stop_while_it_hangs)


def test_stop_at_any_moment_ends(s3):
    """Also while a segment begins, in a sink that ran before."""
    dice = random.Random(1)
    for _ in range(12):
        pipeline = launch(s3, "stopped", seconds=1)
        for _ in range(3):
            pipeline.set_state(Gst.State.PLAYING)
            time.sleep(dice.random() * dice.choice([0, 0.01, 0.05, 0.2]))
            if dice.random() < 0.4:
                pipeline.set_state(dice.choice([Gst.State.PAUSED, Gst.State.READY]))
            assert pipeline.set_state(Gst.State.NULL) == Gst.StateChangeReturn.SUCCESS


def test_it_can_be_run_again(s3):
    pipeline = launch(s3, "again", seconds=3, playlist_length=0, max_files=0)
    for _ in range(2):
        errors, published = run(pipeline)
        assert errors == [] and published
    assert len(names(s3.get("again/index.m3u8"))) >= 2


@pytest.mark.parametrize("name", ["plain.ts", "{name}.ts", "{index}{index}.ts", "{index"])
def test_segment_name_without_its_number_is_refused(s3, name):
    pipeline = launch(s3, "refused")
    pipeline.get_by_name("sink").set_property("segment-name", name)
    errors, published = run(pipeline)
    assert len(errors) == 1 and errors[0].matches(Gst.ResourceError.quark(), Gst.ResourceError.SETTINGS)
    assert published == [] and s3.keys("refused/") == []


def test_percent_signs_in_segment_names_mean_nothing(s3):
    pipeline = launch(s3, "percent", seconds=2, playlist_length=0, max_files=0)
    pipeline.get_by_name("sink").set_property("segment-name", "a%n%s-{index:03}.ts")
    errors, _ = run(pipeline)
    assert errors == []
    assert "percent/a%n%s-000.ts" in s3.keys("percent/")
