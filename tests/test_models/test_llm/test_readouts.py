"""Readouts against plain transformers passes over each whole sequence."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.models.llm import (
    CausalLLM,
    GenerateReadout,
    PrefixReadout,
    SequenceReadout,
    StaticReadout,
    SuffixReadout,
)

SMALL = dict(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    initializer_range=0.15,
)  # large enough for attention to matter
FAMILIES = {
    'llama': dict(model_type='llama', num_key_value_heads=2, **SMALL),
    'gpt2': dict(model_type='gpt2', n_embd=32, n_layer=3, n_head=4, initializer_range=0.15),
    'opt': dict(
        model_type='opt',
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        word_embed_proj_dim=32,
        init_std=0.15,
    ),
    'opt_projected': dict(
        model_type='opt',
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        word_embed_proj_dim=16,
        do_layer_norm_before=False,
        init_std=0.15,
    ),
    'qwen2': dict(model_type='qwen2', num_key_value_heads=2, **SMALL),
    'qwen3': dict(model_type='qwen3', num_key_value_heads=2, head_dim=8, **SMALL),
}
# Tokens are bytes: lengths 3 to 17 in one batch, one of them with bytes beyond ASCII.
LABELS = ['cat', 'riding a bicycle', 'café', 'run']
TOL = dict(atol=1e-4, rtol=1e-4)


def make_llm(family: str) -> CausalLLM:
    return CausalLLM(config=FAMILIES[family], seed=1)


class Plain:
    """The same LLM by transformers alone: whole, one label at a time, no cache, no mask."""

    def __init__(self, family: str) -> None:
        from transformers import AutoConfig, AutoModelForCausalLM

        fields = dict(
            vocab_size=259, pad_token_id=0, bos_token_id=1, eos_token_id=2, **FAMILIES[family]
        )
        torch.manual_seed(1)
        self.model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**fields)).eval()
        self.model.requires_grad_(False)

    def ids(self, text: str) -> Tensor:
        return torch.tensor([byte + 3 for byte in text.encode()], dtype=torch.long)

    def embed(self, ids: Tensor) -> Tensor:
        return self.model.get_input_embeddings()(ids)

    def run(self, embeds: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """States of a layer and logits of ``[BOS]`` and the embeddings; those of [BOS] left out."""
        embeds = torch.cat([self.embed(torch.tensor([1])), embeds])
        out = self.model(inputs_embeds=embeds[None], output_hidden_states=True, use_cache=False)
        return out.hidden_states[layer][0, 1:], out.logits[0, 1:]


def check(
    states: Tensor, mask: Tensor, expected: list[Tensor], tokens: Tensor | None, twin: Tensor | None
) -> None:
    """Compare valid states, then the gradients of a fixed random projection of them."""
    want = pad_sequence(expected, batch_first=True)
    assert mask.sum(1).tolist() == [len(e) for e in expected]
    got = pad_sequence([s[m] for s, m in zip(states, mask, strict=True)], batch_first=True)
    torch.testing.assert_close(got, want, **TOL)
    if tokens is None:
        return
    weight = (
        torch.randn(want.shape, generator=torch.Generator().manual_seed(3)) / want.numel() ** 0.5
    )
    (got * weight).sum().backward()
    (want * weight).sum().backward()
    assert twin.grad.abs().max() > 1e-3, 'the oracle has no gradient: nothing would be compared'
    torch.testing.assert_close(tokens.grad, twin.grad, **TOL)


@pytest.mark.parametrize(('chunk_size', 'checkpointing'), [(None, False), (3, True)])
@pytest.mark.parametrize('layer', [2, 3])
@pytest.mark.parametrize('family', FAMILIES)
def test_prefix(family: str, layer: int, chunk_size: int | None, checkpointing: bool) -> None:
    llm, plain = make_llm(family), Plain(family)
    readout = PrefixReadout(
        llm, num_tokens=5, layer=layer, chunk_size=chunk_size, grad_checkpointing=checkpointing
    )
    states, mask = readout(llm, LABELS)
    twin = readout.tokens.detach().clone().requires_grad_()
    expected = [
        plain.run(torch.cat([twin, plain.embed(plain.ids(' ' + label))]), layer)[0][5:]
        for label in LABELS
    ]
    check(states, mask, expected, readout.tokens, twin)


@pytest.mark.parametrize(('chunk_size', 'checkpointing'), [(None, False), (3, True)])
@pytest.mark.parametrize('layer', [2, -1])
@pytest.mark.parametrize('family', FAMILIES)
def test_sequence_of_states(family, layer, chunk_size, checkpointing) -> None:
    llm, plain = make_llm(family), Plain(family)
    readout = SequenceReadout(
        llm, num_tokens=5, layer=layer, chunk_size=chunk_size, grad_checkpointing=checkpointing
    )
    states, mask = readout(llm, LABELS)
    twin = readout.tokens.detach().clone().requires_grad_()
    expected = [
        plain.run(torch.cat([twin, plain.embed(plain.ids(' ' + label))]), layer)[0]
        for label in LABELS
    ]
    check(states, mask, expected, readout.tokens, twin)


@pytest.mark.parametrize('family', FAMILIES)
def test_sequence_of_expected_tokens(family: str) -> None:
    llm, plain = make_llm(family), Plain(family)
    readout = SequenceReadout(llm, num_tokens=5, output='tokens', temperature=0.5)
    states, mask = readout(llm, LABELS)
    assert states.shape[-1] == readout.state_size
    twin = readout.tokens.detach().clone().requires_grad_()
    table = plain.model.get_input_embeddings().weight
    expected = []
    for label in LABELS:
        logits = plain.run(torch.cat([twin, plain.embed(plain.ids(' ' + label))]), -1)[1]
        expected.append((logits / 0.5).softmax(-1) @ table)
    check(states, mask, expected, readout.tokens, twin)


def test_sequence_approaches_the_words_that_the_llm_would_say() -> None:
    """At a low temperature, the outputs are the embeddings of the most probable next tokens."""
    llm, plain = make_llm('llama'), Plain('llama')
    readout = SequenceReadout(llm, num_tokens=2, output='tokens', temperature=1e-4)
    states, _ = readout(llm, ['cat'])
    embeds = torch.cat([readout.tokens, plain.embed(plain.ids(' cat'))])
    said = plain.run(embeds, -1)[1].argmax(-1)
    torch.testing.assert_close(states[0], plain.embed(said), **TOL)


@pytest.mark.parametrize('layer', [2, 3])
@pytest.mark.parametrize('family', FAMILIES)
def test_suffix(family: str, layer: int) -> None:
    llm, plain = make_llm(family), Plain(family)
    readout = SuffixReadout(llm, num_tokens=5, layer=layer, context='A {}.')
    readout(llm, LABELS[:2])  # so that two labels come from the cache and two do not
    states, mask = readout(llm, LABELS)
    twin = readout.tokens.detach().clone().requires_grad_()
    expected = [
        plain.run(torch.cat([plain.embed(plain.ids(f'A {label}.')), twin]), layer)[0][-5:]
        for label in LABELS
    ]
    check(states, mask, expected, readout.tokens, twin)


@pytest.mark.parametrize('layer', [2, 3])
@pytest.mark.parametrize('family', sorted(set(FAMILIES) - {'opt_projected'}))
def test_generate_vocabulary(family: str, layer: int) -> None:
    llm, plain = make_llm(family), Plain(family)
    readout = GenerateReadout(llm, num_tokens=5, num_steps=3, layer=layer, temperature=0.5)
    states, mask = readout(llm, LABELS)
    twin = readout.tokens.detach().clone().requires_grad_()
    expected = []
    for label in LABELS:
        sequence, read = torch.cat([twin, plain.embed(plain.ids(' ' + label))]), []
        for _ in range(3):
            hidden, logits = plain.run(sequence, layer)
            read.append(hidden[-1])
            soft = (logits[-1] / 0.5).softmax(-1) @ plain.model.get_input_embeddings().weight
            sequence = torch.cat([sequence, soft[None]])
        expected.append(torch.stack(read))
    check(states, mask, expected, readout.tokens, twin)


@pytest.mark.parametrize('family', ['llama', 'opt', 'opt_projected'])
def test_generate_projection(family: str) -> None:
    llm, plain = make_llm(family), Plain(family)
    readout = GenerateReadout(llm, num_tokens=5, num_steps=3, layer=2, feedback='projection')
    states, mask = readout(llm, LABELS)
    twin = readout.tokens.detach().clone().requires_grad_()
    expected = []
    for label in LABELS:
        sequence, read = torch.cat([twin, plain.embed(plain.ids(' ' + label))]), []
        for _ in range(3):
            read.append(plain.run(sequence, 2)[0][-1])
            sequence = torch.cat([sequence, copy.deepcopy(readout.projection)(read[-1])[None]])
        expected.append(torch.stack(read))
    check(states, mask, expected, readout.tokens, twin)
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in readout.parameters())


@pytest.mark.parametrize('layer', [1, 3])
@pytest.mark.parametrize('family', FAMILIES)
def test_static(family: str, layer: int) -> None:
    llm, plain = make_llm(family), Plain(family)
    readout = StaticReadout(llm, context='A video of {}. It shows', layer=layer, chunk_size=3)
    states, mask = readout(llm, LABELS)
    expected = []
    for label in LABELS:
        hidden = plain.run(plain.embed(plain.ids(f'A video of {label}. It shows')), layer)[0]
        expected.append(hidden[len('A video of') :])  # what is the same for all labels is left out
    check(states, mask, expected, None, None)
    assert not states.requires_grad and not list(readout.parameters())


def count_tokens(llm: CausalLLM) -> list[int]:
    """Record how many tokens each pass of the decoder reads."""
    seen: list[int] = []
    llm.decoder.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs['inputs_embeds'].shape[:2].numel()),
        with_kwargs=True,
    )
    return seen


def test_what_each_pass_reads() -> None:
    labels = ['cat', 'dog', 'cow']
    llm = make_llm('llama')
    readout = PrefixReadout(llm, num_tokens=16)
    seen = count_tokens(llm)
    readout(llm, labels)
    assert seen == [17, 3 * len(' cat')], 'the prefix is computed once, with batch 1'

    llm = make_llm('llama')
    suffix = SuffixReadout(llm, num_tokens=5, context='{}')
    seen = count_tokens(llm)
    suffix(llm, labels)
    suffix(llm, labels)
    assert seen == [3 * 4, 3 * 5, 3 * 5], 'the second call runs no label tokens'

    llm = make_llm('llama')
    static = StaticReadout(llm, context='a {}')
    seen = count_tokens(llm)
    static(llm, labels)
    static(llm, [*labels, 'hen'])
    # The sentence before the label is computed once a call, with batch 1.
    assert seen == [2, 3 * 4, 2, 4], 'the second call runs the new label only'


@pytest.mark.parametrize('missing', [True, False])
def test_processes_that_share_an_llm_take_the_same_passes(monkeypatch, missing) -> None:
    """One has labels to compute; another has none, and a spare part in their place."""
    llm = make_llm('llama')
    static = StaticReadout(llm, context='a {}')
    static(llm, ['cat'])
    monkeypatch.setattr(
        'ovmlv.models.llm.readouts.static_readout.in_step',
        lambda llm, parts, spare: [(part, True) for part in parts] or [(spare, False)],
    )
    seen = count_tokens(llm)
    static(llm, ['cat', 'dog'] if missing else ['cat'])
    assert seen == [2, 4], 'the sentence before the label, and one label'


def test_label_caches_are_bounded_and_private() -> None:
    llm = make_llm('llama')
    readout = SuffixReadout(llm, num_tokens=2, context='{}', layer=3)
    one = 4 * 3 * 2 * 2 * 8 * 4  # tokens, layers, keys and values, heads, width, bytes
    readout.cache.max_bytes = 2 * one
    readout(llm, ['cat', 'dog', 'cow'])
    assert len(readout.cache) == 2 and readout.cache.num_bytes == 2 * one
    states, _ = readout(llm, ['cat', 'dog', 'cow'])
    fresh = SuffixReadout(make_llm('llama'), num_tokens=2, context='{}', layer=3)
    fresh.load_state_dict(readout.state_dict())
    torch.testing.assert_close(states, fresh(llm, ['cat', 'dog', 'cow'])[0])
    assert list(readout.state_dict()) == ['tokens']
    assert len(copy.deepcopy(readout).cache) == 0 == len(pickle.loads(pickle.dumps(readout)).cache)


def test_static_states_are_kept_on_disk(tmp_path) -> None:
    llm = make_llm('gpt2')
    states, mask = StaticReadout(llm, cache_dir=str(tmp_path))(llm, LABELS)
    again = make_llm('gpt2')
    readout = StaticReadout(again, cache_dir=str(tmp_path))
    seen = count_tokens(again)
    kept, kept_mask = readout(again, LABELS)
    assert seen == [] and torch.equal(kept, states) and torch.equal(kept_mask, mask)
    other = CausalLLM(config=FAMILIES['gpt2'], seed=2)
    changed, _ = StaticReadout(other, cache_dir=str(tmp_path))(other, LABELS)
    assert (changed - states).abs().max() > 0.1, (
        'another LLM must not be served the states of this one'
    )


def test_new_states_go_into_new_files(tmp_path) -> None:
    """FAULTS F10: what is on disk is not written again, and a kill leaves all of it readable."""
    llm = make_llm('gpt2')
    readout = StaticReadout(llm, cache_dir=str(tmp_path))
    want, valid = readout(llm, LABELS[:2])
    (first,) = tmp_path.iterdir()
    before = first.stat().st_mtime_ns, first.stat().st_ino
    readout(llm, LABELS)
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == before
    files = sorted(tmp_path.glob('*.safetensors'))
    assert len(files) == 2
    readout(llm, LABELS)
    assert sorted(tmp_path.iterdir()) == files, 'nothing new, nothing written'
    second = next(file for file in files if file != first)
    (tmp_path / f'.{second.stem}.77.safetensors').write_bytes(b'half')  # of a process that died
    second.write_bytes(second.read_bytes()[:100])

    again = make_llm('gpt2')
    readout, seen = StaticReadout(again, cache_dir=str(tmp_path)), count_tokens(again)
    with pytest.warns(UserWarning, match=f'{second.name} is damaged'):
        states, mask = readout(again, LABELS)
    assert torch.equal(states[:2][mask[:2]], want[valid])
    before = len('A video of a')
    assert len(seen) == 2 and seen[0] - before in (0, 1), 'the labels of the damaged file alone'
    assert len(StaticReadout(make_llm('gpt2'), cache_dir=str(tmp_path))(llm, LABELS)[0]) == 4


def test_states_on_disk_stand_in_for_memory_and_are_merged(tmp_path) -> None:
    """FAULTS F10: a small budget costs reading, not computing; many steps make no many files."""
    llm = make_llm('gpt2')
    readout = StaticReadout(llm, cache_dir=str(tmp_path), cache_megabytes=0)
    labels = [f'label {i}' for i in range(70)]
    want = [readout(llm, [label])[0] for label in labels]
    assert len(list(tmp_path.iterdir())) == 70
    again = make_llm('gpt2')
    seen = count_tokens(again)
    readout = StaticReadout(again, cache_dir=str(tmp_path), cache_megabytes=0)
    seen.clear()
    got, mask = readout(again, labels)
    assert seen == [] and len(list(tmp_path.iterdir())) == 1
    for i, states in enumerate(want):
        assert torch.equal(got[i][mask[i]], states[0])
    readout(again, labels)
    assert seen == []


def test_old_file_of_states_is_read_on(tmp_path) -> None:
    from safetensors.torch import save_file

    llm = make_llm('gpt2')
    readout = StaticReadout(llm, cache_dir=str(tmp_path))
    states, mask = readout(llm, LABELS)
    (file,) = tmp_path.iterdir()
    file.unlink()
    kept = {f'label:{label}': s[m] for label, s, m in zip(LABELS, states, mask, strict=True)}
    save_file(kept, tmp_path / f'states-{readout._key(llm)}.safetensors')
    again = make_llm('gpt2')
    readout, seen = StaticReadout(again, cache_dir=str(tmp_path)), count_tokens(again)
    assert torch.equal(readout(again, LABELS)[0], states) and seen == []


def test_a_folder_that_cannot_be_written_does_not_end_a_training(tmp_path) -> None:
    (tmp_path / 'file').write_text('in the way')
    llm = make_llm('gpt2')
    readout = StaticReadout(llm, cache_dir=str(tmp_path / 'file' / 'states'))
    with pytest.warns(UserWarning, match='cannot be written'):
        first, _ = readout(llm, LABELS)
    assert torch.equal(readout(llm, LABELS)[0], first)


def test_bfloat16_llm_keeps_float32_outside() -> None:
    llm = CausalLLM(config=FAMILIES['llama'], seed=1, dtype='bfloat16')
    exact = make_llm('llama')
    readout = PrefixReadout(llm, num_tokens=4, layer=2)
    twin = PrefixReadout(exact, num_tokens=4, layer=2)
    twin.load_state_dict(readout.state_dict())
    states, mask = readout(llm, LABELS)
    assert states.dtype == torch.float32 == readout.tokens.dtype
    want = twin(exact, LABELS)[0][mask]
    assert 0 < (states[mask] - want).abs().max() < 0.05 * want.abs().max()
    states.sum().backward()
    assert readout.tokens.grad.isfinite().all() and readout.tokens.grad.abs().max() > 0


def test_init_text() -> None:
    llm = make_llm('llama')
    readout = PrefixReadout(llm, num_tokens=4, init_text='ab')
    torch.testing.assert_close(readout.tokens[:2], llm.embed(torch.tensor([97 + 3, 98 + 3])))


@pytest.mark.parametrize(
    ('build', 'error', 'words'),
    [
        (lambda llm: PrefixReadout(llm, layer=9), ConfigError, 'layers 1..3'),
        (lambda llm: PrefixReadout(llm, num_tokens=0), ConfigError, 'num_tokens=0'),
        (lambda llm: PrefixReadout(llm, chunk_size=0), ConfigError, 'chunk_size=0'),
        (lambda llm: PrefixReadout(llm, context='label'), ConfigError, "'{}'"),
        (
            lambda llm: GenerateReadout(llm, feedback='words'),
            ConfigError,
            "'vocabulary' or 'projection'",
        ),
        (
            lambda llm: StaticReadout(llm, grad_checkpointing=True),
            ConfigError,
            'grad_checkpointing',
        ),
        (lambda llm: SequenceReadout(llm, output='words'), ConfigError, "'states' or 'tokens'"),
        (lambda llm: SequenceReadout(llm, temperature=0), ConfigError, 'temperature=0'),
        (
            lambda llm: SequenceReadout(llm, output='tokens', layer=2),
            ConfigError,
            'leave layer out',
        ),
        (lambda llm: SequenceReadout(llm)(llm, ['x' * 1020]), VocabularyError, 'takes 1024'),
        (lambda llm: PrefixReadout(llm)(llm, []), VocabularyError, 'empty'),
        (lambda llm: PrefixReadout(llm)(llm, ['x' * 1020]), VocabularyError, 'the LLM takes 1024'),
        (
            lambda llm: (PrefixReadout(llm, layer=1), PrefixReadout(llm, layer=2)),
            ConfigError,
            'selected before',
        ),
    ],
)
def test_errors_are_one_line_and_name_the_mend(build, error: type, words: str) -> None:
    with pytest.raises(error) as caught:
        build(make_llm('gpt2'))
    assert words in str(caught.value) and '\n' not in str(caught.value)
