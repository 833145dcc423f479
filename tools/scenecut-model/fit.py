#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fits the model of scenecut's adaptive method and writes plugins/scenecut/model_data.cpp.

usage: fit.py --probe BUILD/tools/scenecut-model/scenecut-probe --cache DIR
              --real FOLDER --synthetic FOLDER [--edits N] [--folds K] [--write FILE]
              [--calibration FILE.json]

FOLDER: labelled folders, see README.md. First the figures: the videos of --real are dealt into K
folds, and each fold is judged by a model that was fitted without its videos and without the edits
made of them. The scores of that pass calibrate the model's probabilities. Then, with --write, the
model is fitted on everything. All random numbers come from fixed seeds.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

# Fits run side by side, each on one thread; OpenMP reads this when it is loaded.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import augment  # noqa: E402
import media  # noqa: E402
import score  # noqa: E402

SOURCE = pathlib.Path(__file__).parents[2] / 'plugins' / 'scenecut'
# Weight of one example from: a real video, a synthetic one, an edit made of shots of real ones.
WEIGHTS = {'real': 1.0, 'synthetic': 0.6, 'edit': 0.15}
# Neighbouring windows hardly differ: one in so many is used.
STRIDES = {'real': 1, 'synthetic': 3, 'edit': 5}
# Cheap gradual features, kCheapGradualFeatures of gradual.hpp.
CHEAP = 22
# Trees, learning rate, examples a leaf needs.
CUT = (220, 0.07, 20)
GATE = (25, 0.2, 50)
GRADUAL = (180, 0.075, 40)


def feature_names(header, array):
    text = (SOURCE / header).read_text()
    text = text[text.index(array):]
    return re.findall(r'"([^"]+)"', text[:text.index('};')])


CUT_NAMES = feature_names('cuts.hpp', 'kCutFeatureNames')
GRADUAL_NAMES = feature_names('gradual.hpp', 'kGradualFeatureNames')


class Example:
    """One video or edit: thumbnails, label, and the features of its candidates."""

    def __init__(self, name, kind, thumbs, label, probe):
        self.name, self.kind, self.thumbs, self.label = name, kind, thumbs, label
        cuts = self.run(probe, 'cut-candidates', len(CUT_NAMES) + 1)
        self.cut_frames = cuts[:, 0].astype(int)
        self.cut_x = cuts[:, 1:]
        self.cut_y = cut_labels(label, len(thumbs))[self.cut_frames]
        windows = self.run(probe, 'gradual-candidates', len(GRADUAL_NAMES) + 2)
        windows = windows[::STRIDES[kind]]
        self.windows = windows[:, :2].astype(int)
        self.window_x = windows[:, 2:]
        self.window_y = window_labels(label, self.windows, thumbs)

    def run(self, probe, verb, columns):
        out = subprocess.run([probe, verb], input=self.thumbs.tobytes(), check=True,
                             stdout=subprocess.PIPE).stdout
        return numpy.frombuffer(out, numpy.float32).reshape(-1, columns)


def cut_labels(label, frames):
    """1 = first frame of a shot, 0 = not, -1 = left out."""
    y = numpy.zeros(frames, int)
    y[0] = -1
    for x in label['gradual']:  # no step of a transition is a cut
        y[max(0, x[0] - 2):x[1] + 3] = -1
        y[x[0]:x[1] + 1] = 0
    for x in label['ambiguous'] + label.get('jump', []):
        a, b = score.span(x)
        y[max(0, a - 2):b + 3] = -1
    for x in label['cuts']:
        a, b = score.span(x)
        y[max(0, a - 1):b + 2] = -1
    for x in label['cuts']:
        a, b = score.span(x)
        y[a:b + 1] = -1
        y[b] = 1
    return y


def parts(transition, thumbs):
    """A labelled fade through black or white is found as two windows, out and in."""
    first, last = transition
    blank = numpy.flatnonzero(thumbs[first:last + 1, :2304].std(1) < 6)
    out = [(first, last)]
    if len(blank):
        if blank[0] > 2:
            out.append((first, first + int(blank[0]) - 1))
        if first + blank[-1] + 2 < last:
            out.append((first + int(blank[-1]) + 1, last))
    return out


