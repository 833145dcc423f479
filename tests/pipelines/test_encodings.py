# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the definitions proxy, master, web and remux make, on packets and decoded frames."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from cliptest import (
    OPUS, Audio, AudioCode, PCM, Recipe, Video, audio_lag, media, packets, stream, verify, x264, x265,
)
from cliptest.boxes import layout
from definitions import Failed, ffmpeg, run, turn, whole

ENCODINGS = ("proxy", "master", "web")
SILENT = {"tracks": ()}


def picture(path, index=0, size=None, pixel="rgb24"):
    """The index-th picture as an array of height x width x 3."""
    s = stream(path)
    width, height = size or (s["width"], s["height"])
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-vf",
         f"select=eq(n\\,{index}),scale={width}:{height}:flags=area", "-frames:v", "1",
         "-f", "rawvideo", "-pix_fmt", pixel, "-"], check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(height, width, -1)


def x264_options(path):
    """The options that x264 writes into its stream, as a dict."""
    with open(path, "rb") as f:
        text = re.search(rb"x264 - core.*?options: ([^\0]*)", f.read()).group(1).decode("latin1")
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


def ssim(path, reference):
    # FFmpeg 7 converts between what is labelled BT.709 and what is not labelled
    same = "format=yuv420p,settb=AVTB,setpts=N,setparams=range=tv:colorspace=bt709"
    log = subprocess.run(
        ["ffmpeg", "-nostdin", "-i", path, "-i", reference, "-lavfi",
         f"[0:v]{same}[a];[1:v]{same}[b];[a][b]ssim",
         "-f", "null", "-"], capture_output=True, text=True, check=True).stderr
    return float(re.search(r"SSIM.*All:([0-9.]+)", log).group(1))


@pytest.fixture(scope="module")
def source():
    return media(Recipe("scene", seconds=4, video=x264(60, 3, "open-gop=0")))


