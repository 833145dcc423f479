# SPDX-License-Identifier: LGPL-2.1-or-later
"""Says what a clip, or a whole transcode, of a coded file really contains.

Two views: "honour" (edit lists obeyed, as FFmpeg and Chromium do; sound cut where its edit ends)
and "ignore" (every sample in the file, as Firefox does).
"""

import os

import numpy as np

from . import boxes
from .codec import AudioCode
from .read import Audio, Video, audio_lag, clean_from

EPS = 0.0005  # seconds of mercy for times that were rounded to milliseconds


def spans(numbers):
    """[1, 2, 3, 7] -> "1-3,7"."""
    out, numbers = [], list(numbers)
    i = 0
    while i < len(numbers):
        j = i
        while j + 1 < len(numbers) and numbers[j + 1] == numbers[j] + 1:
            j += 1
        out.append(str(numbers[i]) if i == j else f"{numbers[i]}-{numbers[j]}")
        i = j + 1
    return ",".join(out)


def _psnr(a, b):
    mse = float(((a.astype(np.float64) - b) ** 2).mean())
    return 99.0 if mse == 0 else 10 * np.log10(65025 / mse)


def _compare(rep, got, video, source):
    """How many pictures are bit-identical to the source's, and the worst of them all."""
    where = {int(n): i for i, n in enumerate(source.number) if n >= 0}
    pairs = [(i, where[n]) for i, n in enumerate(got) if n in where]
    rep["bit_identical"] = sum(video.checksum[i] == source.checksum[j] for i, j in pairs)
    worst = min((_psnr(video.small[i], source.small[j]) for i, j in pairs), default=99.0)
    rep["worst_psnr_db"] = round(min(99.0, worst), 1)


def look_at_video(clip, media, start, stop, ignore=False, source=None):
    """(report, Video, source time minus presentation time in seconds or None)."""
    v = Video(clip, media.width, media.height, ignore_edits=ignore,
              fields=media.fields and source is not None)
    times = np.array(media.times)
    first = media.first
    inside = np.nonzero((times >= start - EPS) & (times < stop - EPS))[0]
    want = [first + int(i) for i in inside]
    got = [int(x) for x in v.number]
    good = [x for x in got if x >= 0]
    rep = {"frames": len(got), "errors": len(v.errors), "error_sample": v.errors[:3],
           "unreadable": len(got) - len(good), "wanted": len(want)}
    if not good:
        return rep, v, None
    seen = set(good)
    rep.update(
        first=good[0], last=good[-1],
        wanted_first=want[0] if want else None, wanted_last=want[-1] if want else None,
        leak_before=len([x for x in seen if x < want[0]]) if want else None,
        leak_after=len([x for x in seen if x > want[-1]]) if want else None,
        missing=spans(sorted(set(want) - seen)),
        missing_count=len(set(want) - seen),
        duplicates=len(good) - len(seen),
        out_of_order=int(sum(b < a for a, b in zip(good, good[1:]))),
        holes=spans(sorted(set(range(min(good), max(good) + 1)) - seen)),
        first_pts_ms=round(float(v.pts[0]) * 1000, 3),
        end_pts_ms=round(float(v.pts[-1]) * 1000, 3))
    # source time minus presentation time of each picture: constant in a faithful clip
    known = np.array([i for i, x in enumerate(got) if first <= x < first + len(times)], dtype=int)
    delta = None
    if len(known):
        d = times[v.number[known] - first] - v.pts[known]
        delta = float(np.median(d))
        rep["timing_spread_ms"] = round(float(d.max() - d.min()) * 1000, 3)
        rep["source_time_of_zero"] = round(delta, 6)
    if source is not None:
        _compare(rep, got, v, source)
    return rep, v, delta


def look_at_audio(clip, media, index, track, start, stop, ignore=False, video_delta=None,
                  edits=None, channel=None, matroska=False):
    """What the index-th sound track holds; track is the code that it should carry."""
    a = Audio(clip, index, ignore_edits=ignore, channel=channel)
    rep = {"track": track, "errors": len(a.errors)}
    if a.t0 is None:
        rep["silent"] = True
        return rep
    if edits and not ignore:
        # FFmpeg plays the last packet out; a player that honours edits stops here
        keep = round((sum(e["duration"] for e in edits) - a.t0) * a.rate)
        rep["tail_hidden_by_edit_ms"] = round(max(0, len(a.y) - keep) / a.rate * 1000, 2)
        if 0 < keep < len(a.y):
            a.y = a.y[:keep]
    if matroska and not ignore and a.t0 < 0:
        # FFmpeg 5 plays what CodecDelay puts in front of the timeline's start
        a.y = a.y[round(-a.t0 * a.rate):]
        a.t0 = 0.0
    last = media.times[-1] if media.times else media.recipe.seconds
    code = AudioCode(track, max(last, stop) + 20)
    shift = media.audio_shift  # sound's own time = timeline + shift
    # a clip is a whole number of pictures: sound is judged against those pictures' span
    t = np.array(media.times)
    inside = np.nonzero((t >= start - EPS) & (t < stop - EPS))[0]
    if len(inside):
        after = inside[-1] + 1
        start = float(t[inside[0]])
        stop = float(t[after] if after < len(t) else t[-1] + (t[-1] - t[-2]))
    guess = (video_delta if video_delta is not None else start) + shift
    rep.update(first_pts_ms=round(a.t0 * 1000, 3), end_ms=round(a.end * 1000, 3),
               gaps=[(round(at, 4), round(gap, 5)) for at, gap in a.gaps][:5])
    marks = []
    size = min(0.1, (a.end - a.t0) * 0.6)
    at = a.t0 + min(0.06, (a.end - a.t0) * 0.2)
    while at + size < a.end:
        found = audio_lag(a, code, at, at + guess, size)
        if found and found[1] > 0.8:
            marks.append((at, found[0] - shift - at))
        at += 0.25
    rep["windows"] = len(marks)
    if not marks:
        rep["unrecognised"] = True
        return rep
    d = np.array([m[1] for m in marks])
    delta = float(np.median(d))
    rep["lag_spread_ms"] = round(float(d.max() - d.min()) * 1000, 3)
    rep["source_time_of_zero"] = round(delta, 6)
    if video_delta is not None:
        rep["late_ms_start"] = round((video_delta - d[0]) * 1000, 3)
        rep["late_ms"] = round((video_delta - delta) * 1000, 3)
        rep["late_ms_end"] = round((video_delta - d[-1]) * 1000, 3)
    head = clean_from(a, code, d[0] + shift)
    tail = clean_from(a, code, d[-1] + shift, reverse=True)
    if head is not None:
        rep["clean_from_ms"] = round(head * 1000, 1)
        rep["clean_source_from"] = round(head + d[0], 4)
    if tail is not None:
        rep["clean_until_ms"] = round(tail * 1000, 1)
        rep["clean_source_until"] = round(tail + d[-1], 4)
    rep["leak_before_ms"] = round((start - (a.t0 + d[0])) * 1000, 2)
    rep["leak_after_ms"] = round((a.end + d[-1] - stop) * 1000, 2)
    return rep


