# SPDX-License-Identifier: LGPL-2.1-or-later
"""normalize copies what is clean, packet by packet, and encodes everything else as web does."""

import os
import subprocess

import pytest
from cliptest import OPUS, PCM, Recipe, media, packets, stream, x264, x265
from cliptest.boxes import layout
from definitions import TIMEOUT, Failed, ffmpeg, run, whole

FRAGMENTS = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-b:v", "600k")
B_FRAMES = x264(30, 3, "open-gop=0")
SILENT = {"tracks": ()}


def recipe(name, ext="mp4", **how):
    return Recipe(f"norm-{name}", ext, **{"seconds": 2, "video": B_FRAMES, **how})


def kept(path, tracks):
    """All that a copy must keep of a file: bytes and both times of each packet, track by track."""
    return [[(p["data_hash"], p["pts"], p["dts"], p["key"]) for p in packets(path, selector)]
            for selector in ["v:0", *(f"a:{i}" for i in range(tracks))]]


def encoded(path):
    """Whether the picture was encoded by normalize: CRF 23 of x264 `fast`, which no recipe has."""
    with open(path, "rb") as f:
        data = f.read()
    return b" crf=23.0 " in data and b"me=hex subme=6 " in data


def shown(path):
    """Frames and sound as a player that obeys edit lists has them."""
    return subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-map", "0", "-copyts", "-f", "framemd5", "-"],
        check=True, capture_output=True, timeout=TIMEOUT).stdout


@pytest.mark.parametrize("made_of", [
    recipe("sounding"), recipe("silent", **SILENT),
    recipe("fragmented", mux=FRAGMENTS), recipe("no-edits", mux=("-use_editlist", "0")),
    recipe("baseline", video=(*x264(30, 0), "-profile:v", "baseline")),
    recipe("main", video=(*x264(30, 2), "-profile:v", "main")),
    recipe("open", video=x264(30, 3, "open-gop=1")),
], ids=lambda r: r.name[5:])
def test_a_clean_movie_keeps_every_packet_and_its_times(made_of, tmp_path):
    m = media(made_of)
    out = run("normalize", m.path, tmp_path / "out.mp4")
    lay = layout(out)
    assert lay["faststart"] and lay["fragments"] == 0
    assert kept(out, len(m.tracks)) == kept(m.path, len(m.tracks))
    assert shown(out) == shown(m.path)
    assert whole(out, m) == []


@pytest.mark.parametrize("made_of", [
    recipe("mkv", "mkv"), recipe("silent", "mkv", **SILENT), recipe("ts", "ts"), recipe("flv", "flv"),
    recipe("avi", "avi", **SILENT),
    recipe("open", "mkv", video=x264(30, 3, "open-gop=1")), recipe("open", "ts", video=x264(30, 3, "open-gop=1")),
], ids=lambda r: f"{r.name[5:]}.{r.ext}")
def test_clean_media_in_another_container_are_not_encoded_either(made_of, tmp_path):
    m = media(made_of)
    out = run("normalize", m.path, tmp_path / "out.mp4")
    assert layout(out)["faststart"] and not encoded(out)
    for selector in ["v:0", *(f"a:{i}" for i in range(len(m.tracks)))]:
        of, had = packets(out, selector), packets(m.path, selector)
        assert len(of) == len(had), selector
        if made_of.ext in ("mkv", "flv"):  # the others have start codes and ADTS headers
            assert [p["data_hash"] for p in of] == [p["data_hash"] for p in had], selector
    assert whole(out, m) == []


def test_sound_before_and_behind_the_picture_is_kept(tmp_path):
    m = media(recipe("sounding"))
    late = tmp_path / "late.mp4"
    # the picture begins half a second into the sound and ends before it
    ffmpeg("-i", m.path, "-itsoffset", "0.5", "-t", "1", "-i", m.path, "-map", "1:v", "-map", "0:a",
           "-c", "copy", late)
    out = run("normalize", late, tmp_path / "out.mp4")
    assert kept(out, 1) == kept(str(late), 1)
    assert float(packets(out)[0]["pts"]) > 0.4
    assert shown(out) == shown(str(late))


def test_a_cut_by_edit_list_stays_one(tmp_path):
    m = media(recipe("sounding"))
    cut = tmp_path / "cut.mp4"
    # begins between key frames: the lead is in the file and hidden
    ffmpeg("-ss", "0.5", "-i", m.path, "-c", "copy", cut)
    out = run("normalize", cut, tmp_path / "out.mp4")
    assert kept(out, 1) == kept(str(cut), 1)
    assert shown(out) == shown(str(cut))


