# SPDX-License-Identifier: LGPL-2.1-or-later
"""The proxy encode into a store on this machine against the same into a file, in pairs; and how long the finished object
takes after the end of the stream, for streams of different lengths that come as fast as they can.

usage: s3_encode.py [SECONDS] [PAIRS]        (30 and 5; exit status 1 when a goal is missed)

Goals: at most 1.03 times the time of a file; at most 1 s after EOS, whatever the length.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "s3"))
from s3server import Gateway, missing  # noqa: E402

MIB = 1 << 20
LENGTHS = (1, 4, 16)  # times the short master


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


def encode(program, gateway, source, output):
    begin = time.monotonic()
    env = gateway.env(AWS_ENDPOINT_URL=gateway.endpoint)
    subprocess.run([program, "run", "--progress=none", "proxy", f"input={source}", f"output={output}"], env=env, check=True)
    return time.monotonic() - begin


def after_eos(gateway, path):
    """Seconds from EOS at the sink to EOS on the bus."""
    chain = "h264parse ! queue ! mux. d.audio_0 ! queue ! aacparse ! queue ! mux. mp4mux name=mux ! s3sink name=sink"
    pipeline = Gst.parse_launch(f"filesrc location={path} ! matroskademux name=d  d.video_0 ! queue ! {chain}")
    sink = pipeline.get_by_name("sink")
    sink.set_property("endpoint-uri", gateway.endpoint)
    sink.set_property("access-key", gateway.access_key)
    sink.set_property("secret-access-key", gateway.secret_key)
    sink.set_property("uri", f"s3://{gateway.bucket}/length.mp4")
    ended = []

    def look(_, info):
        if info.get_event().type == Gst.EventType.EOS:
            ended.append(time.monotonic())
        return Gst.PadProbeReturn.OK

    sink.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, look)
    pipeline.set_state(Gst.State.PLAYING)
    kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(300 * Gst.SECOND, kinds)
    took = time.monotonic() - ended[0]
    assert message.type == Gst.MessageType.EOS, message.parse_error()
    pipeline.set_state(Gst.State.NULL)
    return took, gateway.head("length.mp4")["ContentLength"]


def main():
    reason = missing()
    if reason:
        print(reason)
        return 77
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    program = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
    Gst.init(None)
    gateway = Gateway()
    try:
        with tempfile.TemporaryDirectory() as folder:
            media = Path(folder)
            x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50"]
            lavfi = ["-f", "lavfi", "-i", f"testsrc2=s=1280x720:r=25:d={seconds}", "-f", "lavfi", "-i", f"sine=d={seconds}"]
            ffmpeg(*lavfi, *x264, "-c:a", "aac", media / "in.mov")
            ratios = []
            for _ in range(pairs):
                local = encode(program, gateway, media / "in.mov", media / "out.mp4")
                ratios.append(encode(program, gateway, media / "in.mov", f"s3://{gateway.bucket}/out.mp4") / local)
            ratios.sort()
            print(
                f"proxy of {seconds} s into S3: {statistics.median(ratios):.3f} times the time of a file "
                f"({ratios[0]:.3f} to {ratios[-1]:.3f}, {pairs} pairs)",
                flush=True,
            )
            lavfi = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=8", "-f", "lavfi", "-i", "sine=d=8"]
            rate = ["-b:v", "50M", "-minrate", "50M", "-maxrate", "50M", "-bufsize", "10M", "-x264-params", "nal-hrd=cbr"]
            ffmpeg(*lavfi, *x264, *rate, "-c:a", "aac", media / "short.mkv")
            worst = 0
            for times in LENGTHS:
                ffmpeg("-stream_loop", times - 1, "-i", media / "short.mkv", "-c", "copy", media / "long.mkv")
                took, size = after_eos(gateway, media / "long.mkv")
                worst = max(worst, took)
                print(f"{size / MIB:.0f} MiB: the object is there {took:.2f} s after EOS", flush=True)
    finally:
        gateway.stop()
    return 0 if statistics.median(ratios) <= 1.03 and worst <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
