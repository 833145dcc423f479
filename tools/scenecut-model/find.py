#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints what scenecut's adaptive method finds in the videos of a labelled folder, for score.py.

usage: find.py --probe BUILD/tools/scenecut-model/scenecut-probe [--threshold T] [--cache DIR] FOLDER
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import media  # noqa: E402


def find(probe, thumbnails, threshold=0.0):
    """{'cuts', 'gradual', 'scores'} of an array of thumbnails."""
    out = subprocess.run([probe, 'detect', str(threshold)], input=thumbnails.tobytes(), check=True,
                         stdout=subprocess.PIPE).stdout
    found = {'cuts': [], 'gradual': [], 'scores': []}
    for row in out.decode().splitlines():
        kind, frame, first, last, score = row.split()
        if kind == 'cut':
            found['cuts'].append(int(frame))
        else:
            found['gradual'].append([int(first), int(last)])
        found['scores'].append([kind, int(frame), int(first), int(last), float(score)])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--probe', required=True)
    parser.add_argument('--threshold', type=float, default=0.0)
    parser.add_argument('--cache')
    parser.add_argument('folder')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or temporary

        def one(item):
            video, _ = item
            thumbnails = media.thumbnails(video, arguments.probe, cache)
            return video.name, find(arguments.probe, thumbnails, arguments.threshold)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            json.dump(dict(pool.map(one, media.labelled(arguments.folder))), sys.stdout)


if __name__ == '__main__':
    main()