@pytest.fixture(scope="module", name="made")
def made_once(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encodings")
    return {name: run(name, source.path, folder / f"{name}.mp4") for name in ENCODINGS}


def test_every_packet_of_a_proxy_is_a_key_frame(made):
    assert all(p["key"] for p in packets(made["proxy"]))
    assert x264_options(made["proxy"])["keyint"] == "1"


@pytest.mark.parametrize("name,profile,level,bits", [
    ("proxy", "Constrained Baseline", 31, 64), ("master", "High", 41, 256),
    ("web", "High", 30, 128)])
def test_profile_level_and_sound(made, name, profile, level, bits):
    video, audio = stream(made[name]), stream(made[name], "audio")
    assert (video["codec_name"], video["profile"], video["level"]) == ("h264", profile, level)
    assert video["pix_fmt"] == "yuv420p"
    assert (audio["codec_name"], audio["profile"], audio["channels"]) == ("aac", "LC", 2)
    assert int(audio["bit_rate"]) <= 1.1 * bits * 1000


@pytest.mark.parametrize("name,want", [
    ("proxy", {"crf": "28.0", "cabac": "0", "bframes": "0", "deblock": "0:0:0"}),
    ("master", {"crf": "18.0", "cabac": "1", "bframes": "3", "keyint": "250", "ref": "3",
                "rc_lookahead": "40", "subme": "7"}),
    ("web", {"crf": "23.0", "cabac": "1", "bframes": "3", "ref": "2", "subme": "6"})])
def test_encoder_options(made, name, want):
    options = x264_options(made[name])
    assert {k: options[k] for k in want} == want
    assert options["rc"] == "crf" and "vbv_maxrate" not in options and options["qpmin"] == "0"


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_movie_box_comes_before_the_media(made, name):
    lay = layout(made[name])
    assert lay["faststart"] and lay["fragments"] == 0


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("rate", ["r2997", "r23976", "r5994", "vfr", "editstart"])
def test_frames_and_timestamps_are_the_sources(name, rate, tmp_path):
    m = media(rate)
    assert whole(run(name, m.path, tmp_path / "out.mp4"), m) == []


@pytest.mark.parametrize("name", ENCODINGS)
def test_sound_is_in_step_to_the_sample(source, made, name):
    audio = Audio(made[name])
    for at in (0.5, 2.0, 3.5):
        found, quality = audio_lag(audio, AudioCode(0), at, at)
        assert abs(found - at) < 0.0001 and quality > 0.9
    assert whole(made[name], source) == []


def test_sound_keeps_its_whole_length(tmp_path):
    m = media(Recipe("pcm", "mov", seconds=3, video=x264(30, 0), audio=PCM))
    assert whole(run("proxy", m.path, tmp_path / "out.mp4"), m, audio_end_ms=0.1) == []


@pytest.mark.parametrize("size,proxy,master", [
    ((1080, 1920), (404, 720), (1080, 1920)), ((1920, 803), (1280, 534), (1920, 802)),
    ((3840, 1634), (1280, 544), (3840, 1634)), ((640, 480), (640, 480), (640, 480)),
    ((321, 181), (320, 180), (320, 180))])
def test_sizes_are_even_and_never_enlarged(size, proxy, master, tmp_path):
    # x264 refuses odd sizes in 4:2:0; MJPEG takes any
    m = media(Recipe(f"size{size[0]}x{size[1]}", "mkv", "5", 1, *size, **SILENT,
                     video=("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")))
    for name, want in (("proxy", proxy), ("master", master)):
        out = run(name, m.path, tmp_path / f"{name}.mp4", preset="veryfast")
        s = stream(out)
        assert (s["width"], s["height"]) == want
        assert len(packets(out)) == 5
        small = [picture(p, 2, (96, 96), "gray").astype(float) for p in (m.path, out)]
        assert np.abs(small[0] - small[1]).mean() < 4


def test_anamorphic_pictures_become_square_and_keep_their_shape(tmp_path):
    m = media(Recipe("anamorphic", rate="5", seconds=1, width=720, height=576, **SILENT,
                     filters="setsar=64/45"))
    for name in ("proxy", "web"):
        s = stream(run(name, m.path, tmp_path / f"{name}.mp4"))
        assert (s["width"], s["height"]) == (1024, 576)
        assert s.get("sample_aspect_ratio", "1:1") == "1:1"
    s = stream(run("master", m.path, tmp_path / "master.mp4"))
    assert (s["width"], s["height"], s["sample_aspect_ratio"]) == (720, 576, "64:45")


def test_a_proxy_of_720p60_says_the_level_that_it_needs(tmp_path):
    m = media(Recipe("p60", rate="60", seconds=1, width=1280, height=720, **SILENT))
    assert stream(run("proxy", m.path, tmp_path / "out.mp4"))["level"] == 32


def test_a_master_of_1080p60_says_the_level_that_it_needs(tmp_path):
    m = media(Recipe("hd60", rate="60", seconds=1, width=1920, height=1080, **SILENT))
    out = run("master", m.path, tmp_path / "out.mp4", preset="ultrafast")
    assert stream(out)["level"] == 42


REFERENCES = {
    "proxy": ["-preset", "fast", "-crf", "28", "-tune", "fastdecode", "-profile:v", "baseline",
              "-level", "3.1", "-g", "1"],
    "master": ["-preset", "medium", "-crf", "18", "-profile:v", "high", "-level", "4.1",
               "-bf", "3", "-g", "250"],
    "web": ["-preset", "fast", "-crf", "23", "-profile:v", "high", "-g", "250"],
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_quality_and_size_are_those_of_a_direct_x264_encode(name, tmp_path):
    m = media(Recipe("detail", seconds=3, background="mandelbrot", **SILENT))
    ours = run(name, m.path, tmp_path / "ours.mp4")
    ffmpeg("-i", m.path, "-c:v", "libx264", *REFERENCES[name], "-pix_fmt", "yuv420p",
           "-movflags", "+faststart", tmp_path / "direct.mp4")
    direct = str(tmp_path / "direct.mp4")
    sizes = [sum(p["size"] for p in packets(f)) for f in (ours, direct)]
    assert abs(sizes[0] / sizes[1] - 1) < 0.03
    assert abs(ssim(ours, m.path) - ssim(direct, m.path)) < 0.002


@pytest.mark.parametrize("width, height, small", [(1920, 1080, "1280:720"), (1440, 1080, "960:720"), (1920, 804, "1280:536"),
                                                  (1080, 1920, "404:720"), (3840, 2160, "1280:720")])
def test_a_scaled_proxy_is_as_good_as_that_of_ffmpeg(tmp_path, width, height, small):
    """Lanczos of three lobes for luma and chroma, and no other matrix for what falls below 576 lines and names none."""
    m = media(Recipe("detail", seconds=1, rate="10", width=width, height=height, background="mandelbrot", **SILENT))
    ours = run("proxy", m.path, tmp_path / "ours.mp4")
    scaled, direct = str(tmp_path / "scaled.y4m"), str(tmp_path / "direct.mp4")
    ffmpeg("-i", m.path, "-vf", f"scale={small}:flags=lanczos,setsar=1", scaled)
    ffmpeg("-i", scaled, "-c:v", "libx264", *REFERENCES["proxy"], direct)
    sizes = [sum(p["size"] for p in packets(f)) for f in (ours, direct)]
    assert abs(sizes[0] / sizes[1] - 1) < 0.03
    assert abs(ssim(ours, scaled) - ssim(direct, scaled)) < 0.002


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(degrees, tmp_path):
    back = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}[degrees]
    flat = media(Recipe(f"turned{degrees}", rate="10", seconds=1, filters=back, **SILENT))
    turned = tmp_path / "turned.mp4"
    shutil.copy(flat.path, turned)
    coded = stream(flat.path)
    turn(turned, degrees, coded["width"], coded["height"])
    assert list(Video(str(turned), 640, 360).number) == list(range(10))  # as FFmpeg turns it
    for name in ENCODINGS:
        out = run(name, turned, tmp_path / f"{name}.mp4")
        s = stream(out)
        assert (s["width"], s["height"]) == (640, 360)
        assert "side_data_list" not in s
        assert list(Video(out, 640, 360).number) == list(range(10))


def test_a_turned_portrait_fits_the_proxy(tmp_path):
    flat = media(Recipe("phone", rate="10", seconds=1, width=1920, height=1080, **SILENT))
    turned = tmp_path / "turned.mp4"
    shutil.copy(flat.path, turned)
    turn(turned, 90, 1920, 1080)
    s = stream(run("proxy", turned, tmp_path / "out.mp4"))
    assert (s["width"], s["height"]) == (404, 720)


@pytest.mark.parametrize("name", ["proxy", "web"])
def test_interlaced_video_becomes_progressive_frame_for_frame(name, tmp_path):
    m = media("i50")
    out = run(name, m.path, tmp_path / "out.mp4")
    assert stream(out).get("field_order", "progressive") == "progressive"
    video = Video(out, m.width, m.height)
    # each picture is the first field of its frame
    assert list(video.number) == list(range(0, 2 * len(m.times), 2))
    assert video.pts == pytest.approx(m.times, abs=1e-5)


def test_a_master_of_interlaced_video_keeps_both_fields(tmp_path):
    m = media("i50")
    out = run("master", m.path, tmp_path / "out.mp4", preset="veryfast")
    assert stream(out)["field_order"] in ("tt", "bb", "tb", "bt")
    video = Video(out, m.width, m.height, fields=True)
    assert list(video.number) == list(range(len(m.times)))
    assert video.pts == pytest.approx(m.times, abs=1e-5)


@pytest.mark.parametrize("name", ENCODINGS)
def test_ten_bits_become_eight(name, tmp_path):
    m = media(Recipe("ten", seconds=1, **SILENT, video=(*x265(), "-pix_fmt", "yuv420p10le")))
    out = run(name, m.path, tmp_path / "out.mp4")
    s = stream(out)
    assert s["pix_fmt"] == "yuv420p" and "10" not in s["profile"]
    assert whole(out, m) == []


# Grey, primary and secondary colours at 75 %, a skin tone and the top of the range below the knee.
PATCHES = [(191, 191, 191), (191, 0, 0), (0, 191, 0), (0, 0, 191), (0, 191, 191), (191, 0, 191),
           (191, 191, 0), (64, 64, 64), (198, 150, 126), (20, 20, 20)]


def hdr_codes(sdr, transfer):
    """10-bit Y', Cb, Cr of an SDR colour shown at 203 cd/m2 white, by BT.2100's own formulas."""
    light = 203 * (np.array(sdr) / 255) ** 2.4
    light = np.array([[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362],
                      [0.016391, 0.088013, 0.895595]]) @ light
    if transfer == "smpte2084":
        y = (light / 10000) ** 0.1593017578125
        code = ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    else:
        shown = light / 1000
        luminance = np.array([0.2627, 0.6780, 0.0593]) @ shown
        scene = shown * luminance ** (1 / 1.2 - 1)
        a, b = 0.17883277, 0.28466892
        code = np.where(scene <= 1 / 12, np.sqrt(3 * scene),
                        a * np.log(np.maximum(12 * scene - b, 1e-9)) + 0.55991073)
    luma = np.array([0.2627, 0.6780, 0.0593]) @ code
    return (round(64 + 876 * luma), round(512 + 896 * (code[2] - luma) / 1.8814),
            round(512 + 896 * (code[0] - luma) / 1.4746))


def test_pictures_of_unknown_colorimetry_pass_hdrtosdr_as_they_are(tmp_path):
    # ten bits without colorimetry, as avdec_prores of GStreamer 1.26 describes them
    caps = "video/x-raw,format=I422_10LE,width=64,height=64,framerate=30/1"
    files = []
    for name, element in (("with", "hdrtosdr !"), ("without", "")):
        files.append(tmp_path / name)
        line = (f"videotestsrc num-buffers=2 ! {caps} ! capssetter replace=true caps={caps} ! {element}"
                f" videoconvert ! video/x-raw,format=I420 ! filesink location={files[-1]}")
        subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True)
    through, direct = (f.read_bytes() for f in files)
    assert len(direct) == 2 * 64 * 64 * 3 // 2
    assert through == direct


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_comes_out_with_the_colours_of_sdr(name, transfer, tmp_path):
    codes = np.array([hdr_codes(p, transfer) for p in PATCHES], "<u2")
    wide = 64 * len(PATCHES)
    luma = np.tile(np.repeat(codes[:, 0], 64), (128, 1))
    chroma = [np.tile(np.repeat(codes[:, i], 32), (64, 1)) for i in (1, 2)]
    raw = tmp_path / "hdr.yuv"
    raw.write_bytes(b"".join(plane.tobytes() for plane in (luma, *chroma)) * 5)
    hdr = tmp_path / "hdr.mp4"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{wide}x128", "-r", "5", "-i", raw,
           "-c:v", "libx265", "-preset", "superfast", "-crf", "8", "-tag:v", "hvc1",
           "-x265-params", "log-level=none:colorprim=bt2020:"
           f"transfer={transfer}:colormatrix=bt2020nc", hdr)
    out = run(name, hdr, tmp_path / "out.mp4")
    s = stream(out)
    assert s["pix_fmt"] == "yuv420p"
    assert (s["color_space"], s["color_transfer"], s["color_primaries"]) == ("bt709",) * 3
    got = picture(out, 2).astype(int)
    for i, want in enumerate(PATCHES):
        found = got[48:80, 64 * i + 24 : 64 * i + 40].mean(axis=(0, 1))
        # near black a step of ten bits is many of BT.1886's eight
        limit = np.where(np.array(want) < 32, 16, 9)
        assert (np.abs(found - want) <= limit).all(), f"{found}, should be like {want}"


