"""Unreadable videos: replaced in training, reported in testing, counted across workers."""

import gc
import json
import logging

import decord
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from ovmlv.errors import DataError
from ovmlv.evaluation import MultilabelMetric
from ovmlv.registry import DATASETS

BAD = ('missing.mp4', 'empty.mp4', 'cut.mp4')
GOOD = ('a.mp4', 'd, e.mp4', 'short.mp4')


@pytest.fixture
def build(tmp_path, videos, pipeline):
    def _build(names=(*GOOD, *BAD), segment=None, steps=None, **kwargs):
        rows = [dict(video=name, labels=['x'], segment=segment) for name in names]
        (tmp_path / 'ann.jsonl').write_text('\n'.join(map(json.dumps, rows)))
        return DATASETS.build(
            dict(
                type='MultilabelVideoDataset',
                ann_file=str(tmp_path / 'ann.jsonl'),
                data_prefix=dict(video=str(videos)),
                pipeline=steps or pipeline,
                **kwargs,
            )
        )

    return _build


@pytest.fixture
def log(log):
    """The shared one, from warnings on."""
    log.set_level(logging.WARNING)
    return log


def test_training_replaces_logs_once_and_counts(build, log):
    np.random.seed(0)
    dataset = build(max_refetch=50)
    for _ in range(3):
        for i in range(len(dataset)):
            sample = dataset[i]['data_samples']
            assert sample.filename.endswith(GOOD)
            if i >= len(GOOD):
                assert any(BAD[i - len(GOOD)] in note for note in sample.replaced)
            else:
                assert sample.sample_idx == i
    assert dataset.num_broken == 3
    assert [name.rpartition('/')[2] for name in dataset.broken_videos()] == list(BAD)
    for bad in BAD:
        assert log.text.count(f'{bad} cannot be read (') == 1
    assert 'FileNotFoundError' in log.text and 'RuntimeError: Error reading 0 bytes' in log.text
    assert '3 of 6 so far' in log.text


def test_testing_reports_every_sample(build, log):
    dataset = build(test_mode=True)
    samples = [dataset[i] for i in range(6)]
    assert [s['data_samples'].sample_idx for s in samples] == list(range(6))
    assert [s['data_samples'].broken for s in samples] == [False] * 3 + [True] * 3
    assert all(s['inputs'].shape == (1, 3, 4, 32, 32) for s in samples)
    assert not any(s['inputs'].any() for s in samples[3:])
    assert samples[3]['data_samples'].broken_reason.startswith('FileNotFoundError')
    assert 'replaced' not in samples[3]['data_samples']


def test_metric_tells_of_them(build):
    dataset = build(test_mode=True)
    metric = MultilabelMetric()
    metric.dataset_meta = dataset.metainfo
    for i in range(6):
        sample = dataset[i]['data_samples']
        sample.set_pred_score(torch.tensor([0.9]))
        metric.process(None, [sample.to_dict()])
    found = metric.evaluate(6)
    assert (found['multilabel/num_samples'], found['multilabel/num_broken']) == (6, 3)


@pytest.mark.parametrize('test_mode', [False, True])
def test_workers_count_together(build, test_mode):
    np.random.seed(0)
    dataset = build(names=(*GOOD, *BAD) * 2, test_mode=test_mode, max_refetch=50)
    loader = DataLoader(dataset, batch_size=3, num_workers=2, collate_fn=pseudo_collate)
    seen = [s for batch in loader for s in batch['data_samples']]
    assert len(seen) == 12
    if test_mode:
        assert sum(s.broken for s in seen) == 6
        assert dataset.num_broken == 6
    else:
        # A random replacement may itself be a bad one and be noted before its turn.
        assert dataset.num_broken == 6
        assert not any(s.broken for s in seen)


@pytest.mark.parametrize('test_mode', [False, True])
def test_failures_leave_no_reader_behind(build, test_mode):
    """A reader of decord that is still alive when workers are forked aborts them."""
    np.random.seed(0)
    dataset = build(names=('stops.mp4', *GOOD), test_mode=test_mode, max_refetch=50)
    gc.collect()
    gc.disable()  # a cycle through the traceback would be such a reader
    try:
        sample = dataset[0]['data_samples']
        readers = [o for o in gc.get_objects() if type(o) is decord.VideoReader]
    finally:
        gc.enable()
    assert sample.broken == test_mode and dataset.num_broken == 1
    assert not readers
    loader = DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=pseudo_collate)
    assert len(list(loader)) == 4


