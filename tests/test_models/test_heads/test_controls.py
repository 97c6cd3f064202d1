"""The label encoders that the prompted LLM is compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ovmlv import compat
from ovmlv.errors import ConfigError
from ovmlv.models.backbones import FeatureBackbone
from ovmlv.models.heads import (
    CoOpPromptHead,
    DualCoOpPromptHead,
    LinearProbeHead,
    LLMDescriptionHead,
    TemplatePromptHead,
)
from ovmlv.models.llm import CausalLLM
from ovmlv.models.llm.greedy import _finished, greedy_answers
from ovmlv.models.recognizers import OpenVocabRecognizer
from tests.test_models.test_heads.tiny_clip import write_tiny_clip

LABELS = ['cat', 'riding a red bicycle', 'crimson disc']
TEMPLATES = ['a video of {}', 'a blurry photo of the {}.', '{} in the morning']
LLM = dict(
    config=dict(
        model_type='gpt2',
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.3,
        vocab_size=259,
        eos_token_id=2,
    )
)


def test_templates_equal_open_clips_zero_shot_classifier(tmp_path: Path) -> None:
    compat.apply()
    import open_clip

    head = TemplatePromptHead(write_tiny_clip(tmp_path), templates=TEMPLATES)
    path = Path(write_tiny_clip(tmp_path))
    open_clip.add_model_config(path)
    model = open_clip.create_model(path.stem).eval()
    own = dict(head.text_tower.core.named_parameters())
    shared = {name: value for name, value in own.items() if name in model.state_dict()}
    assert len(shared) > 10
    model.load_state_dict(shared, strict=False)
    expected = open_clip.build_zero_shot_classifier(
        model,
        open_clip.get_tokenizer(path.stem),
        LABELS,
        [t.format for t in TEMPLATES],
        num_classes_per_batch=None,
    ).T
    torch.testing.assert_close(head(LABELS), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(head.reference(LABELS), expected, atol=1e-5, rtol=0)
    assert not any(p.requires_grad for p in head.parameters())
    assert [key for key in head.state_dict() if 'fingerprint' not in key] == []


def test_coop_starts_at_clip_and_trains_its_context(tmp_path: Path) -> None:
    head = CoOpPromptHead(write_tiny_clip(tmp_path))
    assert head.context.shape == (1, 3, 32)
    torch.testing.assert_close(head(LABELS), head.reference(LABELS), atol=1e-5, rtol=0)
    (head(LABELS) * torch.randn(3, 24)).sum().backward()
    assert [n for n, p in head.named_parameters() if p.grad is not None] == ['context']
    assert head.context.grad.abs().amax(-1).min() > 0

    groups = CoOpPromptHead(write_tiny_clip(tmp_path), num_context=2, num_groups=2)
    (groups(LABELS) * torch.randn(3, 24)).sum().backward()
    assert groups.context.shape == (2, 2, 32)
    assert (groups.context.grad[0] - groups.context.grad[1]).abs().max() > 0, (
        'contexts must not stay equal'
    )
    with pytest.raises(ConfigError, match='use 1..3'):
        CoOpPromptHead(write_tiny_clip(tmp_path), num_context=4)


def test_greedy_answers_equal_transformers_generate() -> None:
    llm = CausalLLM(**LLM, seed=3)
    questions = ['What is a cat?', 'Why?', 'Describe a crimson disc in a few words.']
    got = greedy_answers(llm, questions, 12)
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(3)
    fields = dict(pad_token_id=0, bos_token_id=1, **LLM['config'])
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**fields)).eval()
    for question, answer in zip(questions, got, strict=True):
        ids = torch.tensor([[1, *(byte + 3 for byte in f'Question: {question}\nAnswer:'.encode())]])
        out = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)[
            0, ids.shape[1] :
        ]
        text = llm.tokenizer.decode([i for i in out.tolist() if i != 2])
        expected = _finished(text, 2 in out.tolist())
        assert answer == (text.strip() if expected is None else expected)
    assert any(got)


@pytest.mark.parametrize(
    ('text', 'ended', 'expected'),
    [
        ('A cat. It', False, 'A cat.'),
        ('A cat.', False, None),  # "3.5" may follow
        ('A cat.', True, 'A cat.'),
        ('A cat\nB', False, 'A cat'),
        ('\n A cat', False, None),
        ('A cat', True, 'A cat'),
        ('', True, ''),
    ],
)
def test_first_sentence(text: str, ended: bool, expected: str | None) -> None:
    assert _finished(text, ended) == expected


def test_descriptions_are_written_once_and_averaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'sentences.json'
    config = dict(
        llm=LLM, prompts=['What is {}?', 'Describe {}.'], max_new_tokens=6, cache_file=str(file)
    )
    head = LLMDescriptionHead(write_tiny_clip(tmp_path), **config)
    first = head(LABELS)
    stored = json.loads(file.read_text())['labels']
    assert sorted(stored) == sorted(LABELS)
    members = [
        F.normalize(
            head.text_tower.encode_texts(['a video of cat', *stored['cat']]).mean(0), dim=-1
        )
    ]
    torch.testing.assert_close(first[:1], torch.stack(members), atol=1e-5, rtol=0)
    assert not any(p.requires_grad for p in head.parameters())

    def no_llm(*args: object, **kwargs: object) -> None:
        raise AssertionError('the language model must not be loaded for labels that are known')

    monkeypatch.setattr(CausalLLM, '__init__', no_llm)
    torch.testing.assert_close(head(LABELS), first)
    with pytest.raises(AssertionError, match='known'):
        head(['a new label'])
    other = LLMDescriptionHead(write_tiny_clip(tmp_path), **{**config, 'max_new_tokens': 7})
    with pytest.raises(ConfigError, match='another llm'):
        other(LABELS)
    file.write_text('[]')
    with pytest.raises(ConfigError, match='no file of descriptions'):
        head(LABELS)


def test_descriptions_are_utf8_in_any_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULTS F9: whatever encoding the system prefers, and with an editor's byte order mark."""
    file = tmp_path / 'sentences.json'
    head = LLMDescriptionHead(write_tiny_clip(tmp_path), llm=LLM, cache_file=str(file))
    monkeypatch.setattr(head, '_write', lambda labels: {k: [f'Ein Café für {k}.'] for k in labels})
    plain_open = Path.open

    def ascii_open(self: Path, mode: str = 'r', **kwargs: Any) -> Any:
        if 'b' not in mode and kwargs.get('encoding') in (None, 'locale'):
            kwargs['encoding'] = 'ascii'
        return plain_open(self, mode, **kwargs)

    monkeypatch.setattr(Path, 'open', ascii_open)
    first = head.descriptions(['红色', 'naïve'])
    stored = file.read_bytes()
    assert '红色'.encode() in stored and 'Café'.encode() in stored
    file.write_bytes(b'\xef\xbb\xbf' + stored)
    assert head.descriptions(['红色', 'naïve']) == first
    file.write_bytes('{"made_by": "é"}'.encode('latin-1'))
    with pytest.raises(ConfigError, match='no file of descriptions'):
        head.descriptions(['红色'])


