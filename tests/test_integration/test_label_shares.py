"""Labels of a step shared out among processes: the gradients of one process."""

from __future__ import annotations

import pytest
from mmengine.dist import get_rank

from ovmlv.errors import VocabularyError
from ovmlv.models.recognizers.label_shares import LabelShares
from tests.test_integration.processes import in_processes
from tests.test_integration.tiny import LABELS, model_config, write_clip
from tests.test_integration.training_steps import check

SUFFIX = dict(readout=dict(type='SuffixReadout', num_tokens=2, context='a {}'))
MANY = [f'label number {i}' for i in range(11)]


def case(clip, seed=0, labels=LABELS, steps=3, way='ddp', **kwargs):
    kwargs.setdefault('loss', dict(text_distill=0.5, video_distill=0.5))
    model = model_config(clip, shard_labels=True, **kwargs)
    return dict(model=model, labels=list(labels), seed=seed, way=way, steps=steps)


def test_two_processes_equal_one(tmp_path):
    """Seven of eleven labels on two processes, with all weights on both, and with half on each."""
    clip = write_clip(tmp_path)
    ways = [case(clip, 1, MANY, steps=2, way=way, labels_per_step=7) for way in ('ddp', 'fsdp')]
    check(tmp_path, ways)


@pytest.mark.slow
@pytest.mark.parametrize('world', [2, 4])
def test_numbers_of_labels_and_heads(tmp_path, world):
    """As many labels as processes, more and fewer; heads of other kinds, and label biases."""
    clip = write_clip(tmp_path)
    plain = dict(video_distill=0.5)
    cases = [
        *(case(clip, count, MANY[:count]) for count in (1, 2, 3, 4)),
        case(clip, 5, scorer=dict(label_bias=True)),
        case(clip, 6, MANY, labels_per_step=4, head=SUFFIX),
        case(clip, 7, MANY, head=dict(type='CoOpPromptHead', num_context=2), loss=plain),
        case(clip, 8, loss=dict(base=dict(type='AsymmetricLoss'), text_distill=0.5)),
    ]
    check(tmp_path, cases, world)


def disagree():
    """What a process says whose labels are in another order."""
    labels = LABELS if get_rank() else LABELS[::-1]
    with pytest.raises(VocabularyError, match='different labels, or another order'):
        LabelShares(True).of(labels)


def test_processes_with_other_labels_are_told(tmp_path):
    in_processes(tmp_path, disagree)
