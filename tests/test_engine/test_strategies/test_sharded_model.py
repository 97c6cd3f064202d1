"""Two processes with half of the weights each equal one process."""

from __future__ import annotations

import pytest
import torch
from mmengine.dist import get_world_size
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from torch.distributed.tensor import DTensor

from ovmlv.engine.hooks import WeightPatchHook
from ovmlv.engine.hooks.bare_model import within_model
from ovmlv.engine.strategies.sharded_memory import HeldBytes, held_bytes
from ovmlv.engine.strategies.sharded_model import layers_of, shard_model
from ovmlv.engine.strategies.sharded_states import gather
from ovmlv.models.utils.weight_patching import weights_from_clip
from tests.test_integration.processes import in_processes
from tests.test_integration.tiny import LABELS, build_model, model_config, total, write_clip
from tests.test_integration.training_steps import batch_of, check, share, wrap

pytestmark = pytest.mark.slow  # test_label_shares.py has a fast case

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


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('shard_labels', [False, True])
def test_two_processes_equal_one_in_all_ways(tmp_path, name, shard_labels):
    clip = write_clip(tmp_path)
    cases = [case(clip, seed, shard_labels=shard_labels, **CASES[name]) for seed in (1, 2)]
    if shard_labels:
        cases.append(case(clip, 3, MANY, shard_labels=True, labels_per_step=5, **CASES[name]))
        cases.append(case(clip, 4, LABELS[:1], shard_labels=True, **CASES[name]))
    check(tmp_path, cases)


def hold(config):
    """Bytes of the LLM and of the model, and how many layers are gathered at once in a step."""
    model = build_model(config, 0)
    model.set_vocabulary(LABELS)
    whole = sum(p.numel() * p.element_size() for p in model.head.llm.parameters())
    layers = layers_of(model)
    shard_model(model, torch.distributed.init_device_mesh('cpu', (get_world_size(),)))
    here = sum(p.to_local().numel() * p.element_size() for p in model.head.llm.parameters())
    seen = []

    def look(*_):
        seen.append(sum(not isinstance(next(m.parameters()), DTensor) for m in layers))

    for layer in layers:
        layer.register_forward_hook(look)
        layer.register_full_backward_pre_hook(look)
    held = held_bytes(model)
    data = model.data_preprocessor(share(batch_of(LABELS, 4, 0)))
    total(model(**data, mode='loss')).backward()
    look()
    tables = model.head.llm.embedding.weight.numel() * 4
    return dict(
        whole=whole, here=here, seen=seen, held=tuple(held), tables=tables, layers=len(layers)
    )


def test_each_process_holds_half_of_the_frozen_llm(tmp_path):
    """By parameters held; gathered are the table of tokens for a step, and a layer at a time."""
    llm = dict(config=dict(LLAMA['config'], num_hidden_layers=8))
    readout = dict(type='PrefixReadout', num_tokens=2, layer=8, **CHUNKS)
    config = model_config(write_clip(tmp_path), head=dict(llm=llm, readout=readout))
    for rank, found in enumerate(in_processes(tmp_path, hold, config)):
        # Rows are dealt out whole, so that a tensor of an odd number of rows has one more here.
        assert found['here'] == pytest.approx(found['whole'] / 2, rel=0.01), rank
        held = HeldBytes(*found['held'])
        assert held.share == pytest.approx(held.whole / 2, rel=0.01)
        assert held.root >= found['tables']
        assert max(found['seen']) <= 2 and found['seen'][-1] == 0, found['seen']
        assert found['layers'] >= 8 and 0 < held.layer < held.whole / 10


def average(case):
    """The averaged weights behind some steps, and scores of videos with them in place."""
    model = build_model(case['model'], case['seed'])
    model.set_vocabulary(case['labels'])
    wrap(model, 'fsdp')
    averaged = ExponentialMovingAverage(model, momentum=0.3)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for step in range(3):
        data = model.data_preprocessor(share(batch_of(case['labels'], 4, step)))
        optimizer.zero_grad()
        total(model.train()(**data, mode='loss')).backward()
        clipped = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        averaged.update_parameters(model)
    hook = EMAHook()
    hook.src_model, hook.ema_model = model, averaged
    hook._swap_ema_parameters()
    scores = [s.pred_score for s in model.eval()(**data, mode='predict')]
    hook._swap_ema_parameters()
    state = gather(averaged.state_dict())
    return dict(state=state, norm=float(clipped), scores=torch.stack(scores))


def test_averages_and_clipped_gradients(tmp_path):
    """EMAHook's average keeps no second frozen LLM, and ends where that of one process does."""
    of_average = case(write_clip(tmp_path), scorer=dict(init_bias=-3.0))
    one = average(of_average)
    several = in_processes(tmp_path, average, of_average)
    for found in several:
        assert found['norm'] == pytest.approx(one['norm'], rel=1e-5)
        assert found['state'].keys() == one['state'].keys()
        for name, value in one['state'].items():
            torch.testing.assert_close(found['state'][name], value, atol=1e-5, rtol=1e-4, msg=name)
    scores = torch.cat([found['scores'] for found in several])
    torch.testing.assert_close(scores, one['scores'], atol=1e-5, rtol=1e-4)


def use(config, options):
    """A loss and what the hooks do with a model whose layers are computed in another format."""
    model = build_model(config, 0)
    model.set_vocabulary(LABELS)
    mesh = torch.distributed.init_device_mesh('cpu', (get_world_size(),))
    shard_model(model, mesh, **options)
    data = model.data_preprocessor(share(batch_of(LABELS, 4, 0)))
    loss = total(model(**data, mode='loss'))
    loss.backward()
    hook = WeightPatchHook(0.5)
    hook._start = weights_from_clip(model)
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            parameter.mul_(2 if parameter.requires_grad else 1)
        hook._put_on(model)
        patched = gather({name: dict(model.named_parameters())[name] for name in hook._start})
        hook._take_off(model)
        references = within_model(model, lambda: model.head.reference(LABELS))
    assert all(isinstance(p, DTensor) for p in model.parameters())  # nothing stays gathered
    return dict(loss=float(loss), references=references, patched=patched, start=gather(hook._start))


@pytest.mark.parametrize(
    ('options', 'closeness'),
    [({}, 1e-5), (dict(param_dtype=torch.bfloat16, cpu_offload=True), 3e-2)],
    ids=['own-format', 'bfloat16-offloaded'],
)
def test_formats_and_hooks(tmp_path, options, closeness):
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(trainable=1, temporal=dict(type='CrossFrameMessage', blocks='last-1')),
        scorer=dict(init_bias=-3.0),
    )
    model = build_model(config, 0)
    model.set_vocabulary(LABELS)
    data = model.data_preprocessor(batch_of(LABELS, 4, 0))
    loss, references = float(total(model(**data, mode='loss'))), model.head.reference(LABELS)
    several = in_processes(tmp_path, use, config, options)
    assert sum(found['loss'] for found in several) / 2 == pytest.approx(loss, rel=closeness)
    for found in several:
        torch.testing.assert_close(found['references'], references, atol=closeness, rtol=0)
        for name, start in found['start'].items():  # half of the way from 1 to 2
            torch.testing.assert_close(found['patched'][name], 1.5 * start, msg=name)
