# SPDX-License-Identifier: LGPL-2.1-or-later
"""The measuring tools of the other tests, measured: good clips pass, each kind of bad one fails."""

import subprocess

import numpy as np
import pytest
from cliptest import (
    AAC, Audio, AudioCode, Recipe, Video, audio_lag, faults, media, packets, verify, x264,
)
from cliptest.boxes import layout


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, args)], check=True)


@pytest.fixture(scope="module")
def source():
    return media("closed2s")


def test_every_picture_of_the_source_is_numbered_in_order(source):
    video = Video(source.path, source.width, source.height)
    assert list(video.number) == list(range(12 * 30))
    assert not video.errors


def test_the_sound_is_placed_to_the_sample(source):
    audio = Audio(source.path)
    for at in (0.5, 3.0, 11.0):
        found, quality = audio_lag(audio, AudioCode(0), at, at + 0.7)
        assert abs(found - (at + source.audio_shift)) < 1 / 48000
        assert quality > 0.95


def test_a_late_sound_is_measured(source, tmp_path):
    late = tmp_path / "late.mp4"
    ffmpeg("-i", source.path, "-itsoffset", "0.0427", "-i", source.path,
           "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    rep = verify(str(late), source, compare=False, views=("honour",))
    # an empty edit is counted in milliseconds
    assert rep["honour"]["audio"][0]["late_ms"] == pytest.approx(42.7, abs=0.7)
    assert any("audio 0 off by" in f for f in faults(rep, "exact"))


def test_an_exact_clip_passes(source, tmp_path):
    clip = tmp_path / "clip.mp4"
    ffmpeg("-ss", "3.5", "-i", source.path, "-t", "4", "-c:v", "libx264", "-crf", "18", *AAC, clip)
    rep = verify(str(clip), source, 3.5, 7.5)
    assert faults(rep, "exact") == []
    assert rep["honour"]["video"]["worst_psnr_db"] > 35


def test_a_key_frame_copy_is_not_exact(source, tmp_path):
    clip = tmp_path / "clip.mp4"
    ffmpeg("-ss", "3.5", "-i", source.path, "-t", "4", "-c", "copy",
           "-avoid_negative_ts", "make_zero", clip)
    rep = verify(str(clip), source, 3.5, 7.5)
    assert rep["honour"]["video"]["leak_before"] == 45
    assert any("leak_before" in f for f in faults(rep, "exact"))


def test_a_damaged_picture_is_unreadable_and_never_a_wrong_number(source, tmp_path):
    bad = tmp_path / "bad.mp4"
    ffmpeg("-i", source.path, "-vf", "drawbox=x=40:y=0:w=90:h=40:color=gray:t=fill"
           ":enable='eq(n\\,50)'", "-c:v", "libx264", "-preset", "ultrafast", "-an", bad)
    video = Video(str(bad), source.width, source.height)
    assert video.number[50] == -1
    assert np.count_nonzero(video.number < 0) == 1


def test_missing_and_repeated_pictures_are_counted(source, tmp_path):
    bad = tmp_path / "bad.mp4"
    ffmpeg("-i", source.path, "-vf", "select='not(eq(n,100))+eq(n,101)',fps=30:start_time=0",
           "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy", bad)
    video = verify(str(bad), source, views=("honour",))["honour"]["video"]
    assert video["missing"] == "100"
    assert video["duplicates"] == 1


def test_a_number_survives_scaling_down(tmp_path):
    big = media(Recipe("big", width=1920, height=1080, seconds=1, tracks=()))
    small = tmp_path / "small.mp4"
    ffmpeg("-i", big.path, "-vf", "scale=1280:720", "-c:v", "libx264", "-crf", "28", small)
    assert list(Video(str(small), 1920, 1080).number) == list(range(30))


def test_interlaced_fields_carry_numbers_of_their_own():
    source = media("i50")
    video = Video(source.path, source.width, source.height, fields=True)
    assert list(video.number) == list(range(12 * 25))


@pytest.mark.parametrize("name", ["vfr", "editstart", "ts", "mkv", "frag", "r23976", "opusmp4"])
def test_the_facts_of_a_file_agree_with_its_pictures(name):
    m = media(name)
    rep = verify(m.path, m, views=("honour",))
    video = rep["honour"]["video"]
    assert video["missing_count"] == 0 and video["duplicates"] == 0
    assert video["frames"] == len(m.times) == video["bit_identical"]
    assert video["timing_spread_ms"] <= 1.1
    assert abs(rep["honour"]["audio"][0]["late_ms"]) < 1.0


def test_channels_are_told_apart():
    m = media(Recipe("surround", video=None, ext="mka", seconds=2, audio=("-c:a", "flac"),
                     channels=("5.1", (0, 1, 2, None, 3, 4))))
    for channel, code in ((0, 0), (1, 1), (2, 2), (4, 3), (5, 4)):
        found, quality = audio_lag(Audio(m.path, channel=channel), AudioCode(code), 1.0, 1.0)
        assert abs(found - 1.0) < 1e-4 and quality > 0.99
    assert np.abs(Audio(m.path, channel=3).y).max() == 0


def test_packets_tell_key_frames_and_times(source):
    p = packets(source.path)
    assert len(p) == len(source.times)
    assert sorted(x["pts"] for x in p if x["key"]) == pytest.approx(source.keyframes)


def test_layout_reads_the_boxes(tmp_path):
    m = media(Recipe("boxes", seconds=1, video=x264(1, 0)))
    lay = layout(m.path)
    assert lay["order"][-1] == "moov" and not lay["faststart"]
    assert [t["kind"] for t in lay["tracks"]] == ["vide", "soun"]
    assert lay["tracks"][0]["samples"] == 30 and lay["tracks"][0]["entries"][0]["format"] == "avc1"
    assert lay["movie_duration"] == pytest.approx(1.0, abs=0.05)
    fast = tmp_path / "fast.mp4"
    ffmpeg("-i", m.path, "-c", "copy", "-movflags", "+faststart", fast)
    assert layout(str(fast))["faststart"]


def test_media_is_made_once(source):
    assert media("closed2s").path == source.path
