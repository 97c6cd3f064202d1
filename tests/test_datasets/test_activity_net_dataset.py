"""ActivityNet: invented rows in both forms, and the real rows where they are at hand."""

import csv
import json

import pytest

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

FAST = dict(serialize_data=False)  # mmengine collects garbage for a third of a second before

VIDEOS = {
    '--a1': ('training', 20.0, [([2.5, 30.0], 'Blow-drying hair')]),
    'B_2': ('training', 9.5, [([0, 0], 'Tango'), ([1.5, 9.0], 'Archery'), ([7.0, 9.0], 'Tango')]),
    'c-3': ('validation', 4.0, [([0.01, 4.0], 'Archery')]),
    'd4': ('testing', 6.0, []),
}


@pytest.fixture
def root(tmp_path):
    database, derived, rows = {}, {}, ['video,numFrame,seconds,fps,rfps,subset,featureFrame']
    for video, (subset, duration, actions) in VIDEOS.items():
        annotations = [dict(segment=span, label=label) for span, label in actions]
        database[video] = dict(
            duration=duration,
            subset=subset,
            resolution='320x240',
            url=f'https://www.youtube.com/watch?v={video}',
            annotations=annotations,
        )
        derived[f'v_{video}'] = dict(
            duration_second=duration, duration_frame=99, annotations=annotations, feature_frame=96
        )
        rows.append(f'v_{video},99,{duration},30.0,29.7,{subset},96')
    official = dict(version='VERSION 1.3', taxonomy=[], database=database)
    (tmp_path / 'activity_net.v1-3.min.json').write_text(json.dumps(official))
    (tmp_path / 'anet_anno_action.json').write_text(json.dumps(derived))
    (tmp_path / 'video_info_new.csv').write_text('\n'.join(rows) + '\n')
    (tmp_path / 'action_name.csv').write_text('action\nTango\nBlow-drying hair\nArchery\n')
    return tmp_path


DERIVED = dict(ann_file='anet_anno_action.json', info_file='video_info_new.csv')


def build(root, **kwargs):
    dataset = DATASETS.build(dict(type='ActivityNetDataset', data_root=str(root), **FAST, **kwargs))
    return dataset, [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('form', [{}, DERIVED], ids=['official', 'derived'])
def test_both_forms(root, form):
    dataset, infos = build(root, **form)
    # Of all subsets, so that training and validation have the same columns.
    assert dataset.metainfo['classes'] == ['archery', 'blow drying hair', 'tango']
    assert [i['video_id'] for i in infos] == ['--a1', 'B_2']
    assert [i['label'].tolist() for i in infos] == [[0, 1, 0], [1, 0, 1]]
    _, infos = build(root, **form, units='segment')
    assert [(i['segment'], i['label'].tolist()) for i in infos] == [
        ((2.5, 20.0), [0, 1, 0]),
        ((1.5, 9.0), [1, 0, -1]),
        ((7.0, 9.0), [1, 0, 1]),
    ]
    for subset, labels in (('validation', [[1, 0, 0]]), ('testing', [[-1, -1, -1]])):
        _, infos = build(root, **form, subset=subset)
        assert [i['label'].tolist() for i in infos] == labels
    assert len(build(root, **form, subset='all')[1]) == 4


def test_class_file_with_a_header(root):
    dataset, infos = build(root, class_file='action_name.csv', label_style='official')
    assert dataset.metainfo['classes'] == ['Tango', 'Blow-drying hair', 'Archery']
    assert infos[0]['label'].tolist() == [0, 1, 0]


def test_suffix_is_that_of_the_file(root):
    (root / 'videos').mkdir()
    for name in ('v_--a1.mkv', 'v_--a1.txt', 'v_c-3.webm'):
        (root / 'videos' / name).touch()
    _, infos = build(root, subset='all')
    found = [i['filename'].rsplit('/', 1)[1] for i in infos]
    assert found == ['v_--a1.mkv', 'v_B_2.mp4', 'v_c-3.webm', 'v_d4.mp4']


def test_mistakes(root):
    with pytest.raises(ConfigError, match="subset='val' is not one of"):
        build(root, subset='val')
    with pytest.raises(ConfigError, match="give info_file='video_info_new.csv'"):
        build(root, ann_file='anet_anno_action.json')
    with pytest.raises(DataError, match='class file .*x.txt not found; get activity_net'):
        build(root, class_file='x.txt')
    (root / 'bad.json').write_text('{"database": {"a": {"subset": "training"}}}')
    with pytest.raises(DataError, match="bad.json: a: no key 'duration'"):
        build(root, ann_file='bad.json')
    (root / 'bad.json').write_text('{"database": ')
    with pytest.raises(DataError, match='bad.json:1: no valid JSON'):
        build(root, ann_file='bad.json')
    empty = dict(database={'d4': dict(duration=1, subset='testing', annotations=[])})
    (root / 'bad.json').write_text(json.dumps(empty))
    with pytest.raises(DataError, match="no video of the subset 'training'"):
        build(root, ann_file='bad.json')


@pytest.mark.parametrize('name', ['anet_anno_action.json', 'anet_anno_action_odd.json'])
@pytest.mark.parametrize('classes', ['action_name.csv', 'label_map_mmaction2.txt'])
def test_real_rows(shared, name, classes):
    folder = shared / 'activitynet'
    content = json.loads((folder / name).read_text())
    dataset, infos = build(
        folder, ann_file=name, subset='all', class_file=classes, label_style='official'
    )
    names = [line for line in (folder / classes).read_text().splitlines() if line != 'action']
    assert dataset.metainfo['classes'] == names and len(names) == 200
    assert [f'v_{i["video_id"]}' for i in infos] == list(content)
    for info, entry in zip(infos, content.values(), strict=True):
        labels = {a['label'] for a in entry['annotations']}
        assert {names[i] for i, y in enumerate(info['label']) if y == 1} == labels
        assert (info['label'] == -1).all() == (not labels)
    segments, infos = build(folder, ann_file=name, subset='all', units='segment')
    expected = []
    for entry in content.values():
        for (start, end), _ in (a.values() for a in entry['annotations']):
            if min(end, entry['duration_second']) > start:
                expected.append((start, min(end, entry['duration_second'])))
    assert [i['segment'] for i in infos] == expected
    assert segments.statistics['past_end'] > 0


def test_real_subsets(shared):
    """Both real files together, as far as their excerpts overlap."""
    folder = shared / 'activitynet'
    rows = {r['video']: r for r in csv.DictReader((folder / 'video_info_new.csv').open())}
    content = json.loads((folder / DERIVED['ann_file']).read_text())
    wanted = [k[2:] for k in content if k in rows and rows[k]['subset'] == 'training']
    if not wanted:
        pytest.skip('the excerpts have no training video in common')
    _, infos = build(folder, subset='training', **DERIVED)
    assert [i['video_id'] for i in infos] == wanted
