# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole `gst-clips ingest` of a 1080p video against the older way, step by step, each a process of its own.

usage: ingest.py [PAIRS] [VIDEO]   (3 pairs; a generated video of 40 s and eight shots, 6.6 Mbit/s)

The older way: FFmpeg makes the proxy, FFmpeg makes the master, ffprobe lists the key frames, a Python script compares
histograms of the proxy with OpenCV, FFmpeg makes the stills at 25, 50 and 75 % of every clip, one call each. It is given
the cuts that ours finds, so that both make the same stills. The key frames are listed twice, with all frames decoded, as
the older systems did, and with only those that are listed; two ratios count one of these each. Each pair runs both ways,
one after the other, the first one alternating; reported are the medians of the pairs' ratios, ours / older way: below 1
is better.
"""

import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PROXY = r"""ffmpeg -v error -nostdin -y -i {source} -vf
scale=w=min(1280\,iw):h=min(720\,ih):force_original_aspect_ratio=decrease:force_divisible_by=2:flags=lanczos
-pix_fmt yuv420p -c:v libx264 -preset fast -crf 28 -tune fastdecode -profile:v baseline -g 1
-fps_mode passthrough -c:a aac -b:a 64k -movflags +faststart {folder}/proxy.mp4"""
MASTER = """ffmpeg -v error -nostdin -y -i {source} -pix_fmt yuv420p -c:v libx264 -preset medium -crf 18 -profile:v high
-level 4.1 -g 250 -bf 3 -fps_mode passthrough -c:a aac -b:a 256k -movflags +faststart {folder}/master.mp4"""
# The older systems had all frames decoded to list them and their kinds. A kinder one decodes only what it lists.
ALL_FRAMES = "ffprobe -v error -select_streams v:0 -show_entries frame=pts_time,pict_type,key_frame -of csv {source}"
KEY_FRAMES = "ffprobe -v error -select_streams v:0 -skip_frame nokey -show_entries frame=pts_time -of csv {source}"
STILL = "ffmpeg -v error -nostdin -y -ss {time} -i {source} -frames:v 1 -q:v 2 {folder}/still{index}.jpg"
HISTOGRAMS = """
import cv2, numpy, sys
capture, last = cv2.VideoCapture(sys.argv[1]), None
while True:
    ok, frame = capture.read()
    if not ok: break
    h = numpy.concatenate([cv2.calcHist([frame], [c], None, [256], [0, 256]) for c in range(3)])
    h = cv2.normalize(h, h)
    if last is not None and cv2.compareHist(last, h, cv2.HISTCMP_CORREL) < 0.6: print(capture.get(cv2.CAP_PROP_POS_FRAMES))
    last = h
"""
# One moving picture in eight guises, as soft as that of a lens and with the noise of a sensor in good light: 6.6 Mbit/s. Its 0.13
# bits a pixel are those of edited films from the web at the same settings; without the softness it would be twice as much.
CAMERA = "gblur=sigma=0.9,format=yuv420p,noise=c0s=2:c0f=t+u"
SHOTS = ["null", "hflip,negate", "crop=iw/2:ih/2,scale=1920:1080:flags=bicubic", "vflip,hue=h=120", "negate,hue=h=60",
         "crop=iw/3:ih/3:0:0,scale=1920:1080:flags=bicubic,hflip", "hue=s=0", "vflip,hflip,hue=h=240"]


def make(path):
    count = len(SHOTS)
    graph = f"mandelbrot=s=1920x1080:r=25,trim=duration=5,split={count}" + "".join(f"[p{i}]" for i in range(count))
    graph += "".join(f";[p{i}]{shot},{CAMERA}[s{i}]" for i, shot in enumerate(SHOTS))
    graph += ";" + "".join(f"[s{i}]" for i in range(count)) + f"concat=n={count}"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-filter_complex", graph, "-f", "lavfi", "-i",
                    f"anoisesrc=color=pink:amplitude=0.2:d={5 * count}", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18",
                    "-g", "50", "-c:a", "aac", "-movflags", "+faststart", path], check=True)


def timed(function):
    """(wall s, CPU s of all children, what the function returned)."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = function()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - started, sum(getattr(after, n) - getattr(before, n) for n in ("ru_utime", "ru_stime")), result