def test_dualcoop_is_the_two_way_softmax(tmp_path: Path) -> None:
    """Of similarities to the label in two contexts; each context starts as its template."""
    clip = write_tiny_clip(tmp_path)
    torch.manual_seed(0)
    head = DualCoOpPromptHead(clip, negative_template='no sign of any {}')
    assert head.positive.shape == (3, 32) and head.negative.shape == (4, 32)
    texts = [
        [t.replace('{}', label) for label in LABELS] for t in (head.template, 'no sign of any {}')
    ]
    positive, negative = (head.text_tower.encode_texts(t) for t in texts)
    torch.testing.assert_close(head(LABELS), positive - negative, atol=1e-5, rtol=0)
    torch.testing.assert_close(head.reference(LABELS), positive, atol=1e-5, rtol=0)

    backbone = FeatureBackbone(in_channels=24)  # its videos are not looked at here
    model = OpenVocabRecognizer(backbone, head, scorer=dict(init_scale=20.0, init_bias=0.0))
    video = F.normalize(torch.randn(2, 1, 24), dim=-1)
    logits = 20 * torch.stack([video[:, 0] @ positive.T, video[:, 0] @ negative.T])
    scores = model.eval().score_views(video, model.encode_labels(LABELS))
    torch.testing.assert_close(scores, logits.softmax(0)[0], atol=1e-5, rtol=1e-5)

    head(LABELS).square().sum().backward()
    assert [n for n, p in head.named_parameters() if p.grad is not None] == ['positive', 'negative']
    with pytest.raises(ConfigError, match='use 1..4'):
        DualCoOpPromptHead(clip, template='a short video of {}', num_context=5)


def test_linear_probe_holds_any_classifier_of_few_labels(tmp_path: Path) -> None:
    """For C <= E labels some W gives each label any vector; others start at CLIP's."""
    head = LinearProbeHead(write_tiny_clip(tmp_path))
    start = head.reference(LABELS)
    assert not head.unit_length and torch.equal(head(LABELS), start)
    wanted = torch.randn(len(LABELS), head.embed_dim, dtype=torch.float64)
    solution = torch.linalg.pinv(start.double()) @ (wanted - start.double())
    with torch.no_grad():
        head.map.weight.copy_(solution.T)
    torch.testing.assert_close(head(LABELS).double(), wanted, atol=1e-3, rtol=1e-3)
    head(LABELS).sum().backward()
    trained = {name for name, p in head.named_parameters() if p.grad is not None}
    assert trained == {'map.weight'}