def source_frames(media, start, stop):
    """The source's own pictures around [start, stop), to compare a clip's with."""
    keys = [k for k in media.keyframes if k <= start + EPS]
    k = keys[-2] if len(keys) > 1 else (keys[0] if keys else 0)
    # FFmpeg may begin a key frame earlier than asked, and counts the duration from there
    early = keys[-3] if len(keys) > 2 else (keys[0] if keys else 0)
    return Video(media.path, media.width, media.height, start=k + 0.001,
                 duration=stop - early + 4.2, fields=media.fields)


def verify(clip, media, start=0.0, stop=float("inf"), compare=True, views=("honour", "ignore")):
    """A report on the clip of media that should hold [start, stop), in seconds."""
    lay = boxes.layout(clip)
    rep = {"clip": os.path.basename(clip), "bytes": os.path.getsize(clip), "start": start,
           "stop": stop, "layout": lay}
    if stop == float("inf"):
        stop = (media.times[-1] + 1) if media.times else media.recipe.seconds + 1
    source = source_frames(media, start, stop) if compare else None
    sounds = [t["edits"] for t in lay["tracks"] if t["kind"] == "soun"] if lay else []
    for view in views:
        ignore = view == "ignore"
        if ignore and lay is None:
            continue
        video, _, delta = look_at_video(clip, media, start, stop, ignore, source)
        audio = [look_at_audio(clip, media, i, track, start, stop, ignore, delta,
                               sounds[i] if i < len(sounds) else None, matroska=lay is None)
                 for i, track in enumerate(media.tracks)]
        rep[view] = {"video": video, "audio": audio}
    return rep


def faults(rep, want, view="honour", av_ms=1.0, edge_ms=1.0):
    """What stands between a clip and being `want`; an empty list is a pass.

    exact: the pictures with start <= t < stop, each once, in order, none damaged, the first at 0,
    spaced as in the source; the sound within av_ms of the picture, without gaps, and covering the
    same span within edge_ms. copy: may begin earlier, at a key frame.
    """
    out = []
    v = rep[view]["video"]
    if v["unreadable"] or not v["wanted"]:
        out.append(f"{v['unreadable']} unreadable of {v['frames']} pictures, {v['wanted']} wanted")
    if v["errors"]:
        out.append(f"{v['errors']} decoder complaints: {v['error_sample']}")
    for k in ("missing_count", "duplicates", "out_of_order", "leak_after"):
        if v.get(k):
            out.append(f"video {k} {v[k]}")
    if v.get("holes"):
        out.append(f"video holes {v['holes']}")
    if want == "exact" and v.get("leak_before"):
        out.append(f"video leak_before {v['leak_before']}")
    if abs(v.get("first_pts_ms", 0)) > 1:
        out.append(f"picture starts at {v['first_pts_ms']} ms")
    if v.get("timing_spread_ms", 0) > 1.1:
        out.append(f"frame timing varies by {v['timing_spread_ms']} ms")
    if v.get("worst_psnr_db", 99) < 30:
        out.append(f"damaged picture ({v['worst_psnr_db']} dB)")
    for i, a in enumerate(rep[view]["audio"]):
        if "late_ms" not in a:
            out.append(f"audio {i} unrecognised")
            continue
        worst = max(abs(a["late_ms_start"]), abs(a["late_ms"]), abs(a["late_ms_end"]))
        if worst > av_ms:
            out.append(f"audio {i} off by up to {worst} ms")
        if a["gaps"]:
            out.append(f"audio {i} gaps {a['gaps']}")
        if want == "exact":
            if abs(a["leak_before_ms"]) > edge_ms:
                out.append(f"audio {i} begins {a['leak_before_ms']} ms early")
            if abs(a["leak_after_ms"]) > edge_ms:
                out.append(f"audio {i} ends {a['leak_after_ms']} ms late")
    return out
