"""The text tower with soft tokens against open_clip's own ``encode_text``."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ovmlv import compat
from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.models.clip.loading import load_clip
from ovmlv.models.clip.text_tower import FrozenTextTower

compat.apply()
import open_clip  # noqa: E402

LABELS = ['cat', 'riding a red bicycle', 'crimson disc', 'hello!']
TEMPLATE = 'a video of {}'

# Text options of these architectures are kept, only depth, width and vision tower shrink.
CAUSAL = [
    'ViT-B-32',
    'ViT-B-16-quickgelu',
    'RN50',
    'ViT-B-16-plus',
    'MobileCLIP2-S3',
    'EVA02-B-16',
    'convnext_base',
]
OTHERS = [
    'ViT-B-16-SigLIP',
    'ViT-B-16-SigLIP2',
    'MobileCLIP2-S0',
    'coca_ViT-B-32',
    'ViT-L-14-CLIPA',
]


def shrunk(name: str, tmp_path: Path, **text: Any) -> dict[str, Any]:
    """open_clip's configuration of an architecture with a small text and a minimal vision tower."""
    config = json.loads(json.dumps(open_clip.get_model_config(name)))
    config['embed_dim'] = 24
    config['vision_cfg'] = dict(image_size=32, layers=1, width=32, head_width=16, patch_size=16)
    if 'coca' in name:
        config['vision_cfg'].update(attentional_pool=True, attn_pooler_heads=2, output_tokens=True)
        config['multimodal_cfg'].update(width=32, heads=2, layers=1, attn_pooler_heads=2)
    config['text_cfg'].update(width=32, heads=2, layers=2, **text)
    return config


def make(name: str, tmp_path: Path, **text: Any) -> tuple[Any, Any, FrozenTextTower]:
    """An open_clip model with random weights, its tokenizer, and our tower on it."""
    config = shrunk(name, tmp_path, **text)
    key = f'shrunk-{name}-{len(text)}'
    path = tmp_path / f'{key}.json'
    path.write_text(json.dumps(config))
    open_clip.add_model_config(path)
    torch.manual_seed(0)
    model = open_clip.create_model(key).eval()
    core = getattr(model, 'text', model)
    with torch.no_grad():  # random projections are so small that 1e-5 would prove little
        core.token_embedding.weight.normal_(std=0.5)
        core.positional_embedding.normal_(std=0.5)
    if 'hf_tokenizer_name' in config['text_cfg']:
        tokenizer = local_tokenizer(config['text_cfg'], tmp_path)
    else:
        tokenizer = open_clip.get_tokenizer(key)
    clip = SimpleNamespace(text=model, tokenizer=tokenizer, embed_dim=24)
    return model, tokenizer, FrozenTextTower(clip)


def local_tokenizer(text_cfg: dict[str, Any], tmp_path: Path) -> Any:
    """open_clip's wrapper around a small BPE tokenizer with SigLIP's or BERT's special tokens."""
    from open_clip.tokenizer import HFTokenizer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    name = text_cfg['hf_tokenizer_name']
    gemma, bert = 'SigLIP2' in name, 'bert' in name
    special = ['[PAD]', '[EOS]', '[UNK]', '[CLS]', '[SEP]']
    tokenizer = Tokenizer(models.BPE(unk_token='[UNK]'))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([*LABELS, 'a video of it in the morning'] * 3, trainer)
    single, used = ('[CLS] $A [SEP]', ('[CLS]', '[SEP]')) if bert else ('$A [EOS]', ('[EOS]',))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(token, special.index(token)) for token in used]
    )
    # SigLIP 1 pads with its end token.
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token='[EOS]',
        sep_token='[SEP]',
        cls_token='[CLS]',
        unk_token='[UNK]',
        pad_token='[PAD]' if gemma or bert else '[EOS]',
        padding_side='right',
    )
    folder = tmp_path / 'tokenizer'
    wrapped.save_pretrained(folder)
    kwargs = dict(text_cfg.get('tokenizer_kwargs') or {})
    return HFTokenizer(str(folder), context_length=text_cfg['context_length'], **kwargs)


