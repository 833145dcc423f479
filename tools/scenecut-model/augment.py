# SPDX-License-Identifier: LGPL-2.1-or-later
"""Training edits from labelled shots, made on thumbnails.

A labelled set has few examples of each difficulty. This makes more: shots of the set, taken between
its labelled boundaries, are joined again by cuts, dissolves and fades whose frames are known
exactly, and put through what editors, cameras and broadcasters do (darkening, letterbox, flashes,
captions, shake, speed-up, repeated frames ...). Everything follows from the seed.
"""
import cv2
import numpy

W, H = 64, 36


def unpack(thumbs):
    """(n, 3456) bytes -> float arrays Y (n, 36, 64), U and V (n, 18, 32)."""
    t = thumbs.astype(numpy.float32)
    return [t[:, :2304].reshape(-1, 36, 64), t[:, 2304:2880].reshape(-1, 18, 32),
            t[:, 2880:].reshape(-1, 18, 32)]


def pack(planes):
    n = len(planes[0])
    return numpy.concatenate([numpy.clip(numpy.rint(p), 0, 255).astype(numpy.uint8).reshape(n, -1)
                              for p in planes], 1)


def span(x):
    return (x[0], x[1]) if isinstance(x, (list, tuple)) else (x, x)


def shots(label, least=6):
    """Stretches of one shot without anything doubtful: [first, one past the last)."""
    n = label['frames']
    bad = numpy.zeros(n + 1, bool)
    for key in ('gradual', 'ambiguous', 'jump'):
        for x in label.get(key, []):
            a, b = span(x)
            bad[max(0, a - 2):b + 3] = True
    for x in label['cuts']:
        a, b = span(x)
        bad[a:b] = True
    starts = {0, n} | {span(x)[1] for x in label['cuts']} | {int(i) for i in numpy.flatnonzero(bad)}
    out = []
    edges = sorted(starts)
    for a, b in zip(edges, edges[1:]):
        while a < b and bad[a]:
            a += 1
        if b - a >= least:
            out.append((a, b))
    return out


def crop(planes, x, y, size):
    """A window of each frame, `size` of its width, enlarged to the whole; x and y per frame."""
    out = []
    for p in planes:
        h, w = p.shape[1:]
        frames = []
        for i in range(len(p)):
            s = float(size[i])
            m = numpy.float32([[s, 0, float(x[i]) * (1 - s) * w], [0, s, float(y[i]) * (1 - s) * h]])
            frames.append(cv2.warpAffine(p[i], m, (w, h), flags=cv2.INTER_LINEAR |
                                         cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE))
        out.append(numpy.stack(frames))
    return out


