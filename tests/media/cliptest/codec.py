# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine-readable codes that every test picture and every test sample carries.

Picture: 24 blocks a row, two rows, at the top left. Row 0 is the frame number, most significant
bit first, white = 1; row 1 is its complement. A picture whose rows do not disagree clearly
everywhere is reported as unreadable (a damaged decode), never guessed at.

Sound: a tone of constant amplitude whose frequency runs in straight lines between pseudo-random
control points, one every 50 ms, with unbroken phase. Each 50 ms window occurs once a track, so
correlating a decoded window with the same function of time gives its source time to the sample.
A tone survives AAC and Opus; noise would be replaced by the encoder's own.
"""

import numpy as np

BITS = 24
AUDIO_STEP = 0.05  # seconds between control points
CYCLE_PARTS = 40  # 2 / AUDIO_STEP: a step from f0 to f1 lasts (f0 + f1) / 40 cycles
F_LOW, F_SPAN = 400, 3600  # Hz
AMPLITUDE = 0.5


def geometry(width, height):
    """(block width, block height) of the code in a picture of this size."""
    return max(8, (width // BITS) // 8 * 8), (16 if height < 720 else 32)


def draw_filters(width, height, first=0):
    """The FFmpeg filters that draw number first + n into the n-th picture."""
    bw, bh = geometry(width, height)
    out = [f"drawbox=x=0:y=0:w={bw * BITS}:h={2 * bh}:color=black:t=fill"]
    for bit in range(BITS):
        x = (BITS - 1 - bit) * bw
        is_set = f"gte(mod((n+{first})\\,{2 ** (bit + 1)})\\,{2 ** bit})"
        box = f"w={bw}:h={bh}:color=white:t=fill"
        out.append(f"drawbox=x={x}:y=0:{box}:enable='{is_set}'")
        out.append(f"drawbox=x={x}:y={bh}:{box}:enable='not({is_set})'")
    return ",".join(out)


def read_codes(strip, width, height):
    """strip: (frames, 2*bh, bw*24) uint8 luma -> int64 frame numbers, -1 = unreadable."""
    bw, bh = geometry(width, height)
    frames = strip.shape[0]
    m, v = max(2, bw // 5), max(2, bh // 5)  # stay clear of the blocks' edges
    blocks = strip[:, :, : bw * BITS].reshape(frames, 2, bh, BITS, bw)
    inner = blocks[:, :, v : bh - v, :, m : bw - m].mean(axis=(2, 4))
    top, bottom = inner[:, 0], inner[:, 1]
    readable = (np.abs(top - bottom) > 90).all(axis=1)
    weights = 2 ** np.arange(BITS - 1, -1, -1, dtype=np.int64)
    number = ((top > bottom) @ weights).astype(np.int64)
    return np.where(readable, number, -1)


def _points(count, track):
    """Control frequencies by splitmix64; integers, so that the phase sum is exact."""
    k = np.arange(count, dtype=np.uint64) + np.uint64(track) * np.uint64(1 << 40)
    z = (k + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return F_LOW + (z % np.uint64(F_SPAN)).astype(np.int64)


class AudioCode:
    """The reference sound of one track, as a function of source time in seconds."""

    def __init__(self, track=0, seconds=120):
        n = int(seconds / AUDIO_STEP) + 8
        self.f = _points(n, track)
        total = np.concatenate([[0], np.cumsum(self.f[:-1] + self.f[1:])])
        self.base = (total % CYCLE_PARTS).astype(np.float64) / CYCLE_PARTS  # cycles

    def at(self, t):
        """The sound at times t (array of seconds); silence before 0."""
        t = np.asarray(t, dtype=np.float64)
        tt = np.clip(t, 0, None)
        k = np.minimum((tt / AUDIO_STEP).astype(np.int64), len(self.f) - 2)
        u = tt - k * AUDIO_STEP
        f0 = self.f[k].astype(np.float64)
        slope = (self.f[k + 1] - self.f[k]) / AUDIO_STEP
        cycles = self.base[k] + u * (f0 + 0.5 * slope * u)
        return np.where(t < 0, 0.0, AMPLITUDE * np.sin(2 * np.pi * cycles))

    def samples(self, count, rate=48000):
        """The first count samples at this rate."""
        return self.at(np.arange(count) / rate)
