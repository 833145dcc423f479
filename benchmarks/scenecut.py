# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU time that finding cuts adds to a decode, against others, all in one run on the same file.

usage: scenecut.py [FILE.mp4 ...]   without files it makes a 1080p and a 720p H.264 file itself

Every command decodes the whole file on one thread. The commands take turns, `ROUNDS` times. What a
detector adds is told twice: from the least CPU times, because whatever else the machine does only ever
adds, and as the median of the differences within each round.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'tests' / 'scenes'))
ROUNDS = int(os.environ.get('CLIPS_BENCHMARK_ROUNDS', '3'))

# The pass of the older systems: three 256-bin histograms a frame, compared with the last one's.
OPENCV = '''
import cv2, numpy, sys
cv2.setNumThreads(1)
capture, last = cv2.VideoCapture(sys.argv[1]), None
while True:
    ok, frame = capture.read()
    if not ok: break
    h = numpy.concatenate([cv2.calcHist([frame], [c], None, [256], [0, 256]) for c in range(3)])
    h = cv2.normalize(h, h)
    if last is not None: cv2.compareHist(last, h, cv2.HISTCMP_CORREL)
    last = h
'''
OPENCV_DECODE = '''
import cv2, sys
cv2.setNumThreads(1)
capture = cv2.VideoCapture(sys.argv[1])
while capture.grab(): pass
'''


def make(folder, width, height):
    import scenes
    path = pathlib.Path(folder) / f'{width}x{height}.mp4'
    encode = subprocess.Popen(
        ['ffmpeg', '-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s',
         f'{scenes.WIDTH}x{scenes.HEIGHT}', '-r', '25', '-i', '-', '-vf',
         f'scale={width}:{height}:flags=bicubic,noise=alls=6:allf=t', '-pix_fmt', 'yuv420p',
         '-c:v', 'libx264', '-preset', 'fast', '-crf', '21', str(path)], stdin=subprocess.PIPE)
    for difficulty in ('plain_cuts', 'dissolves', 'camera_shake'):
        for frame in scenes.make(difficulty, 2000)[0]:
            encode.stdin.write(frame.tobytes())
    encode.stdin.close()
    if encode.wait():
        sys.exit('FFmpeg could not encode the test file')
    return path


def gst(path, analysis):
    return ['gst-launch-1.0', '-q', 'filesrc', f'location={path}', '!', 'qtdemux', '!', 'h264parse',
            '!', 'avdec_h264', 'max-threads=1', '!', *analysis, 'fakesink', 'sync=false']


def ffmpeg(path, *options):
    return ['ffmpeg', '-v', 'error', '-nostdin', '-threads', '1', '-filter_threads', '1', '-i',
            str(path), '-an', *options, '-f', 'null', '-']


def commands(path):
    """name -> (command, the decode that it is measured against)."""
    python = sys.executable
    return {
        'decode (GStreamer)': (gst(path, []), None),
        'scenecut': (gst(path, ['scenecut', '!']), 'decode (GStreamer)'),
        'scenechange': (gst(path, ['scenechange', '!']), 'decode (GStreamer)'),
        'decode (FFmpeg)': (ffmpeg(path), None),
        'scdet': (ffmpeg(path, '-vf', 'scdet'), 'decode (FFmpeg)'),
        'decode (OpenCV)': ([python, '-c', OPENCV_DECODE, str(path)], None),
        'OpenCV histograms': ([python, '-c', OPENCV, str(path)], 'decode (OpenCV)'),
    }


def cpu(command):
    """(CPU seconds, peak memory in KiB)."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                               env={**os.environ, 'OPENCV_FFMPEG_CAPTURE_OPTIONS': 'threads;1'})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f'failed: {" ".join(command)}')
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main():
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(f) for f in sys.argv[1:]] or [make(folder, 1920, 1080),
                                                            make(folder, 1280, 720)]
        for path in files:
            runs = commands(path)
            times = {name: [] for name in runs}
            memory = {name: [] for name in runs}
            for _ in range(ROUNDS):
                for name, (command, _) in runs.items():
                    seconds, peak = cpu(command)
                    times[name].append(seconds)
                    memory[name].append(peak / 1024)
            print(f'{path.name}, {ROUNDS} rounds')
            for name, (_, base) in runs.items():
                least = min(times[name])
                line = f'  {name:<20} {least:7.2f} s CPU  {min(memory[name]):6.1f} MiB'
                if base:
                    alone = min(times[base])
                    share = statistics.median((a - b) / b
                                              for a, b in zip(times[name], times[base]))
                    line += (f'   added {least - alone:6.3f} s, {100 * (least / alone - 1):5.1f} % of '
                             f'its decode (median {100 * share:5.1f} %), '
                             f'{min(memory[name]) - min(memory[base]):+.1f} MiB')
                print(line)


if __name__ == '__main__':
    main()
