"""Families of language models, each through four readouts; docs/llm_families.md is the outcome."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.models.llm import CausalLLM, GenerateReadout, PrefixReadout, StaticReadout
from ovmlv.models.llm.greedy import greedy_answers
from tests.conftest import REPOSITORY
from tests.test_models.test_llm.llm_families import FAMILIES, Plain, fields, ids_of, row

DOCS = (REPOSITORY / 'docs' / 'llm_families.md').read_text(encoding='utf-8').splitlines()
ROWS = {
    line.split('|')[1].strip(): line
    for line in DOCS
    if line.startswith('| ') and line.count('|') == 7 and '`' not in line and ':--' not in line
}


@pytest.mark.parametrize('family', FAMILIES)
def test_four_readouts(family: str) -> None:
    """FAULTS F3 to F6: equal to plain passes (values and gradients, 1e-4), or refused in a line."""
    assert row(family) == ROWS[family]


def test_table_in_docs_is_whole() -> None:
    assert list(ROWS) == list(FAMILIES)
    assert sum(line.count('equal') >= 4 for line in ROWS.values()) >= 20


SCALED = ['gemma', 'gemma2', 'gemma3_text', 'xglm', 'biogpt', 'minicpm3', 'falcon_h1', 'llama']


@pytest.mark.parametrize('family', SCALED)
def test_learnable_tokens_start_where_embeddings_are(family: str) -> None:
    """FAULTS F3: the size of tokens as the first block reads them, not as a table stores them."""
    llm, plain = CausalLLM(config=fields(family), seed=1), Plain(fields(family))
    readout = PrefixReadout(llm, num_tokens=64, init_text='ab')
    ids = ids_of('ab')
    out = plain.model(input_ids=ids[None], output_hidden_states=True, use_cache=False)
    if family not in ('xglm', 'biogpt', 'opt'):  # positions are added
        torch.testing.assert_close(readout.tokens[:2], out.hidden_states[0][0])
    torch.testing.assert_close(readout.tokens[:2], plain.embed_ids(ids))
    ratio = readout.tokens[2:].std() / plain.table().std()
    assert 0.9 < ratio < 1.1
    if family != 'llama':
        assert plain.table().std() > 1.5 * plain.model.get_input_embeddings().weight.std()


@pytest.mark.parametrize(
    'family',
    ['cohere', 'cohere2', 'granite', 'gemma2', 'bert', 'roberta', 'falcon_h1', 'minicpm3', 'opt'],
)
def test_vocabulary_feedback_uses_the_models_own_logits(family: str) -> None:
    """FAULTS F4: scaled, capped, or from a head of several layers; in a copy too."""
    llm, plain = CausalLLM(config=fields(family), seed=1), Plain(fields(family))
    llm.select_layer(1, whole=True)
    ids = torch.tensor([[5, 9, 7]])
    want = plain.model(input_ids=ids, use_cache=False).logits
    for it in (llm, copy.deepcopy(llm)):
        last = it(it.embed(ids)).last
        torch.testing.assert_close(it.logits(last), want, atol=1e-5, rtol=1e-4)
        soft = (want / 0.7).softmax(-1) @ plain.table()
        torch.testing.assert_close(it.expected_embedding(last, 0.7), soft, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('family', ['mpt', 'bloom', 'mistral', 'gpt_neo', 'rwkv', 'cohere'])
def test_greedy_answers_of_unequal_questions(family: str) -> None:
    """FAULTS F5: what is generated stands right behind its question, however long the others."""
    config = fields(family)
    llm, plain = CausalLLM(config=config, seed=1), Plain(config)
    questions = ['What is a cat?', 'Why?']
    got = greedy_answers(llm, questions, 6)
    for question, answer in zip(questions, got, strict=True):
        ids = torch.cat([torch.tensor([1]), ids_of(f'Question: {question}\nAnswer:')]).tolist()
        start = len(ids)
        for _ in range(6):
            ids.append(
                int(plain.model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
            )
            if ids[-1] == 2:
                break
        assert llm.tokenizer.decode(ids[start:]).strip().startswith(answer)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
@pytest.mark.parametrize('family', ['llama', 'gemma2', 'granite', 'opt', 'mamba', 'llama4_text'])
def test_low_precision_is_taken_for_rounding(family: str, dtype: str) -> None:
    low, exact = (CausalLLM(config=fields(family), seed=1, dtype=d) for d in (dtype, 'float32'))
    assert low.abilities == exact.abilities
    readout = GenerateReadout(low, num_tokens=3, num_steps=2)
    states, _ = readout(low, ['cat', 'a dog'])
    assert states.dtype == torch.float32 and states.isfinite().all()


@pytest.mark.parametrize('family', ['llama', 'mamba', 'deepseek_v3', 'openai-gpt'])
def test_without_the_self_check(family: str) -> None:
    """A family is trusted, but for whether it keeps keys and values at all."""
    checked = CausalLLM(config=fields(family), seed=1)
    trusted = CausalLLM(config=fields(family), seed=1, self_check=False)
    assert trusted.abilities == replace(checked.abilities, takes_padding=False)
    states = [PrefixReadout(llm, layer=1, num_tokens=2).state_size for llm in (checked, trusted)]
    assert states[0] == states[1]


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (fields('bert_encoder'), 'is_decoder=True'),
        (fields('gemma3n_text'), 'no readout works'),
        (dict(model_type='t5'), "model_type='t5'"),
        (dict(model_type='llama', hidden_size=30, num_attention_heads=4), "model_type='llama'"),
        (dict(model_type='llama', hidden_size='many'), "model_type='llama'"),
        (dict(fields('xglm'), vocab_size=100), 'vocab_size=259'),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(config: dict[str, Any], words: str) -> None:
    """FAULTS F6: never a raw error of transformers."""
    with pytest.raises(ConfigError) as caught:
        CausalLLM(config=config)
    assert words in str(caught.value) and '\n' not in str(caught.value)


def test_refusal_names_the_readout_that_works() -> None:
    """FAULTS F6: Gemma 4 looks up more than the embedding of each token id."""
    llm = CausalLLM(config=fields('gemma4_text'), seed=1)
    for readout in (PrefixReadout, GenerateReadout):
        with pytest.raises(ConfigError, match='StaticReadout does'):
            readout(llm)
    states, _ = StaticReadout(llm)(llm, ['cat'])
    assert states.isfinite().all()


@pytest.mark.parametrize(
    ('config', 'limit'),
    [
        (dict(fields('roberta'), max_position_embeddings=40), 39),  # counts from behind padding, 0
        (dict(fields('mpt'), max_seq_len=32), 32),
        (
            dict(
                fields('phi3'),
                max_position_embeddings=64,
                original_max_position_embeddings=32,
                rope_parameters=dict(
                    rope_type='longrope',
                    rope_theta=10000.0,
                    short_factor=[1.0] * 4,
                    long_factor=[3.0] * 4,
                ),
            ),
            32,
        ),
    ],
)
def test_longest_sequence(config: dict[str, Any], limit: int) -> None:
    """FAULTS F5, F6: no error of an index, and no positions that depend on the longest label."""
    llm = CausalLLM(config=config, seed=1)
    assert llm.max_length == limit
    readout = PrefixReadout(llm, num_tokens=4)
    longest = limit - 4 - 1 - 1  # the tokens, [BOS] and the space
    assert readout(llm, ['x' * longest])[0].isfinite().all()
    with pytest.raises(VocabularyError, match=f'the LLM takes {limit}'):
        readout(llm, ['x' * (longest + 1)])
