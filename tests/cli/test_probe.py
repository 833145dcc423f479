# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips probe: the facts of a header, compared with FFmpeg's."""

import fractions
import hashlib
import http.server
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import threading

import pytest
from cliptest import Recipe, media

sys.path.insert(0, os.path.dirname(__file__))
from runner import call, one_error  # noqa: E402

INDEXED = ["closed2s", "r23976", "r2997", "vfr", "i50", "editstart", "hevc", "av1", "opusmp4", "intra", "multiaudio",
           "noaudio", "novideo", "frag"]


def probe(path, *options):
    result = call("probe", *options, path)
    assert (result.status, result.stderr) == (0, ""), result
    assert result.text.count("\n") == 1
    return json.loads(result.text)


def ffprobe(path, *words):
    done = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *words, path], capture_output=True, check=True)
    return json.loads(done.stdout)


def video(facts):
    return next(s for s in facts["streams"] if s["type"] == "video")


def fraction(text):
    return fractions.Fraction(text)


@pytest.mark.parametrize("name", INDEXED)
def test_what_ffprobe_knows_is_the_same(name):
    path = media(name).path
    facts, theirs = probe(path), ffprobe(path, "-show_streams", "-show_format")
    assert facts["format"] == "clips-probe/1" and facts["uri"] == media(name).uri
    assert facts["size"] == int(theirs["format"]["size"])
    assert facts["container"] == ("mov" if path.endswith(".mov") else "mp4")
    assert facts["fragmented"] == (name == "frag")
    assert len(facts["streams"]) == len(theirs["streams"])
    codecs = {"hevc": "h265", "pcm_s16le": "pcm"}
    for ours, other in zip(facts["streams"], theirs["streams"]):
        assert ours["type"] == other["codec_type"]
        assert ours["codec"] == codecs.get(other["codec_name"], other["codec_name"])
        assert ours["tag"] == other["codec_tag_string"]
        assert ours["time_base"] == other["time_base"]
        assert ours["packets"] == int(other.get("nb_frames", ours["packets"]))
        if ours["type"] == "audio":
            assert (ours["rate"], ours["channels"]) == (int(other["sample_rate"]), other["channels"])
        else:
            assert (ours["width"], ours["height"]) == (other["width"], other["height"])
            assert ours["bit_depth"] == 8 and ours["chroma"] == "4:2:0"
            assert ours["interlaced"] == (other.get("field_order", "progressive") not in ("progressive", "unknown"))
            assert ours["rotation"] == 0 and not ours["mirrored"]


@pytest.mark.parametrize("name", ["closed2s", "r23976", "vfr", "editstart", "hevc", "intra", "frag", "i50"])
def test_frames_and_rates_are_those_of_the_packets(name):
    made = media(name)
    stream = video(probe(made.path))
    assert stream["frames"] == len(made.times)
    rate = fraction(made.recipe.rate) / (2 if made.fields else 1)
    assert fraction(stream["nominal_rate"]) == rate
    assert stream["variable_rate"] == (name == "vfr")
    over_time = fractions.Fraction(stream["frames"] * 10**9, stream["duration"])
    if name == "vfr":
        assert abs(fraction(stream["average_rate"]) - over_time) < fractions.Fraction(1, 10**6)
    else:
        assert fraction(stream["average_rate"]) == rate
        # An edit list counts milliseconds.
        assert float(over_time) == pytest.approx(float(rate), rel=1e-3)


@pytest.mark.parametrize("name", ["closed2s", "opengop", "hevc", "vfr", "editstart", "intra"])
def test_key_frames_are_where_ffprobe_finds_them(name):
    made = media(name)
    stream = video(probe(made.path))
    index = stream["key_frames"]
    packets = ffprobe(made.path, "-select_streams", "v", "-show_entries", "packet=pts_time,pos,size,flags")["packets"]
    theirs = [(int(p["pos"]), int(p["size"])) for p in packets if p["flags"].startswith("K")]
    assert list(zip(index["offset"], index["size"])) == theirs
    assert index["count"] == len(theirs) > 0
    assert stream["all_key_frames"] == (name == "intra")
    shown = [(frame, time) for frame, time in zip(index["frame"], index["time"]) if frame is not None]
    assert [time for _, time in shown] == pytest.approx([t * 1e9 for t in made.keyframes], abs=1000)
    assert [made.times[frame] for frame, _ in shown] == pytest.approx(made.keyframes, abs=1e-6)
    # What is only decoded for those behind it lies before the start.
    assert all(time < 0 for frame, time in zip(index["frame"], index["time"]) if frame is None)