def test_surround_goes_down_to_stereo_in_proxy_and_web(tmp_path):
    m = media(SURROUND)
    for name in ("proxy", "web"):
        out = run(name, m.path, tmp_path / f"{name}.mp4", audio_bitrate=256000)
        assert stream(out, "audio")["channels"] == 2
        # the left channel holds front left, centre and back left, the right one the others
        for channel, codes in ((0, {0, 2, 3}), (1, {1, 2, 4})):
            assert heard(out, channel) == codes


def test_surround_stays_in_the_master(tmp_path):
    m = media(SURROUND)
    out = run("master", m.path, tmp_path / "master.mp4", audio_bitrate=512000)
    assert stream(out, "audio")["channels"] == 6
    want = [heard(m.path, c) for c in range(6)]
    assert [heard(out, c) for c in range(6)] == want


SURROUND = Recipe("surround51", seconds=2, video=x264(30, 0), rate="10",
                  audio=("-c:a", "aac", "-b:a", "512k"), channels=("5.1", (0, 1, 2, None, 3, 4)))


def heard(path, channel):
    """The sound codes in a channel."""
    audio = Audio(path, channel=channel)
    found = set()
    for code in range(5):
        lag = audio_lag(audio, AudioCode(code), 1.0, 1.0, length=0.3, search=0.05)
        if lag and lag[1] > 0.25 and abs(lag[0] - 1.0) < 0.03:
            found.add(code)
    return found


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_silent_video_makes_a_silent_file(name, tmp_path):
    m = media(Recipe("silent", seconds=1, **SILENT))
    out = run(name, m.path, tmp_path / "out.mp4")
    assert stream(out, "audio") is None
    assert whole(out, m) == []


