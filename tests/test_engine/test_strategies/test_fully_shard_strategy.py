"""What the strategy refuses, in one line each."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ovmlv.engine.strategies import FullyShardStrategy
from ovmlv.engine.strategies.sharded_model import refuse_unfit
from ovmlv.engine.strategies.sharded_states import gather, shard_like, shard_optimizer_state
from ovmlv.errors import ConfigError
from ovmlv.models.recognizers import OpenVocabRecognizer

CLIP = dict(model_name='motionshapes', pretrained='motionshapes')
BACKBONE = dict(type='TemporalCLIPBackbone', **CLIP, num_frames=4)
LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=2, n_positions=64))
STATIC = dict(
    type='LLMPromptHead', **CLIP, llm=LLM, readout=dict(type='StaticReadout'), noise=dict()
)
WORDS = dict(known_words=['a', 'b', 'c'], num_neighbors=2)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (dict(labels_per_step=4), 'model.shard_labels=True'),
        (dict(backbone=dict(BACKBONE, prefix_cache=1.0)), 'prefix_cache=0'),
        (dict(backbone=dict(BACKBONE, trainable=1), loss=dict(weight_l2=0.1)), 'weight_l2=0'),
        (
            dict(backbone=dict(BACKBONE, trainable=1), interpolation=dict()),
            'model.interpolation=None',
        ),
        (dict(head=dict(STATIC, memory=WORDS)), 'head.noise=None'),
    ],
)
def test_what_would_hang_or_go_wrong_is_refused(change, said):
    config: dict = dict(backbone=BACKBONE, head=dict(type='CoOpPromptHead', **CLIP))
    config.update(change)
    with pytest.raises(ConfigError, match='FullyShardStrategy') as caught:
        refuse_unfit(OpenVocabRecognizer(**config))
    assert said in str(caught.value) and '\n' not in str(caught.value)


def test_other_models_and_formats_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='trains an OpenVocabRecognizer, and this is a Linear'):
        refuse_unfit(nn.Linear(2, 2))
    with pytest.raises(ConfigError, match="strategy.param_dtype='int8' is unknown"):
        FullyShardStrategy(param_dtype='int8', work_dir=str(tmp_path))


def test_states_of_one_process_stay_as_they_are():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    again = shard_optimizer_state(gather(state), optimizer)
    assert again['param_groups'] == state['param_groups']
    for i, values in state['state'].items():
        assert all(torch.equal(again['state'][i][k], v) for k, v in values.items())
    assert shard_like(torch.zeros(2, 2), model.weight).shape == (2, 2)