def test_the_bytes_of_a_key_frame_are_at_its_offset():
    path = media("closed2s").path
    index = video(probe(path))["key_frames"]
    with open(path, "rb") as file:
        for offset, size in zip(index["offset"], index["size"]):
            file.seek(offset)
            packet = file.read(size)
            at, kinds = 0, []
            while at < len(packet):
                length = int.from_bytes(packet[at:at + 4], "big")
                kinds.append(packet[at + 4] & 31)
                at += 4 + length
            assert at == len(packet) and 5 in kinds


def test_the_index_can_be_left_out():
    assert "key_frames" not in video(probe(media("closed2s").path, "--no-key-frames"))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_clockwise_degrees(tmp_path, degrees):
    # FFmpeg 5 and 7 have different options for this; the track header's matrix is the same place.
    cells = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (cell << 16 for cell in cells)
    data = bytearray(open(media("closed2s").path, "rb").read())
    at = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">iiiiiiiii", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    stream = video(probe(path))
    assert (stream["rotation"], stream["mirrored"]) == (degrees, False)
    side = ffprobe(path, "-select_streams", "v", "-show_entries", "stream_side_data=rotation")["streams"][0]
    assert (-side["side_data_list"][0]["rotation"]) % 360 == degrees


@pytest.mark.parametrize("flags, color", [
    ({"color_primaries": "bt2020", "color_trc": "smpte2084", "colorspace": "bt2020nc", "color_range": "tv"},
     {"primaries": "bt2020", "transfer": "smpte2084", "matrix": "bt2020nc", "range": "limited"}),
    ({"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709", "color_range": "pc"},
     {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "full"}),
    ({}, {"primaries": None, "transfer": None, "matrix": None}),
])
@pytest.mark.parametrize("atom", ["+write_colr", "-write_colr"])
def test_colour_comes_from_the_container_or_from_the_stream(tmp_path, flags, color, atom):
    path = tmp_path / "colour.mp4"
    # FFmpeg 5 asks the encoder's options, FFmpeg 7 the pictures
    options = [word for name, value in flags.items() for word in ("-" + name, value)]
    marks = "".join(f":{name.replace('color_range', 'range')}={value}" for name, value in flags.items())
    pictures = "testsrc2=s=64x64:d=0.2,format=yuv420p10le" + marks.replace(":", ",setparams=", 1)
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", pictures, "-c:v", "libx264", *options,
                    "-movflags", atom, path], check=True)
    stream = video(probe(path))
    said = ffprobe(path, "-show_entries", "stream=color_range")["streams"][0].get("color_range")
    assert stream["color"] == {"range": {"tv": "limited", "pc": "full"}.get(said), **color}
    assert (stream["bit_depth"], stream["profile"]) == (10, "high-10")


def test_pixel_aspect_level_and_profile(tmp_path):
    path = tmp_path / "aspect.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2,setsar=16/15", "-c:v",
                    "libx264", "-profile:v", "baseline", "-level", "3.1", "-pix_fmt", "yuv420p", path], check=True)
    stream = video(probe(path))
    assert (stream["pixel_aspect_ratio"], stream["profile"], stream["level"]) == ("16/15", "constrained-baseline", "3.1")


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60000/1001", "25"])
def test_a_coarse_clock_does_not_make_a_rate_variable(tmp_path, rate):
    path = tmp_path / "coarse.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=64x64:r={rate}:d=4", "-c:v", "libx264",
                    "-preset", "ultrafast", "-video_track_timescale", "1000", path], check=True)
    stream = video(probe(path))
    assert stream["time_base"] == "1/1000"
    assert fraction(stream["nominal_rate"]) == fraction(rate) and not stream["variable_rate"]


FLV = Recipe("flv", "flv", copy_of="closed2s")
AVI = Recipe("probe-avi", "avi", "30", video=("-c:v", "mpeg4", "-bf", "0", "-g", "30"), tracks=())
WALKED = [("mkv", "matroska"), ("ts", "mpegts"), ("vp9", "webm"), (FLV, "flv"), (AVI, "avi")]


