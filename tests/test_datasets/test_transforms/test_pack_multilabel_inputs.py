"""What a packed sample holds."""

import numpy as np
import pytest
import torch

from ovmlv.datasets import PackMultilabelInputs
from ovmlv.errors import DataError


def test_packs_frames_targets_and_meta():
    imgs = np.random.default_rng(0).integers(0, 255, (2, 4, 5, 6, 3), dtype=np.uint8)
    results = dict(
        imgs=imgs.transpose(0, 4, 1, 2, 3),
        label=np.array([1, 0, -1]),
        filename='a.mp4',
        video_id='a',
        sample_idx=3,
        num_clips=2,
        script='left out',
    )
    packed = PackMultilabelInputs().transform(results)
    assert packed['inputs'].dtype == torch.uint8
    assert packed['inputs'].is_contiguous()
    assert torch.equal(packed['inputs'], torch.tensor(imgs).permute(0, 4, 1, 2, 3))
    sample = packed['data_samples']
    assert sample.gt_label.dtype == torch.int64
    assert sample.gt_label.tolist() == [1, 0, -1]
    assert sample.metainfo == dict(
        filename='a.mp4', video_id='a', sample_idx=3, num_clips=2, broken=False
    )


def test_a_video_without_labels_has_no_target():
    results = dict(imgs=np.zeros((1, 3, 2, 4, 4), np.uint8), broken=True)
    sample = PackMultilabelInputs(meta_keys=()).transform(results)['data_samples']
    assert 'gt_label' not in sample
    assert sample.metainfo == dict(broken=True)


def test_frames_of_another_shape_are_named():
    with pytest.raises(DataError, match='a.mp4 have shape .*FormatShape'):
        PackMultilabelInputs().transform(dict(imgs=[np.zeros((4, 4, 3))], filename='a.mp4'))
    assert 'video_id' in repr(PackMultilabelInputs())
