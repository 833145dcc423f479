# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs clipexport in this process and keeps what it said."""

import dataclasses
import os

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

Gst.init(None)

SECOND = 1_000_000_000


@dataclasses.dataclass
class Result:
    path: str
    error: str = ""
    code: str = ""  # "domain/number" of the error
    errors: int = 0
    range: dict = dataclasses.field(default_factory=dict)
    done: dict = dataclasses.field(default_factory=dict)
    warnings: list = dataclasses.field(default_factory=list)
    order: list = dataclasses.field(default_factory=list)
    actual: tuple = ()
    eos: bool = False  # the sink was told that the clip is whole


def ns(seconds):
    return round(seconds * SECOND)


def fields(structure):
    found = {}
    for i in range(structure.n_fields()):
        name = structure.nth_field_name(i)
        value = structure.get_value(name)
        found[name] = list(value) if isinstance(value, Gst.ValueArray) else value
    return found


def cut(uri, path, timeout=60, **properties):
    """Writes a clip of uri to path; properties are those of clipexport, with _ for -."""
    pipeline = Gst.Pipeline.new()
    source = Gst.ElementFactory.make("clipexport")
    sink = Gst.ElementFactory.make("filesink")
    pipeline.add(source)
    pipeline.add(sink)
    assert source.link(sink)
    source.set_property("uri", uri)
    for name, value in properties.items():
        if isinstance(value, str):
            Gst.util_set_object_arg(source, name.replace("_", "-"), value)
        else:
            source.set_property(name.replace("_", "-"), value)
    sink.set_property("location", str(path))
    result = Result(str(path))

    def watch(_pad, info):
        result.eos |= info.get_event().type == Gst.EventType.EOS
        return Gst.PadProbeReturn.OK

    sink.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, watch)
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    end = GLib.get_monotonic_time() + timeout * 1_000_000
    while True:
        left = max(0, end - GLib.get_monotonic_time()) * 1000
        # behind an error, whatever else it has to say
        message = bus.timed_pop(100_000_000 if result.error else left)
        if result.error and not message:
            break
        assert message, "the cut hangs"
        if message.type == Gst.MessageType.EOS:
            break
        if message.type == Gst.MessageType.ERROR:
            error, _ = message.parse_error()
            result.errors += 1
            result.error, result.code = error.message, f"{error.domain}/{error.code}"
        if message.type == Gst.MessageType.WARNING:
            result.warnings.append(message.parse_warning()[0].message)
        if message.type == Gst.MessageType.ELEMENT:
            structure = message.get_structure()
            if structure.get_name() in ("clip-range", "clip-done"):
                result.order.append(structure.get_name())
                setattr(result, structure.get_name()[5:], fields(structure))
    result.actual = tuple(source.get_property("actual-" + n) for n in ("start", "stop", "frames"))
    pipeline.set_state(Gst.State.NULL)
    if result.error and os.path.exists(path) and os.path.getsize(path) == 0:
        os.unlink(path)
    return result
