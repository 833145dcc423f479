# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every container and codec that an upload may have goes through the proxy whole and in step."""

import dataclasses
import functools
import http.server
import os
import subprocess
import threading

import pytest
from cliptest import AAC, OPUS, PCM, Recipe, Video, media, packets, x264, x265
from definitions import ffmpeg, run, whole

VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-b:v", "900k",
       "-qmax", "40")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-b:v", "600k")
AV1 = ("-c:v", "libsvtav1", "-preset", "9", "-g", "60", "-crf", "35")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "3", "-g", "30")
MJPEG = ("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")
PRORES = ("-c:v", "prores_ks", "-profile:v", "0")
AC3 = ("-c:a", "ac3", "-b:a", "192k")
MP3 = ("-c:a", "libmp3lame", "-b:a", "128k")
VORBIS = ("-c:a", "libvorbis")
FRAGMENTS = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")


def recipe(name, ext, **how):
    return Recipe(f"in-{name}", ext, seconds=2, **how)


INPUTS = [
    recipe("h264-aac", "mp4"),
    recipe("hevc-aac", "mp4", video=x265()),
    recipe("av1-opus", "mp4", video=AV1, audio=OPUS),
    recipe("mpeg4-aac", "mp4", video=MPEG4),
    recipe("h264-mp3", "mp4", audio=MP3),
    recipe("h264-ac3", "mp4", audio=AC3),
    recipe("fragmented", "mp4", mux=FRAGMENTS),
    recipe("intra-pcm", "mov", video=x264(1, 0), audio=PCM),
    recipe("prores-pcm", "mov", video=PRORES, audio=PCM),
    recipe("h264-aac", "mkv"),
    recipe("hevc-ac3", "mkv", video=x265(), audio=AC3),
    recipe("av1-opus", "mkv", video=AV1, audio=OPUS),
    recipe("h264-vorbis", "mkv", audio=VORBIS),
    recipe("h264-pcm", "mkv", audio=PCM),
    recipe("vp8-vorbis", "webm", video=VP8, audio=VORBIS),
    recipe("vp9-opus", "webm", video=VP9, audio=OPUS),
    recipe("h264-aac", "ts"),
    recipe("h264-ac3", "ts", audio=AC3),
    recipe("hevc-mp3", "ts", video=x265(), audio=MP3),
    recipe("h264-aac", "flv"),
    recipe("h264-mp3", "flv", video=x264(60, 0), audio=MP3, sample_rate=44100),
    recipe("mpeg4-mp3", "avi", video=MPEG4, audio=MP3),
    recipe("mjpeg-pcm", "avi", video=MJPEG, audio=PCM),
    recipe("h264-ac3", "avi", video=x264(30, 0), audio=AC3),
]


