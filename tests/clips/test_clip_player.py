# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clips as people watch them: Chromium shows the first frame of a clip first, seeks in it, and reaches its end."""

import browser
import cv2
import numpy as np
import pytest
from cliptest import media
from cliptest.codec import BITS, geometry, read_codes
from cutting import cut, ns

PAGE = """<!doctype html><style>body {margin: 0}</style><video muted preload="auto" src="clip.mp4"></video><script>
const video = document.querySelector('video');
</script>
"""
FIRST, COUNT = 105, 90  # [3.5, 6.5) of 30 frames a second: between key frames


@pytest.fixture(scope="module")
def window():
    reason = browser.missing()
    if reason:
        pytest.skip(reason)
    with browser.Browser() as b:
        yield b


def shown(b, source):
    """The number in the picture that the browser shows now."""
    # Of the pictures that were shown since the seek: the screen may be one behind.
    b.script("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = cv2.imdecode(np.frombuffer(b.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    block, row = geometry(source.width, source.height)
    strip = picture[None, : 2 * row, : block * BITS]
    return read_codes(strip, source.width, source.height)[0]


@pytest.mark.parametrize("name, mode", [("closed2s", "smart"), ("closed2s", "edit"), ("closed2s", "auto"),
                                        ("opengop", "auto"), ("multiaudio", "smart")])
def test_chromium_starts_at_the_first_frame_seeks_and_reaches_the_end(window, tmp_path, name, mode):
    source = media(name)
    clip = tmp_path / "clip.mp4"
    assert not cut(source.uri, clip, start=ns(3.5), stop=ns(6.5), mode=mode).error
    (tmp_path / "page.html").write_text(PAGE)
    with browser.serve(tmp_path) as url:
        window.open(url + "/page.html")
        window.wait("video.readyState >= 2")
        assert shown(window, source) == FIRST
        assert window.script("return video.duration") == pytest.approx(3.0, abs=0.03)
        for frame in (1, 44, 45, 60, COUNT - 1, 0):
            window.script(f"video.currentTime = {(frame + 0.5) / 30}")
            window.wait("!video.seeking && video.readyState >= 2")
            assert shown(window, source) == FIRST + frame
        window.script("video.currentTime = 2.5; video.play()")
        window.wait("video.ended")
        assert shown(window, source) == FIRST + COUNT - 1
        assert window.script("return video.error") is None
