# SPDX-License-Identifier: LGPL-2.1-or-later
"""What holds for every element of the project, whatever it does."""

import http.server
import itertools
import os
import subprocess
import sys
import threading

import pytest
from ours import BUILD, ELEMENTS, PLUGINS, SOURCE, Gst, plugins

STATES = [Gst.State.NULL, Gst.State.READY, Gst.State.PAUSED, Gst.State.PLAYING]


def test_every_plugin_of_the_build_is_found():
    built = {name for name, folder in PLUGINS.items() if list((BUILD / "plugins" / folder).glob("*.so"))}
    assert built and built == {name for name, _ in plugins()}


@pytest.mark.parametrize("name,plugin", plugins(), ids=lambda value: value if isinstance(value, str) else "")
def test_plugin_states_version_licence_and_origin(name, plugin):
    assert plugin.get_version() == "1.22.0"
    assert plugin.get_license() == "LGPL"
    assert plugin.get_source() == "gst-plugins-clips"
    assert plugin.get_description()


@pytest.mark.parametrize("name,plugin", plugins(), ids=lambda value: value if isinstance(value, str) else "")
def test_plugin_exports_nothing_but_its_entry_points(name, plugin):
    printed = subprocess.run(
        ["nm", "-D", "--defined-only", "--format=posix", plugin.get_filename()], capture_output=True, text=True, check=True
    ).stdout
    symbols = {line.split()[0] for line in printed.splitlines()}
    # Weak C++ symbols of the standard library (typeinfo, inline templates) may be shared across objects.
    ours = {s for s in symbols if not s.startswith(("_ZNS", "_ZNKS", "_ZZNS", "_ZS", "_ZT"))}
    assert {s for s in ours if not s.startswith("gst_plugin_")} == set()
    assert {f"gst_plugin_{name}_get_desc", f"gst_plugin_{name}_register"} <= symbols


@pytest.mark.parametrize("plugin,name", ELEMENTS)
def test_gst_inspect_says_that_the_element_exists(plugin, name):
    # gst-inspect asks for its own minor version by default; ours are numbered from the oldest that we run on.
    newer = [] if Gst.version().minor == 22 else ["--atleast-version=1.22.0"]
    assert subprocess.run(["gst-inspect-1.0", "--exists", *newer, name]).returncode == 0


@pytest.mark.parametrize("plugin,name", ELEMENTS)
def test_metadata_is_complete(plugin, name):
    factory = Gst.ElementFactory.find(name)
    for key in (Gst.ELEMENT_METADATA_LONGNAME, Gst.ELEMENT_METADATA_KLASS, Gst.ELEMENT_METADATA_DESCRIPTION):
        assert factory.get_metadata(key)


@pytest.mark.parametrize("plugin,name", ELEMENTS)
def test_every_own_property_has_a_sentence_as_description(plugin, name):
    element = Gst.ElementFactory.make(name)
    for spec in element.list_properties():
        if spec.owner_type == element.__gtype__:
            assert spec.blurb and spec.blurb[0].isupper(), f"{name}.{spec.name}: {spec.blurb!r}"


@pytest.mark.parametrize("plugin,name", ELEMENTS)
def test_all_state_orders_twice_never_hang_and_always_end_in_null(plugin, name):
    """As gst-plugins-bad's generic/states: every order of the four states, the same element used twice."""
    element = Gst.ElementFactory.make(name)
    bus = Gst.Bus()
    element.set_bus(bus)
    for _ in range(2):
        for order in itertools.permutations(STATES):
            for state in order:
                if element.set_state(state) == Gst.StateChangeReturn.ASYNC:
                    # Nothing flows, so prerolling cannot end; the next change must not wait for it.
                    element.get_state(0)
            assert element.set_state(Gst.State.NULL) == Gst.StateChangeReturn.SUCCESS
            # One failure, one error: not a flood of them.
            bus.set_flushing(True)
            bus.set_flushing(False)
    element.set_bus(None)


@pytest.mark.parametrize("plugin,name", ELEMENTS)
def test_create_use_and_drop_leaks_nothing(plugin, name):
    """GStreamer's leaks tracer, in a process of its own."""
    script = f"""
import gi, gc
gi.require_version('Gst', '1.0')
from gi.repository import Gst
Gst.init(None)
element = Gst.ElementFactory.make({name!r})
for state in (Gst.State.READY, Gst.State.PAUSED, Gst.State.NULL):
    element.set_state(state)
del element
gc.collect()
Gst.deinit()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=dict(os.environ, GST_TRACERS="leaks", GST_DEBUG="GST_TRACER:7", GST_DEBUG_NO_COLOR="1"),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=SOURCE,
    )
    assert done.returncode == 0, done.stderr
    alive = [line for line in done.stderr.splitlines() if ":: object-alive," in line]
    assert alive == []


class Forbidden(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(403)

    do_HEAD = do_PUT = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def secret_url():
    """Of a server that refuses everything; with a password and a signature."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forbidden)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://user:SECRET@127.0.0.1:{server.server_port}/film.mp4?X-Amz-Signature=SECRET"
    server.shutdown()


# What has to be set beside the URL, for an element to get as far as using it.
BESIDE_URL = {"clipseries": {"output": "/dev/null/{index}.mp4", "ranges": "0-1"}}


@pytest.mark.parametrize("plugin,name", ELEMENTS)
def test_secrets_of_a_url_stand_in_no_message_of_an_element(plugin, name, secret_url):
    element = Gst.ElementFactory.make(name)
    urls = [key for key in ("uri", "input") if element.find_property(key)]
    if not urls or plugin == "clipss3":
        pytest.skip("takes no URL")
    for key in urls:
        element.set_property(key, secret_url)
    for key, value in BESIDE_URL.get(name, {}).items():
        element.set_property(key, value)
    pipeline = Gst.Pipeline()
    pipeline.add(element)
    if source := element.get_static_pad("src"):
        sink = Gst.ElementFactory.make("fakesink")
        pipeline.add(sink)
        source.link(sink.get_static_pad("sink"))
    if name == "hlspublishsink":
        element.request_pad_simple("video")
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    message = bus.timed_pop_filtered(10 * Gst.SECOND, Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message, "the URL was not used"
    error, debug = message.parse_error()
    # A stock element inside of ours writes its own.
    if message.src.get_factory() and message.src.get_factory().get_plugin_name() == plugin:
        assert "SECRET" not in error.message + str(debug), (error.message, debug)