def test_black_frames_have_the_size_of_the_other_videos(build, pipeline):
    steps = [pipeline[0], pipeline[1], pipeline[2], pipeline[5], pipeline[6]]  # no resizing
    dataset = build(names=('missing.mp4', 'empty.mp4', 'a.mp4'), steps=steps, test_mode=True)
    assert dataset[0]['inputs'].shape == dataset[2]['inputs'].shape == (1, 3, 4, 48, 64)


def test_multi_view_black_frames(build, pipeline):
    pipeline[1]['num_clips'] = 2
    dataset = build(test_mode=True)
    assert dataset[5]['inputs'].shape == dataset[0]['inputs'].shape == (2, 3, 4, 32, 32)


def test_mmaction_samplers_work_too(build, pipeline):
    pipeline[1] = dict(type='mmaction.SampleFrames', clip_len=4, num_clips=2, test_mode=True)
    dataset = build(test_mode=True)
    assert dataset[0]['inputs'].shape == dataset[5]['inputs'].shape == (2, 3, 4, 32, 32)


def test_segment_after_the_end_is_a_failure_of_that_video(build):
    dataset = build(names=GOOD, segment=[1.0, 1.5], test_mode=True)
    assert [dataset[i]['data_samples'].broken for i in range(3)] == [False, False, True]
    assert 'outside the video' in dataset[2]['data_samples'].broken_reason


def test_raise_names_file_and_reason(build):
    with pytest.raises(DataError, match=r'missing.mp4 cannot be read \(FileNotFoundError') as error:
        build(names=BAD, on_error='raise')[0]
    assert '\n' not in str(error.value)


def test_nothing_readable_ends_after_a_bounded_number_of_tries(build):
    with pytest.raises(DataError, match=r'4 samples in a row cannot be used \(first: .*missing'):
        build(names=BAD, max_refetch=3)[0]


def test_mistakes_of_the_pipeline_are_not_taken_for_damaged_videos(build, pipeline):
    pipeline[1] = dict(type='SampleSegmentFrames', clip_len=9, out_of_bound='error')
    with pytest.raises(DataError, match='short.mp4: 3 frames, but clip_len=9'):
        build()[2]

    def broken(results):
        raise RuntimeError('a mistake in a transform')

    with pytest.raises(RuntimeError, match='a mistake in a transform'):
        build(
            steps=[*pipeline[:1], dict(type='SampleSegmentFrames', clip_len=2), pipeline[2], broken]
        )[0]


def test_pipeline_that_returns_none(build, pipeline):
    with pytest.raises(DataError, match='a.mp4: the test pipeline returned None'):
        build(steps=[*pipeline, lambda results: None], test_mode=True)[0]
    with pytest.raises(DataError, match='the pipeline returned None'):
        build(names=GOOD, steps=[*pipeline, lambda results: None], max_refetch=2)[0]


def test_real_odd_videos(shared, tmp_path, pipeline):
    """Sound files decode; damaged ones are reported with a reason, never silently wrong."""
    folder = shared / 'videos'
    names = sorted(p.name for p in folder.iterdir())
    rows = [dict(video=name, labels=['x']) for name in names]
    (tmp_path / 'ann.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    dataset = DATASETS.build(
        dict(
            type='MultilabelVideoDataset',
            ann_file=str(tmp_path / 'ann.jsonl'),
            data_prefix=dict(video=str(folder)),
            pipeline=pipeline,
            test_mode=True,
        )
    )
    broken = {}
    for i, name in enumerate(names):
        sample = dataset[i]
        assert sample['inputs'].shape == (1, 3, 4, 32, 32)
        if sample['data_samples'].broken:
            broken[name] = sample['data_samples'].broken_reason
    for name in ('decord_corrupted', 'mediabunny_ac3_audio_only', 'mediabunny_annex-b_truncated'):
        assert any(key.startswith(name) for key in broken)
    for name in ('mmaction2_demo.mp4', 'torchcodec_h265.mp4', 'decord_video_90.mov'):
        assert name not in broken
    assert dataset.num_broken == len(broken)
