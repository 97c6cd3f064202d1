"""The generic data set, on real video files."""

import json
import math

import numpy as np
import pytest
import torch

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.registry import DATASETS

ROWS = [
    dict(video='a.mp4', labels=['a dog', 'running']),
    dict(video='with blank/b c.mp4', labels=['a cat'], unknown=['running']),
    dict(video='ü/чашка 杯.mp4', labels=['a dog', 'a wolf'], segment=[0.5, 1.0]),
    dict(video='d, e.mp4', labels=['a wolf'], negatives=['a cat']),
]
SPLIT = dict(seen=['running', 'a dog', 'a cat'], unseen=['a wolf', 'a fox'])


@pytest.fixture
def build(tmp_path):
    def _build(rows=ROWS, **kwargs):
        path = tmp_path / 'ann.jsonl'
        path.write_text('\n'.join(json.dumps(r) for r in rows), encoding='utf-8')
        return DATASETS.build(dict(type='MultilabelVideoDataset', ann_file=str(path), **kwargs))

    return _build


def targets(dataset) -> list[list[int]]:
    return [dataset.get_data_info(i)['label'].tolist() for i in range(len(dataset))]


def test_columns_from_the_annotations(build):
    dataset = build()
    assert dataset.metainfo['classes'] == ['a cat', 'a dog', 'a wolf', 'running']
    assert targets(dataset) == [[0, 1, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, -1, 1, -1]]
    assert dataset.metainfo['label_prior'] == pytest.approx([1 / 4, 2 / 3, 2 / 4, 1 / 2])
    assert dataset.metainfo['class_attributes'] == {}
    assert dataset.get_cat_ids(2) == [1, 2]
    info = dataset.get_data_info(2)
    assert (info['segment'], info['sample_idx']) == ((0.5, 1.0), 2)


def test_seen_labels_alone_are_columns_in_training(build):
    """Unseen labels leak neither as positives nor as negatives: they have no column."""
    dataset = build(label_split=SPLIT, label_set='seen')
    assert dataset.metainfo['classes'] == SPLIT['seen']
    assert dataset.metainfo['class_attributes'] == dict(split=['seen'] * 3)
    assert targets(dataset) == [[1, 1, 0], [-1, 0, 1], [0, 1, 0], [-1, -1, 0]]
    # The same rows without their unseen labels give the very same data set.
    rows = [dict(r, labels=[v for v in r['labels'] if v in SPLIT['seen']]) for r in ROWS]
    other = build(rows, label_split=SPLIT, label_set='seen')
    assert targets(other) == targets(dataset) and other.metainfo == dataset.metainfo


def test_all_labels_of_the_split_are_columns_in_testing(build):
    dataset = build(label_split=SPLIT, test_mode=True)
    assert dataset.metainfo['classes'] == [*SPLIT['seen'], *SPLIT['unseen']]
    assert dataset.metainfo['class_attributes']['split'] == ['seen'] * 3 + ['unseen'] * 2
    assert dataset.metainfo['label_prior'][4] == 0


def test_missing_labels_may_be_unknown(build):
    dataset = build(missing='unknown')
    assert targets(dataset)[1] == [1, -1, -1, -1]
    assert dataset.metainfo['label_prior'] == [0.5, 1, 1, 1]
    assert math.isnan(build(missing='unknown', label_split=SPLIT).metainfo['label_prior'][4])


def test_classes_in_metainfo_and_unlisted_labels(build):
    dataset = build(metainfo=dict(classes=['running', 'a dog']), unlisted='drop')
    assert targets(dataset) == [[1, 1], [-1, 0], [0, 1], [-1, -1]]
    with pytest.raises(VocabularyError, match=r'ann.jsonl:2: label .a cat. is not among the 3'):
        build(classes=['running', 'a dog', 'a car'])


