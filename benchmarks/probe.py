# SPDX-License-Identifier: LGPL-2.1-or-later
"""The facts of an hour-long video against ffprobe: paired times of cold processes.

usage: probe.py [PAIRS]   (9 pairs)

Videos of an hour with sound. Two MP4 of small pictures, one of them with every frame a key frame; one of 1080p and 0.5 GB as MP4,
as Matroska and FLV with an index of key frames, and as MPEG-TS, which has none. ffprobe tells streams and container
(-show_streams -show_format); where key frames are compared it lists the packets, the only way it has. Each pair runs both,
the first one alternating; reported are the median wall times, the median CPU time of ours, which a busy machine changes less,
and the median of the pairs' ratios of wall times, ours / ffprobe.
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


def remuxed(source, path, *options):
    path = cache_dir() / path
    if not path.exists():
        part = path.with_suffix(".part" + path.suffix)
        subprocess.run(["ffmpeg", "-v", "error", "-y", *source, "-c", "copy", *options, part], check=True)
        part.rename(path)
    return str(path)


def hour_of_1080p():
    """The same 20 seconds over and over again, 1 Mbit/s, in four containers."""
    short = cache_dir() / "hour-1080p-part.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=30:d=20,noise=alls=4", "-f", "lavfi",
                    "-i", "anoisesrc=color=pink:amplitude=0.2:d=20", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "1M",
                    "-maxrate", "1M", "-bufsize", "1M", "-g", "60", "-c:a", "aac", "-b:a", "96k", short], check=True)
    mp4 = remuxed(["-stream_loop", "179", "-i", short], "hour-1080p.mp4", "-movflags", "+faststart")
    return {"MP4": mp4,
            "Matroska": remuxed(["-i", mp4], "hour-1080p.mkv"),
            "FLV": remuxed(["-i", mp4], "hour-1080p.flv", "-flvflags", "add_keyframe_index"),
            "MPEG-TS (no index)": remuxed(["-i", mp4], "hour-1080p.ts")}


def timed(words):
    """Milliseconds of wall time and of CPU time."""
    begun = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return (time.monotonic() - begun) * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def compare(label, commands, pairs):
    timed(commands["ours"])
    found = {"ours": [], "ffprobe": []}
    for pair in range(pairs):
        for name in ("ours", "ffprobe") if pair % 2 else ("ffprobe", "ours"):
            found[name].append(timed(commands[name]))
    (ours, cpu), (theirs, _) = (map(statistics.median, zip(*found[name])) for name in ("ours", "ffprobe"))
    ratio = statistics.median(a[0] / b[0] for a, b in zip(found["ours"], found["ffprobe"]))
    goal = "" if "no index" in label else " (goal < 50)"
    print(f"{label}: ours {ours:.1f} ms{goal}, of CPU {cpu:.1f}, ffprobe {theirs:.1f} ms, ratio {ratio:.3f}", flush=True)


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    program = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
    packets = ["-select_streams", "v", "-show_entries", "packet=pts_time,pos,size,flags"]
    streams = ["-show_streams", "-show_format"]
    for label, path in (("GOP 60", hour(60)), ("GOP 1", hour(1))):
        for what, ours, theirs in (("streams", ["--no-key-frames"], streams), ("key frames", [], packets)):
            compare(f"{label}, {what}", {"ours": [program, "probe", *ours, path], "ffprobe": [*FFPROBE, *theirs, path]}, pairs)
    for label, path in hour_of_1080p().items():
        compare(f"1080p, {label}", {"ours": [program, "probe", path], "ffprobe": [*FFPROBE, *streams, path]}, pairs)


if __name__ == "__main__":
    main()
