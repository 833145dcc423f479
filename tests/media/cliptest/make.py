# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the coded test media, each once, into a cache in the build folder.

    media("closed2s")          one of RECIPES
    media(Recipe("mine", ...)) one of a test's own

A cached file is found by what it was made from, so an edited recipe is made anew. Test programs
that run at the same time wait for each other on a lock file.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import struct
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from . import codec
from .codec import AudioCode, draw_filters

FFMPEG = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
AAC = ("-c:a", "aac", "-b:a", "128k")
OPUS = ("-c:a", "libopus", "-b:a", "96k")
PCM = ("-c:a", "pcm_s16le")


def x264(gop=60, bframes=3, params="", preset="veryfast", crf=26):
    """FFmpeg's options for H.264 with key frames exactly every gop pictures."""
    params = f"scenecut=0:{params}" if params else "scenecut=0"
    return ("-c:v", "libx264", "-preset", preset, "-crf", str(crf), "-g", str(gop),
            "-keyint_min", str(gop), "-bf", str(bframes), "-x264-params", params)


def x265(gop=60, params="open-gop=0"):
    """FFmpeg's options for HEVC with key frames exactly every gop pictures."""
    return ("-c:v", "libx265", "-preset", "superfast", "-tag:v", "hvc1", "-x265-params",
            f"keyint={gop}:min-keyint={gop}:scenecut=0:{params}:bframes=3:log-level=none")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to make one file. Everything in it is part of the cache's key."""

    name: str
    ext: str = "mp4"
    rate: str = "30"  # pictures (or, with fields, pictures) a second
    seconds: int = 12
    width: int = 640
    height: int = 360
    # FFmpeg's encoder options; video None: no picture at all
    video: tuple | None = x264()
    audio: tuple = AAC
    tracks: tuple = (0,)  # the sound code of each track
    # The sound code of each channel of every track instead: ("5.1", (0, 1, 2, None, 3, 4));
    # None is silence.
    channels: tuple | None = None
    sample_rate: int = 48000
    filters: str = ""  # after the code is drawn, before the encoder
    mux: tuple = ()
    copy_of: str | None = None  # remux that recipe's file with the options of mux
    fields: bool = False  # rate counts fields, each with a number of its own
    first: int = 0  # number of the first picture presented
    audio_shift: float | None = None  # sound's own time minus timeline; None: born together
    skip: float = 0  # both edit lists are moved this many seconds in
    background: str = "testsrc2"  # lavfi source under the code


_VFR = ("setpts='floor(N/6)*16/60/TB+gte(mod(N\\,6)\\,1)*1/60/TB+gte(mod(N\\,6)\\,2)*2/60/TB"
        "+gte(mod(N\\,6)\\,3)*5/60/TB+gte(mod(N\\,6)\\,4)*1/60/TB+gte(mod(N\\,6)\\,5)*5/60/TB'")

