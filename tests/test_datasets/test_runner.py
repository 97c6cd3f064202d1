"""Data set, workers, sampler and metric under mmengine's Runner."""

import json
import logging

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

LABELS = ['x', 'y', 'z']


class Oracle(BaseModel):
    """Predicts the labels; black frames get the opposite."""

    def forward(self, inputs, data_samples, mode='tensor'):
        assert mode == 'predict'
        for video, sample in zip(inputs, data_samples, strict=True):
            right = (sample.gt_label == 1).float()
            sample.set_pred_score(right if video.any() else 1 - right)
        return data_samples


@pytest.mark.parametrize('num_workers', [0, 2])
def test_validation_of_a_folder_with_broken_videos(tmp_path, videos, pipeline, num_workers):
    names = ['a.mp4', 'missing.mp4', 'd, e.mp4', 'short.mp4', 'empty.mp4', 'a.mp4', 'short.mp4']
    rows = [dict(video=n, labels=[LABELS[i % 3]]) for i, n in enumerate(names)]
    (tmp_path / 'ann.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    runner = Runner(
        model=Oracle(),
        work_dir=str(tmp_path / 'work'),
        val_dataloader=dict(
            batch_size=3,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='MultilabelVideoDataset',
                ann_file=str(tmp_path / 'ann.jsonl'),
                data_prefix=dict(video=str(videos)),
                classes=LABELS,
                label_split=dict(seen=['x', 'y'], unseen=['z']),
                pipeline=pipeline,
                test_mode=True,
            ),
        ),
        val_cfg=dict(),
        val_evaluator=dict(type='MultilabelMetric', per_class_file='classes.csv', min_positives=2),
        default_scope='ovmlv',
        experiment_name=f'data_{num_workers}_{tmp_path.name}',
    )
    try:
        for _ in range(2):  # as at the end of two epochs
            found = runner.val()
        text = next((tmp_path / 'work').glob('*/*.log')).read_text()
    finally:
        # Left to the garbage collector, persistent workers are waited for (5 s each).
        runner.val_dataloader._iterator = None
        for handler in runner.logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
    assert (found['multilabel/num_samples'], found['multilabel/num_broken']) == (7, 2)
    # x: videos 0, 3, 6 are read; y: 1 and 4 are not, and a video without prediction ranks last.
    assert found['multilabel/mAP_unseen'] == 1
    assert found['multilabel/mAP_seen'] == pytest.approx((1 + 2 / 7) / 2)
    assert text.count('missing.mp4 cannot be read') == 1
    assert '2 of 7 videos could not be read' in text
    assert 'harmonic' in text and 'left out of the means' not in text
    assert len(list((tmp_path / 'work').glob('*/classes.csv'))) == 1
    assert torch.is_tensor(runner.val_dataloader.dataset[0]['inputs'])