@pytest.mark.parametrize("made_of", [
    recipe("hevc", video=x265()), recipe("vp9", "webm", video=VP9, audio=OPUS),
    recipe("ten-bit", video=(*x264(30, 3), "-pix_fmt", "yuv420p10le")),
    recipe("opus", audio=OPUS), recipe("opus", "mkv", audio=OPUS),
    recipe("flv", "flv", audio=("-c:a", "libmp3lame"), sample_rate=44100),
    recipe("pcm", "mov", audio=PCM), recipe("mov", "mov"),
    recipe("field-coding", video=(*x264(30, 0), "-flags", "+ildct+ilme")),
], ids=lambda r: f"{r.name[5:]}.{r.ext}")
def test_everything_else_is_encoded_whole_and_in_step(made_of, tmp_path):
    m = media(made_of)
    out = run("normalize", m.path, tmp_path / "out.mp4")
    video, audio = stream(out), stream(out, "audio")
    assert (video["codec_name"], video["profile"], video["pix_fmt"]) == ("h264", "High", "yuv420p")
    assert (audio["codec_name"], audio["channels"]) == ("aac", 2)
    assert int(audio["bit_rate"]) <= 1.1 * 128000
    assert encoded(out) and layout(out)["faststart"]
    assert whole(out, m) == []


def test_an_encoded_file_is_that_of_web(tmp_path):
    m = media(recipe("hevc", video=x265()))
    ours = run("normalize", m.path, tmp_path / "normalize.mp4", threads=1)
    web = run("web", m.path, tmp_path / "web.mp4", threads=1)
    assert kept(ours, 1) == kept(web, 1)


@pytest.mark.parametrize("name", ["proxy", "master", "web"])
def test_ten_bits_without_a_mark_of_colour_become_eight(name, tmp_path):
    m = media(recipe("ten-bit", video=(*x264(30, 3), "-pix_fmt", "yuv420p10le")))
    out = run(name, m.path, tmp_path / "out.mp4")
    assert stream(out)["pix_fmt"] == "yuv420p" and whole(out, m) == []


def test_a_hdr_mark_makes_it_encoded(tmp_path):
    m = media(recipe("hdr", video=(*B_FRAMES, "-bsf:v", "h264_metadata=transfer_characteristics=16"), **SILENT))
    assert encoded(run("normalize", m.path, tmp_path / "out.mp4"))


def test_what_is_asked_for_counts_more_than_being_clean(tmp_path):
    m = media(recipe("sounding"))
    mute = run("normalize", m.path, tmp_path / "mute.mp4", audio="false")
    assert stream(mute, "audio") is None and encoded(mute)
    slow = run("normalize", m.path, tmp_path / "slow.mp4", frame_rate="24000/1001")
    assert stream(slow)["r_frame_rate"] == "24000/1001" and encoded(slow)
    silent = media(recipe("silent", **SILENT))
    same = run("normalize", silent.path, tmp_path / "same.mp4", audio="false", crf=30)
    assert kept(same, 0) == kept(silent.path, 0)


def test_bad_input_is_an_error_and_makes_no_file(tmp_path):
    whole_file = open(media(recipe("sounding")).path, "rb").read()
    front = run("normalize", media(recipe("sounding")).path, tmp_path / "front.mp4")
    front_file = open(front, "rb").read()
    inputs = {"missing": None, "empty": b"", "text": b"no video\n" * 100,
              "tail-cut": whole_file[: len(whole_file) // 2],
              "media-cut": front_file[: len(front_file) * 2 // 3]}
    for name, content in inputs.items():
        bad = tmp_path / f"{name}.mp4"
        if content is not None:
            bad.write_bytes(content)
        done = subprocess.run(
            ["gst-clips", "run", "normalize", f"input={bad}", f"output={tmp_path / 'out.mp4'}"],
            capture_output=True, timeout=TIMEOUT, check=False)
        assert done.returncode in (3, 4), (name, done)
        assert not [f for f in os.listdir(tmp_path) if f.startswith((".", "out"))], name


def test_sound_without_picture_is_an_error(tmp_path):
    with pytest.raises(Failed, match="There is no video stream"):
        run("normalize", media("novideo").path, tmp_path / "out.mp4")
    assert not os.listdir(tmp_path)
