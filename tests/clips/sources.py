# SPDX-License-Identifier: LGPL-2.1-or-later
"""The coded media in the containers that clips are cut from, beside those of cliptest."""

import dataclasses
import os
import subprocess

import cliptest
from cliptest import OPUS, PCM, Recipe, media, x264



def _copied(base, ext, **changes):
    """The file of one of cliptest's recipes, its packets put into another container."""
    of = cliptest.RECIPES[base]
    # FFmpeg moves all tracks so that none begins in front of 0, but takes an Opus track's start-up
    # off its times once more.
    shift = 0.0 if of.audio == OPUS else None
    return dataclasses.replace(of, name=f"{ext}-{base}", ext=ext, copy_of=base, mux=(),
                               audio_shift=shift, **changes)


_MKV = [
    _copied(name, "mkv")
    for name in ("opengop", "long10", "onegop", "r23976", "r2997", "r5994", "i50", "multiaudio",
                 "noaudio", "opusmp4", "hevc", "hevcopen", "av1", "novideo", "vfr")
]
_TS = [
    _copied(name, "ts")
    for name in ("opengop", "long10", "r2997", "r5994", "i50", "multiaudio", "noaudio", "hevc",
                 "hevcopen", "novideo")
]
# AVI cannot say that an encoder began with start-up samples: its sound is that much late.
_MP3_LATE, _AC3_LATE = {"audio_shift": -1105 / 48000}, {"audio_shift": -256 / 48000}
_FLASH_AND_AVI = [
    Recipe("flv", "flv", copy_of="closed2s"),
    Recipe("flv-mp3", "flv", seconds=6, sample_rate=44100, audio=("-c:a", "libmp3lame", "-b:a", "128k")),
    Recipe("flv-pcm", "flv", seconds=6, sample_rate=44100, audio=PCM),
    Recipe("flv-noaudio", "flv", copy_of="noaudio", tracks=()),
    Recipe("avi", "avi", audio=("-c:a", "libmp3lame", "-b:a", "128k"), **_MP3_LATE),
    Recipe("avi-opengop", "avi", "30000/1001", audio=("-c:a", "ac3", "-b:a", "192k"),
           video=x264(60, 3, "open-gop=1:b-pyramid=normal"), **_AC3_LATE),
    Recipe("avi-i50", "avi", "50", fields=True, filters="tinterlace=interleave_top,setfield=tff",
           video=("-flags", "+ilme+ildct", *x264(50, 3, "tff=1")), audio=PCM),
    Recipe("avi-mjpeg", "avi", "25", seconds=5, audio=PCM,
           video=("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")),
    Recipe("avi-mpeg4", "avi", "25", seconds=5, audio=("-c:a", "libmp3lame", "-b:a", "128k"),
           video=("-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-g", "25"), **_MP3_LATE),
]
_REFRESH = Recipe("refresh", seconds=6, video=x264(60, 2, "intra-refresh=1"))
RECIPES = {
    r.name: r
    for r in (
        *_MKV,
        *_TS,
        # refreshed column by column: one IDR, and key frames that lead to whole pictures later
        _REFRESH,
        Recipe("mkv-refresh", "mkv", seconds=6, video=_REFRESH.video),
        # the 33 bits of its clock begin anew after three seconds
        Recipe("ts-wrap", "ts", copy_of="closed2s", mux=("-output_ts_offset", "95440.7")),
        Recipe("ts-far", "ts", copy_of="closed2s", mux=("-output_ts_offset", "5000")),
        # with a time code in front of each packet
        Recipe("m2ts", "ts", seconds=6, audio=("-c:a", "ac3", "-b:a", "192k"),
               mux=("-f", "mpegts", "-mpegts_m2ts_mode", "1")),
        Recipe("ts-ac3", "ts", seconds=6, audio=("-c:a", "ac3", "-b:a", "192k")),
        Recipe("ts-mp2", "ts", seconds=6, audio=("-c:a", "mp2", "-b:a", "192k")),
        *_FLASH_AND_AVI,
        Recipe("mkv-mp3", "mkv", seconds=6, audio=("-c:a", "libmp3lame", "-b:a", "128k")),
        Recipe("mkv-ac3", "mkv", seconds=6, audio=("-c:a", "ac3", "-b:a", "192k")),
        Recipe("mkv-vorbis", "mkv", seconds=6, audio=("-c:a", "libvorbis", "-b:a", "96k")),
        Recipe("mkv-flac", "mkv", seconds=6, audio=("-c:a", "flac")),
        Recipe("mkv-pcm", "mkv", seconds=6, audio=PCM),
        Recipe("mkv-prores", "mkv", "25", seconds=5,
               video=("-c:v", "prores_ks", "-profile:v", "0")),
        Recipe("mkv-mjpeg", "mkv", "25", seconds=5,
               video=("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")),
        Recipe("mov-mjpeg", "mov", "25", seconds=5, audio=PCM,
               video=("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")),
        Recipe("mkv-intra", "mkv", "25", video=x264(1, 0, preset="ultrafast"), seconds=6),
        # as a recorder of a live stream writes it: no sizes, no cues, no duration
        Recipe("mkv-live", "mkv", copy_of="closed2s", mux=("-f", "matroska", "-live", "1")),
        # encoded anew: what FFmpeg does to the times of a copied Opus track changed between releases
        dataclasses.replace(cliptest.RECIPES["vp9"], name="webm-live",
                            mux=("-f", "webm", "-live", "1")),
    )
}


def source(name):
    """The Media of one of cliptest's recipes or of these."""
    return media(RECIPES.get(name, name))


def video_of(path):
    """FFmpeg's name for the codec of the first video track."""
    return subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=codec_name",
         "-of", "csv=p=0", os.fspath(path)], check=True, capture_output=True, text=True).stdout.strip()
