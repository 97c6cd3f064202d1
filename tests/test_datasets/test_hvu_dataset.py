"""HVU: invented rows in the official format, and the real rows where they are at hand."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

FAST = dict(serialize_data=False)  # mmengine collects garbage for a third of a second before

CATEGORIES = (
    'Tag,Category\nplaying_flute,action\nleaping,action\nred,attribute\nsky,object\n'
    'lake_shore,scene\nflute,object\nwedding,event\nmusic,concept\n'
)
LABELS = ['playing flute', 'leaping', 'red', 'sky', 'flute', 'lake shore', 'wedding', 'music']
ROWS = [
    'Tags,youtube_id,time_start,time_end',
    'playing_flute|flute|music,-aB_9,101.5,103.5',
    'sky|red|flute,-aB_9,7.0,17.0',  # the same video again
    'wedding,x1,0.0,10.0',
]


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'HVU_Val_V1.0.csv').write_bytes(('\n'.join(ROWS) + '\n').encode())
    (tmp_path / 'HVU_Tags_Categories_V1.0.csv').write_text(CATEGORIES)
    return tmp_path


def build(root, **kwargs):
    kwargs = dict(ann_file='HVU_Val_V1.0.csv') | kwargs
    dataset = DATASETS.build(dict(type='HVUDataset', data_root=str(root), **FAST, **kwargs))
    return dataset, [dataset.get_data_info(i) for i in range(len(dataset))]


def test_missing_categories_are_unknown(root):
    dataset, infos = build(root)
    assert dataset.metainfo['classes'] == LABELS
    assert dataset.metainfo['class_attributes']['category'] == [
        *('action', 'action', 'attribute', 'object', 'object', 'scene', 'event', 'concept')
    ]
    assert [i['label'].tolist() for i in infos] == [
        [1, 0, -1, 0, 1, -1, -1, 1],
        [-1, -1, 1, 1, 1, -1, -1, -1],
        [-1, -1, -1, -1, -1, -1, 1, -1],
    ]
    prior = dataset.metainfo['label_prior']
    assert prior[:5] == [1.0, 0.0, 1.0, 0.5, 1.0] and math.isnan(prior[5]) and prior[6:] == [1, 1]


def test_clips_are_told_apart(root):
    _, infos = build(root)
    assert [i['video_id'] for i in infos] == ['-aB_9_101.5_103.5', '-aB_9_7.0_17.0', 'x1_0.0_10.0']
    assert infos[0]['filename'] == f'{root}/videos_train/-aB_9_001015_001035.mp4'
    assert 'segment' not in infos[0]
    _, infos = build(root, trimmed=False, video_format='{id}.mkv')
    assert infos[1]['filename'].endswith('/-aB_9.mkv') and infos[1]['segment'] == (7.0, 17.0)


def test_one_category(root):
    dataset, infos = build(root, label_set=dict(category='object'), drop_unlabeled=True)
    assert dataset.metainfo['classes'] == ['sky', 'flute']
    assert [i['label'].tolist() for i in infos] == [[0, 1], [1, 1]]
    assert dataset.metainfo['label_prior'] == [0.5, 1.0]
    # A clip without tags of the category has no known target.
    _, infos = build(root, label_set=dict(category='object'))
    assert infos[2]['label'].tolist() == [-1, -1]


def test_missing_unknown_and_indices(root):
    dataset, infos = build(root, missing='unknown')
    assert infos[0]['label'].tolist() == [1, -1, -1, -1, 1, -1, -1, 1]
    assert dataset.metainfo['label_prior'][0] == 1.0
    dataset, infos = build(root, indices=[2])
    assert len(infos) == 1 and math.isnan(dataset.metainfo['label_prior'][0])


def test_json_of_mmaction2(root):
    """An index counts within its category."""
    tags = dict(action=['playing_flute', 'leaping'], object=['sky', 'flute'])
    (root / 'label_map.json').write_text(json.dumps(tags))
    rows = [
        dict(filename='a.mp4', label=dict(object=[1])),
        dict(filename='b.mp4', label=dict(object=[1], action=[1])),
    ]
    (root / 'val.json').write_text(json.dumps(rows))
    kwargs = dict(ann_file='val.json', class_file='label_map.json')
    dataset, infos = build(root, **kwargs)
    assert dataset.metainfo['classes'] == ['playing flute', 'leaping', 'sky', 'flute']
    assert [i['label'].tolist() for i in infos] == [[-1, -1, 0, 1], [0, 1, 0, 1]]
    rows[1]['label']['object'] = [2]
    (root / 'val.json').write_text(json.dumps(rows))
    with pytest.raises(DataError, match='val.json: entry 2: label_map.json has no label 2'):
        build(root, **kwargs)
    (root / 'label_map.json').write_text('[1]')
    with pytest.raises(DataError, match='label_map.json: expected'):
        build(root, **kwargs)


def test_mistakes(root):
    with pytest.raises(ConfigError, match='video_format'):
        build(root, video_format='{name}.mp4')
    path = root / 'HVU_Val_V1.0.csv'
    path.write_text(f'{ROWS[0]}\nsky|moon,x1,0.0,10.0\n')
    with pytest.raises(DataError, match="csv:2: tag 'moon' is not in HVU_Tags"):
        build(root)
    path.write_text(f'{ROWS[0]}\nsky,x1,0:10,10.0\n')
    with pytest.raises(DataError, match="csv:2: time_start '0:10' is not a number"):
        build(root)
    path.write_text('youtube_id,tags\n')
    with pytest.raises(DataError, match="csv:1: no column 'Tags'"):
        build(root)
    (root / 'HVU_Tags_Categories_V1.0.csv').write_text(CATEGORIES + 'sky,scene\n')
    with pytest.raises(DataError, match='a tag is in two categories'):
        build(root)


@pytest.mark.parametrize('name', ['HVU_Val_V1.0.csv', 'HVU_Val_V1.0_oddrows.csv'])
def test_real_rows(shared, name):
    folder = shared / 'hvu'
    tags = pd.read_csv(folder / 'HVU_Tags_Categories_V1.0.csv', dtype=str, keep_default_na=False)
    table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    dataset, infos = build(folder, ann_file=name, label_style='official')
    classes = dataset.metainfo['classes']
    assert sorted(classes) == sorted(tags['Tag']) and len(classes) == 3142
    category_of = dict(zip(tags['Tag'], tags['Category'], strict=True))
    axis = dataset.metainfo['class_attributes']['category']
    assert axis == [category_of[c] for c in classes]
    assert pd.Series(axis).value_counts().to_dict() == dict(
        object=1678, action=739, concept=291, scene=248, attribute=117, event=69
    )
    assert len(infos) == len(table)
    positives = np.zeros(3142)
    for info, (_, row) in zip(infos, table.iterrows(), strict=True):
        given = row['Tags'].split('|')
        labelled = {category_of[tag] for tag in given}
        expected = np.where(np.isin(axis, list(labelled)), 0, -1)
        expected[np.isin(classes, given)] = 1
        assert (info['label'] == expected).all()
        assert info['video_id'].startswith(row['youtube_id'])
        positives += expected == 1
    labels = np.stack([i['label'] for i in infos])
    with np.errstate(invalid='ignore'):
        prior = positives / (labels >= 0).sum(0)
    np.testing.assert_allclose(dataset.metainfo['label_prior'], prior)
    spoken, _ = build(folder, ann_file=name)
    assert len(set(spoken.metainfo['classes'])) == 3142


def test_real_files_of_mmaction2(shared):
    kwargs = dict(class_file='label_map_mmaction2.json', label_style='official')
    tags = json.loads((shared / 'hvu' / 'label_map_mmaction2.json').read_text())
    for name in ('mmaction2_hvu_video_test_anno.json', 'mmaction2_hvu_video_eval_test_anno.json'):
        dataset, infos = build(shared / 'hvu', ann_file=name, **kwargs)
        for info, row in zip(infos, json.loads((shared / 'hvu' / name).read_text()), strict=True):
            labels = {tags[c][i] for c, ids in row['label'].items() for i in ids}
            classes = dataset.metainfo['classes']
            assert {classes[i] for i in np.flatnonzero(info['label'] == 1)} == labels
            known = sum(len(tags[c]) for c in row['label'])
            assert (info['label'] >= 0).sum() == known