@pytest.mark.parametrize('name', CAUSAL + OTHERS)
def test_soft_tokens_of_the_template_give_encode_text(name: str, tmp_path: Path) -> None:
    model, tokenizer, tower = make(name, tmp_path)
    with torch.no_grad():
        expected = model.encode_text(tokenizer([TEMPLATE.format(label) for label in LABELS]))
        tokens = tower.rows.split(TEMPLATE, LABELS)
        rows = tower.rows.build([[*t.before, *t.label, *t.after] for t in tokens])
        assert torch.equal(rows, tokenizer([TEMPLATE.format(label) for label in LABELS]))
        before = tokens[0].before
        assert len(before) >= 3 and all(t.before == before and not t.after for t in tokens)
        head = len(tower.rows.head)
        at = torch.arange(head, head + len(before)).expand(len(LABELS), -1)
        soft = tower.embed(torch.tensor(before)).expand(len(LABELS), -1, -1)
        # The soft tokens must be what is read: their places hold the ids of other words.
        swapped = rows.clone()
        swapped[:, head : head + len(before)] = before[0]
        expected, got = F.normalize(expected, dim=-1), F.normalize(tower(swapped, soft, at), dim=-1)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert (expected[0] - expected[1]).abs().max() > 1e-2, (
        'texts must differ, or nothing is compared'
    )
    torch.testing.assert_close(
        tower.encode_texts([TEMPLATE.format(x) for x in LABELS]), expected, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize('name', ['ViT-B-32', 'ViT-B-16-SigLIP', 'coca_ViT-B-32'])
def test_gradients_reach_soft_tokens_only(name: str, tmp_path: Path) -> None:
    _, _, tower = make(name, tmp_path)
    tokens = tower.rows.split(TEMPLATE, LABELS)
    rows = tower.rows.build([[*t.before, *t.label] for t in tokens])
    at = torch.arange(1, 4).expand(len(LABELS), -1)
    soft = tower.embed(rows[:, 1:4]).clone().requires_grad_()
    grads = []
    for chunk_size, checkpointing in ((None, False), (3, True)):
        soft.grad = None
        out = F.normalize(tower(rows, soft, at, chunk_size, checkpointing), dim=-1)
        (out * torch.linspace(-1, 1, 24)).sum().backward()
        grads.append(soft.grad)
        assert (soft.grad.abs().amax(-1) > 0).all()
    torch.testing.assert_close(grads[0], grads[1], atol=1e-6, rtol=1e-4)
    assert all(p.grad is None and not p.requires_grad for p in tower.parameters())
    # Finite differences along one direction, in double precision.
    tower.double()
    direction = torch.randn(soft.shape, dtype=torch.double)
    soft = soft.detach().double()

    def loss(step: float) -> torch.Tensor:
        out = F.normalize(tower(rows, soft + step * direction, at), dim=-1)
        return (out * torch.linspace(-1, 1, 24)).sum()

    slope = (loss(1e-4) - loss(-1e-4)) / 2e-4
    torch.testing.assert_close((grads[0] * direction).sum(), slope, atol=1e-4, rtol=1e-3)


def test_causal_rows_are_cut_to_the_longest_text(tmp_path: Path) -> None:
    _, _, tower = make('ViT-B-32', tmp_path)
    seen = []
    tower.core.transformer.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    tower.encode_texts(['cat', 'a red cat'])
    assert seen == [1 + 3 + 1]


def test_words_behind_the_label(tmp_path: Path) -> None:
    _model, tokenizer, tower = make('ViT-B-32', tmp_path)
    tokens = tower.rows.split('a video of {} in it', LABELS)
    assert {len(t.after) for t in tokens} == {2} and [len(t.label) for t in tokens] == [1, 4, 2, 2]
    rows = tower.rows.build([[*t.before, *t.label, *t.after] for t in tokens])
    assert torch.equal(rows, tokenizer([f'a video of {label} in it' for label in LABELS]))


def test_a_text_longer_than_the_context(tmp_path: Path) -> None:
    model, tokenizer, tower = make('ViT-B-32', tmp_path, context_length=12)
    long = 'red ' * 30
    assert tower.rows.max_content == 10
    with pytest.raises(VocabularyError, match='has room for 10') as caught:
        tower.encode_texts(['cat', long])
    assert '\n' not in str(caught.value) and 'truncate=True' in str(caught.value)
    with pytest.warns(UserWarning, match='cut from 30 to 10'):
        got = tower.encode_texts(['cat', long], truncate=True)
    with torch.no_grad():
        expected = model.encode_text(tokenizer(['cat', long]), normalize=True)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_refused_tokenizers_and_templates(tmp_path: Path) -> None:
    _model, tokenizer, tower = make('ViT-B-32', tmp_path)
    with pytest.raises(ConfigError, match='put spaces'):
        tower.rows.split('an xx{}', ['cat'])
    with pytest.raises(VocabularyError, match='no tokens'):
        tower.rows.split(TEMPLATE, ['cat', ' '])
    _, _, small = make('ViT-B-16-plus', tmp_path, vocab_size=49408)
    small.core.vocab_size = 100
    with pytest.raises(ConfigError, match='do not belong together'):
        FrozenTextTower(SimpleNamespace(text=small.core, tokenizer=tokenizer, embed_dim=24))
    with pytest.raises(ConfigError, match='no token embeddings'):
        FrozenTextTower(
            SimpleNamespace(text=torch.nn.Linear(2, 2), tokenizer=tokenizer, embed_dim=24)
        )


@pytest.mark.parametrize(
    'name',
    [
        'ViT-B-32',
        pytest.param('ViT-B-16-quickgelu', marks=pytest.mark.slow),
        pytest.param('RN50', marks=pytest.mark.slow),
        pytest.param('ViT-B-16-SigLIP', marks=pytest.mark.slow),
    ],
)
def test_whole_architectures(name: str, tmp_path: Path) -> None:
    clip = load_clip(name, part='text')
    tokenizer = (
        local_tokenizer(clip.architecture.config['text_cfg'], tmp_path)
        if 'SigLIP' in name
        else clip.tokenizer
    )
    tower = FrozenTextTower(
        SimpleNamespace(text=clip.text, tokenizer=tokenizer, embed_dim=clip.embed_dim)
    )
    texts = [TEMPLATE.format(label) for label in LABELS]
    with torch.no_grad():
        expected = clip.text.encode_text(tokenizer(texts), normalize=True)
        tokens = tower.rows.split(TEMPLATE, LABELS)
        rows = tower.rows.build([[*t.before, *t.label] for t in tokens])
        count, head = len(tokens[0].before), len(tower.rows.head)
        at = torch.arange(head, head + count).expand(len(LABELS), -1)
        got = F.normalize(tower(rows, tower.embed(rows[:, head : head + count]), at), dim=-1)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
