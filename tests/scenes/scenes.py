# SPDX-License-Identifier: LGPL-2.1-or-later
"""Videos whose shot boundaries are known exactly, one difficulty each, made from a seed.

A source is a textured moving scene: several octaves of noise under a drifting camera, with textured
ellipses that move through it. make(difficulty, seed) joins sources by edits and returns the frames
as RGB arrays with a label in the format of tools/scenecut-model/README.md. The same name and seed
give the same pixels everywhere.

usage as a program: scenes.py FOLDER [--seeds FIRST COUNT]   writes DIFFICULTY_SEED.mkv (lossless
H.264 through FFmpeg) and the labels: a labelled folder for tools/scenecut-model.
"""
import argparse
import json
import pathlib
import subprocess

import cv2
import numpy

WIDTH, HEIGHT, RATE = 320, 180, 25


def noise(random, height, width, octaves, colour):
    """Texture around a colour, 0..255 floats (height, width, 3)."""
    out = numpy.zeros((height, width, 3), numpy.float32)
    for octave in range(octaves):
        cells = 3 << octave
        grid = random.randn(cells, cells * 2, 3).astype(numpy.float32)
        grid = 0.7 * grid.mean(2, keepdims=True) + 0.3 * grid
        out += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / (1.4 ** octave)
    return out * 38 + numpy.float32(colour)


