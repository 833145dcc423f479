# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decodes a file with FFmpeg, a decoder that is not under test, and reads the codes back."""

import json
import re
import subprocess
import tempfile

import numpy as np

from .codec import BITS, geometry, read_codes

SMALL = (160, 90)  # size of the pictures kept for comparing
# The list keeps FFmpeg from converting ahead of the checksum.
NATIVE = "|".join(
    ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"]
)
_SHOW = re.compile(r"\bn:\s*(\d+)\s+pts:\s*(\S+)\s+pts_time:(\S+)")
_BASE = re.compile(r"config in time_base: (\d+)/(\d+)")
_SUM = re.compile(r"\bchecksum:([0-9A-F]+)")
_COUNT = re.compile(r"nb_samples:(\d+)")
_RATE = re.compile(r"rate:(\d+)")


def probe(path, *entries):
    """ffprobe's answer as a dict; entries as for -show_entries (default: streams and format)."""
    what = ["-show_entries", ":".join(entries)] if entries else ["-show_streams", "-show_format"]
    r = subprocess.run(
        ["ffprobe", "-v", "error", *what, "-of", "json", path],
        check=True, capture_output=True, text=True,
    )
    return json.loads(r.stdout)


def stream(path, kind="video", index=0):
    """ffprobe's description of the index-th stream of this kind, or None."""
    found = [s for s in probe(path)["streams"] if s["codec_type"] == kind]
    return found[index] if index < len(found) else None


def packets(path, selector="v:0"):
    """The packets of a stream: list of dicts with pts, dts, duration (s), size, key, data_hash."""
    r = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", selector, "-show_packets",
         "-show_data_hash", "sha256", "-of", "json", path],
        check=True, capture_output=True, text=True,
    )
    out = []
    for p in json.loads(r.stdout)["packets"]:
        out.append({
            "pts": float(p["pts_time"]) if "pts_time" in p else None,
            "dts": float(p["dts_time"]) if "dts_time" in p else None,
            "duration": float(p["duration_time"]) if "duration_time" in p else None,
            "size": int(p["size"]), "key": "K" in p["flags"], "discarded": "D" in p["flags"],
            "data_hash": p["data_hash"],
        })
    return out


def _is_complaint(line):
    if "dts to muxer" in line:  # about our own raw output, not about the file
        return False
    return line.startswith(("[error]", "[fatal]", "[panic]")) or "] [error]" in line


class Video:
    """The pictures as presented: .pts (s), .number (-1 unreadable), .checksum, .small, .errors.

    width and height are those of the coded source: a picture of another size is scaled to it
    before the code is read.
    """

    def __init__(self, path, width, height, ignore_edits=False, start=None, duration=None,
                 fields=False, threads=2):
        bw, bh = geometry(width, height)
        cmd = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info",
               "-threads", str(threads), "-copyts"]
        if start is not None:
            cmd += ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{start:.6f}"]
        if duration is not None:
            cmd += ["-t", f"{duration:.6f}"]
        if ignore_edits:
            cmd += ["-ignore_editlist", "1"]
        strip = f"scale={width}:{height}:flags=bilinear,crop={bw * BITS}:{2 * bh}:0:0,format=gray"
        if fields:
            # each field carries its own number on its own lines
            scale = f"scale={bw * BITS}:{2 * bh}:flags=neighbor"
            strip += (f",split[f0][f1];[f0]field=top,{scale}[upper];"
                      f"[f1]field=bottom,{scale}[lower];[upper][lower]vstack")
        with tempfile.NamedTemporaryFile(suffix=".gray") as small:
            raw_out = ["-fps_mode", "passthrough", "-f", "rawvideo"]
            cmd += ["-i", path, "-filter_complex",
                    f"[0:v:0]format={NATIVE},showinfo,split[a][b];[a]{strip}[c];"
                    f"[b]scale={SMALL[0]}:{SMALL[1]}:flags=area,format=gray[s]",
                    "-map", "[c]", *raw_out, "pipe:1", "-map", "[s]", *raw_out, "-y", small.name]
            r = subprocess.run(cmd, capture_output=True, check=False)
            pictures = np.fromfile(small.name, np.uint8)
        log = r.stderr.decode("utf8", "replace").splitlines()
        self.errors = [x for x in log if _is_complaint(x)]
        pts, sums = [], []
        base = (0, 1)
        for line in log:
            if "showinfo" not in line:
                continue
            if m := _BASE.search(line):
                base = int(m.group(1)), int(m.group(2))
            if m := _SHOW.search(line):
                # pts_time has six digits only
                known = m.group(2) != "NOPTS"
                pts.append(int(m.group(2)) * base[0] / base[1] if known else float("nan"))
                s = _SUM.search(line)
                sums.append(s.group(1) if s else "")
        raw = np.frombuffer(r.stdout, np.uint8)
        n = len(raw) // (bw * BITS * 2 * bh * (2 if fields else 1))
        self.width, self.height = width, height
        if fields:
            both = raw.reshape(n, 2, 2 * bh, bw * BITS)
            top = read_codes(both[:, 0], width, height)
            bottom = read_codes(both[:, 1], width, height)
            good = (top >= 0) & (bottom == top + 1) & (top % 2 == 0)
            self.number = np.where(good, top // 2, -1)
        else:
            self.number = read_codes(raw.reshape(n, 2 * bh, bw * BITS), width, height)
        self.pts = np.array(pts[:n])
        self.checksum = sums[:n]
        self.small = pictures[: n * SMALL[0] * SMALL[1]].reshape(-1, SMALL[1], SMALL[0])
        if len(pts) != n:
            self.errors.append(f"[error] {len(pts)} pictures announced, {n} read")


class Audio:
    """The samples of one track on the file's timeline: .t0 (s), .y (float, NaN in gaps), .rate.

    channel picks one channel of the track; None mixes all of them to one.
    """

    def __init__(self, path, track=0, ignore_edits=False, channel=None):
        cmd = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info",
               "-copyts"]
        if ignore_edits:
            cmd += ["-ignore_editlist", "1"]
        mono = ("aformat=channel_layouts=mono:sample_fmts=flt" if channel is None
                else f"pan=mono|c0=c{channel},aformat=sample_fmts=flt")
        cmd += ["-i", path, "-map", f"0:a:{track}", "-af", f"{mono},ashowinfo",
                "-f", "f32le", "pipe:1"]
        r = subprocess.run(cmd, capture_output=True, check=False)
        log = r.stderr.decode("utf8", "replace").splitlines()
        self.errors = [x for x in log if _is_complaint(x)]
        y = np.frombuffer(r.stdout, np.float32)
        spans, p = [], 0
        self.rate, self.gaps = None, []
        for line in log:
            m = _SHOW.search(line) if "ashowinfo" in line else None
            if m:
                count = int(_COUNT.search(line).group(1))
                self.rate = int(_RATE.search(line).group(1))
                spans.append((float(m.group(3)), p, count))
                p += count
        if not spans:
            self.t0, self.y = None, np.zeros(0, np.float32)
            return
        self.t0 = spans[0][0]
        self.y = self._place(spans, y)

    def _place(self, spans, y):
        """Each decoded block where its timestamp says."""
        first = round(self.t0 * self.rate)
        end = max(round(t * self.rate) + c for t, _, c in spans) - first
        out = np.full(end, np.nan, np.float32)
        want = None
        for t, p, c in spans:
            at = round(t * self.rate) - first
            if want is not None and abs(at - want) <= 0.0012 * self.rate:
                at = want  # the rounding of the container's clock (1 ms in Matroska)
            elif want is not None:
                self.gaps.append((t, (at - want) / self.rate))
            out[at : at + c] = y[p : p + c][: max(0, end - at)]
            want = at + c
        return out

    @property
    def end(self):
        """Presentation time at which the sound ends, seconds."""
        return self.t0 + len(self.y) / self.rate


