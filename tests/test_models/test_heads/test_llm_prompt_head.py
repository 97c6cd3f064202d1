"""The paper's label encoder, end to end on tiny random models."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope

from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.models.heads import LLMDescriptionHead, LLMNeighborHead, LLMPromptHead
from ovmlv.models.heads.neighbor_memory import last_states
from ovmlv.registry import MODELS
from tests.test_models.test_heads.tiny_clip import write_tiny_clip

LABELS = ['cat', 'riding a red bicycle', 'crimson disc']
LLM = dict(
    config=dict(
        model_type='llama',
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
    )
)
READOUTS: list[dict[str, Any]] = [
    dict(type='PrefixReadout', num_tokens=3),
    dict(type='SuffixReadout', num_tokens=3),
    dict(type='SequenceReadout', num_tokens=3),
    dict(type='SequenceReadout', num_tokens=3, output='tokens'),
    dict(type='GenerateReadout', num_tokens=3, num_steps=2),
    dict(type='GenerateReadout', num_tokens=3, num_steps=2, feedback='projection'),
    dict(type='StaticReadout'),
]
PROMPTER = dict(width=32, num_layers=1)


def make(folder: Path, **kwargs: Any) -> LLMPromptHead:
    torch.manual_seed(0)
    config = dict(
        type='LLMPromptHead',
        model_name=write_tiny_clip(folder),
        llm=LLM,
        readout=READOUTS[0],
        prompter=PROMPTER,
    )
    return MODELS.build({**config, **kwargs})


def wake(head: LLMPromptHead) -> LLMPromptHead:
    """Leave the initialisation, where the residual and most gradients are zero."""
    with torch.no_grad():
        head.prompter.project_out.weight.normal_()
    return head


def census(head: LLMPromptHead) -> tuple[set[str], set[str]]:
    """Names of trainable parameters, and of those with a gradient that is finite and not zero."""
    trainable = {name for name, p in head.named_parameters() if p.requires_grad}
    reached = {
        name
        for name, p in head.named_parameters()
        if p.grad is not None and p.grad.isfinite().all() and p.grad.abs().max() > 0
    }
    return trainable, reached


@pytest.mark.parametrize('readout', READOUTS, ids=lambda r: '-'.join(map(str, r.values())))
@pytest.mark.parametrize('custom_text', [False, True])
def test_starts_at_the_templated_label(
    tmp_path: Path, custom_text: bool, readout: dict[str, Any]
) -> None:
    head = make(
        tmp_path, model_name=write_tiny_clip(tmp_path, custom_text), readout=readout, num_groups=2
    )
    texts = head.text_tower.rows.tokenizer(
        [f'a video of {label}' for label in LABELS], context_length=24
    )
    expected = F.normalize(head.text_tower(texts), dim=-1)
    torch.testing.assert_close(head(LABELS), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(head.reference(LABELS), expected, atol=1e-5, rtol=0)
    assert head(LABELS).shape == (3, head.embed_dim)
    assert (expected[0] - expected[1]).abs().max() > 1e-4


@pytest.mark.parametrize('readout', READOUTS, ids=lambda r: '-'.join(map(str, r.values())))
def test_census_of_gradients(tmp_path: Path, readout: dict[str, Any]) -> None:
    head = make(tmp_path, readout=readout, num_groups=2)
    target = torch.randn(3, head.embed_dim)
    optimizer = torch.optim.SGD([p for p in head.parameters() if p.requires_grad], lr=0.1)
    (head(LABELS) * target).sum().backward()
    trainable, reached = census(head)
    assert reached == {'prompter.project_out.weight', 'prompter.project_out.bias'}
    assert all(p.grad is not None for n, p in head.named_parameters() if n in trainable)
    optimizer.step()
    optimizer.zero_grad()
    (head(LABELS) * target).sum().backward()
    trainable, reached = census(head)
    assert reached == trainable
    assert not any(name.startswith(('llm.', 'text_tower.')) for name in trainable)
    assert ('readout.tokens' in trainable) == (readout['type'] != 'StaticReadout')


def test_checkpoint_holds_what_trains_and_nothing_else(tmp_path: Path) -> None:
    head = wake(make(tmp_path, readout=READOUTS[1]))
    trainable = {name for name, p in head.named_parameters() if p.requires_grad}
    state = head.state_dict()
    weights = {
        name
        for name in state
        if not name.startswith(('llm', 'text_tower')) and 'fingerprint' not in name
    }
    assert weights == trainable
    assert sum(v.numel() for v in state.values() if isinstance(v, torch.Tensor)) < 1.1 * sum(
        p.numel() for p in head.parameters() if p.requires_grad
    )
    other = make(tmp_path, readout=READOUTS[1])
    assert (other(LABELS) - head(LABELS)).abs().max() > 1e-3
    other.load_state_dict(state)
    torch.testing.assert_close(other(LABELS), head(LABELS))
    with pytest.raises(RuntimeError, match='queries'):
        other.load_state_dict({k: v for k, v in state.items() if 'queries' not in k})


def test_keep_label(tmp_path: Path) -> None:
    bare = make(tmp_path, keep_label=False)
    # Without its own tokens and without a residual, every label is the bare template.
    gone = F.normalize(
        bare.text_tower(bare.text_tower.rows.tokenizer(['a video of'], context_length=24)), dim=-1
    )
    torch.testing.assert_close(bare.eval()(LABELS), gone.expand(3, -1), atol=1e-5, rtol=0)
    bare = make(tmp_path, keep_label=False)
    whole = make(tmp_path)
    torch.testing.assert_close(bare.reference(LABELS), whole.reference(LABELS), atol=1e-5, rtol=0)


MANY = [f'{label} {i}' for label in LABELS for i in range(20)]


@pytest.mark.parametrize('way', ['dropout', 'corruption', 'swap'])
def test_noise_takes_words_or_soft_tokens_away(tmp_path: Path, way: str) -> None:
    only = dict(dropout=0.0, corruption=0.0, swap=0.0) | {way: 1.0}
    head = wake(make(tmp_path, noise=dict(num_labels=40, **only))).train()
    tokens, soft = head.tokens(MANY), head.soft_tokens(MANY)
    own = head.encode_tokens(tokens, soft)
    read: list[str] = []
    hook = head.readout.register_forward_hook(lambda module, args, out: read.extend(args[1]))
    clean, index, noisy = head.forward_with_noise(MANY)
    hook.remove()
    assert read == MANY  # one pass through the LLM, which reads the labels as they are
    torch.testing.assert_close(clean, own, atol=1e-5, rtol=0)
    assert len(set(index.tolist())) == len(index) == len(noisy) == 40
    assert ((noisy - own[index]).abs().amax(-1) > 1e-5).all()
    i = int(index[0])
    if way == 'dropout':
        kept = [j not in index.tolist() for j in range(len(MANY))]
        expected = head.encode_tokens(tokens, soft, kept)[index]
        torch.testing.assert_close(noisy, expected, atol=1e-5, rtol=0)
    elif way == 'swap':  # its own words behind the soft tokens of one other label
        others = head.encode_tokens([tokens[i]] * len(MANY), soft)
        same = ((others - noisy[0]).abs().amax(-1) < 1e-5).nonzero().flatten().tolist()
        assert len(same) == 1 and same[0] != i
    else:  # at the start soft tokens are the template's, so that the words alone differ
        head = make(tmp_path, noise=only)
        _, index, noisy = head.forward_with_noise(MANY)
        assert len({tuple(row) for row in noisy.detach().mul(1e4).round().tolist()}) > 30
        head.forward_with_noise(['a label of a great many words, some of them rather elaborate'])
    torch.testing.assert_close(head.eval()(MANY[:2]), head(MANY)[:2], atol=1e-5, rtol=0)


def test_gate_lets_soft_tokens_in_where_the_words_say_so(tmp_path: Path) -> None:
    noise = dict(dropout=0.0, corruption=1.0, swap=0.0, num_labels=30)
    head = wake(make(tmp_path, gate_width=16, noise=noise)).train()
    with torch.no_grad():
        head.gate[2].weight.normal_()
    own, soft = head.reference(MANY), head.soft_tokens(MANY)
    with torch.no_grad():
        head.gate[2].bias -= head.gate(own * own.shape[1] ** 0.5).mean()
    opened = head.gate(own * own.shape[1] ** 0.5).sigmoid()
    assert opened.min() < 0.5 < opened.max()
    torch.testing.assert_close(head.gate_values(MANY), opened[:, 0])
    start = head.start_tokens
    mixed = torch.stack(
        [start + g * (s - start) for g, s in zip(opened.flatten(), soft, strict=True)]
    )
    expected = head.encode_tokens(head.tokens(MANY), mixed)
    clean, _index, noisy = head.forward_with_noise(MANY)
    torch.testing.assert_close(clean, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(head(MANY), expected, atol=1e-5, rtol=0)
    (noisy * torch.randn_like(noisy)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in head.gate.parameters())
    with torch.no_grad():
        head.gate[2].weight.zero_()
        head.gate[2].bias.fill_(-40.0)  # closed: CLIP as it is, whatever the soft tokens say
    torch.testing.assert_close(head(MANY), head.reference(MANY), atol=1e-5, rtol=0)


def test_gate_reads_the_disturbed_words_and_no_others(tmp_path: Path) -> None:
    noise = dict(dropout=0.0, corruption=0.0, swap=1.0)
    head = wake(make(tmp_path, gate_width=16, noise=noise)).train()
    with torch.no_grad():
        head.gate[2].weight.normal_()
    seen: list[torch.Tensor] = []
    hook = head.gate.register_forward_hook(lambda module, args, out: seen.append(args[0]))
    _, index, _ = head.forward_with_noise(MANY)
    hook.remove()
    own, disturbed = seen  # swapped soft tokens stand before the label's own words
    torch.testing.assert_close(disturbed, own[index], atol=1e-4, rtol=0)
    with pytest.raises(ConfigError, match='there is no gate'):
        make(tmp_path).gate_values(MANY)
    with pytest.raises(ConfigError, match='gate_width=-1'):
        make(tmp_path, gate_width=-1)
    with pytest.raises(ConfigError, match='keep_label=True'):
        make(tmp_path, gate_width=8, keep_label=False)


def test_adapter_starts_at_nothing_and_trains(tmp_path: Path) -> None:
    plain, adapted = make(tmp_path), make(tmp_path, adapter_width=16)
    torch.testing.assert_close(adapted(LABELS), adapted.reference(LABELS), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        adapted.adapter[2].weight.normal_()
    adapted.prompter.load_state_dict(plain.prompter.state_dict())
    adapted.readout.load_state_dict(plain.readout.state_dict())
    before = plain(LABELS)
    residual = adapted.adapter(before * before.shape[1] ** 0.5)
    expected = F.normalize(before + residual, dim=-1)
    torch.testing.assert_close(adapted(LABELS), expected, atol=1e-5, rtol=1e-5)
    (wake(adapted)(LABELS) * torch.randn(3, adapted.embed_dim)).sum().backward()
    trainable, reached = census(adapted)
    assert trainable == reached
    assert {name for name in trainable if 'adapter' in name} == {
        f'adapter.{i}.{kind}' for i in (0, 2) for kind in ('weight', 'bias')
    }
    with pytest.raises(ConfigError, match='adapter_width=-1'):
        make(tmp_path, adapter_width=-1)


def test_fewer_soft_tokens_and_words_behind_the_label(tmp_path: Path) -> None:
    head = make(
        tmp_path,
        template='a short video of a {} in it',
        prompter=dict(num_soft_tokens=2, **PROMPTER),
    )
    assert head.start_tokens.shape == (2, 32)
    torch.testing.assert_close(head(LABELS), head.reference(LABELS), atol=1e-5, rtol=0)
    moved = wake(head)(LABELS)
    assert (moved - head.reference(LABELS)).abs().max() > 1e-3


def test_groups_are_averaged_after_normalisation(tmp_path: Path) -> None:
    head = wake(make(tmp_path, num_groups=3)).eval()
    soft = head.soft_tokens(LABELS)
    tokens = head.tokens(LABELS)
    each = [head.encode_tokens(tokens, soft[:, g : g + 1]) for g in range(3)]
    torch.testing.assert_close(head(LABELS), F.normalize(sum(each) / 3, dim=-1), atol=1e-5, rtol=0)
    assert (each[0] - each[1]).abs().max() > 1e-3, 'groups must differ'


def test_one_label_does_not_depend_on_the_others(tmp_path: Path) -> None:
    head = wake(make(tmp_path, chunk_size=2)).eval()
    together = head([*LABELS, LABELS[0]])
    torch.testing.assert_close(together[0], together[3])
    torch.testing.assert_close(
        together[:3], torch.cat([head([label]) for label in LABELS]), atol=1e-5, rtol=0
    )


def test_deepcopy_and_memory_savers_give_the_same(tmp_path: Path) -> None:
    plain = wake(make(tmp_path))
    saver = make(
        tmp_path,
        readout=dict(**READOUTS[0], chunk_size=2, grad_checkpointing=True),
        chunk_size=2,
        grad_checkpointing=True,
    )
    saver.load_state_dict(plain.state_dict())
    copied = copy.deepcopy(plain)
    target = torch.randn(3, plain.embed_dim)
    for head in (plain, saver, copied):
        (head(LABELS) * target).sum().backward()
    for name, parameter in plain.named_parameters():
        if parameter.requires_grad:
            for head in (saver, copied):
                got = head.get_parameter(name).grad
                torch.testing.assert_close(got, parameter.grad, atol=1e-4, rtol=1e-3)


def test_scale_of_the_clip_is_passed_on(tmp_path: Path) -> None:
    head = make(tmp_path)
    assert head.logit_scale == pytest.approx(1 / 0.07, rel=1e-4) and head.logit_bias is None
    assert head.embed_dim == 24


@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        (dict(template='a video'), "'{}' exactly once"),
        (dict(template='{}'), 'a template with more words'),
        (dict(prompter=dict(num_soft_tokens=4)), 'use 1..3'),
        (dict(noise=dict(swap=-1.0)), 'noise.swap=-1.0'),
        (dict(noise=dict(dropout=0, corruption=0, swap=0)), 'must be positive'),
        (dict(noise=dict(), keep_label=False), 'keep_label=True'),
        (dict(num_groups=0), 'num_groups=0'),
        (dict(llm=None), "llm=dict(name='smollm2')"),
        (dict(llm=dict(config=dict(model_type='bert2'))), "'bert2' is unknown"),
        (dict(llm=dict()), 'either name='),
        (dict(llm_dtype='float8'), 'float8'),
        (dict(prompter=dict(width=30)), 'prompter.num_heads'),
        (dict(chunk_size=0), 'chunk_size=0'),
    ],
)
def test_wrong_configs(tmp_path: Path, kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(tmp_path, **kwargs)
    assert words in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('labels', 'words'),
    [
        (['cat', ''], "entry 2 is ''"),
        (['  '], "entry 1 is '  '"),
        ([], 'list of labels is empty'),
        ('cat', 'not the single text'),
        (['cat', 3], 'entry 2 is 3'),
        (['red ' * 30], 'truncate=True'),
    ],
)
def test_wrong_labels(tmp_path: Path, labels: Any, words: str) -> None:
    head = make(tmp_path)
    for function in (head, head.reference):
        with pytest.raises(VocabularyError) as caught:
            function(labels)
        assert words in str(caught.value) and '\n' not in str(caught.value)


def test_truncate(tmp_path: Path) -> None:
    head = make(tmp_path, truncate=True)
    with pytest.warns(UserWarning, match='cut from 30 to 19 tokens'):
        got = head(['red ' * 30])
    tokens = head.text_tower.rows.tokenizer(['a video of ' + 'red ' * 30], context_length=24)
    torch.testing.assert_close(got, F.normalize(head.text_tower(tokens), dim=-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize('readout', READOUTS, ids=lambda r: '-'.join(map(str, r.values())))
def test_caches_are_the_same_whoever_fills_them(tmp_path: Path, readout: dict[str, Any]) -> None:
    want = wake(make(tmp_path, readout=readout))
    expected, reference = want(LABELS).detach(), want.reference(LABELS)

    mixed = make(tmp_path, readout=readout)
    mixed.load_state_dict(want.state_dict())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        coarse = mixed(LABELS)
        torch.testing.assert_close(mixed.reference(LABELS), reference, atol=1e-6, rtol=0)
        (coarse * torch.randn_like(coarse)).sum().backward()
    assert 0 < (coarse - expected).abs().max() < 0.05
    torch.testing.assert_close(mixed(LABELS), expected, atol=1e-6, rtol=0)

    served = make(tmp_path, readout=readout)
    served.load_state_dict(want.state_dict())
    with torch.inference_mode():
        served(LABELS), served.reference(LABELS)
    (served(LABELS) * served.reference(LABELS)).sum().backward()
    torch.testing.assert_close(served(LABELS), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize('scope', ['mmaction', 'mmpretrain', 'mmdet', 'mmengine'])
def test_nested_parts_are_ours_in_any_scope(tmp_path: Path, scope: str) -> None:
    """FAULTS F7: heads alone inside another project, whose registry is asked first."""
    with DefaultScope.overwrite_default_scope(scope):
        for readout in READOUTS:
            head = make(tmp_path, type='ovmlv.LLMPromptHead', readout=readout, noise=dict())
            assert head(LABELS).shape == (3, head.embed_dim)
        head = MODELS.build(
            dict(
                type='ovmlv.LLMDescriptionHead',
                model_name=write_tiny_clip(tmp_path),
                llm=LLM,
                max_new_tokens=2,
                cache_file=str(tmp_path / 'sentences.json'),
            )
        )
        assert isinstance(head, LLMDescriptionHead) and head(LABELS).shape == (3, 24)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('readout', READOUTS, ids=lambda r: '-'.join(map(str, r.values())))
def test_half_precision(tmp_path: Path, readout: dict[str, Any], dtype: torch.dtype) -> None:
    """FAULTS F9: the whole head in bfloat16 or float16, gradients included."""
    extras = dict(readout=readout, gate_width=8, adapter_width=8, num_groups=2, noise=dict())
    exact, low = wake(make(tmp_path, **extras)), make(tmp_path, **extras)
    for mlp in (exact.gate, exact.adapter):
        torch.nn.init.normal_(mlp[2].weight, std=0.1)
    low.load_state_dict(exact.state_dict())
    low = low.to(dtype) if dtype is torch.bfloat16 else low.half()
    assert {p.dtype for p in low.parameters()} == {dtype}
    want, got = exact(LABELS), low(LABELS)
    cosine = (want * F.normalize(got.float(), dim=-1)).sum(-1)
    assert cosine.min() > 0.99 and (want[0] @ want[1]) < 0.98
    torch.testing.assert_close(low.reference(LABELS), exact.reference(LABELS), atol=0.02, rtol=0)
    clean, _, noisy = low.forward_with_noise(LABELS)
    (low(LABELS).float().sum() + clean.float().sum() + noisy.float().sum()).backward()
    trainable, reached = census(low)
    assert trainable == reached
    torch.testing.assert_close(low.float()(LABELS), want, atol=0.05, rtol=0)


def test_many_labels_are_named_once_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """FAULTS F10: 10,000 labels in each step take time and memory."""
    monkeypatch.setattr('ovmlv.models.heads.llm_prompt_head.MANY_LABELS', 10)
    head = make(tmp_path, readout=READOUTS[-1])
    labels = [f'label {i}' for i in range(11)]
    with torch.no_grad():
        head(labels)  # testing and serving go label by label of their own accord
    head(labels[:10])
    assert not [w for w in recwarn if 'labels_per_step' in str(w.message)]
    head(labels)
    head(labels)
    said = [str(w.message) for w in recwarn if 'labels_per_step' in str(w.message)]
    assert len(said) == 1 and 'all 11 labels' in said[0]


MEMORY = dict(known_words=['cat', 'a red bicycle', 'car'], num_neighbors=2)
FIXED = dict(type='StaticReadout', context='A picture of a {}. It shows a', layer=2)


def with_memory(folder, **kwargs):
    head = wake(make(folder, readout=FIXED, memory=MEMORY, adapter_width=8, **kwargs))
    with torch.no_grad():
        head.adapter[-1].weight.normal_()
    return head.eval()


@torch.no_grad()
def test_new_words_are_those_of_the_memory_and_known_ones_as_without_it(tmp_path):
    head = with_memory(tmp_path)
    neighbors = LLMNeighborHead(write_tiny_clip(tmp_path), llm=LLM, readout=FIXED, **MEMORY).eval()
    neighbors.text_tower.load_state_dict(head.text_tower.state_dict())
    neighbors.llm.load_state_dict(head.llm.state_dict())
    found = head(['cat', 'puma', 'a red cat'])
    memory, head.familiarity = head.familiarity, None
    adapter, head.adapter = head.adapter, None
    moved = head(['puma']) - head.reference(['puma'])  # by the soft tokens alone
    head.adapter = adapter
    assert moved.norm() > 1e-3
    memory_alone = F.normalize(neighbors(['puma']), dim=-1)
    expected = head._adapted(F.normalize(memory_alone + moved, dim=-1))
    torch.testing.assert_close(found[1:2], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[[0, 2]], head(['cat', 'a red cat']), atol=1e-6, rtol=0)
    assert not torch.allclose(found[1:2], head(['puma']), atol=1e-3)
    head.familiarity = memory


@torch.no_grad()
def test_a_half_known_word_lies_between(tmp_path):
    file = tmp_path / 'words.json'
    file.write_text('{"puma": 10, "cat": 10000000}')
    head = with_memory(tmp_path)
    adapter, head.adapter = head.adapter, None
    head.familiarity = None
    own, read = head(['puma']), head.reference(['puma'])
    head.adapter = adapter
    mixed = head.memory.mix(head, ['puma'])
    counted = dict(MEMORY, frequencies=str(file), half_count=30.0)
    half = make(tmp_path, readout=FIXED, memory=counted, adapter_width=8).eval()
    for part in ('text_tower', 'llm', 'prompter', 'adapter'):
        getattr(half, part).load_state_dict(getattr(head, part).state_dict())
    expected = half._adapted(F.normalize(own + 0.75 * (mixed - read), dim=-1))
    torch.testing.assert_close(half(['puma']), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(half(['cat']), head(['cat']), atol=1e-4, rtol=0)


def test_the_adapter_learns_through_the_memory(tmp_path):
    head = with_memory(tmp_path).train()
    head(['puma']).sum().backward()
    assert head.adapter[0].weight.grad.abs().sum() > 0
    noisy = with_memory(tmp_path, noise=dict(dropout=0.0, swap=0.0))
    with torch.no_grad():  # at first, soft tokens change nothing: what is left is the memory
        for p in noisy.prompter.parameters():
            p.zero_()
    _, index, shown = noisy.forward_with_noise(['cat', 'car'])
    made_up = noisy._adapted(noisy.memory.mix(noisy, ['cat', 'car']))[index]
    torch.testing.assert_close(shown, made_up, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize('remembers', [False, True])
def test_the_gate_scales_what_soft_tokens_change(tmp_path, remembers):
    """Closed form: a unit vector along read + g (out - read) + u (m - read)."""
    memory = MEMORY if remembers else None
    gated = dict(threshold=0.5, inverse_penalty=1.0)
    head = wake(make(tmp_path, readout=FIXED, memory=memory, knowledge_gate=gated)).eval()
    words = ['cat', 'puma', 'running', 'jumping']
    gate, head.knowledge_gate = head.knowledge_gate, None
    familiarity, head.familiarity = head.familiarity, None
    free, read = head(words), head.reference(words)
    head.knowledge_gate = gate
    torch.testing.assert_close(head(words), free, atol=1e-6, rtol=0)  # open until it is fitted
    head.learn_known(['cat', 'running', 'car', 'jumping'], torch.tensor([0.9, 0.1, 0.8, 0.2]))
    states, mask = head.readout(head.llm, words)
    last = torch.stack([row[m][-1] for row, m in zip(states, mask, strict=True)])
    opened = gate(last)
    assert opened[0] < 0.5 < opened[2]
    expected = read + opened[:, None] * (free - read)
    torch.testing.assert_close(head(words), F.normalize(expected, dim=-1), atol=1e-6, rtol=0)
    head.familiarity = familiarity
    if remembers:
        new = [1, 2, 3]
        mixed = head.memory.mix(head, [words[i] for i in new])
        expected[new] += mixed - read[new]
        torch.testing.assert_close(head(words), F.normalize(expected, dim=-1), atol=1e-6, rtol=0)
    other = make(tmp_path, readout=FIXED, memory=memory, knowledge_gate=gated).eval()
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other(words), head(words), atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_state_adapter_is_added_within_the_gate(tmp_path):
    """Zero at first; then read + g (out - read + A(centred state)) for a known word."""
    gated = dict(threshold=0.5, inverse_penalty=1.0)
    head = make(
        tmp_path, readout=FIXED, memory=MEMORY, knowledge_gate=gated, state_adapter_width=8
    ).eval()
    words = ['cat', 'car', 'a red bicycle']
    torch.testing.assert_close(head(words), head.reference(words), atol=1e-5, rtol=0)
    head.state_adapter[-1].weight.normal_(std=0.1)
    head.learn_known(['cat', 'running', 'car', 'jumping'], torch.tensor([0.1, 0.9, 0.2, 0.8]))
    states, mask = head.readout(head.llm, [*words, *MEMORY['known_words']])
    last = torch.stack([row[m][-1] for row, m in zip(states, mask, strict=True)])
    centred = F.normalize(last - last[len(words) :].mean(0), dim=-1)[: len(words)]
    added = head.state_adapter(centred * centred.shape[1] ** 0.5)
    expected = head.reference(words) + head.knowledge_gate(last[: len(words)])[:, None] * added
    torch.testing.assert_close(head(words), F.normalize(expected, dim=-1), atol=1e-5, rtol=0)
    assert (head(words) - head.reference(words)).abs().max() > 1e-3
    with pytest.raises(ConfigError, match='state_adapter_width needs head.memory'):
        make(tmp_path, readout=FIXED, state_adapter_width=8)


def test_a_gate_needs_states_that_do_not_train(tmp_path):
    with pytest.raises(ConfigError, match=r'head.knowledge_gate .*StaticReadout'):
        make(tmp_path, knowledge_gate=dict())


def test_a_memory_needs_states_that_do_not_train(tmp_path):
    with pytest.raises(ConfigError, match='StaticReadout'):
        make(tmp_path, memory=MEMORY)
    with pytest.raises(ConfigError, match='num_neighbors=9'):
        make(tmp_path, readout=FIXED, memory=dict(MEMORY, num_neighbors=9))


def test_labels_of_a_closed_gate_pass_through_no_model(tmp_path, monkeypatch):
    """They have what they would have, and one passes where all are closed."""
    head = wake(make(tmp_path, readout=FIXED, memory=MEMORY, knowledge_gate=dict())).eval()
    known = torch.tensor([0.1, 0.9, 0.2, 0.8])
    head.learn_known(['cat', 'running', 'car', 'jumping'], known)
    words = ['running', 'cat', 'puma', 'jumping', 'car', 'a red bicycle']
    gate = head.knowledge_gate(last_states(head, words))
    is_open = (gate > 0).tolist()
    assert 0 < sum(is_open) < len(words)
    with torch.no_grad():
        expected = head._prompted(words, head.tokens(words))
    passed = []
    encode = head.encode_tokens
    monkeypatch.setattr(
        head, 'encode_tokens', lambda *args: (passed.append(len(args[0])), encode(*args))[1]
    )
    torch.testing.assert_close(head(words), expected, atol=1e-6, rtol=0)
    assert passed == [sum(is_open)]
    head.knowledge_gate.bias.fill_(-30.0)
    head.zero_grad()
    head.train()(words).sum().backward()
    assert passed[1:] == [1]
    trained = [p for p in head.parameters() if p.requires_grad]
    assert trained and all(p.grad is not None for p in trained)