@pytest.mark.parametrize("name", ENCODINGS)
def test_sound_without_picture_is_an_error_and_makes_no_file(name, tmp_path):
    m = media("novideo")
    with pytest.raises(Failed, match="There is no video stream"):
        run(name, m.path, tmp_path / "out.mp4")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("default", [0, 1, 2])
def test_the_default_track_of_several_is_encoded(default, tmp_path):
    m = media(Recipe("tracks", "mkv", seconds=2, tracks=(0, 1, 2), rate="10"))
    several = tmp_path / "several.mkv"
    flags = [w for i in range(3) for w in (f"-disposition:a:{i}", "default" if i == default else "0")]
    ffmpeg("-i", m.path, "-map", "0", "-c", "copy", *flags, several)
    out = run("proxy", several, tmp_path / "out.mp4")
    assert stream(out, "audio", 1) is None
    assert heard(out, 0) == {default}


def test_overrides(source, tmp_path):
    plain = run("proxy", source.path, tmp_path / "plain.mp4")
    # A thread for each processor: x264's own choice is half as many again, each with memory of its own.
    assert x264_options(plain)["threads"] == str(len(os.sched_getaffinity(0)))
    better = run("proxy", source.path, tmp_path / "better.mp4", crf=18)
    assert os.path.getsize(better) > 1.3 * os.path.getsize(plain)
    other = run("proxy", source.path, tmp_path / "other.mp4", preset="ultrafast", threads=1,
                audio_bitrate=128000)
    options = x264_options(other)
    assert options["threads"] == "1" and options["subme"] == "0"
    rates = [int(stream(f, "audio")["bit_rate"]) for f in (plain, other)]
    assert rates[1] > 1.5 * rates[0]
    mute = run("proxy", source.path, tmp_path / "mute.mp4", audio="false")
    assert stream(mute, "audio") is None


