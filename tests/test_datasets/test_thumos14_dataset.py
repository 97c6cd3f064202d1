"""THUMOS14: invented rows in the official format, and the real rows where they are at hand."""

import json

import pytest

from ovmlv.errors import DataError
from ovmlv.registry import DATASETS

FAST = dict(serialize_data=False)  # mmengine collects garbage for a third of a second before

# Two blanks after the name, as published; no video has rows in every file.
FILES = {
    'CliffDiving_val.txt': 'video_validation_0000002  1.0 2.0\n',
    'Diving_val.txt': 'video_validation_0000002  1.0 2.0\nvideo_validation_0000007  8.5 9.5\n',
    'GolfSwing_val.txt': 'video_validation_0000007  0.2 1.4\nvideo_validation_0000007  20.0 21.0\n',
    'Ambiguous_val.txt': 'video_validation_0000007  4.0 6.0\nvideo_validation_0000009  0.0 1.0\n',
    'readme.txt': 'THUMOS CHALLENGE 2014\n',
}
DURATIONS = {
    'video_validation_0000002': dict(fps=30.0, duration=3.0),
    'video_validation_0000007': dict(fps=25.0, duration=9.0),
}


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'annotations_val').mkdir()
    for name, text in FILES.items():
        (tmp_path / 'annotations_val' / name).write_bytes(text.encode())
    (tmp_path / 'info.json').write_text(json.dumps(DURATIONS))
    return tmp_path


def build(root, **kwargs):
    dataset = DATASETS.build(dict(type='THUMOS14Dataset', data_root=str(root), **FAST, **kwargs))
    return dataset, [dataset.get_data_info(i) for i in range(len(dataset))]


def test_whole_videos(root):
    dataset, infos = build(root)
    assert dataset.metainfo['classes'] == ['cliff diving', 'diving', 'golf swing']
    # The video that is ambiguous alone is no sample.
    assert [i['video_id'][-1] for i in infos] == ['2', '7']
    assert [i['label'].tolist() for i in infos] == [[1, 1, 0], [0, 1, 1]]
    assert infos[0]['filename'] == f'{root}/videos/val/video_validation_0000002.mp4'
    assert build(root, label_style='official')[0].metainfo['classes'][0] == 'CliffDiving'


def test_segments_and_windows(root):
    dataset, infos = build(root, units='segment', duration_file='info.json')
    assert [(i['segment'], i['label'].tolist()) for i in infos] == [
        ((1.0, 2.0), [1, 1, 0]),
        ((1.0, 2.0), [1, 1, 0]),
        ((8.5, 9.0), [0, 1, 0]),  # cut at the end of the video
        ((0.2, 1.4), [0, 0, 1]),
    ]
    assert dataset.statistics['past_end'] == 2 and dataset.statistics['dropped_outside'] == 1
    _, infos = build(root, units='window', window=3, duration_file='info.json')
    assert [(i['segment'], i['label'].tolist()) for i in infos] == [
        ((0, 3), [-1, -1, 0]),
        ((0, 3), [0, 0, -1]),
        ((3, 6), [-1, -1, -1]),  # ambiguous
        ((6, 9), [0, -1, 0]),
    ]


def test_windows_ask_the_videos_without_durations(root, write_video):
    for number in (2, 7):
        write_video(root / f'videos/val/video_validation_000000{number}.mp4', 20, fps=10)
    _, infos = build(root, units='window', window=1)
    assert [i['segment'] for i in infos] == [(0, 1), (1, 2)] * 2


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('video_validation_0000002  1.0', 'is not "video start end"'),
        ('video_validation_0000002  1.0 x', "end 'x' is not a number"),
        ('video_validation_0000002  -1.0 2.0', 'start -1 is less than 0'),
        ('video_validation_0000002  nan 2.0', "start 'nan' is not a number"),
    ],
)
def test_damaged_rows_are_named(root, line, words):
    path = root / 'annotations_val' / 'Diving_val.txt'
    path.write_text(f'\n{line}\n')
    with pytest.raises(DataError, match=f'Diving_val.txt:2: .*{words}'):
        build(root)


def test_missing_files(root, pipeline):
    with pytest.raises(DataError, match='annotation folder .*no.* not found; get the videos and'):
        build(root, ann_file='no')
    (root / 'empty').mkdir()
    with pytest.raises(DataError, match='no file Class_val.txt or Class_test.txt in this folder'):
        build(root, ann_file='empty')
    (root / 'info.json').write_text('{"video": 3}')
    with pytest.raises(DataError, match='info.json: video: expected'):
        build(root, duration_file='info.json')


def test_real_rows(shared):
    folder = shared / 'thumos14'
    dataset, infos = build(folder)
    expected, labels = {}, set()
    for path in (folder / 'annotations_val').glob('*_val.txt'):
        name = path.name[: -len('_val.txt')]
        if name == 'Ambiguous':
            continue
        labels.add(name)
        for line in path.read_text().splitlines():
            expected.setdefault(line.split()[0], set()).add(name)
    classes, _ = build(folder, label_style='official')
    assert classes.metainfo['classes'] == sorted(labels) and len(labels) == 20
    assert len(infos) == len(expected) == 200
    for info in infos:
        found = {sorted(labels)[i] for i, y in enumerate(info['label']) if y == 1}
        assert found == expected[info['video_id']] and (info['label'] >= 0).all()
    # The same instances in another project's JSON.
    segments = list(dataset.read_timelines())
    others = json.loads((folder / 'thumos14_val.json').read_text())
    assert len(others) == 60
    for timeline in segments:
        if timeline.video_id not in others:
            continue
        other = others[timeline.video_id]
        rows = zip(other['labels'], other['segments'], strict=True)
        # That project corrected this video, whose last two instances are past its end.
        if timeline.video_id != 'video_validation_0000364':
            assert sorted((s.labels[0], s.start, s.end) for s in timeline.segments) == sorted(
                (dataset.label_of(name), *span) for name, span in rows if name != 'Ambiguous'
            )
    diving = [s for t in segments for s in t.segments if s.labels == ('diving',)]
    cliff = [s for t in segments for s in t.segments if s.labels == ('cliff diving',)]
    assert len(cliff) == 143 and len(diving) == 499
    spans = {(s.start, s.end) for s in diving}
    assert all((s.start, s.end) in spans for s in cliff)
