# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inputs from servers that do not give them: one clear error, exit code 4, in time, nothing left behind."""

import http.server
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from runner import call, environment, one_error


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one video, in the way that the path's first part says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def begin(self, size, kind="video/mp4", part=None):
        self.send_response(206 if part else 200)
        self.send_header("Content-Type", kind)
        if part:
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Range", f"bytes {part[0]}-{part[1]}/{size}")
            self.send_header("Content-Length", str(part[1] - part[0] + 1))
        elif size is not None:
            self.send_header("Content-Length", str(size))
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def do_GET(self):
        way, _, name = self.path.strip("/").partition("/")
        server = self.server
        self.close_connection = True
        if way == "moved":
            self.send_response(302)
            self.send_header("Location", f"{server.elsewhere}/ranges/{name}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = (server.folder / name).read_bytes() if name else b""
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
            elif way in ("ranges", "ranges-slow", "ranges-stall"):
                match = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                part = (int(match[1]), int(match[2] or len(body) - 1)) if match else None
                self.begin(len(body), part=part)
                wanted = body[part[0]:part[1] + 1] if part else body
                if way == "ranges-slow":
                    self.dribble(wanted)
                    return
                stalls = way == "ranges-stall"
                self.wfile.write(wanted[:len(wanted) // 2] if stalls else wanted)
                self.wfile.flush()
                if stalls:
                    server.released.wait(60)
            elif way == "stalls":
                self.begin(len(body))
                self.wfile.write(body[:len(body) // 2])
                self.wfile.flush()
                server.released.wait(60)
            elif way == "slow":
                self.begin(len(body))
                self.dribble(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has had enough

    def dribble(self, body):
        for at in range(0, len(body), len(body) // 6 + 1):
            self.wfile.write(body[at:at + len(body) // 6 + 1])
            self.wfile.flush()
            time.sleep(.8)

    do_HEAD = do_GET


@pytest.fixture(name="web")
def web_server(good):
    good["front.mp4"], good["back.mp4"], good["file.mkv"], good["file.ts"]  # made
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


@pytest.mark.parametrize("definition, way", [("proxy", "silent"), ("proxy", "stalls"), ("remux", "silent")])
def test_a_server_that_goes_silent(place, web, definition, way):
    line = place.fails(4, "--stall-timeout=3", f"input={web}/{way}/front.mp4",
                       f"output={place.outputs}/out.mp4", definition=definition)
    assert "3 seconds" in line and f"{web}/{way}/front.mp4" in line


@pytest.mark.parametrize("way", ["silent", "ranges-stall"])
def test_a_server_that_goes_silent_while_a_clip_is_cut(place, web, way):
    url, out = f"{web}/{way}/back.mp4", place.outputs / "out.mp4"
    begun = time.monotonic()
    result = call("clip", url, "--start=0.5", "--stop=1.5", str(out), "--stall-timeout=3", timeout=30)
    assert result.status == 4 and time.monotonic() - begun < 10, result
    assert "3 seconds" in one_error(result) and url in result.stderr
    assert list(place.outputs.iterdir()) == []


def test_a_server_that_goes_silent_while_a_file_is_looked_into(place, web):
    begun = time.monotonic()
    result = call("probe", "--timeout=3", f"{web}/ranges-stall/back.mp4", timeout=30)
    assert result.status == 4 and time.monotonic() - begun < 10, result
    assert "within 3 s" in one_error(result)


# The second's index comes in pieces, and nothing goes downstream before it is whole.
@pytest.mark.parametrize("definition, source", [("proxy", "slow/front.mp4"), ("remux", "ranges-slow/back.mp4")])
def test_a_slow_server_is_no_silent_one(place, web, definition, source):
    place.succeeds("--stall-timeout=3", f"input={web}/{source}", f"output={place.outputs}/out.mp4",
                   definition=definition)


# -- https -----------------------------------------------------------------------------------


@pytest.fixture(name="authority", scope="module")
def authority_made(tmp_path_factory):
    """A certificate authority of its own, and a certificate for 127.0.0.1 that it has signed."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=clips test authority", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj",
            "/CN=127.0.0.1")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.pem")
    return folder


@pytest.fixture(name="tls_web")
def tls_web_server(good, authority):
    good["front.mp4"], good["back.mp4"], good["file.mkv"]  # made
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # a client that does not trust it hangs up
    server.daemon_threads = True
    server.folder = good.directory
    server.released = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(name="moved_web")
def web_server_that_moved(tls_web):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.elsewhere = tls_web
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def trusting(place, file):
    return environment(TMPDIR=str(place.temporary), SSL_CERT_FILE=str(file) if file else None)


@pytest.mark.parametrize("definition", ["proxy", "normalize", "remux"])
def test_https_is_read_with_the_authority_that_was_named(place, tls_web, authority, definition):
    place.succeeds(f"input={tls_web}/ranges/front.mp4", f"output={place.outputs}/out.mp4", definition=definition,
                   env=trusting(place, authority / "ca.pem"))
    assert (place.outputs / "out.mp4").stat().st_size > 10_000


def test_clips_stills_and_facts_come_over_https(place, tls_web, authority):
    env = trusting(place, authority / "ca.pem")
    for words in (("clip", f"{tls_web}/ranges/back.mp4", "--start=0.5", "--stop=1.5", f"{place.outputs}/clip.mp4"),
                  ("run", "stills", f"input={tls_web}/ranges/back.mp4", f"output={place.outputs}/{{index}}.jpg"),
                  ("run", "stills", f"input={tls_web}/ranges/file.mkv", f"output={place.outputs}/k{{index}}.jpg"),
                  ("probe", f"{tls_web}/ranges/back.mp4"), ("probe", f"{tls_web}/ranges/file.mkv")):
        result = call(*words, env=env, timeout=30)
        assert (result.status, result.stderr) == (0, ""), result
    assert len(list(place.outputs.iterdir())) == 7


def test_a_clip_comes_from_where_http_leads_to_https(place, moved_web, authority):
    result = call("clip", f"{moved_web}/moved/back.mp4", "--start=0.5", "--stop=1.5", f"{place.outputs}/clip.mp4",
                  env=trusting(place, authority / "ca.pem"), timeout=30)
    assert (result.status, result.stderr) == (0, ""), result
    assert (place.outputs / "clip.mp4").stat().st_size > 1000


def test_an_unknown_authority_is_refused_where_http_leads_to_it(place, moved_web):
    system = "/etc/ssl/certs/ca-certificates.crt"
    for file in (None, system) if pathlib.Path(system).exists() else (None,):
        result = call("clip", f"{moved_web}/moved/back.mp4", "--start=0.5", "--stop=1.5", f"{place.outputs}/clip.mp4",
                      env=trusting(place, file), timeout=30)
        assert result.status == 4 and one_error(result), result
        assert list(place.outputs.iterdir()) == []


@pytest.mark.parametrize("definition", ["proxy", "normalize", "remux"])
def test_an_unknown_authority_is_refused(place, tls_web, definition):
    line = place.fails(4, f"input={tls_web}/ranges/front.mp4", f"output={place.outputs}/out.mp4", definition=definition,
                       env=trusting(place, None))
    assert "certificate" in line and f"{tls_web}/ranges/front.mp4" in line


@pytest.mark.parametrize("command", ["clip", "probe"])
def test_an_unknown_authority_is_refused_by_every_command(place, tls_web, command):
    words = ["--start=0.5", "--stop=1", f"{place.outputs}/out.mp4"] if command == "clip" else []
    result = call(command, f"{tls_web}/ranges/front.mp4", *words, env=trusting(place, None), timeout=30)
    assert result.status == 4 and "certificate" in one_error(result), result
    assert list(place.outputs.iterdir()) == []


def test_a_file_of_authorities_that_is_none_is_named(place, tls_web):
    line = place.fails(2, f"input={tls_web}/ranges/front.mp4", f"output={place.outputs}/out.mp4",
                       env=trusting(place, "/absent.pem"))
    assert "SSL_CERT_FILE" in line and "/absent.pem" in line
