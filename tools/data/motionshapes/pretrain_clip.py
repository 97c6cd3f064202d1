"""Pretrain the tiny CLIP of MotionShapes on still images and captions.

It plays the part of CLIP in the config that runs without downloads: it knows static words (shapes,
colors, backgrounds, most pairs, places, sizes) and no motion. Every caption states a set of facts,
so the match of any image with any text of a batch is known exactly and is learned with a sigmoid
loss (SigLIP, arXiv 2303.15343). As on the web, captions tell more than a still image shows: actors
have motions that no pixel tells, so "a circle spinning" is learned as likely as it is among
circles, and some captions hold made-up words that mean nothing. A linear probe that must recover
all words of a text from its embedding keeps motions apart in the text tower. Held-out pairs and
compositions occur in neither the images nor the captions.

    python tools/data/motionshapes/pretrain_clip.py --out-dir work_dirs/motionshapes_clip
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ovmlv.compat import apply as apply_compat

apply_compat()
os.environ.setdefault('TIMM_FUSED_ATTN', '0')  # on CPUs bf16 attention is faster unfused

import open_clip  # noqa: E402
import tokenizers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from sklearn.metrics import average_precision_score  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

import ovmlv.models.clip.timm_models  # noqa: E402, F401  (registers vit_motionshapes)
from ovmlv.datasets.motionshapes.render import Pose  # noqa: E402
from ovmlv.datasets.motionshapes.scene import (  # noqa: E402
    Scene,
    render_image,
    sample_scene,
    still_poses,
)
from ovmlv.datasets.motionshapes.world import (  # noqa: E402
    BACKGROUNDS,
    COLORS,
    MOTIONS,
    SHAPES,
    all_labels,
    article,
    is_never_rendered_pair,
    is_unseen_composition,
)
from ovmlv.files import whole_file  # noqa: E402

CONTEXT_LENGTH = 20
TEMPLATES = ('{}', '{}', 'a photo of {}', 'a video of {}', 'a picture of {}', 'there is {} here')
MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
#: Where an actor is and how large, as a caption says it.
PLACES = {
    'on the left': lambda pose: pose.x < 26,
    'on the right': lambda pose: pose.x > 38,
    'at the top': lambda pose: pose.y < 26,
    'at the bottom': lambda pose: pose.y > 38,
    'small': lambda pose: pose.radius < 10.0,
    'large': lambda pose: pose.radius > 12.5,
}
_PAIRS = [(s, c) for s in SHAPES for c in COLORS]
_PLACED = [(s, place) for s in SHAPES for place in PLACES]
_COMPOSED = [(s, m) for s in SHAPES for m in MOTIONS]
#: One column for every fact that a caption can state.
FACTS = [*SHAPES, *COLORS, *(f'{b} background' for b in BACKGROUNDS), *MOTIONS]
FACTS += [*_PAIRS, *_PLACED, *_COMPOSED]
_FACT = {fact: i for i, fact in enumerate(FACTS)}
#: What the probe recovers from a text.
WORDS = [*SHAPES, *COLORS, *BACKGROUNDS, *MOTIONS]


def build_tokenizer(path: Path) -> int:
    """Write a small byte-pair vocabulary in CLIP's format; every known word is one token.

    Returns:
        The number of tokens.
    """
    words = ' '.join([*SHAPES, *COLORS, *BACKGROUNDS, *MOTIONS]).split()
    words += ' '.join(TEMPLATES).replace('{}', '').split()
    words += ' '.join(PLACES).split()
    words += ['an', 'a', 'and', 'on', 'background', 'with', 'the', 'of', 'in', 'it', 'other']
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=4000, min_frequency=1, end_of_word_suffix='</w>', show_progress=False
    )
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    model.train_from_iterator(sorted(set(words)), trainer)
    merges = [' '.join(m) for m in json.loads(model.to_str())['model']['merges']]
    with gzip.GzipFile(path, 'wb', mtime=0) as file:  # a fixed time keeps the bytes the same
        file.write('\n'.join(['#version: 0.2', *merges]).encode())
    return open_clip.SimpleTokenizer(str(path)).vocab_size


def architecture(vocab_size: int) -> dict:
    """The architecture of the tiny CLIP in open_clip's JSON schema."""
    return {
        'embed_dim': 128,
        'init_logit_scale': math.log(10.0),
        'init_logit_bias': math.log(0.05 / 0.95),
        'vision_cfg': {
            'image_size': 64,
            'timm_model_name': 'vit_motionshapes',
            'timm_pool': 'avg',
            'timm_proj': 'linear',
        },
        'text_cfg': {
            'context_length': CONTEXT_LENGTH,
            'vocab_size': vocab_size,
            'width': 128,
            'heads': 4,
            'layers': 3,
            'tokenizer_kwargs': {'bpe_path': 'motionshapes_bpe.txt.gz'},
        },
    }


