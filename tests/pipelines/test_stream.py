# SPDX-License-Identifier: LGPL-2.1-or-later
"""stream: a range as fragmented MP4 on standard output, exact, at once, and nothing but media."""

import subprocess
import sys
from pathlib import Path

import browser
import pytest
from cliptest import media, verify
from cliptest.boxes import layout

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from runner import PROGRAM, call, environment  # noqa: E402

TIMEOUT = 60


def stream(m, *words, **options):
    return subprocess.Popen([PROGRAM, "run", "stream", f"input={m.path}", *words], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(), **options)


@pytest.mark.parametrize("name", ["closed2s", "hevc", "vfr", "multiaudio", "intra"])
def test_exactly_the_range_comes_out_with_its_sound(name, tmp_path):
    m = media(name)
    first, last = 20, len(m.times) // 2 + 13
    process = stream(m, f"start={m.times[first]:.9f}", f"stop={m.times[last]:.9f}")
    data, said = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, said
    (tmp_path / "out.mp4").write_bytes(data)
    assert layout(str(tmp_path / "out.mp4"))["fragments"] > 1
    for view, got in verify(str(tmp_path / "out.mp4"), m, compare=False, views=("honour", "ignore")).items():
        if view not in ("honour", "ignore"):
            continue
        video = got["video"]
        assert (video["first"], video["last"]) == (first + m.recipe.first, last - 1 + m.recipe.first)
        assert video["frames"] == last - first and video["errors"] == 0
        assert video["timing_spread_ms"] < 0.1
        assert len(got["audio"]) == len(m.tracks)
        for sound in got["audio"]:
            assert abs(sound["late_ms"]) < 1, (view, sound)


def test_interlaced_pictures_are_all_decoded(tmp_path):
    m = media("i50")
    data, said = stream(m, "start-frame=20", "stop-frame=163").communicate(timeout=TIMEOUT)
    (tmp_path / "out.mp4").write_bytes(data)
    count = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                            "stream=nb_read_frames", "-of", "csv=p=0", str(tmp_path / "out.mp4")],
                           check=True, capture_output=True, text=True, timeout=TIMEOUT)
    assert int(count.stdout) == 143, said


def test_the_first_fragment_comes_before_the_source_is_read():
    m = media("closed2s")
    # Nobody reads on: the pipe holds 64 KiB, the clip is ten times as long.
    process = stream(m, "mode=copy")
    head = process.stdout.read(40_000)
    assert b"ftyp" in head[:16] and b"moov" in head and b"moof" in head and b"mdat" in head
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_it_ends_when_the_reader_goes_away():
    process = stream(media("closed2s"))
    process.stdout.read(1000)
    process.stdout.close()
    assert process.wait(timeout=10) == 5
    assert b"its reader is gone" in process.stderr.read()


def test_nothing_but_media_is_on_standard_output():
    failed = call("run", "stream", "input=/no/such/video.mp4")
    assert failed.status == 4 and failed.stdout == b""
    refused = call("run", "stream", f"input={media('closed2s').path}", "--progress=json")
    assert refused.status == 2
    assert b"Standard output cannot carry the media" in refused.stdout + refused.stderr.encode()


def test_what_cannot_be_hidden_is_not_kept():
    refused = call("run", "stream", f"input={media('closed2s').path}", "start=1", "mode=edit")
    assert refused.status == 2 and refused.stdout == b""


PAGE = """<!doctype html><style>body {margin: 0}</style><video muted></video><script>
const video = document.querySelector('video');
const source = new MediaSource();
video.src = URL.createObjectURL(source);
source.onsourceopen = async () => {
  const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.64001e,mp4a.40.2"');
  const bytes = await (await fetch('out.mp4')).arrayBuffer();
  buffer.onupdateend = () => { if (source.readyState == 'open') source.endOfStream(); };
  buffer.appendBuffer(bytes);
};
</script>
"""


def test_chromium_plays_it_through_media_source(tmp_path):
    if browser.missing():
        pytest.skip(browser.missing())
    m = media("closed2s")
    process = stream(m, f"start={m.times[25]:.9f}", f"stop={m.times[130]:.9f}")
    (tmp_path / "out.mp4").write_bytes(process.communicate(timeout=TIMEOUT)[0])
    (tmp_path / "page.html").write_text(PAGE)
    with browser.Browser() as b, browser.serve(tmp_path) as url:
        b.open(url + "/page.html")
        b.wait("video.readyState >= 2")
        assert b.script("return video.error") is None
        assert b.script("return video.duration") == pytest.approx(105 / 30, abs=0.1)
        b.script("video.play()")
        b.wait("video.ended")
