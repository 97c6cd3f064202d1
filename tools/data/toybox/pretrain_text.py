#!/usr/bin/env python
"""Pretrain the text tower of Toybox's tiny CLIP on the frozen features of its image tower.

    python tools/data/toybox/pretrain_vision.py --out work_dirs/toybox_clip   # before this
    python tools/data/toybox/pretrain_text.py --out work_dirs/toybox_clip

Captions say what is drawn by a name, a keyword or a group of words, each concept as often as a
power law has it, and some say what the thing does, which no still image shows: such a caption is
true as often as the thing does it. A loss of contrast turns into SigLIP's sigmoid over the steps;
a linear probe that must recover the words of a text keeps texts apart that no image tells apart.
No caption holds a novel word (:mod:`ovmlv.datasets.toybox.words`).

Written: ``toybox.json``, ``toybox.safetensors``, ``toybox_bpe.txt.gz`` (an architecture of
open_clip, its weights and its tokenizer), ``toybox.frequencies.json`` (how often each word
was in a caption) and ``text.log``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import torch.nn.functional as F
from pretrain_vision import (  # repairs torchvision first
    COUNTS,
    IMAGE_SIZE,
    TOWER,
    draw,
    open_log,
    to_input,
    warm_cosine,
)
from safetensors.torch import save_file
from torch import Tensor, nn

from ovmlv.datasets.toybox.assets import concepts
from ovmlv.datasets.toybox.words import Label, all_labels, article, words_of
from ovmlv.evaluation.functional import average_precision
from ovmlv.files import whole_file, write_json
from ovmlv.weight_files import read_weight_file

import open_clip  # isort: skip

CONTEXT_LENGTH, WIDTH = 20, 128
TEMPLATES = ('{}', '{}', 'a photo of {}', 'a picture of {}', 'a video of {}', 'there is {} here')
#: What a probability starts at, near the share of labels that are true of an image.
PRIOR = 0.01
ACTION_SHARE = 0.25  # of the texts of a batch


@dataclass(frozen=True)
class Images:
    """Features of N images ``(N, 128)``, and which concepts are in them, bool ``(N, K)``."""

    features: Tensor
    holds: Tensor


def concept_weights(seed: int) -> np.ndarray:
    """How often each concept is drawn for captions: a power law over a random order."""
    rank = np.random.default_rng((seed, 2)).permutation(len(concepts())) + 1
    weights = (rank + 10.0) ** -0.6
    return weights / weights.sum()


@torch.no_grad()
def encode_images(
    trunk: nn.Module, count: int, seed: int, held_out: bool, weights: np.ndarray | None
) -> Images:
    """Draw images and encode them."""
    device = next(trunk.parameters()).device
    rng, features, holds = np.random.default_rng((seed, count, held_out)), [], []
    for start in range(0, count, 200):
        drawn = [
            draw(rng, held_out, COUNTS, weights, jitter=weights is not None)
            for _ in range(min(200, count - start))
        ]
        features.append(trunk(to_input(np.stack([image for image, _ in drawn]), device)))
        holds.append(torch.from_numpy(np.stack([share for _, share in drawn])) > 0)
    return Images(torch.cat(features).float(), torch.cat(holds).to(device))


def build_tokenizer(path: Path, known: list[Label], vocab_size: int) -> Any:
    """A byte-pair vocabulary in CLIP's format, of the words of captions alone."""
    words = [word for label in known for word in label.text.split()]
    words += ' '.join(TEMPLATES).replace('{}', '').split() * 50 + ['a', 'an', 'and'] * 50
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=1, end_of_word_suffix='</w>', show_progress=False
    )
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    model.train_from_iterator(sorted(words), trainer)
    merges = [' '.join(merge) for merge in json.loads(model.to_str())['model']['merges']]
    with gzip.GzipFile(path, 'wb', mtime=0) as file:  # a fixed time keeps the bytes the same
        file.write('\n'.join(['#version: 0.2', *merges]).encode())
    return open_clip.SimpleTokenizer(str(path), context_length=CONTEXT_LENGTH)


def architecture(vocab_size: int) -> dict[str, Any]:
    """The tiny CLIP in open_clip's JSON schema."""
    return {
        'embed_dim': WIDTH,
        'init_logit_scale': math.log(10.0),
        'init_logit_bias': math.log(PRIOR / (1 - PRIOR)),
        'vision_cfg': {
            'image_size': IMAGE_SIZE,
            'timm_model_name': TOWER,
            'timm_pool': 'avg',
            'timm_proj': 'linear',
        },
        'text_cfg': {
            'context_length': CONTEXT_LENGTH,
            'vocab_size': vocab_size,
            'width': WIDTH,
            'heads': 4,
            'layers': 3,
            'tokenizer_kwargs': {'bpe_path': 'toybox_bpe.txt.gz'},
        },
    }