def scene_facts(scene: Scene, poses: list[Pose]) -> np.ndarray:
    """Multi-hot facts of a scene, ``(num_facts,)``."""
    true = [f'{scene.background} background']
    for actor, pose in zip(scene.actors, poses, strict=True):
        true += [actor.shape, actor.color, actor.motion]
        true += [(actor.shape, actor.color), (actor.shape, actor.motion)]
        true += [(actor.shape, place) for place, holds in PLACES.items() if holds(pose)]
    facts = np.zeros(len(FACTS), np.float32)
    facts[[_FACT[fact] for fact in true]] = 1
    return facts


def made_up_word(rng: np.random.Generator) -> str:
    """A word that means nothing, spelled letter by letter by the tokenizer."""
    return ''.join(chr(97 + i) for i in rng.integers(0, 26, rng.integers(3, 8)))


def _text(phrase: str, facts: list, words: list[str], rng: np.random.Generator) -> tuple:
    text = TEMPLATES[rng.integers(len(TEMPLATES))].format(phrase)
    if len(text.split()) <= 7 and rng.random() < 0.3:
        extra = made_up_word(rng)
        text = f'{text} {extra}' if rng.random() < 0.5 else f'{extra} {text}'
    return text, [_FACT[f] for f in facts], [WORDS.index(w) for w in words if w in WORDS]


def _pick(items: list, count: int, rng: np.random.Generator) -> list:
    return [items[i] for i in rng.choice(len(items), min(count, len(items)), replace=False)]


def sample_texts(scenes: list[Scene], rng: np.random.Generator) -> list[tuple]:
    """Texts of one batch, each with the facts that it states and the words that it holds."""

    def noun(phrase: str) -> str:
        return article(phrase) if rng.random() < 0.5 else phrase

    texts = [_text(noun(s), [s], [s], rng) for s in SHAPES]
    texts += [_text(c, [c], [c], rng) for c in COLORS]
    texts += [_text(f'{b} background', [f'{b} background'], [b], rng) for b in BACKGROUNDS]
    texts += [_text(m, [m], [m], rng) for m in MOTIONS]
    known_pairs = [p for p in _PAIRS if not is_never_rendered_pair(*p)]
    texts += [
        _text(noun(f'{c} {s}'), [(s, c)], [s, c], rng) for s, c in _pick(known_pairs, 72, rng)
    ]
    for shape, place in _pick(_PLACED, 32, rng):
        phrase = f'{place} {shape}' if ' ' not in place else f'{article(shape)} {place}'
        texts.append(_text(phrase, [(shape, place)], [shape], rng))
    known = [(s, m) for s, m in _COMPOSED if not is_unseen_composition(s, m)]
    for shape, motion in _pick(known, 32, rng):
        texts.append(_text(f'{article(shape)} {motion}', [(shape, motion)], [shape, motion], rng))
    for scene in _pick(scenes, 48, rng):  # captions of some images
        phrases, facts, words = [], [], []
        for actor in scene.actors[: 1 + rng.integers(2)]:
            in_order = rng.random() < 0.7
            phrases.append(
                article(
                    f'{actor.color} {actor.shape}'
                    if in_order
                    else f'{actor.shape} in {actor.color}'
                )
            )
            facts.append((actor.shape, actor.color))
            words += [actor.shape, actor.color]
        caption = ' and '.join(phrases)
        if rng.random() < 0.5:
            caption += f' on {article(scene.background)} background'
            facts.append(f'{scene.background} background')
            words.append(scene.background)
        texts.append(_text(caption, facts, words, rng))
    return texts