def window_labels(label, windows, thumbs):
    """How well a window covers a labelled transition, 0 to 1; -1 = left out."""
    before, after = windows[:, 0], windows[:, 1]
    best = numpy.zeros(len(windows))
    for s, e in [p for t in label['gradual'] for p in parts(t, thumbs)]:
        both = numpy.minimum(after, e + 1) - numpy.maximum(before, s - 1)
        either = numpy.maximum(after, e + 1) - numpy.minimum(before, s - 1)
        best = numpy.maximum(best, numpy.clip(both / either, 0, 1))
    y = numpy.clip((best - 0.4) / 0.4, 0, 1)
    for x in label['ambiguous'] + label.get('jump', []):
        a, b = score.span(x)
        y[(before < b + 2) & (after > a - 2) & (best == 0)] = -1
    return y


def boosted(settings, x, y, weight):
    """Boosted trees; y may lie between 0 and 1 and then counts for both classes."""
    trees, rate, leaf = settings
    soft = (y > 0) & (y < 1)
    x = numpy.concatenate([x, x[soft]])
    weight = numpy.concatenate([weight * numpy.where(soft, y, 1), (weight * (1 - y))[soft]])
    target = numpy.concatenate([y > 0, numpy.zeros(soft.sum(), bool)])
    return HistGradientBoostingClassifier(
        max_iter=trees, learning_rate=rate, max_depth=3, min_samples_leaf=leaf,
        l2_regularization=1.0, early_stopping=False, random_state=0).fit(x, target,
                                                                         sample_weight=weight)


class Ensemble:
    """A fitted model in the form of model.hpp: complete trees of depth three."""

    def __init__(self, fitted):
        self.bias = float(numpy.ravel(fitted._baseline_prediction)[0])
        self.scale, self.offset = 1.0, 0.0
        self.trees = [self.complete(p[0].nodes) for p in fitted._predictors]

    @staticmethod
    def complete(nodes):
        feature, threshold, leaf = [0] * 7, [0.0] * 7, [0.0] * 8

        def place(node, at):
            if at >= 7:
                leaf[at - 7] = float(nodes[node]['value'])
            elif nodes[node]['is_leaf']:
                place(node, 2 * at + 1)
                place(node, 2 * at + 2)
            else:
                feature[at] = int(nodes[node]['feature_idx'])
                # Features are floats: the nearest float below keeps every comparison.
                value = numpy.float32(nodes[node]['num_threshold'])
                if value > nodes[node]['num_threshold']:
                    value = numpy.nextafter(value, numpy.float32(-numpy.inf))
                threshold[at] = float(value)
                place(nodes[node]['left'], 2 * at + 1)
                place(nodes[node]['right'], 2 * at + 2)

        place(0, 0)
        return feature, threshold, leaf

    def raw(self, x):
        out = numpy.full(len(x), self.bias)
        for feature, threshold, leaf in self.trees:
            at = numpy.zeros(len(x), int)
            for _ in range(3):
                f = numpy.array(feature)[at]
                at = 2 * at + numpy.where(x[numpy.arange(len(x)), f] <=
                                          numpy.array(threshold)[at], 1, 2)
            out += numpy.array(leaf)[at - 7]
        return out

    def text(self):
        rows = [f'{self.bias:.9g} {self.scale:.9g} {self.offset:.9g} {len(self.trees)}']
        for tree in self.trees:
            rows.append(' '.join(f'{v:.9g}' for part in tree for v in part))
        return '\n'.join(rows) + '\n'


def fit(examples):
    """The three ensembles, on examples of all kinds."""
    def gather(x, y):
        keep = [getattr(e, y) >= 0 for e in examples]
        return (numpy.concatenate([getattr(e, x)[k] for e, k in zip(examples, keep)]),
                numpy.concatenate([getattr(e, y)[k] for e, k in zip(examples, keep)]),
                numpy.concatenate([numpy.full(k.sum(), WEIGHTS[e.kind])
                                   for e, k in zip(examples, keep)]))

    x, y, w = gather('cut_x', 'cut_y')
    cut = Ensemble(boosted(CUT, x, y.astype(float), w))
    x, y, w = gather('window_x', 'window_y')
    gate = Ensemble(boosted(GATE, x[:, :CHEAP], y, w))
    gradual = Ensemble(boosted(GRADUAL, x, y, w))
    return cut, gate, gradual


