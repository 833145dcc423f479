#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws the score of each frame of an easy and a hard passage, both from tests/scenes.

usage: passages.py BUILD/tools/scenecut-model/scenecut-probe OUT.svg
"""
import pathlib
import subprocess
import sys

import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / 'tests' / 'scenes'))
import scenes  # noqa: E402

PASSAGES = [('easy: plain cuts', ['plain_cuts']),
            ('hard: strobe, shaken camera, dark', ['strobes', 'camera_shake', 'dark_scenes'])]


def main():
    probe, out = sys.argv[1:]
    figure, axes = plt.subplots(len(PASSAGES), figsize=(7, 4.2))
    for (title, names), axis in zip(PASSAGES, axes):
        frames, cuts = [], []
        for name in names:
            part, label = scenes.make(name, 1)
            part = part[:130]
            cuts += [len(frames)] * bool(frames)
            cuts += [len(frames) + c for c in label['cuts'] if c < len(part)]
            frames += part
        thumbnails = subprocess.run(
            [probe, 'thumbnails', 'RGB', str(scenes.WIDTH), str(scenes.HEIGHT)], check=True,
            input=b''.join(f.tobytes() for f in frames), stdout=subprocess.PIPE).stdout
        rows = subprocess.run([probe, 'scores'], input=thumbnails, check=True,
                              stdout=subprocess.PIPE).stdout.decode().split('\n')[:-1]
        steps, score = zip(*(map(float, row.split()) for row in rows))
        most = max(steps)
        axis.plot([s / most for s in steps], color='0.6', linewidth=1,
                  label='mean change of brightness, of its maximum')
        axis.plot(score, color='#d62728', linewidth=1.2, label='score')
        axis.plot(cuts, [1.08] * len(cuts), 'v', color='#1f77b4', markersize=4, label='true cut')
        axis.axhline(0.5, color='0.85', linewidth=0.8, zorder=0)
        axis.set_title(title, fontsize=9, loc='left')
        axis.set_ylim(-0.05, 1.18)
        axis.set_xlim(0, len(frames))
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, loc='upper right', ncol=3)
    axes[-1].set_xlabel('frame')
    figure.tight_layout()
    plt.rcParams['svg.hashsalt'] = 'scenecut'
    figure.savefig(out, metadata={'Date': None})


if __name__ == '__main__':
    main()