def concepts_of(labels: Sequence[Label]) -> Tensor:
    """Which of K concepts each label is true of, 0 or 1, ``(C, K)``."""
    true_of = torch.zeros(len(labels), len(concepts()))
    for row, label in enumerate(labels):
        true_of[row, [thing for thing in label.things if thing >= 0]] = 1
    return true_of


class Captions:
    """Texts of a batch, and of which images each is true."""

    def __init__(self, known: list[Label], seed: int) -> None:
        self.entities = [label for label in known if label.kind == 'entity' and label.things]
        self.actions = [label.text for label in known if label.group in ('human', 'motion')]
        self.words = sorted(set().union(*(words_of(label.text) for label in known)))
        self.number = {word: i for i, word in enumerate(self.words)}
        self.rng = np.random.default_rng((seed, 3))
        self.true_of = concepts_of(self.entities)
        # Some words are read a hundred times as often as others, as in captions of the web.
        rank = np.random.default_rng((seed, 4)).permutation(len(self.entities))
        self.weights = 1 / (rank + 10.0)
        self.weights /= self.weights.sum()
        self.read: Counter[str] = Counter()

    def sample(self, holds: Tensor, others: int) -> tuple[list[str], Tensor, Tensor]:
        """Texts (one true of each image, and others), match ``(B, K)``, words ``(K, W)``."""
        true = holds.float() @ self.true_of.to(holds.device).T > 0
        weights = torch.from_numpy(self.weights).float().to(true.device)
        own = torch.multinomial(true * weights + 1e-9, 1).flatten().tolist()
        drawn = self.rng.choice(len(self.entities), others, p=self.weights).tolist()
        rows = sorted({*own, *drawn})
        texts, match = [], true[:, rows].float()
        words = torch.zeros(len(rows), len(self.words))
        for column, row in enumerate(rows):
            text = self.entities[row].text
            said = words_of(text)
            if self.rng.random() < 0.5:
                text = article(text)
            if self.rng.random() < ACTION_SHARE:
                # Which of the images' things do it is told by no pixel: each does, now and then.
                doing = self.actions[self.rng.integers(len(self.actions))]
                text, said = f'{text} {doing}', said | words_of(doing)
                does = torch.from_numpy(self.rng.random(len(match)) < 0.2).to(match)
                match[:, column] *= does
            words[column, [self.number[word] for word in said]] = 1
            texts.append(TEMPLATES[self.rng.integers(len(TEMPLATES))].format(text))
            self.read.update(texts[-1].split())
        return texts, match, words.to(holds.device)