@pytest.mark.parametrize("name", ENCODINGS)
def test_another_frame_rate(name, source, tmp_path):
    out = run(name, source.path, tmp_path / "out.mp4", frame_rate="24000/1001")
    assert stream(out)["r_frame_rate"] == "24000/1001"
    video = Video(out, source.width, source.height)
    assert len(video.number) == pytest.approx(4 * 24000 / 1001, abs=1)
    # each picture is the source's at that time
    assert np.abs(video.number / 30 - video.pts).max() < 1 / 24
    assert whole(run(name, source.path, tmp_path / "all.mp4"), source) == []


def test_a_crf_out_of_range_is_not_taken():
    done = subprocess.run(["gst-inspect-1.0", "proxybin"], capture_output=True, text=True,
                          check=True)
    assert re.search(r"crf .*?\n.*?\n\s+Unsigned Integer. Range: 0 - 50 Default: 28", done.stdout)


@pytest.mark.parametrize("made_of", [
    Recipe("copy", seconds=2), Recipe("copy-hevc", seconds=2, video=x265(), tracks=(0, 1)),
    Recipe("copy-pcm", "mov", seconds=1, video=x264(1, 0), audio=PCM),
    Recipe("copy-silent", seconds=1, tracks=()), Recipe("mkv", "mkv", copy_of="closed2s"),
    Recipe("copy-webm", "webm", seconds=2, audio=OPUS,
           video=("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-b:v", "600k")),
    Recipe("copy-av1", "mkv", seconds=1, audio=OPUS,
           video=("-c:v", "libsvtav1", "-preset", "12", "-g", "60"))], ids=lambda r: r.name)
def test_a_remux_keeps_every_packet_bit_for_bit(made_of, tmp_path):
    m = media(made_of)
    out = run("remux", m.path, tmp_path / "out.mp4")
    assert layout(out)["faststart"]
    # Matroska's clock knows the milliseconds of sound; in an MP4 it knows the samples
    slack = 0.0011 if made_of.ext in ("mkv", "webm") else 0
    for selector in ["v:0", *(f"a:{i}" for i in range(len(m.tracks)))]:
        of, had = packets(out, selector), packets(m.path, selector)
        assert [p["data_hash"] for p in of] == [p["data_hash"] for p in had], selector
        assert [p["pts"] for p in of] == pytest.approx([p["pts"] for p in had], abs=slack), selector


@pytest.mark.parametrize("made_of", [
    Recipe("copy-ts", "ts", seconds=2), Recipe("copy-hevc-ts", "ts", seconds=2, video=x265(), tracks=(0, 1)),
], ids=lambda r: r.name)
def test_a_remux_of_a_transport_stream_is_whole_and_in_step(made_of, tmp_path):
    m = media(made_of)
    out = run("remux", m.path, tmp_path / "out.mp4")
    assert layout(out)["faststart"]
    for selector in ["v:0", *(f"a:{i}" for i in range(len(m.tracks)))]:
        assert len(packets(out, selector)) == len(packets(m.path, selector)), selector
    assert whole(out, m) == []


