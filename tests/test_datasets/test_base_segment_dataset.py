"""Timelines as samples: whole videos, segments, windows and time points."""

import numpy as np
import pytest

from ovmlv.datasets import BaseSegmentDataset, Segment, Timeline, label_matrix, sliding_windows
from ovmlv.datasets.segments import even_times
from ovmlv.errors import ConfigError, DataError

FAST = dict(serialize_data=False)  # mmengine collects garbage for a third of a second before

CLASSES = ['run', 'jump', 'sit']


class ToyDataset(BaseSegmentDataset):
    """Timelines from a list."""

    def __init__(self, timelines, tmp_path, **kwargs):
        self.timelines = timelines
        (tmp_path / 'ann').write_text('')
        super().__init__('ann', data_root=str(tmp_path), **FAST, **kwargs)

    def read_timelines(self):
        self.classes_source = CLASSES
        return self.timelines


@pytest.fixture
def build(tmp_path):
    def function(*timelines, **kwargs):
        dataset = ToyDataset(timelines, tmp_path, **kwargs)
        return dataset, [dataset.get_data_info(i) for i in range(len(dataset))]

    return function


def rows(infos):
    return [(i.get('segment'), i['label'].tolist()) for i in infos]


def video(*segments, duration=10.0, **kwargs):
    segments = [Segment(tuple(s[0].split('+')), *s[1:]) for s in segments]
    return Timeline('a.mp4', segments, duration, **kwargs)


RUN_JUMP = video(('run', 0, 6), ('jump', 5, 7), ('jump', 5.5, 12))


def test_whole_videos(build):
    odd = video(('sit', 4, 4), ('run', 7, 2), ('run', 1, 2), video_extra=dict(text='long'))
    _, infos = build(RUN_JUMP, odd, video(extra=dict(scene='attic')))
    assert rows(infos) == [(None, [1, 1, 0]), (None, [1, 0, 1]), (None, [0, 0, 0])]
    assert infos[1]['text'] == 'long' and infos[2]['scene'] == 'attic'
    assert infos[0]['video_id'] == 'a'


def test_segments(build):
    dataset, infos = build(RUN_JUMP, units='segment')
    assert rows(infos) == [
        ((0, 6), [1, -1, 0]),
        ((5, 7), [1, 1, 0]),
        ((5.5, 10), [-1, 1, 0]),  # cut at the end of the video
    ]
    assert dataset.statistics['past_end'] == 1 and dataset.statistics['repeated_classes'] == 1
    _, infos = build(RUN_JUMP, units='segment', min_overlap=0.6)
    assert rows(infos)[1] == ((5, 7), [-1, 1, 0])


def test_odd_segments(build):
    odd = video(('sit', 4, 4), ('run', 7, 2), ('jump', 11, 12), ('run+jump', 0, 1))
    dataset, infos = build(odd, units='segment')
    assert rows(infos) == [((0, 1), [1, 1, 0])]
    counts = {k: v for k, v in dataset.statistics.items() if k.startswith('dropped')}
    assert counts == dict(dropped_empty=1, dropped_inverted=1, dropped_outside=1)
    _, infos = build(odd, units='segment', inverted='swap')
    assert rows(infos)[0] == ((2, 7), [1, 0, 0])


def test_the_segments_of_a_label_count_together(build):
    """Two quarters are a half, and what overlaps is not counted twice."""
    halves = video(('run', 0, 1), ('run', 3, 4), ('jump', 0, 1), ('jump', 0.5, 1.5))
    _, infos = build(halves, units='window', window=4)
    assert rows(infos)[0] == ((0, 4), [1, -1, 0])


def test_windows(build):
    _, infos = build(RUN_JUMP, units='window', window=4)
    # The last one ends with the video. 5..6 of 4..8 is a quarter.
    assert rows(infos) == [((0, 4), [1, 0, 0]), ((4, 8), [1, 1, 0]), ((6, 10), [0, 1, 0])]
    _, infos = build(RUN_JUMP, units='window', window=4, stride=3, drop_unlabeled=True)
    assert [s for s, _ in rows(infos)] == [(0, 4), (3, 7), (6, 10)]
    short = video(('sit', 1, 1.5), ('run', 3.9, 5))
    _, infos = build(short, units='window', window=4, overlap_of='shorter')
    assert rows(infos)[0] == ((0, 4), [-1, 0, 1])
    _, infos = build(short, units='window', window=4)
    assert rows(infos)[0] == ((0, 4), [-1, 0, -1])


@pytest.mark.parametrize(
    ('duration', 'length', 'stride', 'expected'),
    [
        (3.0, 4, None, [(0, 3)]),
        (4.0, 4, None, [(0, 4)]),
        (0.3, 0.1, None, [(0, 0.1), (0.1, 0.2), (0.2, 0.3)]),  # not four, for 0.1 + 0.2 > 0.3
        (9.0, 4, 2, [(0, 4), (2, 6), (4, 8), (5, 9)]),
        (10.0, 2, 5, [(0, 2), (5, 7), (8, 10)]),
    ],
)
def test_sliding_windows(duration, length, stride, expected):
    found = sliding_windows(duration, length, stride)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_label_matrix_is_the_plain_loop():
    rng = np.random.default_rng(0)
    segments = []
    for _ in range(30):
        start, end = rng.integers(0, 20, 2) / 2
        segments.append((CLASSES[rng.integers(3)], float(start), float(end)))
    timeline = video(*segments)
    for closed in (True, False):
        times = even_times(10.0, 20)  # on the ends of segments as well as between
        expected = np.zeros((20, 3), dtype=int)
        for i, t in enumerate(times):
            for label, start, end in segments:
                if (start <= t <= end) if closed else (start < t < end):
                    expected[i, CLASSES.index(label)] = 1
        assert (label_matrix(timeline, times, CLASSES, closed) == expected).all()
        assert 0 < expected.sum() < expected.size


