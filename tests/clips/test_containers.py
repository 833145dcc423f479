# SPDX-License-Identifier: LGPL-2.1-or-later
"""clipexport from Matroska, WebM, MPEG transport streams, FLV and AVI, and into Matroska."""

import subprocess

import pytest
from cliptest import Audio, Video, boxes, faults, probe, verify
from cutting import SECOND, cut, ns
from sources import source, video_of


def exact(name, path, first, count, **properties):
    """Cuts count pictures from number first on, and finds exactly those."""
    media = source(name)
    a, b = media.times[first], media.times[first + count]
    result = cut(media.uri, path, start=ns(a), stop=ns(b), **properties)
    assert not result.error, result.error
    report = verify(str(path), media, a, b, views=("honour",))
    assert faults(report, "exact") == []
    assert result.range["frames"] == count
    return result, report["honour"]["video"]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "clip.mp4"


# -- in --------------------------------------------------------------------------------------


# the others are in the matrix of ranges
@pytest.mark.parametrize("name, mode", [
    ("mkv", "exact"), ("ts", "exact"), ("mkv-multiaudio", "edit"), ("ts-multiaudio", "smart"),
    ("mkv-noaudio", "edit"), ("ts-noaudio", "smart"), ("mkv-hevcopen", "smart"),
    ("flv", "edit"), ("flv", "smart"), ("flv-noaudio", "exact"),
    ("avi", "edit"), ("avi", "smart"), ("avi-opengop", "exact"), ("avi-i50", "edit"),
])
def test_pictures_and_sound_of_every_container_are_exact(name, mode, out):
    _, video = exact(name, out, 70, 61, mode=mode)
    if mode == "edit":
        assert video["bit_identical"] == 61


@pytest.mark.parametrize("name, mode, entry", [
    ("vp9", "edit", "vp09"), ("vp9", "exact", "avc1"), ("mkv-av1", "exact", "avc1"),
    ("mkv-prores", "auto", "apco"), ("mkv-prores", "exact", "avc1"),
    ("avi-mjpeg", "auto", "jpeg"), ("avi-mjpeg", "exact", "avc1"), ("avi-mpeg4", "edit", "mp4v"),
    ("mkv-mjpeg", "auto", "jpeg"), ("mkv-mjpeg", "exact", "avc1"), ("mkv-intra", "copy", "avc1"),
])
def test_other_codecs_of_matroska_are_copied_and_encoded(name, mode, entry, out):
    exact(name, out, 33, 40, mode=mode)
    assert boxes.layout(str(out))["tracks"][0]["entries"][0]["format"] == entry


def test_av1_is_copied_from_its_key_frame_on(out):
    # FFmpeg's AV1 decoder shows what an edit list hides, so the clip begins at a key frame
    exact("mkv-av1", out, 60, 40, mode="edit")
    assert boxes.layout(str(out))["tracks"][0]["entries"][0]["format"] == "av01"


@pytest.mark.parametrize("name", ["mkv-mp3", "mkv-ac3", "mkv-flac", "mkv-pcm", "mkv-opusmp4",
                                  "ts-ac3", "ts-mp2", "flv-mp3", "flv-pcm"])
def test_every_sound_is_cut_to_the_sample(name, out):
    exact(name, out, 70, 61, mode="edit")


@pytest.mark.parametrize("first", [0, 1, 61, 70, 83])
def test_vorbis_is_cut_to_the_sample(first, tmp_path):
    # its decoders give nothing for the first packet; FFmpeg skips no samples of it in MP4
    exact("mkv-vorbis", tmp_path / "c.mkv", first, 61, mode="smart", container="matroska")


@pytest.mark.parametrize("mode", ["auto", "copy", "edit", "smart", "exact"])
@pytest.mark.parametrize("name", ["novideo", "mkv-novideo", "ts-novideo"])
def test_sound_without_picture_is_cut_to_the_sample(name, mode, out):
    result = cut(source(name).uri, out, start=3_123_456_789, stop=5 * SECOND, mode=mode)
    assert not result.error
    track = boxes.layout(str(out))["tracks"][0]
    samples = round(track["edits"][0]["duration"] * 48000)
    assert samples == round(5.0 * 48000) - round(3.123456789 * 48000)


@pytest.mark.parametrize("name", ["mkv-live", "webm-live"])
def test_a_live_recording_without_sizes_and_cues_is_read(name, out):
    exact(name, out, 33, 61, mode="edit")


@pytest.mark.parametrize("first", [40, 80, 100])
def test_a_transport_stream_whose_clock_begins_anew_goes_on(first, out):
    # 2^33 ticks are over 3 s into it
    exact("ts-wrap", out, first, 30, mode="smart")