@torch.no_grad()
def evaluate(model: Any, tokenizer: Any, images: Images, labels: list[Label]) -> dict[str, float]:
    """Zero-shot mAP in percent of the entity labels of each split that three images have."""
    model.eval()
    texts = [f'a video of {label.text}' for label in labels]
    text = torch.cat(
        [
            model.encode_text(tokenizer(texts[i : i + 256]).to(images.features.device))
            for i in range(0, len(texts), 256)
        ]
    )
    video = F.normalize(model.visual.head(images.features), dim=-1)
    scores = (video @ F.normalize(text, dim=-1).T).cpu()
    truth = (images.holds.cpu().float() @ concepts_of(labels).T > 0).long()
    found = {}
    for split in ('seen', 'unseen', 'novel'):
        columns = [
            i for i, label in enumerate(labels)
            if label.split == split and 3 <= truth[:, i].sum() < len(truth)
        ]  # fmt: skip
        values = average_precision(scores[:, columns], truth[:, columns])
        found[split] = 100 * float(values.nanmean())
        found[f'{split}, chance'] = 100 * float(truth[:, columns].float().mean())
    model.train()
    return found


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=Path('work_dirs/toybox_clip'))
    parser.add_argument('--steps', type=int, default=1600)
    parser.add_argument('--batch-size', type=int, default=256)
    parser.add_argument('--images', type=int, default=24000, help='images with captions')
    parser.add_argument('--test-images', type=int, default=3000)
    parser.add_argument('--vocab-size', type=int, default=2600)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    known = [label for label in all_labels() if label.split != 'novel']
    novel = set().union(*(words_of(label.text) for label in all_labels())) - set().union(
        *(words_of(label.text) for label in known)
    )
    said = words_of(' '.join(TEMPLATES).replace('{}', ''))
    if said & novel:
        raise SystemExit(f'the templates hold the novel words {sorted(said & novel)}; change them')
    tokenizer = build_tokenizer(args.out / 'toybox_bpe.txt.gz', known, args.vocab_size)
    config = architecture(tokenizer.vocab_size)
    write_json(args.out / 'toybox.json', config, indent=2)
    text_cfg = {k: v for k, v in config['text_cfg'].items() if k != 'tokenizer_kwargs'}
    model: Any = open_clip.CLIP(**{**config, 'text_cfg': text_cfg}).to(device)
    state = read_weight_file(str(args.out / 'vision_state.pt'))
    trunk = {k.removeprefix('0.'): v for k, v in state['model'].items() if k.startswith('0.')}
    model.visual.trunk.load_state_dict(trunk)
    model.visual.trunk.requires_grad_(False).eval()
    with torch.no_grad():  # with open_clip's small initial tokens all texts collapse into one
        model.token_embedding.weight.normal_(std=1.0)
        model.positional_embedding.normal_(std=0.1)
    log = open_log(args.out / 'text.log', 'w')
    log(f'{ {k: str(v) for k, v in vars(args).items()} }, vision after step {state["step"]}')
    cache = args.out / f'features_{state["step"]}_{args.images}_{args.test_images}.pt'
    if cache.exists():
        found = read_weight_file(str(cache))
    else:
        eyes = model.visual.trunk
        sets = dict(
            train=encode_images(eyes, args.images, 11, False, concept_weights(args.seed)),
            known=encode_images(eyes, args.test_images, 12, False, None),
            held_out=encode_images(eyes, args.test_images, 13, True, None),
        )
        found = {name: vars(images) for name, images in sets.items()}
        torch.save(found, cache)
    images = {
        name: Images(**{key: part.to(device) for key, part in parts.items()})
        for name, parts in found.items()
    }
    captions = Captions(known, args.seed)
    probe = nn.Linear(WIDTH, len(captions.words)).to(device)
    weights = [
        p for n, p in model.named_parameters() if p.requires_grad and not n.startswith('logit_')
    ]
    optimizer = torch.optim.AdamW(
        [
            dict(params=[*weights, *probe.parameters()], lr=1e-3),
            dict(params=[model.logit_scale, model.logit_bias], lr=1e-2, weight_decay=0.0),
        ],
        betas=(0.9, 0.98),
        weight_decay=0.02,
    )
    schedule = warm_cosine(optimizer, args.steps, warmup=50)
    entities = [label for label in all_labels() if label.kind == 'entity' and label.things]
    rng, started = np.random.default_rng((args.seed, 5)), time.perf_counter()
    pool = images['train']
    for step in range(1, args.steps + 1):
        chosen = torch.from_numpy(rng.integers(0, len(pool.features), args.batch_size)).to(device)
        texts, match, words = captions.sample(pool.holds[chosen], args.batch_size // 2)
        video = F.normalize(model.visual.head(pool.features[chosen]), dim=-1)
        text = F.normalize(model.encode_text(tokenizer(texts).to(device)), dim=-1)
        scaled = video @ text.T * model.logit_scale.exp()
        share = step / args.steps
        sigmoid = F.binary_cross_entropy_with_logits(scaled + model.logit_bias, match)
        recovered = F.binary_cross_entropy_with_logits(probe(8 * text), words)
        loss = 10 * share * sigmoid + 0.2 * (1 - share) * contrast(scaled, match) + recovered
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0 or step == args.steps:
            log(f'step {step}/{args.steps} sigmoid {sigmoid.item():.4f} probe '
                f'{recovered.item():.4f} scale {model.logit_scale.exp().item():.1f} '
                f'{time.perf_counter() - started:.0f} s')  # fmt: skip
            for name in ('known', 'held_out'):
                values = evaluate(model, tokenizer, images[name], entities)
                log(f'  {name}: ' + ', '.join(f'{k} {v:.1f}' for k, v in values.items()))
    weights_out = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    weights_out = {k: v.half() if v.is_floating_point() else v for k, v in weights_out.items()}
    with whole_file(args.out / 'toybox.safetensors') as scratch:
        save_file(weights_out, scratch, metadata={'format': 'pt'})
    write_json(args.out / 'toybox.frequencies.json', dict(sorted(captions.read.items())), indent=0)


def contrast(scaled: Tensor, match: Tensor) -> Tensor:
    """Contrastive loss both ways, where several texts may be true of an image."""
    told = match.sum(1) > 0
    drawn = match.sum(0) > 0
    of_image = match[told] / match[told].sum(1, keepdim=True)
    of_text = match[:, drawn] / match[:, drawn].sum(0)
    by_image = -(of_image * scaled[told].log_softmax(1)).sum(1).mean()
    by_text = -(of_text * scaled[:, drawn].log_softmax(0)).sum(0).mean()
    return (by_image + by_text) / 2


if __name__ == '__main__':
    main()
