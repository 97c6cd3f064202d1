"""Two processes with half of the weights each equal one process."""

from __future__ import annotations

import pytest

from tests.test_integration.tiny import LABELS, model_config, write_clip
from tests.test_integration.training_steps import check

MANY = [f'label number {i}' for i in range(11)]
LLAMA = dict(
    config=dict(
        model_type='llama',
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=300,
    )
)
CHUNKS = dict(chunk_size=2, grad_checkpointing=True)


def case(clip, seed=0, labels=LABELS, **kwargs):
    kwargs.setdefault('loss', dict(text_distill=0.5, video_distill=0.5))
    model = model_config(clip, **kwargs)
    return dict(model=model, labels=list(labels), seed=seed, way='fsdp', steps=3)


def test_two_processes_equal_one(tmp_path):
    check(tmp_path, [case(write_clip(tmp_path))])


def reads(kind, **kwargs):
    return dict(head=dict(llm=LLAMA, readout=dict(type=kind, **kwargs)))


CASES = {
    'llama': reads('PrefixReadout', num_tokens=2),
    # The states of the last layer alone: other layers hear of it by keys and values.
    'behind-the-prefix': reads('SequenceReadout', num_tokens=2),
    'chunks': reads('PrefixReadout', num_tokens=2, **CHUNKS),
    'suffix': reads('SuffixReadout', num_tokens=2, chunk_size=3),
    'static': reads('StaticReadout', context='a {}'),
    'projected': reads('GenerateReadout', num_steps=2, num_tokens=2, feedback='projection'),
    'generated': reads('GenerateReadout', num_steps=2, num_tokens=2),
    'gate': dict(head=dict(gate_width=8, adapter_width=8)),
    'text-chunks': dict(head=dict(chunk_size=2, grad_checkpointing=True)),
    'last-block': dict(
        backbone=dict(trainable=1, temporal=dict(type='CrossFrameMessage', blocks='last-1'))
    ),
    'all-blocks': dict(
        backbone=dict(trainable='all', temporal=dict(type='FrameTransformer', num_layers=1))
    ),
    'label-bias': dict(scorer=dict(init_bias=-3.0, label_bias=True)),
    'views': dict(views_per_pass=1, labels_per_pass=2),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('shard_labels', [False, True])
def test_two_processes_equal_one_in_all_ways(tmp_path, name, shard_labels):
    clip = write_clip(tmp_path)
    cases = [case(clip, seed, shard_labels=shard_labels, **CASES[name]) for seed in (1, 2)]
    if shard_labels:
        cases.append(case(clip, 3, MANY, shard_labels=True, labels_per_step=5, **CASES[name]))
        cases.append(case(clip, 4, LABELS[:1], shard_labels=True, **CASES[name]))
    check(tmp_path, cases)