FITS = []


def fit_without(k):
    """The model fitted on all but fold k, or on everything."""
    data = FITS[0]
    examples = [e for j, f in enumerate(data['real']) if j != k for e in f]
    examples += [e for j, f in enumerate(data['edits']) if j != k for e in f]
    return fit(examples + data['synthetic'])


def detect(probe, example, model, threshold):
    with tempfile.NamedTemporaryFile('w', suffix='.model') as file:
        file.write(''.join(e.text() for e in model))
        file.flush()
        out = subprocess.run([probe, 'detect', str(threshold), file.name], check=True,
                             input=example.thumbs.tobytes(), stdout=subprocess.PIPE).stdout
    found = {'cuts': [], 'gradual': [], 'scores': []}
    for row in out.decode().splitlines():
        kind, frame, first, last, probability = row.split()
        if kind == 'cut':
            found['cuts'].append(int(frame))
        else:
            found['gradual'].append([int(first), int(last)])
        found['scores'].append([kind, int(frame), int(first), int(last), float(probability)])
    return found


def calibrate(logit, y):
    """Platt's scale and offset."""
    fitted = LogisticRegression(C=1.0).fit(logit.reshape(-1, 1), y)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def cpp(model, sources):
    def numbers(values, form):
        return ', '.join(form(v) for v in values)

    def real(value):
        text = f'{numpy.float32(value):.9g}'
        return (text if re.search(r'[.e]', text) else text + '.0') + 'F'

    out = ['// SPDX-License-Identifier: LGPL-2.1-or-later',
           '// Written by tools/scenecut-model/fit.py; every number below is a result of that fit.']
    out += [f'// {s}' for s in sources]
    out += ['// clang-format off', '#include "model.hpp"', '', 'namespace clips::scenecut {',
            'namespace {', '']
    for name, ensemble in zip(('kCut', 'kGradualGate', 'kGradual'), model):
        out.append(f'constexpr Tree {name}[] = {{')
        for feature, threshold, leaf in ensemble.trees:
            out.append('    {{' + numbers(feature, str) + '},')
            out.append('     {' + numbers(threshold, real) + '},')
            out.append('     {' + numbers(leaf, real) + '}},')
        out += ['};', '']
    out += ['}  // namespace', '', 'const BoundaryModel& default_model() {',
            '  static constexpr BoundaryModel model{']
    for name, ensemble in zip(('kCut', 'kGradualGate', 'kGradual'), model):
        out.append(f'      .{name[1].lower() + name[2:] if name != "kGradualGate" else "gradual_gate"}'
                   f' = {{{name}, {real(ensemble.bias)}, {real(ensemble.scale)}, '
                   f'{real(ensemble.offset)}}},')
    out += ['  };', '  return model;', '}', '', '}  // namespace clips::scenecut', '']
    return '\n'.join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--probe', required=True)
    parser.add_argument('--cache', required=True)
    parser.add_argument('--real', required=True)
    parser.add_argument('--synthetic', nargs='*', default=[])
    parser.add_argument('--edits', type=int, default=2400)
    parser.add_argument('--folds', type=int, default=6)
    parser.add_argument('--write')
    parser.add_argument('--calibration')
    arguments = parser.parse_args()
    probe = arguments.probe

    def load(folder, kind):
        def one(item):
            video, label = item
            thumbs = media.thumbnails(video, probe, arguments.cache)
            if len(thumbs) != label['frames']:
                sys.exit(f'{video}: {len(thumbs)} frames, but the label says {label["frames"]}')
            return Example(video.name, kind, thumbs, label, probe)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(one, media.labelled(folder)))

    real = load(arguments.real, 'real')
    synthetic = [e for folder in arguments.synthetic for e in load(folder, 'synthetic')]
    order = numpy.random.RandomState(0).permutation(len(real))
    folds = [[real[i] for i in order[k::arguments.folds]] for k in range(arguments.folds)]
    edits = []
    for k, fold in enumerate(folds):
        maker = augment.Maker([(e.name, e.label, e.thumbs) for e in fold], 100 + k)
        clips = [maker.clip() for _ in range(arguments.edits // arguments.folds)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            edits.append(list(pool.map(
                lambda c: Example('edit', 'edit', c[0], c[1], probe), clips)))

    held_out = {}
    logits = [[], []]
    truths = [[], []]
    everything = {'real': folds, 'edits': edits, 'synthetic': synthetic}
    # Each fit runs in a process of its own, on one thread: a fork shares the examples.
    FITS.append(everything)
    with multiprocessing.get_context('fork').Pool(os.cpu_count()) as pool:
        wanted = list(range(len(folds))) + ([None] if arguments.write else [])
        models = pool.map(fit_without, wanted, chunksize=1)
    final = models.pop() if arguments.write else None
    for k, fold in enumerate(folds):
        model = models[k]
        for e in fold:
            keep = e.cut_y >= 0
            logits[0].append(model[0].raw(e.cut_x[keep]))
            truths[0].append(e.cut_y[keep])
    logits[0], truths[0] = numpy.concatenate(logits[0]), numpy.concatenate(truths[0])
    scale, offset = calibrate(logits[0], truths[0])
    print(f'cuts: calibrated logit = {scale:.3f} x + {offset:.3f}')
    labels = {e.name: e.label for e in real}

    def judge(what):
        total, wrong, ends = score.score(labels, held_out, 0)
        print(f'{what}: {score.line(total)}')
        print('  ', {k: v for k, v in total.items() if v})
        if ends:
            print('   median error of ends', numpy.median(numpy.array(ends), 0))
        return wrong

    for model in models:
        model[0].scale, model[0].offset = scale, offset
    jobs = [(e, model) for fold, model in zip(folds, models) for e in fold]

    def all_held_out(threshold):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for (e, _), found in zip(jobs, pool.map(
                    lambda j: detect(probe, j[0], j[1], threshold), jobs)):
                held_out[e.name] = found

    # Gradual transitions are calibrated on what comes out of the whole detector.
    all_held_out(0.05)
    points = []
    for e in real:
        points += [(numpy.log(max(p, 1e-6) / max(1 - p, 1e-6)), true)
                   for kind, p, true in score.judge(e.label, held_out[e.name]['scores'])
                   if kind != 'cut']
    points = numpy.array(points)
    scale, offset = calibrate(points[:, 0], points[:, 1])
    print(f'gradual: calibrated logit = {scale:.3f} x + {offset:.3f}')
    for model in models:
        model[2].scale, model[2].offset = scale, offset
    for threshold in (0.3, 0.45, 0.6):
        all_held_out(threshold)
        wrong = judge(f'{arguments.folds} folds, threshold {threshold}')
        if threshold == 0.45:
            for video, errors in wrong.items():
                if errors:
                    print('     ', video, ', '.join(errors))
            if arguments.calibration:
                all_held_out(0.02)
                pathlib.Path(arguments.calibration).write_text(json.dumps(
                    {'labels': labels, 'found': held_out}))

    if arguments.write:
        model = final
        for ours, fold in zip(model, models[0]):
            ours.scale, ours.offset = fold.scale, fold.offset
        sources = [
            f'Fitted on {len(real)} labelled real videos ({sum(len(e.thumbs) for e in real)} frames, '
            f'{sum(len(e.label["cuts"]) for e in real)} cuts, '
            f'{sum(len(e.label["gradual"]) for e in real)} gradual transitions),',
            f'{len(synthetic)} synthetic ones and {sum(len(f) for f in edits)} edits of the real '
            'ones by augment.py.']
        pathlib.Path(arguments.write).write_text(cpp(model, sources))


if __name__ == '__main__':
    main()
