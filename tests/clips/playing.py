# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a pipeline whose ends are appsinks and keeps what came: numbers of pictures, time codes of sound."""

import dataclasses

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import GLib, Gst, GstApp  # noqa: E402,F401
from cliptest.codec import BITS, geometry, read_codes  # noqa: E402
from cutting import fields  # noqa: E402

Gst.init(None)

VIDEO = "videoconvert ! video/x-raw,format=GRAY8 ! appsink name={name} sync=false"
AUDIO = ("audioconvert ! audio/x-raw,format=F32LE,layout=interleaved,channels=1 ! "
         "appsink name={name} sync=false")


@dataclasses.dataclass
class Sound:
    rate: int = 0
    pts: list = dataclasses.field(default_factory=list)  # running time of each buffer, s
    samples: np.ndarray = None

    @property
    def t0(self):
        return self.pts[0]

    @property
    def y(self):
        return self.samples

    @property
    def length(self):
        return len(self.samples) / self.rate


@dataclasses.dataclass
class Played:
    numbers: dict = dataclasses.field(default_factory=dict)  # by sink: numbers of pictures
    times: dict = dataclasses.field(default_factory=dict)  # by sink: running times, s
    packets: dict = dataclasses.field(default_factory=dict)  # by sink: (pts, dts, key, size)
    sound: dict = dataclasses.field(default_factory=dict)
    messages: list = dataclasses.field(default_factory=list)  # (name, fields)
    error: str = ""
    code: str = ""
    errors: int = 0
    ended: set = dataclasses.field(default_factory=set)

    def said(self, name):
        return [f for n, f in self.messages if n == name]


def running_time(sample, time):
    if time == Gst.CLOCK_TIME_NONE:
        return None
    sign, value = sample.get_segment().to_running_time_full(Gst.Format.TIME, time)
    return sign * value / Gst.SECOND


def drain(sink, name, played):
    while sample := sink.try_pull_sample(0):
        take(sample, name, played)
    if sink.get_property("eos"):
        played.ended.add(name)


def take(sample, name, played):
    buffer, media_type = sample.get_buffer(), sample.get_caps()
    caps = media_type.get_structure(0)
    if hasattr(caps, "__enter__"):  # GStreamer 1.26
        caps = caps.__enter__()
    pts = running_time(sample, buffer.pts)
    if caps.get_name() == "video/x-raw":
        width, height = caps.get_value("width"), caps.get_value("height")
        bw, bh = geometry(width, height)
        data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)
        picture = data.reshape(height, -1)[: 2 * bh, : bw * BITS]
        played.numbers.setdefault(name, []).append(
            int(read_codes(picture[None], width, height)[0]))
        played.times.setdefault(name, []).append(pts)
    elif caps.get_name() == "audio/x-raw":
        data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.float32)
        heard = played.sound.setdefault(name, Sound(caps.get_value("rate"), [], np.zeros(0, "f4")))
        heard.pts.append(pts)
        heard.samples = np.concatenate([heard.samples, data])
    else:
        key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        played.packets.setdefault(name, []).append(
            (pts, running_time(sample, buffer.dts), key, buffer.get_size()))


def play(description, prepare=None, timeout=60, until=None):
    """Plays to the end of all sinks, or to the first error; what the appsinks got, by their names."""
    pipeline = description if isinstance(description, Gst.Pipeline) else Gst.parse_launch(description)
    if prepare:
        prepare(pipeline)
    played = Played()
    sinks = []
    iterator = pipeline.iterate_recurse()
    while True:
        result, element = iterator.next()
        if result != Gst.IteratorResult.OK:
            break
        if element.get_factory() and element.get_factory().get_name() == "appsink":
            sinks.append(element)
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    end = GLib.get_monotonic_time() + timeout * 1_000_000
    done = False
    while not done:
        assert GLib.get_monotonic_time() < end, "the pipeline hangs"
        for sink in sinks:
            drain(sink, sink.get_name(), played)
        message = bus.timed_pop(5_000_000)
        while message:
            done |= look(message, played)
            message = bus.pop()
        if played.errors or (until and until(played)):
            done = True
    for sink in sinks:
        drain(sink, sink.get_name(), played)
    pipeline.set_state(Gst.State.NULL)
    return played


def look(message, played):
    if message.type == Gst.MessageType.ELEMENT:
        structure = message.get_structure()
        played.messages.append((structure.get_name(), fields(structure)))
    if message.type == Gst.MessageType.ERROR:
        error, _ = message.parse_error()
        if not played.errors:
            played.error, played.code = error.message, f"{error.domain}/{error.code}"
        played.errors += 1
    return message.type == Gst.MessageType.EOS