def test_a_transport_stream_may_begin_at_any_time(out):
    result, _ = exact("ts-far", out, 61, 30, mode="edit")
    assert result.actual[0] < 4 * SECOND


def test_packets_with_a_time_code_in_front_are_read(out):
    exact("m2ts", out, 61, 30, mode="edit")


@pytest.mark.parametrize("name", ["mkv", "ts", "flv", "avi"])
def test_frame_numbers_choose_the_same_frames(name, out):
    media = source(name)
    result = cut(media.uri, out, start_frame=105, stop_frame=131, mode="smart")
    assert not result.error
    assert list(Video(str(out), media.width, media.height).number) == list(range(105, 131))
    assert (result.range["first-frame"], result.range["last-frame"]) == (105, 130)


@pytest.mark.parametrize("name", ["mkv", "ts", "webm-live"])
def test_the_same_cut_gives_the_same_bytes(name, tmp_path):
    clips = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for clip in clips:
        assert not cut(source(name).uri, clip, start=SECOND, stop=2 * SECOND, mode="edit").error
    assert clips[0].read_bytes() == clips[1].read_bytes()


@pytest.mark.parametrize("name", ["mkv", "ts"])
@pytest.mark.parametrize("properties, words", [
    ({"start": 5 * SECOND, "stop": 4 * SECOND}, "not before stop"),
    ({"start": 13 * SECOND, "stop": 14 * SECOND}, "source ends at"),
    ({"start": ns(3.505), "stop": ns(3.520)}, "between two frames"),
    ({"start": ns(3.5), "stop": ns(4.5), "max_lead_in": SECOND}, "max-lead-in"),
    ({"start_frame": 360}, "source ends at"),
])
def test_what_cannot_be_cut_is_one_error_that_says_why(name, properties, words, out):
    result = cut(source(name).uri, out, **{"mode": "edit", **properties})
    assert words in result.error
    assert result.errors == 1
    assert not result.eos
    assert not out.exists()


@pytest.mark.parametrize("name", ["mkv", "ts"])
def test_a_stop_past_the_end_is_the_end(name, out):
    media = source(name)
    result = cut(media.uri, out, start=10 * SECOND, stop=99 * SECOND, mode="edit")
    assert not result.error
    assert result.range["stop-past-end"] is True
    assert Video(str(out), media.width, media.height).number[-1] == 359


