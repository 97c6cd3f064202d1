#!/usr/bin/env python
"""Pretrain the image tower of Toybox's tiny CLIP: the first of its two stages.

A contrastive loss from scratch stalls on a world of natural words: a text tower that knows nothing
gives the image tower nothing to learn from, and the other way round. So the image tower comes
first, by a plain linear classifier over the concepts that are drawn (several of an image share its
target), and ``pretrain_text.py`` then learns the words on its frozen features. Images are still,
hold things alone, and are never drawn by the held-out family. More and more drawings change their
style at random, or are mixed with another family's drawing of the same thing.

    python tools/data/toybox/pretrain_vision.py --out work_dirs/toybox_clip

A second call goes on where the first one stopped. Batch ``i`` is a function of the seed and ``i``.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ovmlv.compat import apply as apply_compat

apply_compat()
os.environ.setdefault('TIMM_FUSED_ATTN', '0')  # on CPUs attention of few tokens is faster unfused

import open_clip  # noqa: E402
import timm  # noqa: E402

import ovmlv.models.clip.timm_models  # noqa: E402, F401  (registers the tower)
from ovmlv.datasets.toybox.assets import concepts  # noqa: E402
from ovmlv.datasets.toybox.generate import EXTENT  # noqa: E402
from ovmlv.datasets.toybox.render import render  # noqa: E402
from ovmlv.datasets.toybox.scene import sample_image  # noqa: E402
from ovmlv.engine.optim_wrappers.autocast_optim_wrapper import computes_in_bfloat16  # noqa: E402
from ovmlv.files import whole_file  # noqa: E402
from ovmlv.weight_files import read_weight_file  # noqa: E402

TOWER = 'vit_motionshapes'
IMAGE_SIZE = 64
MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
#: Shares of images with one to four things, at the end of training; it begins with one alone.
COUNTS = np.array([0.5, 0.3, 0.15, 0.05])
#: Shares of images in changed styles, and of drawings that are mixed: at first, and from half of
#: the steps on. Where all are changed from the start, nothing is learnt.
STYLED, MIXED = (0.2, 0.7), (0.0, 0.6)


class Images(Dataset):
    """Batches of still images, and for each which concepts it holds."""

    def __init__(self, first: int, last: int, steps: int, batch_size: int, seed: int) -> None:
        self.first, self.last, self.steps = first, last, steps
        self.batch_size, self.seed = batch_size, seed

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        index = self.first + item
        rng = np.random.default_rng((self.seed, index))
        mix = min(1.0, max(0.0, 1.6 * index / self.steps - 0.5))
        counts = (1 - mix) * np.eye(4)[0] + mix * COUNTS
        share = min(1.0, 2 * index / self.steps)
        styled, mixed = ((1 - share) * first + share * last for first, last in (STYLED, MIXED))
        drawn = [
            draw(rng, counts=counts, styled=styled, mixed=mixed) for _ in range(self.batch_size)
        ]
        return np.stack([image for image, _ in drawn]), np.stack([share for _, share in drawn])


def draw(
    rng: np.random.Generator,
    held_out: bool = False,
    counts: np.ndarray = COUNTS,
    weights: np.ndarray | None = None,
    jitter: bool = True,
    styled: float = 0.0,
    mixed: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """An image, uint8 ``(64, 64, 3)``, and the share of each concept in it, float32 ``(N,)``.

    Args:
        rng: The source of randomness.
        held_out: Whether the held-out family draws.
        counts: Shares of images with one thing, two, and so on.
        weights: How often each concept occurs; by default, all occur alike.
        jitter: Whether the image is cut and blurred a little.
        styled: Probability that the drawings' styles are changed.
        mixed: Probability that a drawing is mixed with another family's.
    """
    scene = sample_image(
        rng, EXTENT, held_out, weights, tuple(counts), rng.random() < styled, mixed
    )
    image = render(scene, rng)[0]
    if jitter:
        side = int(rng.integers(round(0.86 * EXTENT), EXTENT + 1))
        top, left = rng.integers(0, EXTENT - side + 1, 2)
        image = image[top : top + side, left : left + side]
        if rng.random() < 0.2:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.2))
    image = cv2.resize(image, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    share = np.zeros(len(concepts()), np.float32)
    share[[actor.thing for actor in scene.actors]] = 1 / len(scene.actors)
    return image, share


def to_input(images: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """uint8 ``(B, H, W, 3)`` to normalised float ``(B, 3, H, W)``."""
    x = torch.as_tensor(images).to(device).float().div_(255)
    x = (x - torch.tensor(MEAN, device=device)) / torch.tensor(STD, device=device)
    return x.permute(0, 3, 1, 2)  # channels last in memory, which convolutions like


def warm_cosine(
    optimizer: torch.optim.Optimizer, steps: int, warmup: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """A linear warm-up, then half a cosine to a thousandth."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda i: min((i + 1) / warmup, 0.5 * (1 + math.cos(math.pi * min(1, i / steps))) + 1e-3),
    )


