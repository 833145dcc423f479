# SPDX-License-Identifier: LGPL-2.1-or-later
"""s3src against one GET per 256 KiB from a store 30 ms away, and what a short clip of a long object costs.

usage: s3_read.py            (prints figures; exit status 1 when a goal is missed)

Goals: a demuxer is fed at least 25 times as fast as by one GET per 256 KiB, with at most 50 MiB more memory than from
a local file; 10 s out of an hour fetch at most 1.15 times the clip's bytes and 2 MiB.
"""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "s3"))
from s3server import DelayProxy, Gateway, missing  # noqa: E402

MIB = 1 << 20


def make_media(directory):
    """Two files: about 1 GiB of two minutes, and an hour."""
    encode = ["ffmpeg", "-v", "error", "-y"]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-threads", "2"]
    short, big, hour = (str(directory / name) for name in ("short.mp4", "big.mp4", "hour.mp4"))

    def run(source, seconds, options, loops, output):
        video = ["-f", "lavfi", "-i", f"{source}:d={seconds}", "-f", "lavfi", "-i", f"sine=d={seconds}"]
        subprocess.run([*encode, *video, *x264, *options, "-c:a", "aac", short], check=True)
        copy = ["-stream_loop", str(loops - 1), "-i", short, "-c", "copy", "-movflags", "+faststart"]
        subprocess.run([*encode, *copy, output], check=True)

    noisy = ["-b:v", "60M", "-minrate", "60M", "-maxrate", "60M", "-bufsize", "10M"]
    run("testsrc2=s=1280x720:r=25", 10, [*noisy, "-x264-params", "nal-hrd=cbr"], 14, big)
    run("testsrc2=s=640x360:r=25", 60, ["-b:v", "4M"], 60, hour)
    return big, hour


def feed_demuxer(gateway, first):
    """Seconds and peak KiB of a process that demuxes all of it."""
    branches = "qtdemux name=d d.video_0 ! queue ! fakesink d.audio_0 ! queue ! fakesink".split()
    begin = time.monotonic()
    process = subprocess.Popen(["gst-launch-1.0", "-q", *first, "!", *branches], env=gateway.env())
    peak = 0
    while process.poll() is None:
        # Not ru_maxrss: that counts the process before its exec, which is this one, too.
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            found = re.search(r"VmHWM:\s+(\d+)", status.read())
        peak = max(peak, int(found.group(1))) if found else peak
        time.sleep(0.01)
    assert process.returncode == 0
    return time.monotonic() - begin, peak


def one_get_per_block(proxy, blocks):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port)
    begin = time.monotonic()
    for index in range(blocks):
        span = f"bytes={index << 18}-{((index + 1) << 18) - 1}"
        connection.request("GET", "/testbucket/big.mp4", headers={"Range": span})
        assert len(connection.getresponse().read()) == 1 << 18
    return (blocks << 18) / (time.monotonic() - begin) / MIB


def cut_clip(gateway, output):
    """Bytes of a clip of 10 s from the middle of the hour, and bytes asked of the store for it."""
    times = [f"start={1800 * 10**9}", f"stop={1810 * 10**9}"]
    command = ["gst-launch-1.0", "-q", "clipexport", "uri=s3://testbucket/hour.mp4", "mode=copy", *times]
    said = subprocess.run(
        [*command, "!", "filesink", f"location={output}"],
        env=gateway.env(GST_DEBUG="s3src:5", GST_DEBUG_NO_COLOR="1", AWS_ENDPOINT_URL=gateway.endpoint),
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stderr
    spans = re.findall(r"GET .* bytes=(\d+)-(\d+)", said)
    return os.path.getsize(output), sum(int(last) + 1 - int(first) for first, last in spans)


def main():
    reason = missing()
    if reason:
        print(reason)
        return 77
    with tempfile.TemporaryDirectory() as directory:
        gateway = Gateway()
        proxy = DelayProxy(gateway.port, 30, 60)
        try:
            big, hour = make_media(Path(directory))
            for path in (big, hour):
                gateway.boto.upload_file(path, gateway.bucket, os.path.basename(path), {"ACL": "public-read"})
            size = os.path.getsize(big) / MIB
            ratios = []
            for _ in range(2):  # the first may scan for plugins
                _, idle = feed_demuxer(gateway, ["filesrc", f"location={big}"])
            for _ in range(3):
                # Paired: both under the load of the same moment.
                slow = one_get_per_block(proxy, 40)
                source = ["s3src", "uri=s3://testbucket/big.mp4", f"endpoint-uri={proxy.endpoint}"]
                seconds, peak = feed_demuxer(gateway, source)
                ratios.append(size / seconds / slow)
                print(f"one GET per 256 KiB {slow:.1f} MiB/s, s3src {size / seconds:.1f} MiB/s: "
                      f"{ratios[-1]:.1f} times; {(peak - idle) / 1024:.1f} MiB more memory", flush=True)
            clip, fetched = cut_clip(gateway, Path(directory) / "clip.mp4")
            print(
                f"10 s of an hour ({os.path.getsize(hour) / MIB:.0f} MiB): clip {clip / MIB:.2f} MiB, "
                f"fetched {fetched / MIB:.2f} MiB, allowed {clip * 1.15 / MIB + 2:.2f} MiB"
            )
        finally:
            proxy.stop()
            gateway.stop()
    ratio = sorted(ratios)[1]
    return 0 if ratio >= 25 and peak - idle <= 50 * 1024 and fetched <= clip * 1.15 + 2 * MIB else 1


if __name__ == "__main__":
    sys.exit(main())