RECIPES = {
    r.name: r
    for r in (
        Recipe("closed2s", video=x264(60, 3, "open-gop=0")),
        Recipe("opengop", video=x264(60, 3, "open-gop=1:b-pyramid=normal")),
        Recipe("long10", video=x264(300, 3), seconds=24),
        Recipe("onegop", video=x264(100000, 3)),
        Recipe("intra", "mov", "25", video=x264(1, 0, preset="ultrafast"), audio=PCM),
        Recipe("prores", "mov", "25", video=("-c:v", "prores_ks", "-profile:v", "0"), audio=PCM,
               seconds=5),
        # gaps between pictures of 1, 2 or 5 ticks of 1/60 s in a repeating pattern
        Recipe("vfr", rate="60", seconds=5, filters=_VFR,
               mux=("-fps_mode", "passthrough", "-enc_time_base", "1/60000",
                    "-video_track_timescale", "60000")),
        Recipe("r2997", rate="30000/1001"),
        Recipe("r5994", rate="60000/1001", video=x264(120, 3)),
        Recipe("r23976", rate="24000/1001", video=x264(48, 3), sample_rate=44100),
        Recipe("i50", rate="50", fields=True, filters="tinterlace=interleave_top,setfield=tff",
               video=("-flags", "+ilme+ildct", *x264(50, 3, "tff=1"))),
        # presentation begins in the middle of a GOP
        Recipe("editstart", copy_of="closed2s", skip=26 / 30, first=26),
        Recipe("noaudio", tracks=()),
        Recipe("novideo", "m4a", video=None),
        Recipe("multiaudio", tracks=(0, 1, 2)),
        Recipe("opusmp4", audio=OPUS),
        Recipe("hevc", video=x265()),
        Recipe("hevcopen", video=x265(params="open-gop=1")),
        Recipe("vp8", "webm", seconds=6, audio=("-c:a", "libvorbis"),
               video=("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "60",
                      "-b:v", "900k", "-qmax", "40")),
        Recipe("vp9", "webm", seconds=6, audio=OPUS, audio_shift=0.0,
               video=("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60",
                      "-b:v", "500k")),
        # libaom's screen-content tools smear the code; SVT-AV1 keeps it
        Recipe("av1", seconds=6, audio=OPUS,
               video=("-c:v", "libsvtav1", "-preset", "9", "-g", "60", "-crf", "35")),
        Recipe("mkv", "mkv", copy_of="closed2s"),
        Recipe("ts", "ts", copy_of="closed2s"),
        Recipe("frag", copy_of="closed2s",
               mux=("-movflags", "+frag_keyframe+empty_moov+default_base_moof")),
    )
}


@dataclasses.dataclass(frozen=True)
class Media:
    """A coded file. times[i] is when picture number first + i is shown, in seconds on the file's
    own timeline; keyframes are the times of the key frames among them."""

    path: str
    recipe: Recipe
    times: list
    keyframes: list
    audio_shift: float

    @property
    def name(self):
        return self.recipe.name

    @property
    def uri(self):
        return Path(self.path).as_uri()

    @property
    def width(self):
        return self.recipe.width

    @property
    def height(self):
        return self.recipe.height

    @property
    def fields(self):
        return self.recipe.fields

    @property
    def first(self):
        return self.recipe.first

    @property
    def tracks(self):
        return self.recipe.tracks


def cache_dir():
    """The cache: in the build folder under Meson, else one of the user's own."""
    root = os.environ.get("CLIPS_BUILD_ROOT")
    if root:
        return Path(root) / "test-media"
    return Path(tempfile.gettempdir()) / f"clips-test-media-{os.getuid()}"


def _key(recipe):
    code = Path(codec.__file__).read_bytes() + Path(__file__).read_bytes().split(b"RECIPES = ")[0]
    source = _key(RECIPES[recipe.copy_of]) if recipe.copy_of else ""
    text = repr(sorted(dataclasses.asdict(recipe).items())) + source
    return hashlib.sha256(code + text.encode()).hexdigest()[:12]


