# SPDX-License-Identifier: LGPL-2.1-or-later
"""Just enough of the ISO base media format to say how a file is laid out."""

import os
import struct

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"}
ISO_STARTS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def walk(f, end, depth=0):
    """Yields (type, body offset, body end, depth) in file order."""
    while f.tell() + 8 <= end:
        at = f.tell()
        size, kind = struct.unpack(">I4s", f.read(8))
        body = at + 8
        if size == 1:
            size = struct.unpack(">Q", f.read(8))[0]
            body = at + 16
        elif size == 0:
            size = end - at
        if size < 8:
            return
        yield kind, body, at + size, depth
        if kind in CONTAINERS:
            f.seek(body)
            yield from walk(f, at + size, depth + 1)
        f.seek(at + size)


def _read(f, body, end):
    f.seek(body)
    return f.read(end - body)


def _time_header(data):
    """(timescale, duration in seconds) of an mvhd or mdhd body."""
    scale, length = struct.unpack_from(">IQ" if data[0] else ">II", data, 20 if data[0] else 12)
    return scale, length / scale


def _edits(data, movie_timescale):
    entry = ">QqI" if data[0] else ">IiI"
    out = []
    for i in range(struct.unpack_from(">I", data, 4)[0]):
        length, at, rate = struct.unpack_from(entry, data, 8 + struct.calcsize(entry) * i)
        out.append({
            "duration": length / (movie_timescale or 1), "media_time": at, "rate": rate / 65536,
        })
    return out


def _avcc(d):
    """Profile, constraint flags, level and the number of parameter sets in an avcC body."""
    p = 6
    for _ in range(d[5] & 31):
        p += 2 + struct.unpack_from(">H", d, p)[0]
    return {"profile": d[1], "constraints": d[2], "level": d[3], "sps": d[5] & 31, "pps": d[p]}


def _sample_entries(data):
    out, p = [], 8
    for _ in range(struct.unpack_from(">I", data, 4)[0]):
        size, kind = struct.unpack_from(">I4s", data, p)
        entry = {"format": kind.decode("latin1")}
        at = data.find(b"avcC", p, p + size)
        if at > 0:
            entry["avcC"] = _avcc(data[at + 4 : p + size])
        out.append(entry)
        p += size
    return out


def layout(path):
    """A dict that describes the file, or None if it is not an ISO file."""
    size = os.path.getsize(path)
    with open(path, "rb") as f:
        if f.read(8)[4:8] not in ISO_STARTS:
            return None
        f.seek(0)
        out = {
            "order": [], "tracks": [], "fragments": 0, "brands": None,
            "movie_timescale": None, "movie_duration": None,
        }
        track = None
        for kind, body, end, depth in walk(f, size):
            if depth == 0:
                out["order"].append(kind.decode("latin1"))
            if kind == b"mdat":
                continue  # the only one that may be large
            if kind == b"ftyp":
                d = _read(f, body, end)
                out["brands"] = [d[i : i + 4].decode("latin1") for i in (0, *range(8, len(d), 4))]
            elif kind == b"moof":
                out["fragments"] += 1
            elif kind == b"mvhd":
                out["movie_timescale"], out["movie_duration"] = _time_header(_read(f, body, end))
            elif kind == b"trak":
                track = {"kind": None, "edits": [], "entries": [], "samples": 0}
                out["tracks"].append(track)
            elif track is not None and depth >= 2:
                _track_box(f, kind, body, end, track, out["movie_timescale"])
        order = [k for k in out["order"] if k in ("moov", "mdat", "moof")]
        out["faststart"] = bool(order) and order[0] == "moov"
        return out


def _track_box(f, kind, body, end, track, movie_timescale):
    if kind == b"elst":
        track["edits"] = _edits(_read(f, body, end), movie_timescale)
    elif kind == b"mdhd":
        track["timescale"], track["media_duration"] = _time_header(_read(f, body, end))
    elif kind == b"hdlr" and track["kind"] is None:
        track["kind"] = _read(f, body, end)[8:12].decode("latin1")
    elif kind == b"stsd":
        track["entries"] += _sample_entries(_read(f, body, end))
    elif kind == b"stsz":
        track["samples"] = struct.unpack_from(">I", _read(f, body, end), 8)[0]
    elif kind == b"stss":
        d = _read(f, body, end)
        n = struct.unpack_from(">I", d, 4)[0]
        track["sync_samples"] = list(struct.unpack_from(f">{n}I", d, 8))
    elif kind == b"ctts":
        d = _read(f, body, end)
        entry = ">Ii" if d[0] else ">II"
        n = struct.unpack_from(">I", d, 4)[0]
        offsets = [struct.unpack_from(entry, d, 8 + 8 * i)[1] for i in range(n)] or [0]
        track["ctts_min"], track["ctts_max"] = min(offsets), max(offsets)
    elif kind == b"stts":
        d = _read(f, body, end)
        n = struct.unpack_from(">I", d, 4)[0]
        track["stts"] = [struct.unpack_from(">II", d, 8 + 8 * i) for i in range(n)]
