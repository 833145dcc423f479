# SPDX-License-Identifier: LGPL-2.1-or-later
"""The adaptive detector on videos of tests/scenes: one test a difficulty, several seeds each.

The frames go through the core as the element sees them: RGB planes to thumbnails to boundaries.
"""
import os
import pathlib
import statistics
import subprocess
import sys

import numpy
import pytest

ROOT = pathlib.Path(os.environ['CLIPS_SOURCE_ROOT'])
sys.path += [str(ROOT / 'tests' / 'scenes'), str(ROOT / 'tools' / 'scenecut-model')]
import find  # noqa: E402
import media  # noqa: E402
import scenes  # noqa: E402
import score  # noqa: E402

PROBE = pathlib.Path(os.environ['CLIPS_BUILD_ROOT']) / 'tools/scenecut-model/scenecut-probe'
# The model saw seeds from 1000 on, see tools/scenecut-model/README.md.
SEEDS = range(1, 4)


def found_in(frames):
    height, width = frames[0].shape[:2]
    thumbnails = subprocess.run(
        [PROBE, 'thumbnails', 'RGB', str(width), str(height)],
        input=b''.join(f.tobytes() for f in frames), stdout=subprocess.PIPE, check=True).stdout
    out = subprocess.run([PROBE, 'detect', '0'], input=thumbnails, stdout=subprocess.PIPE,
                         check=True).stdout
    found = {'cuts': [], 'gradual': [], 'kinds': []}
    for line in out.decode().splitlines():
        kind, frame, first, last, _ = line.split()
        if kind == 'cut':
            found['cuts'].append(int(frame))
        else:
            found['gradual'].append([int(first), int(last)])
            found['kinds'].append(kind)
    return found


@pytest.fixture(scope='module')
def judge():
    def run(difficulty):
        total = dict.fromkeys(score.COUNTS, 0)
        wrong, ends, kinds = [], [], []
        for seed in SEEDS:
            frames, label = scenes.make(difficulty, seed)
            found = found_in(frames)
            counts, errors, end = score.score_video(label, found, 0)
            for key in total:
                total[key] += counts[key]
            wrong += [f'seed {seed}: {e}' for e in errors]
            ends += end
            kinds += found['kinds']
        print(difficulty, total, wrong, ends)
        return total, wrong, ends, kinds
    return run


@pytest.mark.parametrize('difficulty', [
    'plain_cuts', 'same_colours', 'to_and_from_black', 'flashes', 'strobes',
    'camera_shake', 'fast_pans', 'fast_zooms', 'explosions', 'subtitles', 'lower_thirds',
    'picture_in_picture', 'letterbox', 'dark_scenes', 'grain', 'static_slides', 'interlaced',
    'variable_rate'])
def test_exactly_the_cuts_are_found(judge, difficulty):
    total, wrong, _, _ = judge(difficulty)
    assert total['hit'] > 0
    assert wrong == []


def test_shots_of_two_and_three_frames_are_found(judge):
    total, wrong, _, _ = judge('two_frame_shots')
    assert wrong == []
    assert total['hit'] == 21


@pytest.mark.parametrize('difficulty, kind', [('dissolves', 'dissolve'), ('fades', 'fade')])
def test_transitions_are_found_with_their_ends_and_kind(judge, difficulty, kind):
    total, wrong, ends, kinds = judge(difficulty)
    assert wrong == []
    assert set(kinds) == {kind}
    errors = sorted(e for pair in ends for e in pair)
    assert errors[len(errors) // 2] <= 3
    assert errors[-1] <= 8


def probe(tool, verb, data):
    return subprocess.run([tool, *verb], input=data, stdout=subprocess.PIPE, check=True).stdout


# Vector instructions of the processor at hand against the same code as plain C++.
def test_vector_code_gives_the_same_bits_as_plain_code():
    plain = PROBE.with_name('scenecut-plain-probe')
    random = numpy.random.RandomState(1)
    for layout, width, height in (('I420', 322, 181), ('NV12', 1280, 720), ('P010_10LE', 200, 90),
                                  ('YUY2', 641, 77), ('RGB', 33, 50), ('GRAY16_BE', 3000, 21)):
        bytes_a_picture = 8 * width * (height + 1)
        pictures = random.bytes(bytes_a_picture)
        verb = ['thumbnails', layout, str(width), str(height)]
        thumbnails = probe(PROBE, verb, pictures)
        assert len(thumbnails) >= media.FRAME_BYTES
        assert thumbnails == probe(plain, verb, pictures), layout
    frames = [f for name in ('plain_cuts', 'camera_shake', 'dissolves', 'strobes')
              for f in scenes.make(name, 4)[0]]
    height, width = frames[0].shape[:2]
    thumbnails = probe(PROBE, ['thumbnails', 'RGB', str(width), str(height)],
                       b''.join(f.tobytes() for f in frames))
    for verb in (['cut-candidates'], ['gradual-candidates'], ['detect', '0.1']):
        found = probe(PROBE, verb, thumbnails)
        assert len(found) > 100
        assert found == probe(plain, verb, thumbnails), verb


# The labelled real videos are not part of the project; where they are, they are the tuning set.
MEDIA = pathlib.Path(os.environ.get('CLIPS_LABELLED_MEDIA', ROOT.parent / 'shared' / 'media')) / 'real'


@pytest.mark.skipif(not MEDIA.is_dir(), reason=f'no labelled videos in {MEDIA} '
                    '(set CLIPS_LABELLED_MEDIA to a folder that has a labelled folder real/)')
def test_the_labelled_videos_are_found_again(tmp_path):
    labels, found = {}, {}
    for video, label in media.labelled(MEDIA):
        labels[video.name] = label
        found[video.name] = find.find(PROBE, media.thumbnails(video, PROBE, tmp_path))
    total, _, ends = score.score(labels, found)
    print(score.line(total), total)
    figures = score.summary(total)
    assert figures['cuts'][2] >= 98.5
    assert figures['gradual'][2] >= 90
    assert figures['all'][2] >= 98
    assert total['flash'] <= 1
    assert statistics.median(start for start, _ in ends) <= 3
    assert statistics.median(end for _, end in ends) <= 3


def test_the_same_seed_gives_the_same_video():
    first, label = scenes.make('flashes', 5)
    second, again = scenes.make('flashes', 5)
    assert label == again
    assert all((a == b).all() for a, b in zip(first, second))