class Source:
    """An endless moving scene."""

    def __init__(self, random, palette=None, calm=False):
        colour = random.uniform(60, 190, 3) if palette is None else palette
        self.world = noise(random, 2 * HEIGHT, 2 * WIDTH, 6, colour)
        self.start = random.uniform(0.2, 0.8, 2)
        self.drift = random.uniform(-1.5, 1.5, 2) * (0.2 if calm else 1)
        self.things = []
        for _ in range(random.randint(2, 5)):
            tint = random.uniform(20, 235, 3) if palette is None else palette + random.randn(3) * 25
            self.things.append((random.uniform(0.1, 0.9, 2), random.uniform(-2, 2, 2),
                                random.randint(12, 45, 2), random.uniform(0, 6, 2),
                                noise(random, 90, 90, 4, tint)))

    def frame(self, t, shift=(0.0, 0.0), scale=1.0):
        """At time t in frames; `shift` in pixels, `scale` > 1 is nearer."""
        middle = numpy.array([WIDTH, HEIGHT]) + numpy.array([WIDTH, HEIGHT]) * (self.start - 0.5)
        x, y = middle + self.drift * t + numpy.array(shift)
        s = 1.0 / scale
        view = numpy.float32([[s, 0, x - s * WIDTH / 2], [0, s, y - s * HEIGHT / 2]])
        out = cv2.warpAffine(self.world, view, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101,
                             flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        for at, speed, size, phase, texture in self.things:
            p = at * (WIDTH, HEIGHT) + speed * t + 6 * numpy.sin(t / 9.0 + phase)
            p = ((p - (WIDTH / 2, HEIGHT / 2) - numpy.array(shift)) * scale +
                 (WIDTH / 2, HEIGHT / 2))
            half = numpy.maximum(2, numpy.rint(size * scale)).astype(int)
            left, top = (numpy.rint(p) - half).astype(int)
            patch = cv2.resize(texture, (2 * int(half[0]), 2 * int(half[1])))
            mask = numpy.zeros(patch.shape[:2], numpy.uint8)
            cv2.ellipse(mask, (int(half[0]), int(half[1])), (int(half[0]) - 1, int(half[1]) - 1),
                        0, 0, 360, 1, -1)
            x0, y0 = max(0, left), max(0, top)
            x1, y1 = min(WIDTH, left + patch.shape[1]), min(HEIGHT, top + patch.shape[0])
            if x0 < x1 and y0 < y1:
                inner = mask[y0 - top:y1 - top, x0 - left:x1 - left, None] > 0
                out[y0:y1, x0:x1] = numpy.where(inner, patch[y0 - top:y1 - top, x0 - left:x1 - left],
                                                out[y0:y1, x0:x1])
        return out


class Edit:
    """Frames so far, and the truth about them."""

    def __init__(self, random):
        self.random = random
        self.frames = []
        self.label = {'cuts': [], 'gradual': [], 'jump': [], 'ambiguous': [], 'flash': [],
                      'motion': []}

    def cut(self):
        if self.frames:
            self.label['cuts'].append(len(self.frames))

    def shot(self, source, length, change=None, **view):
        """Appends a shot; change(frame, i) edits each frame, view values may be functions of i."""
        for i in range(length):
            now = {k: v(i) if callable(v) else v for k, v in view.items()}
            frame = source.frame(i, **now)
            self.frames.append(frame if change is None else change(frame, i))

    def shots(self, count, change=None, least=18, most=40, **view):
        for _ in range(count):
            self.cut()
            self.shot(Source(self.random), self.random.randint(least, most), change, **view)


def plain_cuts(e):
    e.shots(6)


def same_colours(e):
    palette = e.random.uniform(80, 170, 3)
    for _ in range(5):
        e.cut()
        e.shot(Source(e.random, palette), e.random.randint(18, 36))


def two_frame_shots(e):
    for length in (20, 2, 18, 3, 2, 20, 2, 16):
        e.cut()
        e.shot(Source(e.random), length)


def to_and_from_black(e):
    for _ in range(3):
        e.cut()
        e.shot(Source(e.random), e.random.randint(18, 30))
        e.cut()
        e.frames += [numpy.full((HEIGHT, WIDTH, 3), 0.0, numpy.float32)] * e.random.randint(4, 20)
    e.cut()
    e.shot(Source(e.random), 20)


def flashes(e):
    at = sorted(e.random.choice(range(8, 65, 8), 3, replace=False))
    long = e.random.randint(1, 5)
    strength = e.random.uniform(0.5, 1.0)

    def flash(frame, i):
        hit = any(a <= i < a + long for a in at)
        return frame * (1 - strength) + 255 * strength if hit else frame
    for _ in range(2):
        begin = len(e.frames)
        e.cut()
        e.shot(Source(e.random), 75, flash)
        e.label['flash'] += [[begin + a, begin + a + long] for a in map(int, at)]


def strobes(e):
    period = e.random.randint(1, 4)
    gain = e.random.uniform(1.6, 2.2)
    for _ in range(2):
        begin = len(e.frames)
        e.cut()
        e.shot(Source(e.random), 80, lambda f, i: f * gain
               if 15 <= i < 65 and i // period % 2 else f)
        e.label['flash'].append([begin + 14, begin + 66])


def camera_shake(e):
    wild = e.random.uniform(5, 14)
    noise_xy = e.random.randn(200, 2) * wild
    e.shots(2, least=55, most=60, shift=lambda i: noise_xy[i])
    e.label['motion'].append([1, len(e.frames) - 1])


def fast_pans(e):
    speed = e.random.uniform(12, 30)

    def pan(i):
        return (speed * max(0, min(i - 15, 25)) - 200, 0)
    e.shots(2, least=55, most=60, shift=pan)
    e.label['motion'].append([1, len(e.frames) - 1])


def fast_zooms(e):
    rate = e.random.uniform(1.03, 1.08)
    e.shots(2, least=50, most=55, scale=lambda i: rate ** max(0, min(i - 12, 18)))
    e.label['motion'].append([1, len(e.frames) - 1])


def explosions(e):
    centre = e.random.uniform(0.3, 0.7, 2) * (WIDTH, HEIGHT)
    yy, xx = numpy.mgrid[0:HEIGHT, 0:WIDTH].astype(numpy.float32)
    far = numpy.hypot(xx - centre[0], yy - centre[1])

    def burst(frame, i):
        k = i - 25
        if not 0 <= k < 20:
            return frame
        fire = numpy.clip(1.3 * (12 + 26 * min(k, 8)) / (far + 20) - 0.25, 0, 1)
        fire = (fire * (1 - max(0, k - 6) / 14.0))[..., None]
        return frame * (1 - fire) + numpy.float32([255, 210, 120]) * fire
    for _ in range(2):
        begin = len(e.frames)
        e.cut()
        e.shot(Source(e.random), 65, burst)
        e.label['flash'].append([begin + 24, begin + 46])


def text(frame, top, height, left, width, seed, plate):
    random = numpy.random.RandomState(seed)
    if plate is not None:
        frame[top:top + height, left:left + width] = plate
    for row in range(top + 2, top + height - 8, 12):
        x = left + 4
        while x < left + width - 10:
            w = random.randint(2, 8)
            frame[row:row + 8, x:x + w] = 240
            x += w + random.randint(1, 6)
    return frame


def subtitles(e):
    e.shots(2, lambda f, i: text(f, 145, 30, 50, 220, i // 12, None) if i // 12 % 2 else f,
            least=60, most=70)


def lower_thirds(e):
    e.shots(2, lambda f, i: text(f, 125, 40, 10, 250, 1, (30, 60, 160)) if 15 <= i < 45 else f,
            least=60, most=70)


def picture_in_picture(e):
    inner = [Source(e.random) for _ in range(4)]

    def inset(frame, i):
        if i >= 12:
            small = inner[(i - 12) // 14 % 4].frame(i)
            frame[10:64, 210:306] = cv2.resize(small, (96, 54), interpolation=cv2.INTER_AREA)
        return frame
    e.shots(2, inset, least=60, most=70)


def letterbox(e):
    bar = int(e.random.choice([12, 22, 30]))

    def bars(frame, i):
        frame[:bar] = frame[HEIGHT - bar:] = 0
        return frame
    e.shots(5, bars)


def dark_scenes(e):
    gain = e.random.uniform(0.15, 0.3)
    e.shots(5, lambda f, i: f * gain)


def grain(e):
    strength = e.random.uniform(12, 28)
    e.shots(4, lambda f, i: f + e.random.randn(HEIGHT, WIDTH, 1).astype(numpy.float32) * strength)


def static_slides(e):
    for _ in range(5):
        e.cut()
        page = numpy.full((HEIGHT, WIDTH, 3), e.random.uniform(200, 250), numpy.float32)
        text(page, 10, 24, 20, e.random.randint(120, 260), e.random.randint(1 << 30), (40, 60, 120))
        text(page, 50, e.random.randint(60, 120), 20, 270, e.random.randint(1 << 30), (90, 90, 90))
        if e.random.rand() < 0.6:
            left, top = e.random.randint(20, 180), e.random.randint(60, 90)
            page[top:top + 80, left:left + 110] = noise(e.random, 80, 110, 4, (120, 90, 60))
        e.frames += [page] * e.random.randint(18, 40)


def interlaced(e):
    """Two fields a frame, half a frame apart; a cut may fall between them."""
    fields = Edit(e.random)
    lengths = [2 * int(e.random.randint(15, 30)) + int(odd) for odd in (0, 1, 0, 1, 0)]
    for length in lengths:
        fields.cut()
        fields.shot(Source(e.random), length)
    for k in range(len(fields.frames) // 2):
        frame = fields.frames[2 * k].copy()
        frame[1::2] = fields.frames[2 * k + 1][1::2]
        e.frames.append(frame)
    for c in fields.label['cuts']:
        e.label['cuts'].append(c // 2 if c % 2 == 0 else [c // 2, c // 2 + 1])


def variable_rate(e):
    """Frames that a variable-rate file has: some left out, so motion comes in uneven steps."""
    for _ in range(4):
        e.cut()
        source = Source(e.random)
        t = 0
        for _ in range(e.random.randint(18, 30)):
            e.frames.append(source.frame(t))
            t += int(e.random.choice([1, 1, 2, 5]))


def dissolves(e):
    last = Source(e.random)
    e.shot(last, 30)
    t = 30
    for _ in range(3):
        new = Source(e.random)
        length = int(e.random.choice([8, 12, 16, 24, 32]))
        begin = len(e.frames)
        for i in range(length):
            k = (i + 1) / (length + 1)
            e.frames.append(last.frame(t + i) * (1 - k) + new.frame(i) * k)
        e.label['gradual'].append([begin, begin + length - 1])
        for i in range(length, length + 32):
            e.frames.append(new.frame(i))
        last, t = new, length + 32


def fades(e):
    e.shot(Source(e.random), 30)
    for level in (0, 0, 255):
        out, new = Source(e.random), Source(e.random)
        del out
        length = int(e.random.choice([8, 12, 18]))
        blank = int(e.random.choice([0, 3, 8]))
        begin = len(e.frames)
        tail = e.frames[begin - length:]
        for i in range(length):
            k = (i + 1) / length
            e.frames[begin - length + i] = tail[i] * (1 - k) + level * k
        e.frames += [numpy.full((HEIGHT, WIDTH, 3), level, numpy.float32)] * blank
        for i in range(length):
            k = i / length
            e.frames.append(new.frame(i) * k + level * (1 - k))
        e.label['gradual'].append([begin - length, len(e.frames) - 1])
        for i in range(length, length + 45):
            e.frames.append(new.frame(i))


DIFFICULTIES = {f.__name__: f for f in (
    plain_cuts, same_colours, two_frame_shots, to_and_from_black, flashes, strobes, camera_shake,
    fast_pans, fast_zooms, explosions, subtitles, lower_thirds, picture_in_picture, letterbox,
    dark_scenes, grain, static_slides, interlaced, variable_rate, dissolves, fades)}


def make(difficulty, seed):
    """(frames, label): uint8 RGB arrays and the truth."""
    key = sum(ord(c) * 31 ** i for i, c in enumerate(difficulty)) % 100003
    edit = Edit(numpy.random.RandomState([key, seed]))
    DIFFICULTIES[difficulty](edit)
    frames = [numpy.clip(numpy.rint(f), 0, 255).astype(numpy.uint8) for f in edit.frames]
    label = {'video': f'{difficulty}_{seed}', 'case': difficulty, 'fps': RATE,
             'frames': len(frames), **edit.label}
    return frames, label


def write(folder, difficulty, seed):
    frames, label = make(difficulty, seed)
    video = pathlib.Path(folder) / f'{difficulty}_{seed}.mkv'
    subprocess.run(
        ['ffmpeg', '-v', 'error', '-nostdin', '-y', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s',
         f'{WIDTH}x{HEIGHT}', '-r', str(RATE), '-i', '-', '-pix_fmt', 'yuv420p', '-c:v', 'libx264',
         '-preset', 'ultrafast', '-qp', '0', str(video)],
        input=b''.join(f.tobytes() for f in frames), check=True)
    label['video'] = video.name
    video.with_name(video.name + '.json').write_text(json.dumps(label) + '\n')
    return video, label


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('--seeds', type=int, nargs=2, default=[1000, 2])
    arguments = parser.parse_args()
    pathlib.Path(arguments.folder).mkdir(parents=True, exist_ok=True)
    first, count = arguments.seeds
    for difficulty in DIFFICULTIES:
        for seed in range(first, first + count):
            write(arguments.folder, difficulty, seed)


if __name__ == '__main__':
    main()