def test_points_are_rows_of_the_matrix(build):
    _, infos = build(RUN_JUMP, units='point', num_points=4, window=2)
    assert [i['time'] for i in infos] == [0, 2.5, 5, 7.5]
    assert rows(infos) == [
        ((0, 1), [1, 0, 0]),
        ((1.5, 3.5), [1, 0, 0]),
        ((4, 6), [1, 1, 0]),
        ((6.5, 8.5), [0, 1, 0]),
    ]
    _, infos = build(video(('run', 0, 6), duration=1.0), units='point', stride=0.4)
    np.testing.assert_allclose([i['time'] for i in infos], [0, 0.4, 0.8])


def test_ambiguous_parts_make_unknown(build):
    unclear = video(('run', 0, 4), ambiguous=[(4, 5)])
    assert rows(build(unclear)[1]) == [(None, [1, 0, 0])]
    _, infos = build(unclear, units='window', window=5)
    assert rows(infos) == [((0, 5), [1, -1, -1]), ((5, 10), [0, 0, 0])]
    _, infos = build(unclear, units='point', num_points=5)
    assert [label for _, label in rows(infos)] == [
        [1, 0, 0],
        [1, 0, 0],
        [1, -1, -1],
        [0, 0, 0],
        [0, 0, 0],
    ]
    matrix = label_matrix(unclear, np.array([3.0, 4.5]), CLASSES)
    assert matrix.tolist() == [[1, 0, 0], [-1, -1, -1]]


def test_partial_labels(build):
    """Where the file names what is absent, all that it does not mention is unknown."""
    partial = Timeline(
        'a.mp4',
        [Segment(('run',), 0, 4, negatives=('jump',)), Segment((), 4, 8, negatives=('run',))],
        8.0,
    )
    assert rows(build(partial)[1]) == [(None, [1, -1, -1])]
    _, infos = build(partial, units='segment')
    assert rows(infos) == [((0, 4), [1, 0, -1]), ((4, 8), [0, -1, -1])]
    _, infos = build(partial, units='window', window=6)
    assert rows(infos) == [((0, 6), [1, -1, -1]), ((2, 8), [-1, -1, -1])]
    matrix = [[1, 0, -1], [1, 0, -1], [1, 0, -1], [0, -1, -1]]
    _, infos = build(partial, units='point', num_points=4, window=1)
    assert [label for _, label in rows(infos)] == matrix
    assert label_matrix(partial, even_times(8.0, 4), CLASSES).tolist() == matrix


def test_withheld_labels(build):
    """A test video without published labels is no negative of everything."""
    withheld = video(partial=True)
    assert rows(build(withheld)[1]) == [(None, [-1, -1, -1])]
    _, infos = build(withheld, units='window', window=5)
    assert rows(infos) == [((0, 5), [-1, -1, -1]), ((5, 10), [-1, -1, -1])]


def test_partial_labels_of_segments_that_are_dropped(build):
    odd = Timeline('a.mp4', [Segment((), 3, 3, negatives=()), Segment(('run',), 0, 2)], 4.0)
    assert rows(build(odd, units='segment')[1]) == [((0, 2), [1, -1, -1])]


def test_duration_of_the_file(build, tmp_path, write_video):
    unknown = video(('run', 0, 1), duration=None, where='ann:1')
    folder = tmp_path / 'videos'
    kwargs = dict(units='window', window=0.6, stride=0.6, data_prefix=dict(video='videos'))
    for further in (dict(), dict(on_error='raise')):  # no videos at all, and one is missing
        with pytest.raises(DataError, match='ann:1: .*needs the duration of the video') as error:
            build(unknown, **kwargs, **further)
        assert '\n' not in str(error.value) and str(folder / 'a.mp4') in str(error.value)
        folder.mkdir(exist_ok=True)
    # on_error decides what becomes of these samples.
    dataset, infos = build(unknown, **kwargs)
    assert [s for s, _ in rows(infos)] == [(0, 0.6), (0.4, 1)]
    assert dataset.statistics['without_duration'] == 1
    write_video(folder / 'a.mp4', num_frames=18, fps=10)
    _, infos = build(unknown, **kwargs)
    spans, labels = zip(*rows(infos), strict=True)
    np.testing.assert_allclose(spans, [(0, 0.6), (0.6, 1.2), (1.2, 1.8)])
    assert labels == ([1, 0, 0], [1, 0, 0], [0, 0, 0])


@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        (dict(units='clip'), "units='clip' is not one of video, segment, window, point"),
        (dict(inverted='keep'), 'inverted'),
        (dict(overlap_of='x'), 'overlap_of'),
        (dict(min_overlap=0), 'min_overlap'),
        (dict(window=0), 'window'),
        (dict(classes=['a']), 'classes'),
        (dict(label_style='x'), 'label_style'),
        (dict(stride=-1.0), 'stride'),
        (dict(units='point'), 'num_points or stride'),
        (dict(units='point', num_points=3, stride=1.0), 'num_points or stride'),
    ],
)
def test_bad_settings(build, kwargs, words):
    with pytest.raises(ConfigError, match=words):
        build(RUN_JUMP, **kwargs)
