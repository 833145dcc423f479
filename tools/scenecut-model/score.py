#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scores the shot boundaries that a detector found against labels, after TRECVID's convention.

usage: score.py LABELS FOUND.json [FOUND.json ...] [--tolerance N ...] [--per-video] [--errors]

LABELS is a labelled folder and FOUND.json what a detector said of its videos; README.md beside this
file has both formats. For each file of findings it prints precision, recall and F1 of the cuts at
each tolerance, of the gradual transitions, and of all boundaries.

* Cuts: greedy one-to-one matching, nearest pairs first, at most `tolerance` frames apart. A label
  that is a range has distance 0 to each frame in it.
* Gradual transitions: a finding hits a label if it lies in the labelled interval, SLACK frames
  added at both ends: a cut by its frame, a transition by overlapping it. One finding satisfies one
  label. Further findings in a labelled transition are `again`, not false.
* A transition found where an unmatched cut is labelled counts as that boundary in `all`, but
  not as a cut.
* Findings on `ambiguous` stretches and `jump` cuts count nowhere.
* False cuts within `flash` (one frame added) and `motion` are counted on their own as well.
"""
import argparse
import json
import pathlib
import statistics
import sys

SLACK = 2
COUNTS = ('hit', 'false', 'missed', 'flash', 'motion', 'gradual_hit', 'gradual_false',
          'gradual_missed', 'again', 'other_kind')


def span(label):
    """A label is a frame or [first, last]."""
    return (label[0], label[-1]) if isinstance(label, (list, tuple)) else (label, label)


def distance(frame, label):
    first, last = span(label)
    return max(first - frame, frame - last, 0)


def touches(first, last, label, slack=SLACK):
    a, b = span(label)
    return first <= b + slack and last >= a - slack


def within(frame, labels, slack=0):
    return any(touches(frame, frame, label, slack) for label in labels)


def score_video(label, found, tolerance=0):
    """Counts (see COUNTS), a list of what went wrong, and the errors of the transitions' ends."""
    counts = dict.fromkeys(COUNTS, 0)
    wrong = []
    ends = []
    cuts = sorted(set(found.get('cuts', [])))
    transitions = [tuple(t) for t in found.get('gradual', [])]
    doubtful = label.get('ambiguous', []) + label.get('jump', [])

    free_cuts = set(range(len(cuts)))
    free_labels = set(range(len(label['cuts'])))
    pairs = sorted((distance(c, want), i, j) for i, c in enumerate(cuts)
                   for j, want in enumerate(label['cuts']) if distance(c, want) <= tolerance)
    for _, i, j in pairs:
        if i in free_cuts and j in free_labels:
            free_cuts.remove(i)
            free_labels.remove(j)
            counts['hit'] += 1

    free_transitions = set(range(len(transitions)))
    for want in label['gradual']:
        hit = next((i for i in sorted(free_transitions) if touches(*transitions[i], want)), None)
        if hit is not None:
            free_transitions.remove(hit)
            ends.append((abs(transitions[hit][0] - want[0]), abs(transitions[hit][1] - want[1])))
        else:
            hit = next((i for i in sorted(free_cuts) if distance(cuts[i], want) <= SLACK), None)
            if hit is not None:
                free_cuts.remove(hit)
        if hit is None:
            counts['gradual_missed'] += 1
            wrong.append(f'missed transition {want[0]}-{want[1]}')
        else:
            counts['gradual_hit'] += 1

    for i in sorted(free_cuts):
        frame = cuts[i]
        if within(frame, label['gradual'], SLACK):
            counts['again'] += 1
        elif not within(frame, doubtful, SLACK):
            counts['false'] += 1
            wrong.append(f'false cut {frame}')
            if within(frame, label.get('flash', []), 1):
                counts['flash'] += 1
            elif within(frame, label.get('motion', [])):
                counts['motion'] += 1
    for i in sorted(free_transitions):
        first, last = transitions[i]
        if any(touches(first, last, want) for want in label['gradual']):
            counts['again'] += 1
            continue
        cut = next((j for j in sorted(free_labels)
                    if touches(first, last, span(label['cuts'][j])[0])), None)
        if cut is not None:
            free_labels.remove(cut)
            counts['other_kind'] += 1
            wrong.append(f'cut {label["cuts"][cut]} found as transition {first}-{last}')
        elif not any(touches(first, last, want) for want in doubtful):
            counts['gradual_false'] += 1
            wrong.append(f'false transition {first}-{last}')
    counts['missed'] = len(label['cuts']) - counts['hit']
    wrong += [f'missed cut {label["cuts"][j]}' for j in sorted(free_labels)]
    return counts, wrong, ends


