# SPDX-License-Identifier: LGPL-2.1-or-later
"""The facts of an hour-long video against ffprobe: paired wall times of cold processes.

usage: probe.py [PAIRS]   (9 pairs)

Two videos of an hour with sound, one of them with every frame a key frame. ffprobe tells streams and container
(-show_streams -show_format); where key frames are compared it lists the packets, the only way it has. Each pair runs both,
the first one alternating; reported are the median times and the median of the pairs' ratios, ours / ffprobe.
"""

import os
import statistics
import subprocess
import sys
import time

from cliptest.make import cache_dir

FFPROBE = ["ffprobe", "-v", "error", "-of", "json"]


def hour(gop):
    """An hour of small pictures: its index is as large as that of any other hour."""
    path = cache_dir() / f"hour-gop{gop}.mp4"
    if not path.exists():
        cache_dir().mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.mp4")
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "color=s=32x32:r=30:d=3600", "-f", "lavfi",
                        "-i", "anullsrc=r=48000:cl=mono", "-t", "3600", "-c:v", "libx264", "-preset", "ultrafast", "-g",
                        str(gop), "-c:a", "aac", "-b:a", "32k", "-movflags", "+faststart", part], check=True)
        part.rename(path)
    return str(path)


def timed(words):
    begun = time.monotonic()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - begun) * 1000


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    program = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
    packets = ["-select_streams", "v", "-show_entries", "packet=pts_time,pos,size,flags"]
    for label, path in (("GOP 60", hour(60)), ("GOP 1", hour(1))):
        for what, ours, theirs in (
                ("streams", ["--no-key-frames"], ["-show_streams", "-show_format"]),
                ("key frames", [], packets)):
            commands = {"ours": [program, "probe", *ours, path], "ffprobe": [*FFPROBE, *theirs, path]}
            timed(commands["ours"])
            found = {"ours": [], "ffprobe": []}
            for pair in range(pairs):
                for name in ("ours", "ffprobe") if pair % 2 else ("ffprobe", "ours"):
                    found[name].append(timed(commands[name]))
            ratio = statistics.median(a / b for a, b in zip(found["ours"], found["ffprobe"]))
            print(f"{label}, {what}: ours {statistics.median(found['ours']):.1f} ms (goal < 50), "
                  f"ffprobe {statistics.median(found['ffprobe']):.1f} ms, ratio {ratio:.3f}", flush=True)


if __name__ == "__main__":
    main()
