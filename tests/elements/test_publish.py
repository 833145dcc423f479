# SPDX-License-Identifier: LGPL-2.1-or-later
"""filepublishsink and urisinkbin: whole or not at all, and what they say about it."""

import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import urllib.parse

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402
from timing import quickest_within, seconds_of  # noqa: E402

Gst.init(None)

SECOND = Gst.SECOND
PUBLISHED = "published"


class Run:
    """Messages of one run of a pipeline to EOS or the first error."""

    def __init__(self):
        self.errors = []
        self.published = []
        self.eos = False

    def take(self, message):
        if message.type == Gst.MessageType.ERROR:
            error, _ = message.parse_error()
            # What a source adds when the flow below it stops is GStreamer's, not the sink's.
            if not error.matches(Gst.StreamError.quark(), Gst.StreamError.FAILED) or "Internal data" not in error.message:
                self.errors.append(error)
        elif message.type == Gst.MessageType.EOS:
            self.eos = True
        elif message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == PUBLISHED:
            self.published.append(message.get_structure())

    @property
    def error(self):
        assert len(self.errors) == 1, self.errors
        assert not self.eos
        return self.errors[0]


def run(pipeline, timeout=20, grace=0.2):
    """Plays to the end, then looks on for `grace` seconds for a second error."""
    result = Run()
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    end = time.monotonic() + timeout
    while not result.eos and not result.errors:
        assert time.monotonic() < end, "neither EOS nor an error"
        message = bus.timed_pop(SECOND // 10)
        if message:
            result.take(message)
    if result.errors:
        end = time.monotonic() + grace
        while time.monotonic() < end:
            message = bus.timed_pop(SECOND // 100)
            if message:
                result.take(message)
    pipeline.set_state(Gst.State.NULL)
    return result


def launch(text, **values):
    """A pipeline whose element `sink` gets the values, never through the parser."""
    pipeline = Gst.parse_launch(text)
    for name, value in values.items():
        name = name.replace("_", "-")
        if name in ("location", "uri") and isinstance(value, (bytes, os.PathLike)):
            # gi only takes str: surrogate escapes carry bytes that are not UTF-8.
            value = os.fsdecode(value)
        Gst.util_set_object_arg(pipeline.get_by_name("sink"), name, value)
    return pipeline


def data_source(*chunks):
    """appsrc name=data that gives the chunks as buffers and ends."""

    def feed(pipeline):
        source = pipeline.get_by_name("data")
        for chunk in chunks:
            source.emit("push-buffer", Gst.Buffer.new_wrapped(chunk))
        source.emit("end-of-stream")

    return feed


VIDEO = "videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120 ! "


@pytest.fixture(params=["filepublishsink", "urisinkbin"])
def sink(request):
    """The sink as launch text, with the property that names the file."""
    name = "location" if request.param == "filepublishsink" else "uri"
    return request.param + " name=sink", name


def mounted_tmpfs(folder, options):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True)
    return done.returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if not mounted_tmpfs(folder, "size=256k"):
        pytest.skip("a full disk needs root and the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def read_only_disk(tmp_path):
    folder = tmp_path / "readonly"
    folder.mkdir()
    if not mounted_tmpfs(folder, "size=64k,ro"):
        pytest.skip("a read-only filesystem needs root and the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_file_is_published_before_eos_with_its_message(sink, tmp_path):
    element, name = sink
    target = tmp_path / "a.bin"
    pipeline = launch(f"appsrc name=data ! {element}", **{name: str(target)})
    data_source(b"hello ", b"world")(pipeline)
    result = run(pipeline)
    assert result.eos and not result.errors
    assert target.read_bytes() == b"hello world"
    (message,) = result.published
    assert message.get_string("uri") == target.as_uri()
    assert message.get_uint64("bytes") == (True, 11)
    assert message.get_uint64("index") == (True, 0)
    assert not message.has_field("digest")
    assert os.listdir(tmp_path) == ["a.bin"]


def test_nothing_is_visible_while_it_runs_and_nothing_left_after_a_stop(sink, tmp_path):
    element, name = sink
    target = tmp_path / "a.mp4"
    pipeline = launch(
        f"videotestsrc is-live=true ! x264enc tune=zerolatency ! mp4mux ! {element}", **{name: str(target)}
    )
    pipeline.set_state(Gst.State.PLAYING)
    time.sleep(0.5)
    assert os.listdir(tmp_path) == []
    pipeline.set_state(Gst.State.NULL)
    assert os.listdir(tmp_path) == []


def test_old_file_stays_when_the_new_one_fails(sink, tmp_path):
    element, name = sink
    target = tmp_path / "a"
    target.write_text("old")
    pipeline = launch(
        f"fakesrc num-buffers=5 sizetype=fixed sizemax=100 ! identity error-after=3 ! {element}", **{name: str(target)}
    )
    result = run(pipeline)
    assert len(result.errors) == 1
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_eos_after_an_error_elsewhere_publishes_nothing(sink, tmp_path):
    element, name = sink
    target = tmp_path / "a"
    pipeline = launch(f"appsrc name=data ! identity name=middle ! {element}", **{name: str(target)})
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    source = pipeline.get_by_name("data")
    source.emit("push-buffer", Gst.Buffer.new_wrapped(b"half"))
    # As gst_base_src_loop() does: the error first, EOS behind it.
    middle = pipeline.get_by_name("middle")
    middle.post_message(Gst.Message.new_error(middle, GLib.GError.new_literal(Gst.StreamError.quark(), "bad", 1), ""))
    source.emit("end-of-stream")
    seen = Run()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        message = bus.timed_pop(SECOND // 20)
        if message:
            seen.take(message)
    pipeline.set_state(Gst.State.NULL)
    assert len(seen.errors) == 1 and not seen.eos and not seen.published
    assert os.listdir(tmp_path) == []


def test_a_file_for_each_buffer_ends_with_an_error_elsewhere(sink, tmp_path):
    element, name = sink
    pipeline = launch(f"appsrc name=data ! {element} next-file=buffer", **{name: tmp_path / "{index}.bin"})
    source, bus = pipeline.get_by_name("data"), pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    source.emit("push-buffer", Gst.Buffer.new_wrapped(b"first"))
    while True:
        message = bus.timed_pop_filtered(10 * SECOND, Gst.MessageType.ELEMENT)
        assert message
        if message.get_structure().get_name() == PUBLISHED:
            break
    source.post_message(Gst.Message.new_error(source, GLib.GError.new_literal(Gst.StreamError.quark(), "bad", 1), ""))
    source.emit("push-buffer", Gst.Buffer.new_wrapped(b"second"))
    source.emit("end-of-stream")
    assert bus.timed_pop_filtered(SECOND // 2, Gst.MessageType.EOS) is None
    pipeline.set_state(Gst.State.NULL)
    assert [path.name for path in tmp_path.iterdir()] == ["0.bin"]


@pytest.mark.parametrize(
    "muxer",
    ["mp4mux", "mp4mux faststart=true", "mp4mux fragment-duration=500", "qtmux", "matroskamux", "flvmux", "mpegtsmux"],
)
def test_muxers_give_the_file_that_filesink_gives(muxer, sink, tmp_path):
    element, name = sink
    video = f"{VIDEO}x264enc speed-preset=ultrafast threads=1 ! h264parse ! {muxer} ! "
    target, reference = tmp_path / "ours", tmp_path / "reference"
    # Matroska's random identifiers take as many bytes as they need, and one in 256 needs less: the same in both.
    # Not the same in every process, as mp4mux names its temporary file by them.
    seed = os.getpid()
    GLib.random_set_seed(seed)
    assert run(launch(video + element, **{name: str(target)})).eos
    GLib.random_set_seed(seed)
    assert run(launch(video + "filesink name=sink", location=str(reference))).eos
    ours, theirs = target.read_bytes(), reference.read_bytes()
    assert len(ours) == len(theirs)
    # Dates differ: the coded pictures may not.
    assert frames(target) == frames(reference) != []


def frames(path):
    out = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-c", "copy", "-f", "framemd5", "-"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [line for line in out.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("encoder", ["avenc_mpeg4 ! avimux", "x264enc ! mp4mux"])
def test_rewritten_stream_is_byte_for_byte_what_was_sent(encoder, tmp_path):
    """One stream into both sinks through a tee: positions, rewrites and lists must agree to the byte."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    pipeline = launch(
        f"{VIDEO}{encoder} ! tee name=t ! queue ! filepublishsink name=sink digest=sha256 "
        "t. ! queue ! filesink name=other",
        location=str(ours),
    )
    pipeline.get_by_name("other").set_property("location", str(theirs))
    result = run(pipeline)
    assert result.eos, result.errors
    assert ours.read_bytes() == theirs.read_bytes()
    digest = hashlib.sha256(ours.read_bytes()).hexdigest()
    assert result.published[0].get_string("digest") == "sha256:" + digest


def test_wav_header_is_finished(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    audio = "audiotestsrc num-buffers=20 ! wavenc ! "
    assert run(launch(audio + "filepublishsink name=sink", location=str(ours))).eos
    assert run(launch(audio + "filesink name=sink", location=str(theirs))).eos
    assert ours.read_bytes() == theirs.read_bytes()


def test_buffer_lists_are_written_whole_and_in_order(tmp_path):
    target = tmp_path / "a"
    pipeline = launch("appsrc name=data ! filepublishsink name=sink digest=sha256", location=str(target))
    source = pipeline.get_by_name("data")
    expected = b""
    for i in range(20):
        buffers = Gst.BufferList.new()
        for j in range(20):
            chunk = bytes([i, j]) * (1 + 37 * j * i % 4000)
            buffers.insert(-1, Gst.Buffer.new_wrapped(chunk))
            expected += chunk
        source.emit("push-buffer-list", buffers)
    source.emit("end-of-stream")
    result = run(pipeline)
    assert target.read_bytes() == expected
    assert result.published[0].get_string("digest") == "sha256:" + hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize("muxer", ["mp4mux", "matroskamux"])
def test_splitmuxsink_drives_it_through_location(muxer, tmp_path):
    pipeline = Gst.parse_launch(
        "videotestsrc num-buffers=60 ! video/x-raw,width=160,height=120,framerate=30/1 ! "
        "x264enc key-int-max=15 speed-preset=ultrafast ! h264parse ! "
        "splitmuxsink name=split max-size-time=500000000"
    )
    split = pipeline.get_by_name("split")
    split.set_property("muxer", Gst.ElementFactory.make(muxer))
    split.set_property("sink", Gst.ElementFactory.make("filepublishsink"))
    split.set_property("location", str(tmp_path / "part-%02d"))
    result = run(pipeline)
    assert result.eos, result.errors
    names = sorted(os.listdir(tmp_path))
    assert names == ["part-00", "part-01", "part-02", "part-03"]
    assert sum(len(frames(tmp_path / name)) for name in names) == 60


def test_it_can_be_run_again(sink, tmp_path):
    element, name = sink
    target = tmp_path / "a.mp4"
    pipeline = launch(f"{VIDEO}x264enc speed-preset=ultrafast ! mp4mux ! {element}", **{name: str(target)})
    for _ in range(2):
        result = run(pipeline)
        assert result.eos
        assert len(frames(target)) == 50
        target.unlink()


# Many files


def test_a_file_for_each_buffer(sink, tmp_path):
    element, name = sink
    pipeline = launch(
        f"videotestsrc num-buffers=12 ! video/x-raw,framerate=25/1 ! jpegenc ! {element}",
        next_file="buffer",
        **{name: str(tmp_path / "s-{index:03}-{pts}.jpg")},
    )
    result = run(pipeline)
    assert result.eos
    assert sorted(os.listdir(tmp_path)) == [f"s-{i:03}-{i * 40000000}.jpg" for i in range(12)]
    assert [message.get_uint64("index")[1] for message in result.published] == list(range(12))
    for file in tmp_path.iterdir():
        assert file.read_bytes()[:2] == b"\xff\xd8" and file.read_bytes()[-2:] == b"\xff\xd9"


@pytest.mark.parametrize("template", ["plain", "{index", "a{name}", "%05d", "{index:5}"])
def test_template_with_anything_else_is_refused_before_any_work(sink, template, tmp_path):
    element, name = sink
    pipeline = launch(f"fakesrc num-buffers=1 ! {element}", next_file="buffer", **{name: str(tmp_path / template)})
    error = run(pipeline).error
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.SETTINGS)
    assert "template" in error.message
    assert os.listdir(tmp_path) == []


def test_pts_in_the_name_needs_timestamps(tmp_path):
    pipeline = launch(
        "appsrc name=data ! filepublishsink name=sink", next_file="buffer", location=str(tmp_path / "{pts}")
    )
    data_source(b"x")(pipeline)
    error = run(pipeline).error
    assert error.matches(Gst.StreamError.quark(), Gst.StreamError.FORMAT)


# Errors


def fails(element, name, target, source="fakesrc num-buffers=100 sizetype=fixed sizemax=10000"):
    started = time.monotonic()
    error = run(launch(f"{source} ! {element}", **{name: target})).error
    assert time.monotonic() - started < 5
    return error


def test_missing_directory_is_named(sink, tmp_path):
    error = fails(*sink, str(tmp_path / "none" / "a.mp4"))
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_FOUND)
    assert f"the directory {tmp_path}/none does not exist" in error.message


def test_no_location_is_an_error(sink):
    element, _ = sink
    error = run(Gst.parse_launch(f"fakesrc num-buffers=1 ! {element}")).error
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.SETTINGS)


def test_directory_and_device_are_refused(sink, tmp_path):
    assert "a directory" in fails(*sink, str(tmp_path)).message
    assert "a device" in fails(*sink, "/dev/null").message
    assert pathlib.Path("/dev/null").is_char_device()


def test_full_disk_is_no_space_left_and_leaves_nothing(sink, small_disk):
    error = fails(*sink, str(small_disk / "a.mp4"))
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NO_SPACE_LEFT)
    assert str(small_disk) in error.message
    assert os.listdir(small_disk) == []


def test_disk_that_is_full_only_at_eos_is_an_error_and_no_eos(sink, small_disk):
    """The last bytes are gathered and written at EOS: that failure must not only be logged."""
    (small_disk / "filler").write_bytes(b"x" * (252 * 1024))
    error = fails(*sink, str(small_disk / "a"), source="fakesrc num-buffers=6 sizetype=fixed sizemax=10000")
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NO_SPACE_LEFT)
    assert os.listdir(small_disk) == ["filler"]


def test_read_only_directory_is_told(sink, read_only_disk):
    error = fails(*sink, str(read_only_disk / "a.mp4"))
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.OPEN_WRITE)
    assert "Read-only" in error.message


HOSTILE = [b"a b'\"!.mp4", b"new\nline", b"%n%s%d", b"\xff\xfe\x80", "käse-映画.mp4".encode(), b"-rf", b"a;b|c&d", b"{x}"]


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name) for name in HOSTILE])
def test_hostile_names_are_just_names(name, tmp_path):
    """As in a program that has the name from its user: gi cannot pass bytes that are not UTF-8, GValue can."""
    target = os.path.join(os.fsencode(tmp_path), name)
    program = (
        "import sys, urllib.parse, gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst\n"
        "Gst.init(None); p = Gst.parse_launch('fakesrc num-buffers=3 sizetype=fixed sizemax=7 ! urisinkbin name=sink')\n"
        "p.get_by_name('sink').set_property('uri', sys.argv[1]); p.set_state(Gst.State.PLAYING)\n"
        "m = p.get_bus().timed_pop_filtered(5 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)\n"
        "p.set_state(Gst.State.NULL); sys.exit(m is None or m.type != Gst.MessageType.EOS)"
    )
    # file:// carries every byte.
    uri = "file://" + urllib.parse.quote_from_bytes(target)
    subprocess.run([sys.executable, "-c", program, uri], check=True)
    assert os.listdir(os.fsencode(tmp_path)) == [name]
    assert os.path.getsize(target) == 21


def test_error_text_about_a_hostile_name_is_one_line_of_utf8(tmp_path):
    uri = "file://" + urllib.parse.quote_from_bytes(os.fsencode(tmp_path) + b"/no\n\xffne/%n")
    error = fails("urisinkbin name=sink", "uri", uri)
    assert "no\\x0a\\xffne" in error.message and "\n" not in error.message


# URIs


@pytest.mark.parametrize("uri", ["http://host/a.mp4", "nonsense://x", "file://host/a", "fd://", "fd://-1", "fd://x"])
def test_uri_that_cannot_be_written_is_refused(uri):
    error = fails("urisinkbin name=sink", "uri", uri)
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.SETTINGS)


def test_colon_in_a_relative_path_is_no_scheme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.mp4", "C:x"):
        assert run(launch("fakesrc num-buffers=1 ! urisinkbin name=sink", uri=name)).eos
        assert (tmp_path / name).exists()


def test_sink_setup_hands_out_the_sink_before_it_starts(tmp_path):
    pipeline = launch("appsrc name=data ! urisinkbin name=sink", uri=str(tmp_path / "a"))
    data_source(b"abc")(pipeline)
    seen = []

    def setup(_, element):
        seen.append(element.get_state(0).state)
        element.set_property("digest", "sha256")

    pipeline.get_by_name("sink").connect("sink-setup", setup)
    result = run(pipeline)
    assert seen == [Gst.State.NULL]
    assert result.published[0].get_string("digest") == "sha256:" + hashlib.sha256(b"abc").hexdigest()


def test_muxers_are_told_that_a_file_is_seekable_and_a_pipe_is_not(tmp_path):
    reader, writer = os.pipe()
    for uri, expected in ((str(tmp_path / "a"), True), (f"fd://{writer}", False)):
        element = Gst.ElementFactory.make("urisinkbin")
        element.set_property("uri", uri)
        element.set_state(Gst.State.PAUSED)
        query = Gst.Query.new_seeking(Gst.Format.BYTES)
        element.get_static_pad("sink").query(query)
        assert query.parse_seeking()[1] == expected
        element.set_state(Gst.State.NULL)
    os.close(reader)
    os.close(writer)


def test_file_by_uri_stays_with_filesink(tmp_path):
    element = Gst.Element.make_from_uri(Gst.URIType.SINK, (tmp_path / "a").as_uri(), None)
    assert element.get_factory().get_name() not in ("filepublishsink", "urisinkbin")


# Pipes


def through_pipe(source, consume, **popen):
    """Runs gst-launch with urisinkbin at a pipe; `consume` gets the process."""
    process = subprocess.Popen(
        ["gst-launch-1.0", "-q", *source.split(), "!", "urisinkbin", "uri=fd://1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        restore_signals=True,
    )
    try:
        return consume(process)
    finally:
        process.kill()
        process.wait()


def test_pipe_carries_the_stream_and_nothing_else():
    def consume(process):
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        return out

    out = through_pipe("fakesrc num-buffers=300 sizetype=fixed sizemax=7777 filltype=pattern", consume)
    assert len(out) == 300 * 7777


def test_pipe_gets_nothing_more_after_an_error_elsewhere():
    """As a cut list that is made at the end of a stream, of which an error was the end."""
    reader, writer = os.pipe()
    pipeline = launch("appsrc name=data ! urisinkbin name=sink", uri=f"fd://{writer}")
    source, bus = pipeline.get_by_name("data"), pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    source.emit("push-buffer", Gst.Buffer.new_wrapped(b"first"))
    assert os.read(reader, 100) == b"first"
    source.post_message(Gst.Message.new_error(source, GLib.GError.new_literal(Gst.StreamError.quark(), "bad", 1), ""))
    source.emit("push-buffer", Gst.Buffer.new_wrapped(b"second"))
    source.emit("end-of-stream")
    assert bus.timed_pop_filtered(SECOND // 2, Gst.MessageType.EOS) is None
    pipeline.set_state(Gst.State.NULL)
    os.close(writer)
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_reader_that_goes_away_is_one_error_and_no_signal():
    def consume(process):
        process.stdout.read(1000)
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(10) > 0  # a signal would be negative
        return err

    err = through_pipe("fakesrc sizetype=fixed sizemax=4096", consume)
    assert err.count("ERROR: from element /GstPipeline:pipeline0/GstClipsUriSinkBin") == 1
    assert "Could not write to fd://1: its reader is gone." in err


def test_reader_that_sleeps_does_not_hold_up_the_stop():
    def stop_while_it_sleeps():
        reader, writer = os.pipe()
        pipeline = launch("fakesrc sizetype=fixed sizemax=65536 ! urisinkbin name=sink", uri=f"fd://{writer}")
        pipeline.set_state(Gst.State.PLAYING)
        time.sleep(0.3)
        took = seconds_of(lambda: pipeline.set_state(Gst.State.NULL))
        os.close(reader)
        os.close(writer)
        return took

    quickest_within(0.5, stop_while_it_sleeps)


def test_pause_in_the_middle_of_a_write_loses_nothing():
    reader, writer = os.pipe()
    pipeline = launch(
        "fakesrc num-buffers=4 sizetype=fixed sizemax=1000000 filltype=pattern-span ! urisinkbin name=sink",
        uri=f"fd://{writer}",
    )
    pipeline.set_state(Gst.State.PLAYING)
    time.sleep(0.2)
    pipeline.set_state(Gst.State.PAUSED)
    pipeline.set_state(Gst.State.PLAYING)
    got = b""
    while len(got) < 4000000:
        got += os.read(reader, 65536)
    assert pipeline.get_bus().timed_pop_filtered(5 * SECOND, Gst.MessageType.EOS) is not None
    pipeline.set_state(Gst.State.NULL)
    os.close(writer)
    assert os.read(reader, 1) == b""
    assert got == bytes(range(256)) * (4000000 // 256)
    os.close(reader)


def test_stream_that_must_go_back_in_a_pipe_is_an_error(tmp_path):
    with open(tmp_path / "pipe", "wb") as out:
        pipeline = launch("audiotestsrc num-buffers=5 ! wavenc ! urisinkbin name=sink", uri=f"fd://{out.fileno()}")
        error = run(pipeline).error
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.SEEK)


# kill -9


def test_killed_at_random_moments_never_shows_a_part(tmp_path):
    """50 processes that replace the same file over and over are killed; readers only ever see whole files."""
    target = tmp_path / "a"
    target.write_bytes(b"\0" * 200000)
    program = (
        "import gi, sys; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None)\n"
        "print('up', flush=True)\n"
        "while True:\n"
        "  p = Gst.parse_launch('fakesrc num-buffers=20 sizetype=fixed sizemax=10000 filltype=zero ! urisinkbin name=sink')\n"
        "  p.get_by_name('sink').set_property('uri', sys.argv[1]); p.set_state(Gst.State.PLAYING)\n"
        "  p.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)\n"
        "  p.set_state(Gst.State.NULL)\n"
    )
    rng = random.Random(1)
    replaced = set()
    for _ in range(50):
        process = subprocess.Popen([sys.executable, "-c", program, str(target)], stdout=subprocess.PIPE)
        process.stdout.readline()
        end = time.monotonic() + rng.uniform(0, 0.03)
        while time.monotonic() < end:
            assert os.path.getsize(target) == 200000
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert target.read_bytes() == b"\0" * 200000
        replaced.add(target.stat().st_ino)
    assert len(replaced) > 1, "no process got as far as publishing"
    assert run(launch("fakesrc num-buffers=1 ! urisinkbin name=sink", uri=str(target))).eos
    # Between link and rename is the one moment that leaves a hidden file, for the next writer to take.
    assert os.listdir(tmp_path) == ["a"]


def hls_pipeline(folder):
    pipeline, sink = Gst.Pipeline(), Gst.ElementFactory.make("hlspublishsink")
    sink.set_property("uri", str(folder))
    pipeline.add(sink)
    return pipeline, sink


def encode_into(pad, pipeline):
    encoder = Gst.parse_bin_from_description(VIDEO + "x264enc speed-preset=ultrafast ! h264parse", True)
    pipeline.add(encoder)
    assert encoder.get_static_pad("src").link(pad) == Gst.PadLinkReturn.OK


def test_hls_variant_that_is_given_back_is_not_waited_for(tmp_path):
    pipeline, sink = hls_pipeline(tmp_path / "film")
    kept, spare = sink.request_pad_simple("video_0"), sink.request_pad_simple("video_1")
    sound = sink.request_pad_simple("audio")
    sink.release_request_pad(spare)
    sink.release_request_pad(sound)
    encode_into(kept, pipeline)
    assert run(pipeline).eos
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"film/index.m3u8", "film/v0/index.m3u8", "film/v0/segment00000.ts"}


def test_hls_pad_can_be_asked_for_again(tmp_path):
    pipeline, sink = hls_pipeline(tmp_path)
    for name in ("video", "audio", "video_0"):
        sink.release_request_pad(sink.request_pad_simple(name))
    encode_into(sink.request_pad_simple("video"), pipeline)
    assert run(pipeline).eos
    assert {path.name for path in tmp_path.iterdir()} == {"index.m3u8", "segment00000.ts"}