def test_a_remux_keeps_sound_before_and_behind_the_picture(tmp_path):
    m = media(Recipe("copy", seconds=2))
    late = tmp_path / "late.mp4"
    ffmpeg("-i", m.path, "-itsoffset", "0.5", "-t", "1", "-i", m.path, "-map", "1:v", "-map", "0:a",
           "-c", "copy", late)
    out = run("remux", late, tmp_path / "out.mp4")
    for selector in ("v:0", "a:0"):
        of, had = packets(out, selector), packets(str(late), selector)
        assert [(p["data_hash"], p["pts"], p["dts"]) for p in of] == [
            (p["data_hash"], p["pts"], p["dts"]) for p in had], selector
    assert float(packets(out)[0]["pts"]) > 0.4


MP3 = ("-c:a", "libmp3lame", "-b:a", "128k")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "3", "-g", "30")


@pytest.mark.parametrize("made_of", [
    Recipe("copy-flv", "flv", seconds=2, sample_rate=44100),
    Recipe("copy-flv-mp3", "flv", seconds=2, sample_rate=44100, audio=MP3),
    Recipe("copy-avi-pcm", "avi", seconds=2, audio=PCM, video=(*MPEG4, "-bf", "0", "-vtag", "XVID")),
    Recipe("copy-avi-mpeg4", "avi", "30000/1001", seconds=2, audio=MP3, audio_shift=-1105 / 48000,
           video=(*MPEG4, "-bf", "2")),
    Recipe("copy-avi-mjpeg", "avi", "25", seconds=2, tracks=(),
           video=("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")),
    Recipe("copy-avi", "avi", "30000/1001", seconds=2, audio=MP3, audio_shift=-1105 / 48000),
], ids=lambda r: r.name)
def test_a_remux_of_flash_video_and_avi_is_whole_and_in_step(made_of, tmp_path):
    m = media(made_of)
    out = run("remux", m.path, tmp_path / "out.mp4")
    assert layout(out)["faststart"]
    if made_of.audio_shift is None:
        assert whole(out, m) == []
    else:
        # FFmpeg guesses the times of an AVI's pictures that are stored in another order than they are
        # shown, two frames late: it is no reference for them. The sound begins with the encoder's
        # start-up samples, which AVI cannot say.
        ours, theirs = (Video(path, m.width, m.height) for path in (out, m.path))
        assert list(ours.number) == list(range(60)) and list(ours.checksum) == list(theirs.checksum)
        assert ours.pts == pytest.approx([i * 1001 / 30000 for i in range(60)], abs=1e-5)
        sound = verify(out, m, views=("honour",))["honour"]["audio"][0]
        assert max(abs(sound[mark]) for mark in ("late_ms_start", "late_ms", "late_ms_end")) < 1
    for selector in ["v:0", *(f"a:{i}" for i in range(len(m.tracks)))]:
        of, had = packets(out, selector), packets(m.path, selector)
        if selector == "v:0" and made_of.name == "copy-avi":
            assert len(of) == len(had)  # start codes there, lengths here
        elif made_of.audio == PCM and selector == "a:0":
            assert audio_bytes(out) == audio_bytes(m.path)
        else:
            assert [p["data_hash"] for p in of] == [p["data_hash"] for p in had], selector


def audio_bytes(path):
    return subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "s16le", "-"],
                          check=True, capture_output=True).stdout


def test_a_codec_that_mp4_cannot_hold_is_an_error_that_names_it(tmp_path):
    old = media(Recipe("copy-msmpeg4", "avi", seconds=1, tracks=(), video=("-c:v", "msmpeg4v3"))).path
    with pytest.raises(Failed, match=r"cannot be copied.*\(MP43\)"):
        run("remux", old, tmp_path / "out.mp4")
    sorenson = media(Recipe("copy-sorenson", "flv", seconds=1, tracks=(), video=("-c:v", "flv"))).path
    with pytest.raises(Failed, match=r"cannot be copied.*\(number 2 of Flash Video\)"):
        run("remux", sorenson, tmp_path / "out.mp4")
    assert not os.listdir(tmp_path)


def test_a_container_that_cannot_be_remuxed_is_an_error_and_makes_no_file(tmp_path):
    with pytest.raises(Failed, match="not an MP4, QuickTime, Matroska"):
        run("remux", media(Recipe("nut", "nut", seconds=1)).path, tmp_path / "out.mp4")
    assert not os.listdir(tmp_path)