def open_log(path: Path, mode: str) -> Callable[[str], None]:
    """A function that prints a line, to a file as well."""
    file = path.open(mode)

    def log(line: str) -> None:
        print(line, flush=True)
        print(line, file=file, flush=True)

    return log


@torch.no_grad()
def accuracy(tower: nn.Module, classifier: nn.Module, device: torch.device, count: int) -> str:
    """Top-1 and top-5 on single things, by the known families and by the held-out one."""
    tower.eval()
    found = []
    for name, held_out in (('known families', False), ('held-out family', True)):
        rng = np.random.default_rng((99, held_out))
        drawn = [draw(rng, held_out, np.eye(4)[0], jitter=False) for _ in range(count)]
        logits = torch.cat(
            [
                classifier(tower(to_input(np.stack([i for i, _ in drawn[k : k + 200]]), device)))
                for k in range(0, count, 200)
            ]
        ).cpu()
        truth = torch.tensor([int(share.argmax()) for _, share in drawn])
        top = logits.topk(5, 1).indices == truth[:, None]
        found.append(f'{name}: top-1 {top[:, 0].float().mean():.3f}, top-5 '
                     f'{top.any(1).float().mean():.3f}')  # fmt: skip
    tower.train()
    return '; '.join(found)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=Path('work_dirs/toybox_clip'))
    parser.add_argument('--steps', type=int, default=5000)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--lr', type=float, default=2e-3)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=1, help='processes that draw')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--test-images', type=int, default=1000)
    parser.add_argument('--log-interval', type=int, default=100)
    parser.add_argument('--eval-interval', type=int, default=500)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(args.device)
    torch.manual_seed(args.seed)
    tower: Any = timm.create_model(TOWER).to(device, memory_format=torch.channels_last)
    classifier = nn.Linear(tower.num_features, len(concepts())).to(device)
    nn.init.normal_(classifier.weight, std=tower.num_features**-0.5)
    trained = nn.ModuleList([tower, classifier])
    optimizer = torch.optim.AdamW(
        trained.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.05
    )
    schedule = warm_cosine(optimizer, args.steps, warmup=100)
    asked = {name: getattr(args, name) for name in ('steps', 'batch_size', 'lr', 'seed')}
    state_file, first, spent = args.out / 'vision_state.pt', 0, 0.0
    if state_file.exists():
        state = read_weight_file(str(state_file), mmap=False)
        if state['asked'] != asked:
            raise SystemExit(f'{state_file} is of {state["asked"]}, not of {asked}; name another')
        for part, name in ((trained, 'model'), (optimizer, 'optimizer'), (schedule, 'schedule')):
            part.load_state_dict(state[name])
        first, spent = state['step'], state['seconds']
    log = open_log(args.out / 'vision.log', 'a')
    log(f'step {first} of {asked}; torch {torch.__version__}, {device}, '
        f'{torch.get_num_threads()} threads')  # fmt: skip
    fast = computes_in_bfloat16(device.type)
    loader = DataLoader(
        Images(first, args.steps, args.steps, args.batch_size, args.seed),
        batch_size=None, num_workers=args.workers, prefetch_factor=4 if args.workers else None,
    )  # fmt: skip
    started = time.perf_counter() - spent
    for step, (images, shares) in enumerate(loader, first + 1):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast):
            features = tower(to_input(images, device))
        logits = classifier(features.float())
        loss = -(shares.to(device) * F.log_softmax(logits, 1)).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        seconds = time.perf_counter() - started
        if step % args.log_interval == 0:
            log(f'step {step}/{args.steps} loss {loss.item():.3f} {seconds:.0f} s')
        if step % args.eval_interval == 0 or step == args.steps:
            log(accuracy(tower, classifier, device, args.test_images))
            state = dict(
                model=trained.state_dict(), optimizer=optimizer.state_dict(),
                schedule=schedule.state_dict(), step=step, seconds=seconds, asked=asked,
            )  # fmt: skip
            with whole_file(state_file) as scratch:
                torch.save(state, scratch)


if __name__ == '__main__':
    main()