def audio_lag(audio, code, at, expected, length=0.1, search=1.5):
    """Source time of presentation time `at`, looked for around `expected`, all in seconds.

    Returns (source time, correlation 0..1), or None where there is no sound.
    """
    r = audio.rate
    i = round((at - audio.t0) * r)
    n = round(length * r)
    if i < 0 or i + n > len(audio.y):
        return None
    w = audio.y[i : i + n].astype(np.float64)
    if np.isnan(w).any() or np.sqrt((w**2).mean()) < 0.02:
        return None
    lo = expected - search
    ref = code.at(lo + np.arange(round(2 * search * r) + n) / r)
    size = 1 << int(np.ceil(np.log2(len(ref) + n)))
    spectrum = np.fft.rfft(ref, size) * np.conj(np.fft.rfft(w, size))
    c = np.fft.irfft(spectrum, size)[: len(ref) - n + 1]
    k = int(np.argmax(c))
    fraction = 0.0  # a parabola through the peak, for parts of a sample
    if 0 < k < len(c) - 1:
        a, b, d = c[k - 1], c[k], c[k + 1]
        curve = a - 2 * b + d
        fraction = 0.5 * (a - d) / curve if curve else 0.0
    seg = ref[k : k + n]
    quality = float((seg * w).sum() / np.sqrt((seg**2).sum() * (w**2).sum() + 1e-12))
    grid = audio.t0 + i / r
    return lo + (k + fraction) / r + (at - grid), quality


def clean_from(audio, code, delta, reverse=False, bin_s=0.005, limit=0.25):
    """Presentation time from which (until which, if reverse) the sound is its source's for good.

    "Is its source's": the residual stays below limit of the tone's amplitude. delta is source
    minus presentation time. None where the sound cannot be recognised.
    """
    r = audio.rate
    t = audio.t0 + np.arange(len(audio.y)) / r
    span = slice(-round(r), None) if reverse else slice(0, round(r))
    y, t = audio.y[span].astype(np.float64), t[span]
    ref = code.at(t + delta)
    m = ~np.isnan(y)
    if m.sum() < 100:
        return None
    gain = float((y[m] * ref[m]).sum() / ((ref[m] ** 2).sum() + 1e-12))
    if abs(gain) < 0.05:
        return None
    residual = np.where(m, y / gain - ref, 1.0)
    b = max(1, round(bin_s * r))
    k = len(residual) // b
    if k == 0:
        return None
    if reverse:
        e = np.sqrt((residual[-k * b :].reshape(k, b) ** 2).mean(1))
        bad = np.nonzero(e > limit)[0]
        bad = bad[bad > k // 2]
        return float(t[-k * b :][bad[0] * b]) if len(bad) else float(t[-1] + 1 / r)
    e = np.sqrt((residual[: k * b].reshape(k, b) ** 2).mean(1))
    bad = np.nonzero(e > limit)[0]
    bad = bad[bad < k // 2]
    return float(t[(bad[-1] + 1) * b]) if len(bad) else float(t[0])