def test_decoders_that_are_not_of_ffmpeg_are_asked_for_nothing_that_they_lack(tmp_path):
    """A property that is not there is a warning, which the environment of tests makes fatal."""
    source = tmp_path / "jpeg2000.mov"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=160x120:r=25:d=0.4", "-pix_fmt", "rgb24", "-c:v", "jpeg2000", source)
    done = subprocess.run(["gst-launch-1.0", "-q", "proxybin", f"input={source}", f"output={tmp_path}/out.mp4"],
                          env=dict(os.environ, G_DEBUG="fatal-warnings"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "direct-rendering" not in done.stderr, done.stderr
    assert (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("made_of", INPUTS, ids=lambda r: f"{r.name[3:]}.{r.ext}")
def test_the_proxy_of_every_input_is_whole(made_of, tmp_path):
    m = media(made_of)
    # GStreamer's Vorbis decoder puts its first samples at the time of the packet that only primes
    # it: half a short and half a long block early, at most 3 ms of what FFmpeg's muxer writes.
    audio_ms = 3.1 if made_of.audio == VORBIS else 1.0
    assert whole(run("proxy", m.path, tmp_path / "out.mp4"), m, audio_ms=audio_ms) == []


# Pictures that are stored in another order than they are shown in.
@pytest.mark.parametrize("name,how", [
    ("mpeg4", {"video": (*MPEG4, "-bf", "2"), "audio": MP3}),
    ("mpeg2", {"video": ("-c:v", "mpeg2video", "-q:v", "3", "-g", "15", "-bf", "2"), "audio": MP3}),
    ("h264", {"video": x264(12, 3, "open-gop=1:b-pyramid=normal"), "audio": MP3}),
    ("gaps", {"video": (*MPEG4, "-bf", "2"), "filters": "select='not(between(n,20,32))'",
              "mux": ("-fps_mode", "vfr"), "tracks": ()}),
    ("packed", {"video": ("-c:v", "libxvid", "-bf", "2", "-g", "20", "-q:v", "3"), "audio": MP3}),
])
def test_the_pictures_of_an_avi_are_shown_in_order_at_the_times_of_its_packets(name, how, tmp_path):
    """AVI has no times of showing. FFmpeg's reading shows them later by the reordering, and the
    sound not, so it is the reference for the order alone."""
    m = media(recipe(f"avi-{name}", "avi", **how))
    if name == "packed":
        assert min(p["size"] for p in packets(m.path)) < 10, "no placeholder: this is not packed"
    out = Video(run("proxy", m.path, tmp_path / "out.mp4"), m.width, m.height)
    assert list(out.number) == list(Video(m.path, m.width, m.height).number) and not out.errors
    assert list(out.pts) == pytest.approx(m.times, abs=2e-5)


def with_codec_delay(m, path, samples):
    """m as FFmpeg 7 muxes it: the sound's start-up samples are its CodecDelay, and picture and
    sound begin together. FFmpeg 5 delays the picture instead."""
    ffmpeg("-i", m.path, "-itsoffset", -m.times[0], "-i", m.path, "-map", "1:v", "-map", "0:a",
           "-c", "copy", path)
    data = path.read_bytes()
    delay = (samples * 10**9 // 48000).to_bytes(4, "big")
    # the elements Language and CodecDelay are of one length here
    language, codec_delay = b"\x22\xb5\x9c\x83und", b"\x56\xaa\x84" + delay
    at = data.rindex(language, 0, data.index(b"A_"))
    path.write_bytes(data[:at] + codec_delay + data[at + len(language):])
    times = sorted(p["pts"] for p in packets(str(path)))
    return dataclasses.replace(m, path=str(path), times=times)


@pytest.mark.parametrize("audio,samples", [(AAC, 1024), (AC3, 256), (MP3, 1105)],
                         ids=["aac", "ac3", "mp3"])
def test_the_codec_delay_of_matroska_is_not_heard(audio, samples, tmp_path):
    m = media(recipe("delay", "mkv", audio=audio))
    if m.times[0] > 0:
        m = with_codec_delay(m, tmp_path / "in.mkv", samples)
    # the file is as it is meant to be, to FFmpeg's own reader too
    assert m.times[0] == 0 and b"\x56\xaa" in open(m.path, "rb").read(2048)
    assert whole(run("proxy", m.path, tmp_path / "out.mp4"), m) == []


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with byte ranges, as any object store serves them."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.translate_path(self.path)
        if not os.path.isfile(path):
            self.send_error(404)
            return
        size = os.path.getsize(path)
        first, last = 0, size - 1
        asked = self.headers.get("Range")
        if asked:
            begin, end = asked.removeprefix("bytes=").split("-")
            first, last = int(begin), int(end) if end else last
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        try:
            with open(path, "rb") as f:
                f.seek(first)
                self.wfile.write(f.read(last - first + 1))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has what it wants


@pytest.fixture(name="base", scope="module")
def web_server():
    folder = os.path.dirname(media("closed2s").path)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("made_of", [
    recipe("h264-aac", "mp4"),  # the movie box is at the end
    recipe("faststart", "mp4", mux=("-movflags", "+faststart")),
    recipe("vp9-opus", "webm", video=VP9, audio=OPUS),
    recipe("h264-aac", "mkv"),
    recipe("h264-aac", "ts"),
], ids=lambda r: f"{r.name[3:]}.{r.ext}")
def test_a_url_is_read_like_a_file(base, made_of, tmp_path):
    m = media(made_of)
    out = run("proxy", f"{base}/{os.path.basename(m.path)}", tmp_path / "out.mp4")
    assert whole(out, m) == []
