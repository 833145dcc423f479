# SPDX-License-Identifier: LGPL-2.1-or-later
"""The proxy of a 1080p video against FFmpeg with the equal command: paired ratios of wall time, CPU time and peak memory.

usage: proxy.py [PAIRS] [VIDEO]   (5 pairs; a generated video of ten seconds)

Each pair runs both, one after the other, the first one alternating, so that a change of the machine's
pace meets both. Reported is the median of the pairs' ratios, ours / FFmpeg: below 1 is better.
"""

import os
import statistics
import sys
import tempfile
import time

from cliptest import Recipe, media

FFMPEG = r"""ffmpeg -v error -nostdin -y -i {source} -vf
scale=w=min(1280\,iw):h=min(720\,ih):force_original_aspect_ratio=decrease:force_divisible_by=2:flags=lanczos
-pix_fmt yuv420p -c:v libx264 -preset fast -crf 28 -tune fastdecode -profile:v baseline -g 1
-fps_mode passthrough -c:a aac -b:a 64k -movflags +faststart {output}"""
OURS = "gst-launch-1.0 -q proxybin input={source} output={output}"


def run(command, source, output):
    """(wall s, CPU s, peak RSS MiB) of one run."""
    words = [w.format(source=source, output=output) for w in command.split()]
    started = time.monotonic()
    pid = os.posix_spawnp(words[0], words, os.environ)
    _, status, used = os.wait4(pid, 0)
    wall = time.monotonic() - started
    if status or not os.path.getsize(output):
        raise SystemExit(f"failed: {' '.join(words)}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    source = sys.argv[2] if len(sys.argv) > 2 else media(
        Recipe("bench1080", width=1920, height=1080, seconds=10, background="mandelbrot")).path
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(pairs):
            both = {}
            for name in ("ours", "ffmpeg") if pair % 2 else ("ffmpeg", "ours"):
                command = OURS if name == "ours" else FFMPEG
                both[name] = run(command, source, os.path.join(folder, f"{name}.mp4"))
            ratios.append([a / b for a, b in zip(both["ours"], both["ffmpeg"])])
            print(f"pair {pair}: ours {both['ours'][0]:.2f} s wall {both['ours'][1]:.2f} s CPU "
                  f"{both['ours'][2]:.0f} MiB, ffmpeg {both['ffmpeg'][0]:.2f} s wall "
                  f"{both['ffmpeg'][1]:.2f} s CPU {both['ffmpeg'][2]:.0f} MiB", flush=True)
        sizes = [os.path.getsize(os.path.join(folder, f"{n}.mp4")) for n in ("ours", "ffmpeg")]
    wall, cpu, rss = (statistics.median(column) for column in zip(*ratios))
    print(f"ours / ffmpeg, median of {pairs} pairs: wall {wall:.3f}, CPU {cpu:.3f} (goal <= 1.00), "
          f"peak RSS {rss:.3f} (goal <= 1.00), size {sizes[0] / sizes[1]:.3f}")


if __name__ == "__main__":
    main()
