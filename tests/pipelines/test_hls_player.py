# SPDX-License-Identifier: LGPL-2.1-or-later
"""HLS as people watch it: Chromium with hls.js, the player library that most sites use."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import browser
import cv2
import numpy as np
import pytest
from cliptest import Recipe, media, x264
from cliptest.codec import BITS, geometry, read_codes
from definitions import TIMEOUT, run

PLAYER = "hls.js@1"
WIDTH, HEIGHT = 640, 360
PAGE = """<!doctype html><style>body {margin: 0}</style><video muted></video><script src="hls.js"></script><script>
const video = document.querySelector('video');
const errors = [];
const hls = new Hls();
hls.on(Hls.Events.ERROR, (name, data) => { if (data.fatal) errors.push(data.details); });
hls.loadSource('stream/index.m3u8');
hls.attachMedia(video);
</script>
"""


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    """The folder of a page that plays stream/index.m3u8."""
    reason = browser.missing()
    if not reason and shutil.which("npm") is None:
        reason = "no npm, which hls.js comes from"
    if reason:
        pytest.skip(reason)
    cache = Path(os.environ["CLIPS_BUILD_ROOT"]) / "test-media" / "hls.js"
    if not cache.exists():
        folder = tmp_path_factory.mktemp("npm")
        got = subprocess.run(["npm", "pack", "--silent", PLAYER], cwd=folder, capture_output=True, text=True,
                             timeout=TIMEOUT, check=False)
        if got.returncode:
            pytest.skip("the npm registry cannot be reached: " + got.stderr.strip()[-200:])
        with tarfile.open(folder / got.stdout.strip()) as archive:
            data = archive.extractfile("package/dist/hls.min.js").read()
        (folder / "hls.js").write_bytes(data)
        cache.parent.mkdir(exist_ok=True)
        os.replace(shutil.copy(folder / "hls.js", f"{cache}.{os.getpid()}"), cache)
    folder = tmp_path_factory.mktemp("player")
    shutil.copy(cache, folder / "hls.js")
    (folder / "page.html").write_text(PAGE)
    return folder


def shown(b):
    """The number in the picture that the browser shows now."""
    # Of the pictures that were shown since the seek: the screen may be one behind.
    b.script("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = cv2.imdecode(np.frombuffer(b.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    block, row = geometry(WIDTH, HEIGHT)
    return read_codes(picture[None, : 2 * row, : block * BITS], WIDTH, HEIGHT)[0]


@pytest.mark.parametrize("definition", ["hls", "hlsadaptive"])
def test_chromium_plays_seeks_and_reaches_the_end(player, tmp_path, definition):
    m = media(Recipe("hls-player", rate="25", seconds=9, width=WIDTH, height=HEIGHT, video=x264(60, 3)))
    stream = player / "stream"
    shutil.rmtree(stream, ignore_errors=True)
    run(definition, m.path, stream, preset="ultrafast")
    with browser.Browser() as b, browser.serve(player) as url:
        b.open(url + "/page.html")
        b.wait("video.readyState >= 3")
        assert b.script("return video.duration") == pytest.approx(9, abs=0.05)
        if definition == "hlsadaptive":
            assert b.script("return hls.levels.length") == 2
            b.script("hls.currentLevel = hls.levels.length - 1")
        for frame in (0, 99, 100, 101, 200):
            b.script(f"video.currentTime = {(frame + 0.5) / 25}")
            b.wait("!video.seeking && video.readyState >= 2")
            assert shown(b) == frame
        b.script("video.currentTime = 8; video.play()")
        b.wait("video.ended")
        assert b.script("return errors") == []