class Maker:
    def __init__(self, sources, seed):
        """sources: [(name, label, thumbnails)]."""
        self.random = numpy.random.RandomState(seed)
        self.sources = []
        for name, label, thumbs in sources:
            found = shots(label)
            if found:
                self.sources.append((name, found, thumbs))

    def shot(self, source, length, motion):
        name, found, thumbs = source
        r = self.random
        step = int(r.choice([1, 1, 1, 2, 3, 4])) if motion else 1
        for _ in range(8):
            a, b = found[r.randint(len(found))]
            if (b - a) >= length * step:
                break
        else:
            step = 1
            length = min(length, b - a)
        first = a + r.randint(b - a - length * step + 1) if b - a > length * step else a
        index = numpy.arange(first, first + length * step, step)[:length]
        if r.rand() < 0.3:
            index = index[::-1]
        planes = unpack(thumbs[index])
        identity = (name, a)
        if r.rand() < 0.5:
            planes = [p[:, :, ::-1] for p in planes]
        n = len(index)
        kind = r.rand()
        if kind < 0.2:      # punched in
            size = numpy.full(n, r.uniform(0.5, 0.9))
            planes = crop(planes, numpy.full(n, r.rand()), numpy.full(n, r.rand()), size)
        elif kind < 0.35:   # shaken camera
            size = numpy.full(n, r.uniform(0.75, 0.9))
            wild = r.uniform(0.1, 0.5)
            x = numpy.clip(0.5 + wild * r.randn(n), 0, 1)
            y = numpy.clip(0.5 + wild * r.randn(n), 0, 1)
            planes = crop(planes, x, y, size)
        elif kind < 0.45:   # pan
            size = numpy.full(n, r.uniform(0.4, 0.7))
            speed = r.uniform(0.02, 0.35) * r.choice([-1, 1])
            x = (r.rand() + speed * numpy.arange(n))
            x = numpy.abs((x % 2) - 1)
            planes = crop(planes, x, numpy.full(n, r.rand()), size)
        elif kind < 0.52:   # zoom
            size = numpy.clip(r.uniform(0.3, 1) * (1 + r.uniform(0.01, 0.1) * r.choice([-1, 1])) **
                              numpy.arange(n), 0.25, 1)
            planes = crop(planes, numpy.full(n, 0.5), numpy.full(n, 0.5), size)
        return identity, planes

    def join(self, left, right, kind):
        """Frames of a gradual transition between the last of `left` and the first of `right`."""
        r = self.random
        lengths = [4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18, 20, 24, 25, 30, 36, 45, 50]
        n = int(r.choice(lengths))
        if kind == 'dissolve':
            n = min(n, len(left[0]) - 3, len(right[0]) - 3)
            if n < 3:
                return None
            alpha = (numpy.arange(n) + 1.0) / (n + 1)
            if r.rand() < 0.2:
                alpha = alpha * alpha * (3 - 2 * alpha)
            mixed = [l[len(l) - n:] * (1 - alpha[:, None, None]) + q[:n] * alpha[:, None, None]
                     for l, q in zip(left, right)]
            return n, [l[:len(l) - n] for l in left], mixed, [q[n:] for q in right]
        n = min(max(n, 5), len(left[0]) - 3, len(right[0]) - 3)
        if n < 4:
            return None
        level = 16.0 if r.rand() < 0.7 else 235.0
        blank = int(r.choice([0, 0, 1, 2, 4, 8, 12]))
        down = numpy.arange(1, n + 1) / n
        up = 1 - numpy.arange(n) / n
        mixed = []
        for i, (l, q) in enumerate(zip(left, right)):
            to = level if i == 0 else 128.0
            first = l[len(l) - n:] * (1 - down[:, None, None]) + to * down[:, None, None]
            last = q[:n] * (1 - up[:, None, None]) + to * up[:, None, None]
            still = numpy.full((blank, *l.shape[1:]), to, numpy.float32)
            mixed.append(numpy.concatenate([first, still, last]))
        return 2 * n + blank, [l[:len(l) - n] for l in left], mixed, [q[n:] for q in right]

    def clip(self):
        """One clip: (thumbnails, label, names of the sources)."""
        r = self.random
        home = self.sources[r.randint(len(self.sources))]
        used = set()
        motion = r.rand() < 0.5
        gradual_clip = r.rand() < 0.5
        planes = None
        identity = None
        jumps = []
        cuts, gradual = [], []
        for _ in range(r.randint(3, 7)):
            source = home if r.rand() < 0.75 else self.sources[r.randint(len(self.sources))]
            length = int(r.choice([2, 3, 4, 5])) if r.rand() < 0.17 else r.randint(8, 50)
            if gradual_clip:
                length = r.randint(30, 90)
            used.add(source[0])
            before = identity
            identity, part = self.shot(source, length, motion)
            insert = None
            if len(part[0]) > 20 and r.rand() < 0.12:  # a few frames of something else
                other = self.sources[r.randint(len(self.sources))] if r.rand() < 0.5 else source
                another, inset = self.shot(other, int(r.choice([2, 2, 3, 4, 6])), False)
                where = r.randint(6, len(part[0]) - 6)
                if another != identity and min(
                        numpy.abs(part[0][where - 1] - inset[0][0]).mean(),
                        numpy.abs(part[0][where] - inset[0][-1]).mean()) > 6:
                    used.add(other[0])
                    insert = (where, where + len(inset[0]))
                    part = [numpy.concatenate([p[:where], q, p[where:]])
                            for p, q in zip(part, inset)]
            if planes is None:
                planes = part
                cuts += insert or ()
                continue
            if numpy.abs(planes[0][-1] - part[0][0]).mean() < 3:
                continue  # twice the same picture: no boundary that anyone could see
            done = None
            if gradual_clip and r.rand() < 0.7:
                done = self.join(planes, part, 'dissolve' if r.rand() < 0.75 else 'fade')
            if done:
                n, left, mixed, right = done
                begin = len(left[0])
                if identity == before:
                    jumps.append([begin, begin + n - 1])
                else:
                    gradual.append([begin, begin + n - 1])
                planes = [numpy.concatenate(x) for x in zip(left, mixed, right)]
            else:
                if identity == before:  # a jump cut: nobody agrees on those
                    jumps.append([len(planes[0]), len(planes[0])])
                else:
                    cuts.append(len(planes[0]))
                if insert:
                    cuts += [len(planes[0]) + i for i in insert]
                planes = [numpy.concatenate(x) for x in zip(planes, part)]
        y, u, v = planes
        n = len(y)
        flashes = []
        everywhere = slice(0, n)

        def grade(where, gain, lift, colour):
            y[where] = 16 + (y[where] - 16) * gain + lift
            u[where] = 128 + (u[where] - 128) * colour
            v[where] = 128 + (v[where] - 128) * colour

        if r.rand() < 0.35:  # dark, flat or high contrast
            gain = r.choice([r.uniform(0.15, 0.6), r.uniform(0.4, 1.4)])
            grade(everywhere, gain, r.uniform(0, 40) if gain < 0.8 else 0, r.uniform(0, 1.2))
        if r.rand() < 0.25:  # captions, plates and pictures in the picture that pop up
            for _ in range(r.randint(1, 4)):
                a = r.randint(1, n)
                b = min(n, a + r.randint(4, 60))
                h = r.randint(2, 8) if r.rand() < 0.7 else r.randint(4, 11)
                w = r.randint(6, 30)
                top = r.randint(18 - h + 1) if r.rand() < 0.3 else 18 - h - r.randint(min(4, 18 - h))
                left = r.randint(32 - w + 1)
                area = [(slice(a, b), slice(k * top, k * (top + h)), slice(k * left, k * (left + w)))
                        for k in (2, 1, 1)]
                style = r.rand()
                if style < 0.35:    # text alone
                    lit = r.rand(2 * h, 2 * w) < r.uniform(0.2, 0.6)
                    y[area[0]] = numpy.where(lit, r.choice([20., 230.]), y[area[0]])
                elif style < 0.75:  # a plate, text on it
                    lit = r.rand(2 * h, 2 * w) < r.uniform(0, 0.5)
                    k = r.choice([1.0, r.uniform(0.4, 1)])
                    ground = r.uniform(16, 235)
                    y[area[0]] = (1 - k) * y[area[0]] + k * ground
                    y[area[0]] = numpy.where(lit, 235 - ground, y[area[0]])
                    for p, where in ((u, area[1]), (v, area[2])):
                        p[where] = (1 - k) * p[where] + k * r.uniform(70, 190)
                elif h * w < 150:   # another picture, small
                    other = unpack(home[2][r.randint(len(home[2]))][None])
                    for p, o, where, k in zip((y, u, v), other, area, (2, 1, 1)):
                        p[where] = cv2.resize(o[0], (k * w, k * h), interpolation=cv2.INTER_AREA)
        if r.rand() < 0.15:  # pulses of light or darkness on the beat, as trailers have them
            dark = r.rand() < 0.7
            length = r.randint(1, 6)
            depth = r.uniform(0.3, 0.8)
            beats = [c + int(r.choice([-2, -1, 0, 0, 0, 0, 1])) for c in cuts if r.rand() < 0.7]
            beats += [r.randint(1, n) for _ in range(r.randint(3))]
            for a in beats:
                for f in range(max(1, a), min(n, a + length)):
                    k = depth * (1 - (f - a) / length if length > 2 else 1)
                    grade(slice(f, f + 1), 1 - k if dark else 1 / (1 - 0.6 * k), 0, 1)
        if r.rand() < 0.3:  # flashes, strobes, dips
            for _ in range(r.randint(1, 4)):
                a = r.randint(1, n)
                last = min(n, a + r.randint(1, 7))
                strength = r.uniform(0.3, 1)
                style = r.rand()
                hides = True
                if style < 0.5:
                    hides = strength > 0.75
                    for f in range(a, last):
                        k = strength * (1 if r.rand() < 0.5 else (last - f) / (last - a))
                        y[f] = y[f] * (1 - k) + 235 * k
                        u[f] = u[f] * (1 - k) + 128 * k
                        v[f] = v[f] * (1 - k) + 128 * k
                elif style < 0.75:
                    gain = r.uniform(1.3, 2.5)
                    hides = gain > 1.9
                    grade(slice(a, last), gain, 0, 1)
                else:
                    gain = r.uniform(0.1, 0.7)
                    hides = gain < 0.25
                    grade(slice(a, last), gain, 0, 1)
                if hides:
                    flashes.append((a, last))
        if r.rand() < 0.08:  # an explosion or an over-exposure that dies down
            a = r.randint(1, n)
            rise, fall = r.randint(1, 4), r.randint(5, 30)
            colour = (r.uniform(190, 240), r.uniform(90, 130), r.uniform(125, 160))
            for f in range(a, min(n, a + rise + fall)):
                k = r.uniform(0.9, 1) * min((f - a + 1) / rise, (a + rise + fall - f) / fall)
                for p, c in zip((y, u, v), colour):
                    p[f] = p[f] * (1 - k) + c * k
            flashes.append((a, min(n, a + rise + fall)))
        if r.rand() < 0.08:
            a = r.randint(1, n)
            period = r.randint(1, 5)
            gain = r.uniform(1.3, 3) if r.rand() < 0.5 else r.uniform(0.1, 0.6)
            for f in range(a, min(n, a + 40)):
                if (f - a) // period % 2:
                    grade(slice(f, f + 1), gain, 0, 1)
            flashes.append((a, min(n, a + 40)))
        if r.rand() < 0.1:  # film inside a still frame
            back = unpack(home[2][r.randint(len(home[2]))][None])
            size = r.uniform(0.45, 0.9)
            for p, ground in zip((y, u, v), back):
                h, w = p.shape[1:]
                hh, ww = max(2, int(h * size)), max(2, int(w * size))
                top, left = (h - hh) // 2, (w - ww) // 2
                for f in range(n):
                    small = cv2.resize(p[f], (ww, hh), interpolation=cv2.INTER_AREA)
                    p[f] = ground[0]
                    p[f][top:top + hh, left:left + ww] = small
        if r.rand() < 0.25:  # letterbox or pillarbox
            if r.rand() < 0.6:
                bar = r.randint(1, 5) * 2
                y[:, :bar] = y[:, 36 - bar:] = 16
                for p in (u, v):
                    p[:, :bar // 2] = p[:, 18 - bar // 2:] = 128
            else:
                bar = r.randint(2, 9) * 2
                y[:, :, :bar] = y[:, :, 64 - bar:] = 16
                for p in (u, v):
                    p[:, :, :bar // 2] = p[:, :, 32 - bar // 2:] = 128
        if r.rand() < 0.2:
            y += r.randn(*y.shape) * r.uniform(0.5, 3)
        index = numpy.arange(n)
        style = r.rand()
        if style < 0.08:  # repeated frames
            every = r.randint(2, 6)
            index = numpy.sort(numpy.concatenate([index, index[::every]]))
        elif style < 0.13:  # a slow camera on a fast stream
            index = numpy.repeat(index, r.randint(2, 5))
        elif style < 0.2 and not gradual:  # a stream that halts: held frames, then the present one
            a = r.randint(n)
            b = min(n, a + r.randint(20, 80))
            hold = r.randint(2, 9)
            index[a:b] = a + (index[a:b] - a) // hold * hold
        # Where an old frame begins and ends to be seen.
        first = [int(i) for i in numpy.minimum(numpy.searchsorted(index, range(n)), len(index) - 1)]
        last = [int(i) for i in
                numpy.maximum(numpy.searchsorted(index, range(n), side='right') - 1, 0)]
        joined = [[first[a], last[min(n - 1, b)]] for a, b in gradual]
        jumped = [[first[a], last[min(n - 1, b)]] for a, b in jumps]
        thumbs = pack([p[index] for p in (y, u, v)])
        # A flash that lies across a cut hides where it is: within it, any frame will do.
        marked = []
        for c in cuts:
            low = high = c
            for a, b in flashes:
                if a <= c <= b:
                    low, high = min(low, a), max(high, b)
            visible = numpy.abs(thumbs[first[c] - 1].astype(int) - thumbs[first[c]]).mean() > 1.5
            if low == high and visible:
                marked.append(first[c])
            else:
                marked.append([first[low], first[min(high, n - 1)]])
        unclear = [m for m in marked if isinstance(m, list)]
        label = {'frames': len(thumbs), 'cuts': [m for m in marked if not isinstance(m, list)],
                 'gradual': joined, 'ambiguous': unclear, 'jump': jumped, 'flash': [], 'motion': []}
        return thumbs, label, used