@pytest.mark.parametrize("name", ["mkv", "mkv-live", "ts", "flv", "avi"])
@pytest.mark.parametrize("mode", ["edit", "exact"])
def test_a_source_truncated_inside_the_range_gives_nothing(name, mode, tmp_path, out):
    media = source(name)
    data = open(media.path, "rb").read()
    half = tmp_path / f"half.{media.recipe.ext}"
    half.write_bytes(data[:len(data) // 2 + 77])
    assert not cut(half.as_uri(), out, start=SECOND, stop=3 * SECOND, mode=mode).error
    late = tmp_path / "late.mp4"
    result = cut(half.as_uri(), late, start=4 * SECOND, stop=11 * SECOND, mode=mode)
    assert "truncated" in result.error
    assert result.errors == 1
    assert not result.eos


@pytest.mark.parametrize("name", ["mkv", "ts", "flv", "avi"])
def test_damage_is_an_error_or_an_exact_clip_but_no_hang(name, tmp_path, out):
    data = bytearray(open(source(name).path, "rb").read())
    for at in range(len(data) // 3, len(data) // 3 + 4000):
        data[at] = 0
    broken = tmp_path / f"broken.{source(name).recipe.ext}"
    broken.write_bytes(data)
    for mode in ("edit", "exact"):
        result = cut(broken.as_uri(), out, start=SECOND, stop=11 * SECOND, mode=mode)
        assert result.errors <= 1
        assert result.eos == (not result.error)


@pytest.mark.parametrize("fill", [0x00, 0x5b, 0xff])
def test_a_damaged_cluster_spoils_the_ranges_that_it_is_in_and_no_others(fill, tmp_path, out):
    whole = source("mkv")
    data = bytearray(open(whole.path, "rb").read())
    middle = len(data) // 2
    data[middle:middle + 30000] = bytes([fill]) * 30000  # many packets and what stands between
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(data)
    for mode in ("edit", "exact"):
        result = cut(broken.as_uri(), out, start=4 * SECOND, stop=8 * SECOND, mode=mode)
        assert "damaged" in result.error and not result.eos
    for start, stop in ((1, 3), (10.5, 11.5)):
        result = cut(broken.as_uri(), out, start=ns(start), stop=ns(stop), mode="edit")
        assert not result.error, result.error
        assert faults(verify(str(out), whole, start, stop, views=("honour",)), "exact") == []


# -- out -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, mode", [
    ("closed2s", "exact"), ("multiaudio", "smart"), ("opusmp4", "smart"), ("hevc", "smart"),
    ("ts", "auto"), ("noaudio", "smart"), ("intra", "auto"), ("prores", "edit"),
    ("mkv-mjpeg", "edit"),
])
def test_matroska_clips_are_exact(name, mode, tmp_path):
    clip = tmp_path / "clip.mkv"
    exact(name, clip, 31, 73, mode=mode, container="matroska")
    found = probe(str(clip))
    assert found["format"]["format_name"].startswith("matroska")
    assert abs(float(found["format"]["duration"]) - 73 / _rate(name)) < 0.05


def _rate(name):
    return 25 if source(name).recipe.rate == "25" else 30


def test_matroska_keeps_the_copied_pictures(tmp_path):
    result, video = exact("closed2s", tmp_path / "c.mkv", 105, 120, mode="smart",
                          container="matroska")
    assert video["bit_identical"] == result.range["frames-copied"] > 100


@pytest.mark.parametrize("name, codec", [("vp9", "vp9"), ("av1", "av1")])
def test_other_codecs_are_copied_from_their_key_frames_on(name, codec, tmp_path):
    clip = tmp_path / "clip.mkv"
    exact(name, clip, 60, 40, mode="auto", container="matroska")
    assert video_of(clip) == codec


def test_matroska_refuses_to_hide_pictures(tmp_path):
    clip = tmp_path / "clip.mkv"
    result = cut(source("closed2s").uri, clip, start=ns(3.5), stop=ns(6.5), mode="edit",
                 container="matroska")
    assert "cannot hide the pictures" in result.error
    assert result.errors == 1
    assert not clip.exists()


def test_a_copy_in_matroska_says_what_it_shows(tmp_path):
    clip = tmp_path / "clip.mkv"
    media = source("closed2s")
    result = cut(media.uri, clip, start=ns(3.5), stop=ns(6.5), mode="copy", container="matroska")
    assert not result.error
    shown = list(Video(str(clip), media.width, media.height).number)
    assert shown == list(range(60, 60 + result.actual[2]))
    assert shown[-1] in (194, 195, 196, 197)
    assert result.actual[1] == ns(media.times[shown[-1] + 1])


def test_matroska_stops_the_sound_at_the_sample(tmp_path):
    clip = tmp_path / "clip.mkv"
    result = cut(source("novideo").uri, clip, start=3_123_456_789, stop=5 * SECOND,
                 container="matroska")
    assert not result.error
    sound = Audio(str(clip))
    assert abs(sound.end - (5 - 3.123456789)) < 0.0005


def test_matroska_can_be_searched(tmp_path):
    clip = tmp_path / "clip.mkv"
    exact("closed2s", clip, 31, 250, mode="smart", container="matroska")
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-read_intervals", "6%+#1", "-select_streams", "v",
         "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", str(clip)],
        check=True, capture_output=True, text=True).stdout
    assert shown.startswith("4.96") and "K" in shown


@pytest.mark.parametrize("faststart", [True, False])
def test_the_cues_stand_where_they_are_wanted(faststart, tmp_path):
    clip = tmp_path / "clip.mkv"
    exact("closed2s", clip, 31, 73, mode="smart", container="matroska", faststart=faststart)
    data = clip.read_bytes()
    cues, cluster = data.rindex(b"\x1c\x53\xbb\x6b"), data.index(b"\x1f\x43\xb6\x75")
    assert (cues < cluster) is faststart


def test_a_clip_of_a_clip_in_matroska(tmp_path):
    """What was written is read: the times of the first clip are the source's, less its start."""
    first, second = tmp_path / "first.mkv", tmp_path / "second.mp4"
    media = source("closed2s")
    assert not cut(media.uri, first, start_frame=31, stop_frame=231, mode="smart",
                   container="matroska").error
    result = cut(first.as_uri(), second, start_frame=40, stop_frame=100, mode="edit")
    assert not result.error
    assert list(Video(str(second), media.width, media.height).number) == list(range(71, 131))
    report = verify(str(second), media, media.times[71], media.times[131], views=("honour",))
    assert faults(report, "exact") == []


def test_any_source_can_be_written_as_quicktime(tmp_path):
    clip = tmp_path / "clip.mov"
    exact("mkv", clip, 31, 73, mode="smart", container="mov")
    assert boxes.layout(str(clip))["brands"][0] == "qt  "
