# SPDX-License-Identifier: LGPL-2.1-or-later
"""clipexport against ffmpeg -c copy on an hour of 1080p30, run in turns.

usage: clip.py [--runs N]

The hour (380 MB, coded once, then joined sixty times) is kept in the user's cache folder. For each
job: medians of wall and CPU time, the largest peak RSS, and what was read, of a cold process with a
warm page cache. The exit status is 1 where a goal is missed by the ratio, which does not depend on
the machine's load as the plain times do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START, STOP = 1801.3, 1811.3
LONG = (901.3, 2701.3)


def hour():
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gst-plugins-clips"
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / "hour.mp4"
    if path.exists():
        return path
    # Not above: a child's peak RSS begins with what its parent had at the fork, and numpy is large.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "media"))
    from cliptest import Recipe, media, x264
    rate = ("-b:v", "700k", "-maxrate", "1400k", "-bufsize", "2800k")
    minute = media(Recipe("minute", seconds=60, width=1920, height=1080,
                          video=(*x264(60, 3, "open-gop=0:threads=2", preset="superfast"), *rate)))
    with tempfile.TemporaryDirectory(dir=cache) as tmp:
        parts = Path(tmp) / "parts.txt"
        parts.write_text(f"file '{minute.path}'\n" * 60)
        part = Path(tmp) / "hour.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "concat", "-safe", "0",
                        "-i", parts, "-map", "0", "-c", "copy", "-movflags", "+faststart", part],
                       check=True)
        part.rename(path)
    os.execv(sys.executable, [sys.executable, *sys.argv])


def run(command):
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed: {command}")
    return {"wall": time.monotonic() - began, "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss / 1024}


def ours(source, start, stop, mode, out):
    return ["gst-launch-1.0", "-q", "clipexport", f"uri={source.as_uri()}", f"mode={mode}",
            f"start={round(start * 1e9)}", f"stop={round(stop * 1e9)}", "!", "filesink",
            f"location={out}"]


def theirs(source, start, stop, out):
    return ["ffmpeg", "-v", "error", "-nostdin", "-y", "-ss", str(start), "-i", str(source), "-t",
            str(stop - start), "-c", "copy", "-avoid_negative_ts", "make_zero", "-movflags",
            "+faststart", str(out)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    source = hour()
    missed = 0
    with tempfile.TemporaryDirectory() as tmp:
        a, b = Path(tmp) / "a.mp4", Path(tmp) / "b.mp4"
        jobs = [("copy", START, STOP, 0.6, 0.45), ("edit", START, STOP, 0.6, 0.45),
                ("smart", START, STOP, None, None), ("edit", *LONG, 1.0, 0.5)]
        for mode, start, stop, wall_goal, rss_goal in jobs:
            pairs = []
            run(ours(source, start, stop, mode, a))  # registry and page cache
            for _ in range(runs):
                pairs.append((run(ours(source, start, stop, mode, a)),
                              run(theirs(source, start, stop, b))))
            result = {"job": f"{mode} {stop - start:.0f} s"}
            for who, i in (("clipexport", 0), ("ffmpeg", 1)):
                result[who] = {k: round(statistics.median(p[i][k] for p in pairs), 3)
                               for k in ("wall", "cpu")}
                result[who]["rss_mb"] = round(max(p[i]["rss"] for p in pairs), 1)
            wall = statistics.median(p[0]["wall"] / p[1]["wall"] for p in pairs)
            rss = result["clipexport"]["rss_mb"] / result["ffmpeg"]["rss_mb"]
            result["wall_ratio"], result["rss_ratio"] = round(wall, 2), round(rss, 2)
            if wall_goal:
                result["goal"] = {"wall_ratio": wall_goal, "rss_ratio": rss_goal}
                result["met"] = wall <= wall_goal and rss <= rss_goal
                missed += not result["met"]
            print(json.dumps(result), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