def call(command, **values):
    subprocess.run([word.format(**values) for word in command.split()], check=True, stdout=subprocess.DEVNULL)


def ours(source, folder):
    program = os.environ.get("CLIPS_BUILD_ROOT", "build") + "/tools/gst-clips"
    subprocess.run([program, "ingest", str(source), str(folder / "ours"), "--name=film", "--progress=none"], check=True)
    return {}


def older(source, folder):
    """The wall and CPU time of each step."""
    times = json.loads((folder / "times.json").read_text())
    steps = {
        "proxy": lambda: call(PROXY, source=source, folder=folder),
        "master": lambda: call(MASTER, source=source, folder=folder),
        "key frames": lambda: call(KEY_FRAMES, source=source),
        "key frames of all frames": lambda: call(ALL_FRAMES, source=source),
        "histograms": lambda: subprocess.run([sys.executable, "-c", HISTOGRAMS, folder / "proxy.mp4"], check=True,
                                             stdout=subprocess.DEVNULL),
        "stills": lambda: [call(STILL, source=source, folder=folder, time=t, index=i) for i, t in enumerate(times)],
    }
    return {name: timed(step)[:2] for name, step in steps.items()}


def still_times(source, folder):
    """Of the stills that ours makes, from its manifest; in the middle of the frame."""
    said = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=avg_frame_rate", "-of",
                           "csv=p=0", source], check=True, capture_output=True, text=True)
    over, under = map(int, said.stdout.strip().strip(",").split("/"))
    manifest = json.loads((folder / "ours" / "ingest.json").read_text())
    return [(o["frame"] + 0.5) * under / over for o in manifest["outputs"] if o["kind"] == "still"]


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else folder / "film.mp4"
        if not source.exists():
            make(source)
        for pair in range(pairs):
            both = {}
            # The stills' times come from ours, so it is the first one at the beginning.
            for way in (ours, older) if pair % 2 == 0 else (older, ours):
                if way is ours:
                    shutil.rmtree(folder / "ours", ignore_errors=True)
                both[way] = timed(lambda: way(source, folder))
                if way is ours:
                    (folder / "times.json").write_text(json.dumps(still_times(source, folder)))
            (wall, cpu, _), (_, _, steps) = both[ours], both[older]
            sums = [[sum(seconds[i] for step, seconds in steps.items() if step != other) for i in (0, 1)]
                    for other in ("key frames", "key frames of all frames")]
            ratios.append([mine / older for sum_ in sums for mine, older in zip((wall, cpu), sum_)])
            print(f"pair {pair}: ours {wall:.1f} s wall {cpu:.1f} s CPU, older way "
                  + ", ".join(f"{step} {seconds[0]:.1f}/{seconds[1]:.1f}" for step, seconds in steps.items())
                  + ": wall {:.3f} CPU {:.3f}, with only key frames decoded wall {:.3f} CPU {:.3f}".format(*ratios[-1]), flush=True)
        stills = len(json.loads((folder / "times.json").read_text()))
        sizes = [(folder / path).stat().st_size for path in ("ours/masters/film.mp4", "master.mp4", "ours/proxies/film.mp4",
                                                             "proxy.mp4")]
    medians = [statistics.median(column) for column in zip(*ratios)]
    print(f"ours / older way, median of {pairs} pairs: " + "wall {:.3f}, CPU {:.3f} (goal <= 0.70), with only key frames decoded "
          "wall {:.3f}, CPU {:.3f}; ".format(*medians) + f"{stills} stills, "
          f"size of the master {sizes[0] / sizes[1]:.3f}, of the proxy {sizes[2] / sizes[3]:.3f}")


if __name__ == "__main__":
    main()