class PretrainingBatches(Dataset):
    """Batch ``i`` is a function of the seed and ``i``, however many workers draw it."""

    def __init__(self, num_batches: int, batch_size: int, seed: int) -> None:
        self.num_batches, self.batch_size, self.seed = num_batches, batch_size, seed

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> tuple:
        rng = np.random.default_rng((self.seed, index))
        # Single actors first: a shape is learned faster where nothing else is averaged with it.
        mix = min(1.0, 2 * index / self.num_batches)
        counts = (1 - 0.7 * mix, 0.45 * mix, 0.25 * mix)
        scenes = [
            sample_scene(rng, video=True, hold_out_pairs=True, counts=counts)
            for _ in range(self.batch_size)
        ]
        poses = [still_poses(scene, rng) for scene in scenes]
        images = np.stack(
            [render_image(scene, rng, pose) for scene, pose in zip(scenes, poses, strict=True)]
        )
        facts = np.stack([scene_facts(*each) for each in zip(scenes, poses, strict=True)])
        texts = sample_texts(scenes, rng)
        required = np.zeros((len(texts), len(FACTS)), np.float32)
        words = np.zeros((len(texts), len(WORDS)), np.float32)
        for row, (_, fact_ids, word_ids) in enumerate(texts):
            required[row, fact_ids] = 1
            words[row, word_ids] = 1
        return images, facts, [t[0] for t in texts], required, words


def to_input(images: np.ndarray) -> torch.Tensor:
    """uint8 ``(B, H, W, 3)`` to normalised float ``(B, 3, H, W)``."""
    x = torch.from_numpy(images).float().div_(255)
    x = (x - torch.tensor(MEAN)) / torch.tensor(STD)
    return x.permute(0, 3, 1, 2)  # channels last in memory, which convolutions like


@torch.no_grad()
def evaluate(
    model: Any, tokenizer: Any, num_images: int, seed: int, template: str = '{}'
) -> dict[str, float]:
    """Zero-shot mAP by group of labels on fresh images (all pairs are drawn here)."""
    model.eval()
    rng = np.random.default_rng((seed, 2**31))
    scenes = [sample_scene(rng, video=False) for _ in range(num_images)]
    images = np.stack([render_image(scene, rng) for scene in scenes])
    f_v = torch.cat(
        [model.encode_image(to_input(chunk), normalize=True) for chunk in np.split(images, 10)]
    )
    groups: dict[str, list] = {}
    for label in all_labels():
        if label.kind == 'entity' and label.split != 'novel':
            held_out = label.group == 'pair' and is_never_rendered_pair(*label.facts[0][:2])
            name = (
                f'{"never-rendered" if held_out else "seen"} pair'
                if label.group == 'pair'
                else label.group
            )
            groups.setdefault(name, []).append(label)
    result = {}
    for name, labels in groups.items():
        texts = [template.format(label.text) for label in labels]
        scores = f_v @ model.encode_text(tokenizer(texts), normalize=True).T
        truth = np.array([[scene.satisfies(label) for label in labels] for scene in scenes])
        aps = [average_precision_score(truth[:, i], scores[:, i]) for i in range(len(labels))]
        result[name] = float(np.mean(aps))
    motions = model.encode_text(tokenizer(list(MOTIONS)), normalize=True)
    shapes = model.encode_text(tokenizer(list(SHAPES)), normalize=True)
    result['max cosine of two motions'] = float(
        (motions @ motions.T - torch.eye(len(MOTIONS))).max()
    )
    result['max cosine of two shapes'] = float((shapes @ shapes.T - torch.eye(len(SHAPES))).max())
    return result


