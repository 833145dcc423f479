#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws scenecut-scores.svg: what two methods see in an easy and in a hard passage.

usage: meson devenv -C build docs/elements/scenecut-plot.py docs/elements/scenecut-scores.svg

The grey line is the difference of each frame from the one before by BGR histograms (method bhattacharyya, whose score it is);
the red stems are the boundaries of the method adaptive with their scores; the green marks below are the truth.
"""

import pathlib
import sys
import tempfile

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

WIDTH, HEIGHT = 192, 108


def texture(random, width, height, cell=12):
    """A soft random picture of soft random colours."""
    small = random.integers(20, 236, (height // cell + 2, width // cell + 2, 3)).astype(float)
    big = small.repeat(cell, 0).repeat(cell, 1)
    for axis in (0, 1):
        big = sum(np.roll(big, shift, axis) for shift in range(-cell // 2, cell // 2 + 1)) / (cell + 1)
    return big[:height, :width]


def passages():
    """Frames (BGR), the frames of true boundaries, and names of spans."""
    random = np.random.default_rng(11)
    frames, truth, spans = [], [], []

    def shot(count, speed=0.4, change=lambda i, picture: picture, name=None, cut=True):
        scene = texture(random, WIDTH + int(speed * count) + 2, HEIGHT)
        if cut and frames:
            truth.append(len(frames))
        if name:
            spans.append((len(frames), len(frames) + count, name))
        for i in range(count):
            at = int(i * speed)
            picture = scene[:, at : at + WIDTH] + random.normal(0, 2, (HEIGHT, WIDTH, 3))
            frames.append(np.clip(change(i, picture), 0, 255).astype(np.uint8))

    for count in (50, 35, 60, 40, 45):
        shot(count)
    hard = len(frames)
    shot(50, change=lambda i, p: p + 170 * (i in (20, 21, 34)), name="flashes")
    shot(50, speed=14, name="fast pan")
    shot(50, change=lambda i, p: 8 + p / 16, name="dark")
    shot(40, change=lambda i, p: 8 + p / 16)
    old, new = texture(random, WIDTH, HEIGHT), texture(random, WIDTH, HEIGHT)
    truth.append(len(frames))
    start = len(frames)
    for i in range(70):
        part = min(max((i - 25) / 20, 0), 1)
        noise = random.normal(0, 2, (HEIGHT, WIDTH, 3))
        frames.append(np.clip(old * (1 - part) + new * part + noise, 0, 255).astype(np.uint8))
    truth.append(start + 35)
    spans.append((start + 25, start + 45, "dissolve"))
    return frames, truth, spans, hard


def boundaries(raw, settings):
    pipeline = Gst.parse_launch(f"filesrc name=f blocksize={WIDTH * HEIGHT * 3} ! video/x-raw,format=BGR,width={WIDTH},"
                                f"height={HEIGHT},framerate=25/1 ! scenecut {settings} ! fakesink")
    pipeline.get_by_name("f").set_property("location", raw)
    pipeline.set_state(Gst.State.PLAYING)
    found = []
    while True:
        message = pipeline.get_bus().timed_pop(10 * Gst.SECOND)
        if message is None or message.type == Gst.MessageType.ERROR:
            sys.exit("the pipeline failed")
        if message.type == Gst.MessageType.EOS:
            break
        fields = message.get_structure()
        if message.type == Gst.MessageType.ELEMENT and fields.get_name() == "scenecut":
            found.append({name: fields.get_value(name) for name in ("frame", "kind", "score", "start-frame", "end-frame")})
    pipeline.set_state(Gst.State.NULL)
    return found


def main():
    Gst.init(None)
    frames, truth, spans, hard = passages()
    with tempfile.NamedTemporaryFile() as raw:
        raw.write(b"".join(frame.tobytes() for frame in frames))
        raw.flush()
        adaptive = boundaries(raw.name, "")
        histogram = {b["frame"]: b["score"] for b in boundaries(raw.name, "method=bhattacharyya threshold=1e-300")}
    left, top, tall, wide = 46, 34, 200, 860
    x = lambda frame: left + wide * frame / len(frames)  # noqa: E731
    y = lambda score: top + tall * (1 - score)  # noqa: E731
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + wide + 14} 290" font-family="sans-serif" font-size="11">',
           f'<rect width="{left + wide + 14}" height="290" fill="white"/>']
    for value in (0, 0.25, 0.5, 0.75, 1):
        out.append(f'<path d="M{left} {y(value):.1f}h{wide}" stroke="#ddd"/><text x="{left - 6}" y="{y(value) + 4:.1f}" '
                   f'text-anchor="end">{value:g}</text>')
    for name, at in (("easy", 0), ("hard", hard)):
        out.append(f'<text x="{x(at) + 6:.1f}" y="{top - 18}" font-size="13" font-weight="bold">{name}</text>')
    out.append(f'<path d="M{x(hard):.1f} {top - 26}v{tall + 50}" stroke="#888" stroke-dasharray="4 3"/>')
    for start, end, name in spans:
        out.append(f'<rect x="{x(start):.1f}" y="{top}" width="{x(end) - x(start):.1f}" height="{tall}" fill="#4466aa" '
                   f'opacity="0.08"/><text x="{x((start + end) / 2):.1f}" y="{top - 4}" text-anchor="middle" fill="#446">{name}</text>')
    points = " ".join(f"{x(frame):.1f},{y(histogram.get(frame, 0)):.1f}" for frame in range(1, len(frames)))
    out.append(f'<polyline points="{points}" fill="none" stroke="#999"/>')
    for boundary in adaptive:
        at, score = x(boundary["frame"]), y(boundary["score"])
        out.append(f'<path d="M{at:.1f} {y(0)}V{score:.1f}" stroke="#c22" stroke-width="1.6"/>'
                   f'<circle cx="{at:.1f}" cy="{score:.1f}" r="3" fill="#c22"/>')
        if boundary["kind"] != "cut":
            out.append(f'<path d="M{x(boundary["start-frame"]):.1f} {score:.1f}H{x(boundary["end-frame"]):.1f}" stroke="#c22"/>')
    for frame in truth:
        at = x(frame)
        out.append(f'<path d="M{at:.1f} {y(0) + 3}l-4 8h8z" fill="#2a2"/>')
    for number in range(0, len(frames), 50):
        out.append(f'<text x="{x(number):.1f}" y="{y(0) + 26}" text-anchor="middle">{number}</text>')
    key = y(0) + 44
    out.append(f'<text x="{left}" y="{key}"><tspan fill="#777">— histogram difference of neighbouring frames</tspan>'
               '<tspan dx="14" fill="#c22">● boundary of method adaptive, height = score</tspan>'
               '<tspan dx="14" fill="#2a2">▲ true boundary</tspan></text></svg>')
    pathlib.Path(sys.argv[1]).write_text("\n".join(out) + "\n")
    print("true", truth)
    print("adaptive", [(b["frame"], b["kind"], round(b["score"], 3)) for b in adaptive])


main()
