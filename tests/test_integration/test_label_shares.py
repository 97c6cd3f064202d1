"""Labels of a step shared out among processes: the gradients of one process."""

from __future__ import annotations

from tests.test_integration.processes import in_processes
from tests.test_integration.tiny import LABELS, model_config, write_clip
from tests.test_integration.training_steps import assert_equals_one_process, train_all

STATIC = dict(readout=dict(type='StaticReadout', context='a {}'))
SUFFIX = dict(readout=dict(type='SuffixReadout', num_tokens=2, context='a {}'))
MANY = [f'label number {i}' for i in range(11)]


def case(clip, seed=0, labels=LABELS, shard_labels=True, way='ddp', **kwargs):
    model = model_config(
        clip, loss=dict(text_distill=0.5, video_distill=0.5), shard_labels=shard_labels, **kwargs
    )
    return dict(model=model, labels=list(labels), seed=seed, way=way, steps=3)


def check(folder, cases, world=2):
    one = train_all(cases)
    several = in_processes(folder, train_all, cases, world=world)
    for i, expected in enumerate(one):
        assert_equals_one_process([found[i] for found in several], expected, (i, cases[i]))


def test_gradients_of_one_process(tmp_path):
    """Five labels on two processes, all of them and a random part of eleven."""
    clip = write_clip(tmp_path)
    check(tmp_path, [case(clip), case(clip, 1, MANY, labels_per_step=7)])
