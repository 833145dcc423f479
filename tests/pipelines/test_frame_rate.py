# SPDX-License-Identifier: LGPL-2.1-or-later
"""frame-rate: as many frames as duration times rate, each the nearest of the source, at its exact time."""

import json
import subprocess
from fractions import Fraction

import gi
import pytest
from cliptest import Recipe, Video, media
from definitions import ffmpeg, run

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)

RATES = ["24000/1001", "25", "30000/1001", "60000/1001"]


def frame_times(path):
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts:stream=time_base", "-of",
                           "json", str(path)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return sorted(packet["pts"] * Fraction(found["streams"][0]["time_base"]) for packet in found["packets"])


def places(duration, rate):
    """A half goes up."""
    return max(1, int(duration * rate + Fraction(1, 2)))


def made(source, output, rate, definition="proxy", **more):
    run(definition, source, output, preset="ultrafast", frame_rate=rate, **more)
    return frame_times(output)


@pytest.mark.parametrize("ext", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("rate", RATES)
def test_a_source_of_n_frames_gives_duration_times_rate(rate, ext, tmp_path):
    for count in (1, 49, 50) if ext == "mp4" else (50,):
        source = tmp_path / f"{count}.{ext}"
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=64x48:r={rate}", "-frames:v", count, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", 2,
               "-preset", "ultrafast", source)
        for to in RATES if ext == "mp4" else ("25", "60000/1001"):
            times = made(source, tmp_path / "out.mp4", to)
            assert len(times) == places(count / Fraction(rate), Fraction(to)), (count, to)
            assert all(abs(t - times[0] - i / Fraction(to)) < 2e-5 for i, t in enumerate(times))


@pytest.mark.parametrize("definition", ["master", "web", "normalize", "hls"])
def test_every_encoding_has_that_many(definition, tmp_path):
    m = media(Recipe("framerate", rate="25", seconds=3))
    if definition == "hls":
        run("hls", m.path, tmp_path / "hls", preset="ultrafast", frame_rate="30000/1001")
        output = tmp_path / "all.mp4"
        ffmpeg("-i", tmp_path / "hls/index.m3u8", "-map", "0:v", "-c", "copy", output)
        assert len(frame_times(output)) == 90
    else:
        assert len(made(m.path, tmp_path / "out.mp4", "30000/1001", definition)) == 90


@pytest.mark.parametrize("name, rate", [("vfr", "25"), ("r23976", "25"), ("r2997", "30000/1001"), ("r5994", "30000/1001"), ("mkv", "15")])
def test_each_frame_is_the_nearest_of_the_source(name, rate, tmp_path):
    m = media(name)
    times = made(m.path, tmp_path / "out.mp4", rate, audio="false")
    shown = list(Video(str(tmp_path / "out.mp4"), 640, 360).number)
    assert len(shown) == len(times)
    for time, number in zip(times, shown):
        distance = [abs(t - m.times[0] - float(time - times[0])) for t in m.times]
        assert distance[number - m.first] <= min(distance) + 0.0025, (float(time), number)


def test_a_video_that_begins_late_keeps_its_distance_to_the_sound(tmp_path):
    source = tmp_path / "late.mkv"
    ffmpeg("-itsoffset", "1.25", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=3", "-map", "0", "-map", "1",
           "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", source)
    plain = frame_times(run("proxy", source, tmp_path / "plain.mp4", preset="ultrafast"))
    times = made(source, tmp_path / "out.mp4", "50")
    assert len(times) == 100 and plain[0] > 1 and times[0] == plain[0]


def test_elements_in_a_row_and_a_change_of_size(tmp_path):
    """Frames of the old size that were held back leave before the new caps."""
    text = ("concat name=c ! constantrate framerate=10/1 ! fakesink silent=false "
            "videotestsrc num-buffers=20 ! video/x-raw,width=64,height=48,framerate=20/1 ! c. "
            "videotestsrc num-buffers=20 ! video/x-raw,width=32,height=48,framerate=20/1 ! c.")
    done = subprocess.run(["gst-launch-1.0", "-v", *text.split()], capture_output=True, text=True, timeout=60, check=True)
    lines = [line for line in done.stdout.splitlines() if "last-message = chain" in line]
    assert len(lines) == 20
    assert ["(4608 bytes" in line or "(6144 bytes" in line or "(3072 bytes" in line for line in lines]
    sizes = [line.split("(", 2)[2].split()[0] for line in lines]
    assert len(set(sizes[:10])) == len(set(sizes[10:])) == 1 and sizes[0] != sizes[-1]


def test_a_frame_without_a_timestamp_is_an_error(tmp_path):
    """Not with gst-launch-1.0: it may wait for ever after an error that comes before its main loop turns."""
    (tmp_path / "raw").write_bytes(bytes(64 * 48 * 3 // 2 * 3))
    pipeline = Gst.parse_launch(f"filesrc location={tmp_path}/raw blocksize=4608 ! "
                                "video/x-raw,format=I420,width=64,height=48,framerate=0/1 ! constantrate name=rate ! fakesink")
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    assert message.type == Gst.MessageType.ERROR and message.src.name == "rate"
    assert "timestamp" in message.parse_error().gerror.message