@pytest.mark.parametrize("name, container", WALKED, ids=lambda v: getattr(v, "name", v))
def test_the_facts_of_containers_without_an_index_are_ffprobes(name, container):
    made = media(name)
    facts, theirs = probe(made.path), ffprobe(made.path, "-show_streams", "-show_format", "-count_packets")
    assert facts["container"] == container and facts["size"] == int(theirs["format"]["size"])
    assert facts["fragmented"] is None
    assert facts["duration"] == pytest.approx(made.recipe.seconds * 1e9, abs=1e8)
    assert sorted(s["type"] for s in facts["streams"]) == sorted(s["codec_type"] for s in theirs["streams"])
    for ours in facts["streams"]:
        other = next(s for s in theirs["streams"] if s["codec_type"] == ours["type"])
        assert ours["codec"] == other["codec_name"]
        assert ours["packets"] == int(other["nb_read_packets"])
        if ours["type"] == "audio":
            assert (ours["rate"], ours["channels"]) == (int(other["sample_rate"]), other["channels"])
    stream = video(facts)
    assert (stream["width"], stream["height"], stream["rotation"], stream["pixel_aspect_ratio"]) == (640, 360, 0, "1/1")
    assert stream["frames"] == len(made.times)
    assert fraction(stream["nominal_rate"]) == fraction(stream["average_rate"]) == 30
    assert not stream["variable_rate"] and not stream["all_key_frames"]
    index = stream["key_frames"]
    assert index["count"] == len(made.keyframes)
    first = min(made.times)
    assert index["frame"] == [round((t - first) * 30) for t in made.keyframes]


@pytest.mark.parametrize("name", ["mkv", "vp9", FLV], ids=lambda v: getattr(v, "name", v))
def test_key_frames_of_containers_without_an_index_are_where_they_say(name):
    made = media(name)
    index = video(probe(made.path))["key_frames"]
    packets = ffprobe(made.path, "-select_streams", "v", "-show_entries", "packet=size,flags,data_hash",
                      "-show_data_hash", "md5")["packets"]
    theirs = [p["data_hash"].split(":")[1] for p in packets if p["flags"].startswith("K")]
    with open(made.path, "rb") as file:
        data = file.read()
    ours = [hashlib.md5(data[at:at + size]).hexdigest() for at, size in zip(index["offset"], index["size"])]
    assert ours == theirs


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """40 MB in eight seconds of small pictures, most of it filling."""
    path = tmp_path_factory.mktemp("large") / "film.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=30000/1001:d=8", "-f", "lavfi", "-i",
                    "sine=r=48000:d=8", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-b:v", "40M",
                    "-minrate", "40M", "-maxrate", "40M", "-bufsize", "40M", "-x264-params", "nal-hrd=cbr", "-c:a", "aac", path],
                   check=True)
    return path


def remuxed(large, path, *options):
    with open(path, "wb") as file:
        words = [path] if "pipe" not in options else ["-f", "matroska", "pipe:"]
        options = [word for word in options if word != "pipe"]
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", large, "-c", "copy", *options, *words], check=True, stdout=file)
    assert path.stat().st_size > 33 << 20
    return path


LARGE = {"mkv": [], "flv": ["-flvflags", "add_keyframe_index"]}


@pytest.mark.parametrize("name", LARGE)
def test_of_a_large_file_with_an_index_of_key_frames_only_the_header_is_read(large, tmp_path, name):
    path = remuxed(large, tmp_path / f"film.{name}", *LARGE[name])
    header, counted = probe(path), probe(path, "--count-frames")
    assert header["container"] == counted["container"]
    assert header["duration"] == pytest.approx(counted["duration"], abs=1e8)
    assert len(header["streams"]) == len(counted["streams"]) == 2
    unknown = {"duration", "packets", "bytes", "bit_rate", "frames", "average_rate", "variable_rate", "all_key_frames"}
    for ours, exact in zip(header["streams"], counted["streams"]):
        assert ours.keys() == exact.keys()
        assert {key for key in ours if ours[key] is None and exact[key] is not None} == unknown & ours.keys()
        for key in ours.keys() - unknown - {"key_frames"}:
            assert ours[key] == exact[key], key
    told, exact = video(header)["key_frames"], video(counted)["key_frames"]
    assert video(counted)["frames"] == 240 and video(header)["nominal_rate"] == "30000/1001"
    assert told.keys() == exact.keys() and told["count"] == exact["count"] > 7
    # FFmpeg lists them by the time of decoding in an FLV.
    assert told["time"] == pytest.approx(exact["time"], abs=7e7 if name == "flv" else 0)
    assert all(entry is None for key in ("frame", "offset", "size") for entry in told[key])


