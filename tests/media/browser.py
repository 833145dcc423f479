# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real browser for tests: headless Chromium, driven through chromedriver (W3C WebDriver).

    reason = browser.missing()          why there is none, or None
    with browser.Browser() as b, browser.serve(folder) as url:
        b.open(url + "/page.html")      http, or Path.as_uri() for a page on disk
        b.wait("document.title == 'ready'")
        b.screenshot(path)
"""

import base64
import contextlib
import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request

TIMEOUT = 60


def missing():
    """Why no browser can be started here, or None."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return "no browser to look with; missing: " + ", ".join(absent) if absent else None


class Browser:
    """A window of 1280 x 800; videos play without a click."""

    def __init__(self, width=1280, height=800):
        self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, text=True)
        port = None
        for line in self._driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                port = found.group(1)
                break
        assert port, "chromedriver does not start"
        # It must not stop because nobody reads.
        threading.Thread(target=self._driver.stdout.read, daemon=True).start()
        self._base = f"http://127.0.0.1:{port}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
                     "--autoplay-policy=no-user-gesture-required", f"--window-size={width},{height}"]
        try:
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {"args": arguments}}}})
        except BaseException:
            self._driver.kill()
            raise
        self._base += "/session/" + answer["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._call("DELETE", "", None)
        self._driver.terminate()
        self._driver.wait()

    def _call(self, method, path, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def script(self, text):
        """The value of a JavaScript function body; it may `return` a promise."""
        return self._call("POST", "/execute/sync", {"script": text, "args": []})

    def wait(self, condition, seconds=30):
        """Until the JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.script(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}; the page said {self.log()}"
            time.sleep(0.05)

    def click(self, selector):
        """A real click of the mouse at the middle of the element."""
        element = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self._call("POST", f"/element/{next(iter(element.values()))}/click", {})

    def screenshot(self, path=None):
        """PNG of the window."""
        picture = base64.b64decode(self._call("GET", "/screenshot", None))
        if path:
            with open(path, "wb") as file:
                file.write(picture)
        return picture

    def log(self):
        """What the page has written to the console since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, with ranges: a player seeks by them."""

    def log_message(self, *_):
        pass

    def send_head(self):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return super().send_head()
        try:
            file = open(self.translate_path(self.path), "rb")
        except OSError:
            self.send_error(404)
            return None
        size = file.seek(0, 2)
        first = int(wanted[1])
        last = min(int(wanted[2] or size - 1), size - 1)
        file.seek(first)
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(self.path))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(file.read(last - first + 1))
        file.close()
        return None


@contextlib.contextmanager
def serve(folder):
    """The URL under which the folder's files are, on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