def save(model: torch.nn.Module, path: Path) -> dict[str, torch.Tensor]:
    """Write the weights in half precision, which halves the download, and return them."""
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    with whole_file(path) as scratch:
        save_file(state, scratch, metadata={'format': 'pt'})
    return state


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/motionshapes_clip'))
    parser.add_argument('--steps', type=int, default=2400)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--lr', type=float, default=1.5e-3)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--probe-weight', type=float, default=1.0)
    parser.add_argument('--margin-weight', type=float, default=1.0)
    parser.add_argument('--log-interval', type=int, default=100)
    parser.add_argument('--eval-interval', type=int, default=400)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    log_file = (args.out_dir / 'pretrain.log').open('w')

    def log(line: str) -> None:
        print(line, flush=True)
        print(line, file=log_file, flush=True)

    log(f'{ {k: str(v) for k, v in vars(args).items()} }, torch {torch.__version__}')
    config = architecture(build_tokenizer(args.out_dir / 'motionshapes_bpe.txt.gz'))
    (args.out_dir / 'motionshapes.json').write_text(json.dumps(config, indent=2) + '\n')
    tokenizer = open_clip.SimpleTokenizer(
        str(args.out_dir / 'motionshapes_bpe.txt.gz'), context_length=CONTEXT_LENGTH
    )
    text_cfg = {k: v for k, v in config['text_cfg'].items() if k != 'tokenizer_kwargs'}
    model = open_clip.CLIP(**{**config, 'text_cfg': text_cfg})
    with torch.no_grad():  # with open_clip's small initial tokens all texts collapse into one
        model.token_embedding.weight.normal_(std=1.0)
        model.positional_embedding.normal_(std=0.1)
    model.visual.to(memory_format=torch.channels_last)
    probe = torch.nn.Linear(128, len(WORDS))
    scalars = [model.logit_scale, model.logit_bias]
    weights = [p for n, p in model.named_parameters() if not n.startswith('logit_')]
    optimizer = torch.optim.AdamW(
        [
            {'params': [*weights, *probe.parameters()], 'lr': args.lr},
            {'params': scalars, 'lr': 10 * args.lr, 'weight_decay': 0.0},
        ],
        betas=(0.9, 0.98),
        weight_decay=0.02,
    )
    warmup = 200
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda i: min(
            (i + 1) / warmup, 0.5 * (1 + math.cos(math.pi * min(1, i / args.steps))) + 1e-3
        ),
    )
    average = deepcopy(model).eval()
    loader = DataLoader(
        PretrainingBatches(args.steps, args.batch_size, args.seed),
        batch_size=None, num_workers=args.workers, prefetch_factor=4 if args.workers else None,
    )  # fmt: skip
    start = time.time()
    for step, (images, facts, texts, required, words) in enumerate(loader, 1):
        model.train()
        with torch.autocast('cpu', dtype=torch.bfloat16):
            f_v = model.encode_image(to_input(np.asarray(images)))
            f_t = model.encode_text(tokenizer(texts))
        f_v, f_t = F.normalize(f_v.float(), dim=-1), F.normalize(f_t.float(), dim=-1)
        facts, required, words = map(torch.as_tensor, (facts, required, words))
        stated = required.sum(1)
        match = ((facts @ required.T) == stated).float()
        logits = f_v @ f_t.T * model.logit_scale.exp() + model.logit_bias
        image_loss = F.binary_cross_entropy_with_logits(logits, match)
        probe_loss = F.binary_cross_entropy_with_logits(probe(f_t * 8), words)
        # Two texts of different motions keep a distance, although no image tells them apart.
        motions = words[:, -len(MOTIONS) :]
        differ = (motions.sum(1)[:, None] * motions.sum(1)) * (1 - motions @ motions.T)
        margin_loss = (F.relu(f_t @ f_t.T - 0.6) * differ).sum() / differ.sum()
        loss = 10 * image_loss + args.probe_weight * probe_loss + args.margin_weight * margin_loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            decay = min(0.999, step / (step + 20))
            for a, b in zip(
                average.state_dict().values(), model.state_dict().values(), strict=True
            ):
                a.lerp_(b, 1 - decay) if a.is_floating_point() else a.copy_(b)
        if step % args.log_interval == 0:
            log(
                f'step {step}/{args.steps} image {image_loss.item():.4f} '
                f'probe {probe_loss.item():.4f} margin {margin_loss.item():.3f} '
                f'scale {model.logit_scale.exp().item():.2f} bias {model.logit_bias.item():.2f} '
                f'{time.time() - start:.0f} s'
            )
        if step % args.eval_interval == 0 or step == args.steps:
            result = evaluate(average, tokenizer, 1000 if step < args.steps else 4000, args.seed)
            log('zero-shot ' + ', '.join(f'{k} {v:.3f}' for k, v in result.items()))
            save(average, args.out_dir / 'motionshapes.safetensors')
    state = save(average, args.out_dir / 'motionshapes.safetensors')
    # What is written is what is evaluated.
    average.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    )
    for template in ('{}', 'a video of {}'):
        result = evaluate(average, tokenizer, 4000, args.seed, template)
        log(f'final, {template!r}: ' + ', '.join(f'{k} {v:.4f}' for k, v in result.items()))


if __name__ == '__main__':
    main()