@pytest.mark.parametrize("name, options", [("mkv", ["pipe"]), ("flv", [])])
def test_a_large_file_without_an_index_is_read_as_a_small_one(large, tmp_path, name, options):
    path = remuxed(large, tmp_path / f"film.{name}", *options)
    assert video(probe(path))["frames"] == 240


@pytest.mark.parametrize("name", LARGE)
def test_a_large_file_that_is_cut_off_is_an_error_in_spite_of_its_index(large, tmp_path, name):
    path = remuxed(large, tmp_path / f"film.{name}", *LARGE[name])
    os.truncate(path, path.stat().st_size - 5000)
    result = call("probe", path)
    assert result.status == 4 and "truncated" in one_error(result)


def test_a_stream_that_no_mp4_can_hold_is_told_as_its_start_shows_it(tmp_path):
    path = tmp_path / "mixed.mkv"
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-f", "lavfi", "-i",
                    "sine=d=1", "-i", words, "-c:v", "mpeg2video", "-c:a", "aac", "-c:s", "srt", path], check=True)
    facts = probe(path)
    assert sorted(s["type"] for s in facts["streams"]) == ["audio", "text", "video"]
    stream = video(facts)
    assert (stream["codec"], stream["width"], stream["frames"]) == ("mpeg2", 64, None)


def test_other_containers_tell_what_their_start_shows():
    made = media(Recipe("probe-ogg", "ogg", seconds=2, video=None, audio=("-c:a", "libopus")))
    facts = probe(made.path)
    assert facts["container"] == "ogg" and facts["size"] == os.path.getsize(made.path)
    assert [s["codec"] for s in facts["streams"]] == ["opus"]
    assert abs(facts["duration"] - 2e9) < 1e8


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves byte ranges and counts what leaves; the standard library's handler serves whole files only."""

    sent = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = open(self.translate_path(self.path.split("?")[0]), "rb").read()
        match = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(match[1]), int(match[2] or len(body) - 1)) if match else (0, len(body) - 1)
        self.send_response(206 if match else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        self.end_headers()
        try:
            for at in range(first, last + 1, 4096):
                self.wfile.write(body[at:min(at + 4096, last + 1)])
                Ranges.sent += 4096
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_url_is_told_without_its_secrets_and_without_its_media(tmp_path):
    shutil.copy(media("closed2s").path, tmp_path / "film.mp4")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Ranges(*a, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    facts = probe(f"http://127.0.0.1:{server.server_port}/film.mp4?X-Amz-Signature=secret")
    server.shutdown()
    assert "secret" not in json.dumps(facts)
    local = probe(tmp_path / "film.mp4")
    assert facts["streams"] == local["streams"] and facts["duration"] == local["duration"]


@pytest.mark.parametrize("make, status, says", [
    (lambda path: None, 4, "film.mp4"),
    (lambda path: path.write_bytes(b""), 4, "empty"),
    (lambda path: path.write_bytes(b"this is text and no film\n" * 100), 4, "film.mp4"),
    (lambda path: path.write_bytes(open(media("closed2s").path, "rb").read()[:-5000]), 4, "truncated"),
    (lambda path: path.write_bytes(open(media("closed2s").path, "rb").read()[:300]), 4, "truncated"),
    (lambda path: path.mkdir(), 4, "film.mp4"),
])
def test_what_is_no_film_is_one_line_and_no_facts(tmp_path, make, status, says):
    path = tmp_path / "film.mp4"
    make(path)
    result = call("probe", path)
    assert result.status == status, result
    assert says in one_error(result)


@pytest.mark.parametrize("words, says", [
    ([], "which one video"), (["a", "b"], "which one video"), (["--timeout=0", "a"], "timeout"),
    (["ftp://host/a.mp4"], "ftp"),
])
def test_a_wrong_call_is_one_line(words, says):
    result = call("probe", *words)
    assert result.status in (2, 3), result
    assert says in one_error(result)