def test_unlabeled_samples_and_subsets(build):
    dataset = build(label_split=SPLIT, label_set='seen', drop_unlabeled=True)
    assert len(dataset) == 3
    dataset = build(indices=2)
    assert len(dataset) == 2
    assert dataset.metainfo['label_prior'] == [0.5, 0.5, 0, 1]
    with pytest.raises(DataError, match='drop_unlabeled=True leaves no sample'):
        build(label_split=SPLIT, label_set=dict(split='unseen'), drop_unlabeled=True, rows=ROWS[:2])


def test_decodes_real_videos_with_odd_names(build, videos, pipeline):
    dataset = build(data_prefix=dict(video=str(videos)), pipeline=pipeline, test_mode=True)
    for i, row in enumerate(ROWS):
        sample = dataset[i]
        assert sample['inputs'].shape == (1, 3, 4, 32, 32)
        assert sample['inputs'].dtype == torch.uint8
        meta = sample['data_samples']
        assert meta.gt_label.tolist() == targets(dataset)[i]
        assert (meta.sample_idx, meta.broken, meta.video_id) == (i, False, row['video'])
        # Frame j of the fixture is grey of 10 j: the frames are the middles of the four parts.
        first, length = (5, 5) if 'segment' in row else (0, 20)
        expected = [first + int((j + 0.5) / 4 * length) for j in range(4)]
        levels = sample['inputs'].double().mean((0, 1, 3, 4)) / 10
        np.testing.assert_allclose(levels, expected, atol=0.45)


def test_views_are_clips_by_crops(build, videos, pipeline):
    pipeline[1]['num_clips'] = 2
    pipeline[4] = dict(type='mmaction.ThreeCrop', crop_size=32)
    dataset = build(data_prefix=dict(video=str(videos)), pipeline=pipeline, test_mode=True)
    sample = dataset[0]
    assert sample['inputs'].shape == (6, 3, 4, 32, 32)
    assert sample['data_samples'].num_clips == 2
    assert torch.equal(sample['inputs'], dataset[0]['inputs'])


def test_csv_with_a_data_root(tmp_path, videos, pipeline):
    (tmp_path / 'ann.csv').write_bytes(b'video,labels\r\n"d, e.mp4",a dog;running\r\n')
    (tmp_path / 'classes.txt').write_text('running\na dog\na cat')
    (tmp_path / 'videos').symlink_to(videos)
    dataset = DATASETS.build(
        dict(
            type='ovmlv.MultilabelVideoDataset',
            ann_file='ann.csv',
            data_root=str(tmp_path),
            data_prefix=dict(video='videos'),
            classes='classes.txt',
            pipeline=pipeline,
        )
    )
    assert dataset[0]['data_samples'].gt_label.tolist() == [1, 1, 0]


def test_text_list_of_indices(tmp_path):
    (tmp_path / 'ann.txt').write_text('a b.mp4 1 2\n')
    config = dict(type='MultilabelVideoDataset', ann_file='ann.txt', data_root=str(tmp_path))
    dataset = DATASETS.build(dict(config, classes=['x', 'y', 'z']))
    assert targets(dataset) == [[0, 1, 1]]
    with pytest.raises(DataError, match='give classes'):
        DATASETS.build(config)


def test_missing_files_are_named_before_anything_else(build, tmp_path, pipeline):
    with pytest.raises(DataError, match='annotation file .*none.jsonl not found'):
        DATASETS.build(dict(type='MultilabelVideoDataset', ann_file=str(tmp_path / 'none.jsonl')))
    with pytest.raises(DataError, match='video folder .*nowhere not found'):
        build(data_prefix=dict(video=str(tmp_path / 'nowhere')), pipeline=pipeline)
    with pytest.raises(DataError, match='no sample in this annotation file'):
        build(rows=[])
    with pytest.raises(DataError, match='no label in it; give classes'):
        build(rows=[dict(video='a.mp4', labels=[])])


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(unlisted='ignore'),
        dict(missing='negativ'),
        dict(on_error='skip'),
        dict(on_error='replace', test_mode=True),
        dict(label_set='seen'),
    ],
)
def test_bad_settings_are_named(build, kwargs):
    with pytest.raises(ConfigError, match=next(iter(kwargs))):
        build(**kwargs)