def media(what):
    """The Media of a recipe or of the name of one, made now if it is not cached."""
    recipe = RECIPES[what] if isinstance(what, str) else what
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{recipe.name}-{_key(recipe)}"
    path, sidecar = folder / f"{stem}.{recipe.ext}", folder / f"{stem}.json"
    if recipe.copy_of and not sidecar.exists():
        media(recipe.copy_of)
    with open(folder / f".{stem}.lock", "w", encoding="utf8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not sidecar.exists():
            part = folder / f".{stem}.part.{recipe.ext}"
            facts = _make(recipe, str(part))
            part.rename(path)
            sidecar.write_text(json.dumps(facts), encoding="utf8")
    facts = json.loads(sidecar.read_text(encoding="utf8"))
    return Media(path=str(path), recipe=recipe, **facts)


def _make(recipe, path):
    if recipe.copy_of:
        source = media(recipe.copy_of).path
        _run([*FFMPEG, "-i", source, "-map", "0", "-c", "copy", *recipe.mux, path])
    else:
        with tempfile.TemporaryDirectory() as tmp:
            _encode(recipe, path, tmp)
    if recipe.skip:
        _move_edits(path, recipe.skip)
    return _facts(recipe, path)


def _run(cmd):
    r = subprocess.run(cmd, capture_output=True, text=True, check=False)
    if r.returncode:
        raise RuntimeError(f"{' '.join(cmd)}\n{r.stderr}")


def _encode(recipe, path, tmp):
    cmd = list(FFMPEG)
    maps = []
    if recipe.video is not None:
        draw = draw_filters(recipe.width, recipe.height, recipe.first)
        size = f"s={recipe.width}x{recipe.height}"
        picture = (f"{recipe.background}={size}:r={recipe.rate},trim=duration={recipe.seconds},"
                   f"format=yuv420p,{draw}")
        if recipe.filters:
            picture += "," + recipe.filters
        cmd += ["-f", "lavfi", "-i", picture]
        maps += ["-map", "0:v"]
    sounds = len(recipe.tracks)
    for i, track in enumerate(recipe.tracks):
        sound = os.path.join(tmp, f"{i}.wav")
        _wav(sound, recipe, track)
        cmd += ["-i", sound]
        maps += ["-map", f"{i + bool(maps and recipe.video is not None)}:a"]
    layout = ["-channel_layout", recipe.channels[0]] if recipe.channels and sounds else []
    video = list(recipe.video or ())
    audio = [*recipe.audio, *layout] if sounds else []
    _run([*cmd, *maps, *video, *audio, *recipe.mux, path])


def _wav(path, recipe, track):
    count = recipe.seconds * recipe.sample_rate

    def pcm(code):
        if code is None:
            return np.zeros(count, "<i2")
        tone = AudioCode(code, recipe.seconds + 5).samples(count, recipe.sample_rate)
        return np.round(tone * 32767).astype("<i2")

    channels = recipe.channels[1] if recipe.channels else (track, track)
    with wave.open(path, "wb") as w:
        w.setnchannels(len(channels))
        w.setsampwidth(2)
        w.setframerate(recipe.sample_rate)
        w.writeframes(np.stack([pcm(c) for c in channels], axis=1).tobytes())


def _move_edits(path, seconds):
    """Moves both tracks' edit lists, so that presentation begins this much later."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    at, moved = data.index(b"moov"), 0
    while (edits := data.find(b"elst", at)) >= 0:
        header = data.index(b"mdhd", edits)
        scale = struct.unpack_from(">I", data, header + 16)[0]
        entries, length, start = struct.unpack_from(">IIi", data, edits + 8)
        assert entries == 1 and data[edits + 4] == 0 and data[header + 4] == 0
        struct.pack_into(">Ii", data, edits + 12, length - round(seconds * 1000),
                         start + round(seconds * scale))
        at, moved = edits + 4, moved + 1
    assert moved == 2
    with open(path, "wb") as f:
        f.write(data)


def _ffprobe(path, *args):
    return subprocess.run(["ffprobe", "-v", "error", *args, "-of", "csv=p=0", path],
                          check=True, capture_output=True, text=True).stdout


def _facts(recipe, path):
    times, keys = [], []
    if recipe.video is not None:
        rows = _ffprobe(path, "-select_streams", "v:0", "-show_entries",
                        "packet=pts_time,dts_time,flags")
        for row in rows.splitlines():
            pts, dts, flags = (row.split(",") + ["", ""])[:3]
            t = dts if pts == "N/A" else pts  # AVI knows no presentation times
            # an empty row ends a stream's list of programs; D is hidden by the edit list
            if t in ("", "N/A") or "D" in flags:
                continue
            times.append(float(t))
            if "K" in flags:
                keys.append(float(t))
    if recipe.ext in ("ts", "flv"):  # their clocks start anywhere: count from their start
        base = float(_ffprobe(path, "-show_entries", "format=start_time"))
        times, keys = [t - base for t in times], [t - base for t in keys]
    times.sort()
    shift = recipe.audio_shift
    if shift is None:
        shift = recipe.skip or (-times[0] if times else 0.0)
    return {"times": times, "keyframes": sorted(keys), "audio_shift": shift}
