# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labelled folders, and thumbnails of their videos through the core's own make_thumbnail().

A labelled folder holds videos and beside each one a file NAME.json, see README.md.
"""
import hashlib
import json
import os
import pathlib
import subprocess

import numpy

FRAME_BYTES = 64 * 36 + 2 * 32 * 18
# FFmpeg's pixel format name -> PixelFormat of thumbnail.hpp.
FORMATS = {
    'yuv420p': 'I420', 'yuvj420p': 'I420', 'yuv422p': 'Y42B', 'yuvj422p': 'Y42B',
    'yuv444p': 'Y444', 'yuvj444p': 'Y444', 'nv12': 'NV12', 'gray': 'GRAY8',
    'yuv420p10le': 'I420_10LE', 'yuv422p10le': 'I422_10LE', 'yuv444p10le': 'Y444_10LE',
    'p010le': 'P010_10LE', 'rgb24': 'RGB', 'bgr24': 'BGR', 'bgra': 'BGRA', 'rgba': 'RGBA',
    'gbrp': 'GBR',
}


def labelled(folder):
    """[(video path, label dictionary)] of a folder, by name."""
    found = []
    for label in sorted(pathlib.Path(folder).glob('*.json')):
        video = label.with_suffix('')
        if video.exists():
            found.append((video, json.loads(label.read_text())))
    return found


def probe(video):
    out = subprocess.run(
        ['ffprobe', '-v', 'error', '-select_streams', 'v:0', '-show_entries',
         'stream=width,height,pix_fmt', '-of', 'json', str(video)],
        check=True, capture_output=True, text=True).stdout
    stream = json.loads(out)['streams'][0]
    return stream['width'], stream['height'], stream['pix_fmt']


def thumbnails(video, tool, cache):
    """The frames of `video` as an array (n, FRAME_BYTES): 64x36 luma, 32x18 Cb, 32x18 Cr.

    FFmpeg decodes (every frame once, nothing scaled or rotated), `tool` averages.
    """
    video = pathlib.Path(video)
    key = hashlib.sha256(f'{video.resolve()} {video.stat().st_mtime_ns}'.encode()).hexdigest()[:12]
    path = pathlib.Path(cache) / f'{video.name}.{key}.thumbs'
    if not path.exists():
        width, height, pixels = probe(video)
        target = pixels if pixels in FORMATS else 'yuv420p'
        temporary = path.with_suffix(f'.{os.getpid()}')
        with open(temporary, 'wb') as out:
            decode = subprocess.Popen(
                ['ffmpeg', '-v', 'fatal', '-nostdin', '-noautorotate', '-i', str(video), '-map',
                 '0:v:0', '-fps_mode', 'passthrough', '-pix_fmt', target, '-f', 'rawvideo', '-'],
                stdout=subprocess.PIPE)
            subprocess.run([str(tool), 'thumbnails', FORMATS[target], str(width), str(height)],
                           stdin=decode.stdout, stdout=out, check=True)
            decode.stdout.close()
            if decode.wait():
                raise RuntimeError(f'{video}: FFmpeg could not decode it')
        os.replace(temporary, path)
    return numpy.fromfile(path, numpy.uint8).reshape(-1, FRAME_BYTES)
