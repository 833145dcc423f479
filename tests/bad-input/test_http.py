# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inputs from servers that do not give them: one clear error, exit code 4, in time, nothing left behind."""

import http.server
import socket
import threading
import time

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one video, in the way that the path's first part says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def begin(self, size, kind="video/mp4"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if size is not None:
            self.send_header("Content-Length", str(size))
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def do_GET(self):
        way, _, name = self.path.strip("/").partition("/")
        server = self.server
        body = (server.folder / name).read_bytes() if name else b""
        self.close_connection = True
        try:
            if way.isdigit():
                self.send_error(int(way))
            elif way == "short":
                self.begin(len(body))
                self.wfile.write(body[:len(body) // 2])
            elif way == "unsized-short":
                self.begin(None)
                self.wfile.write(body[:len(body) // 2])
            elif way == "page":
                page = b"<!DOCTYPE html><html><body>Please log in.</body></html>" * 50
                self.begin(len(page), "text/html")
                self.wfile.write(page)
            elif way == "silent":
                server.released.wait(60)
            elif way == "stalls":
                self.begin(len(body))
                self.wfile.write(body[:len(body) // 2])
                self.wfile.flush()
                server.released.wait(60)
            elif way == "slow":
                self.begin(len(body))
                for at in range(0, len(body), len(body) // 6):
                    self.wfile.write(body[at:at + len(body) // 6])
                    self.wfile.flush()
                    time.sleep(.8)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has had enough

    do_HEAD = do_GET


@pytest.fixture(name="web")
def web_server(good):
    good["front.mp4"], good["file.mkv"], good["file.ts"]  # made
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.folder = good.directory
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("definition", ["proxy", "normalize", "remux"])
@pytest.mark.parametrize("status", [403, 404])
def test_a_server_that_refuses(place, web, definition, status):
    line = place.fails(4, f"input={web}/{status}/front.mp4?X-Amz-Signature=SECRET",
                       f"output={place.outputs}/out.mp4", definition=definition)
    assert f"{web}/{status}/front.mp4" in line and "SECRET" not in line


@pytest.mark.parametrize("definition", ["proxy", "normalize", "remux"])
def test_a_server_that_takes_no_connection(place, definition):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/front.mp4"
        line = place.fails(4, f"input={url}", f"output={place.outputs}/out.mp4", definition=definition)
    assert url in line


@pytest.mark.parametrize("name", ["front.mp4", "file.mkv", "file.ts"])
@pytest.mark.parametrize("way", ["short", "unsized-short"])
def test_a_body_that_breaks_off(place, web, way, name):
    if (way, name) == ("unsized-short", "file.ts"):
        pytest.skip("a transport stream states no length, and here neither does the server")
    place.fails(4, f"input={web}/{way}/{name}", f"output={place.outputs}/out.mp4")


def test_a_page_in_place_of_the_video(place, web):
    line = place.fails(4, f"input={web}/page/front.mp4", f"output={place.outputs}/out.mp4")
    assert "text/html" in line and f"{web}/page/front.mp4" in line


@pytest.mark.parametrize("way", ["silent", "stalls"])
def test_a_server_that_goes_silent(place, web, way):
    line = place.fails(4, "--stall-timeout=3", f"input={web}/{way}/front.mp4",
                       f"output={place.outputs}/out.mp4")
    assert "3 seconds" in line and f"{web}/{way}/front.mp4" in line


def test_a_slow_server_is_no_silent_one(place, web):
    place.succeeds("--stall-timeout=3", f"input={web}/slow/front.mp4", f"output={place.outputs}/out.mp4")
