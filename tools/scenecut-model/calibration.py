#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws how often boundaries of a score are true, from fit.py's --calibration file.

usage: calibration.py FILE.json OUT.svg
"""
import json
import pathlib
import sys

import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import score  # noqa: E402


def main():
    data = json.loads(pathlib.Path(sys.argv[1]).read_text())
    judged = [(value, true) for video, label in data['labels'].items()
              for _, value, true in score.judge(label, data['found'][video]['scores'])]
    edges = [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0001]
    figure, axes = plt.subplots(figsize=(4.2, 3.6))
    axes.plot([0, 1], [0, 1], color='0.7', linewidth=1)
    for low, high in zip(edges, edges[1:]):
        inside = [(s, t) for s, t in judged if low <= s < high]
        if not inside:
            continue
        mean = sum(s for s, _ in inside) / len(inside)
        share = sum(t for _, t in inside) / len(inside)
        print(f'{low:.1f}-{min(high, 1):.1f}: {len(inside)} boundaries, mean score {mean:.3f}, '
              f'true {share:.3f}')
        axes.plot(mean, share, 'o', color='#1f77b4')
        axes.annotate(str(len(inside)), (mean, share), textcoords='offset points', xytext=(6, -10),
                      fontsize=8)
    axes.set_xlabel('score')
    axes.set_ylabel('share of true boundaries')
    axes.set_title('Held-out videos; number of boundaries beside each point', fontsize=8)
    figure.tight_layout()
    plt.rcParams['svg.hashsalt'] = 'scenecut'
    figure.savefig(sys.argv[2], metadata={'Date': None})


if __name__ == '__main__':
    main()