def judge(label, scores):
    """[(kind, score, true)] of the findings that the labels can judge; scores: [[kind, frame, first,
    last, score], ...] as find.py gives them. A label makes one finding true, the first."""
    doubtful = label.get('ambiguous', []) + label.get('jump', [])
    free = label['cuts'] + label['gradual']
    transitions = len(label['cuts'])
    taken = set()
    out = []
    for kind, frame, first, last, value in scores:
        if any(touches(first, last, x) for x in doubtful):
            continue

        def hits(i):
            if kind == 'cut' and i < transitions:
                return distance(frame, free[i]) == 0
            return touches(first, last, free[i])
        hit = next((i for i in range(len(free)) if i not in taken and hits(i)), None)
        taken.add(hit)
        out.append((kind, value, hit is not None))
    return out


def precision_recall_f1(hit, false, missed):
    precision = hit / (hit + false) if hit + false else 0.0
    recall = hit / (hit + missed) if hit + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return 100 * precision, 100 * recall, 100 * f1


def summary(counts):
    """{'cuts' | 'gradual' | 'all': (precision, recall, F1) in per cent}."""
    c = counts
    return {
        'cuts': precision_recall_f1(c['hit'], c['false'], c['missed']),
        'gradual': precision_recall_f1(c['gradual_hit'], c['gradual_false'], c['gradual_missed']),
        'all': precision_recall_f1(c['hit'] + c['gradual_hit'] + c['other_kind'],
                                   c['false'] + c['gradual_false'],
                                   c['missed'] - c['other_kind'] + c['gradual_missed']),
    }


def score(labels, found, tolerance=0):
    """labels, found: {video: ...}. Sums over all videos, as score_video()."""
    total = dict.fromkeys(COUNTS, 0)
    wrong = {}
    ends = []
    for video, label in labels.items():
        counts, errors, end = score_video(label, found.get(video, {}), tolerance)
        for key in COUNTS:
            total[key] += counts[key]
        wrong[video] = errors
        ends += end
    return total, wrong, ends


def line(counts):
    return '   '.join('{} P {:5.1f} R {:5.1f} F1 {:5.1f}'.format(name, *values)
                      for name, values in summary(counts).items())


def read_labels(folder):
    labels = {path.name[:-len('.json')]: json.loads(path.read_text())
              for path in sorted(pathlib.Path(folder).glob('*.json'))}
    if not labels:
        sys.exit(f'{folder}: no label files (NAME.json beside each video)')
    return labels


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('labels')
    parser.add_argument('found', nargs='+')
    parser.add_argument('--tolerance', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--per-video', action='store_true')
    parser.add_argument('--errors', action='store_true')
    arguments = parser.parse_args()
    labels = read_labels(arguments.labels)
    print('{} videos, {} frames, {} cuts, {} gradual transitions'.format(
        len(labels), sum(g['frames'] for g in labels.values()),
        sum(len(g['cuts']) for g in labels.values()),
        sum(len(g['gradual']) for g in labels.values())))
    for path in arguments.found:
        found = json.loads(pathlib.Path(path).read_text())
        print(pathlib.Path(path).stem)
        for tolerance in arguments.tolerance:
            total, _, ends = score(labels, found, tolerance)
            print(f'  tolerance {tolerance}: {line(total)}')
        print('  false cuts: {false}, in flashes {flash}, in motion {motion}; false transitions: '
              '{gradual_false}; found again: {again}; cuts found as transitions: {other_kind}'
              .format(**total))
        if ends:
            print('  median error of transitions: start {}, end {} frames'.format(
                statistics.median(e[0] for e in ends), statistics.median(e[1] for e in ends)))
        if arguments.per_video or arguments.errors:
            for video, label in labels.items():
                counts, wrong, _ = score_video(label, found.get(video, {}),
                                               arguments.tolerance[0])
                if arguments.per_video:
                    print(f'    {video}: {line(counts)}')
                if arguments.errors and wrong:
                    print(f'    {video}: ' + ', '.join(wrong))


if __name__ == '__main__':
    main()
