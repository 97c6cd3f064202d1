#!/usr/bin/env python
"""Measure what the frozen tower's features of Toybox allow, for a label whose truth is known.

    python tools/data/toybox/generate_videos.py
    python tools/data/toybox/measure_bounds.py

A method may use the names of a training video's seen labels alone. Here, all labels of the training
videos are told, novel ones as well, and two simple classifiers look at the mean over frames of
CLIP's embeddings: the mean of a label's videos, and a linear classifier for each label. No method
whose video side is this mean can be expected to find more, so that these figures bound what words
can give. Printed is the mAP in percent of labels with three positives and more.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.datasets.toybox.generate import annotation_of, scene_of
from ovmlv.evaluation.functional import average_precision, countable_labels
from ovmlv.files import read_json
from ovmlv.utils.cli import make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool

_STEPS, _RATE = 400, 0.02
_DECAYS = (1e-5, 1e-4, 1e-3)
_FEWEST = 3


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('--config', default='configs/zeroshot_toybox.py')
    parser.add_argument('--threads', type=int, default=1)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    from ovmlv.apis import init_recognizer

    torch.set_num_threads(args.threads)
    cfg = load_config(args.config)
    model = init_recognizer(cfg, None, 'cpu')
    sets: dict[str, tuple[Tensor, Tensor]] = {}
    for split in ('train', 'val', 'test', 'test_held_out'):
        sets[split], labels, attributes = features_of(cfg, model, split)
        print(f'{split}: {len(sets[split][0])} videos', flush=True)
    center = sets['train'][0].mean(0)
    deviation = sets['train'][0].std(0)
    sets = {split: ((x - center) / deviation, y) for split, (x, y) in sets.items()}
    ways = {'means of a label': class_means(*sets['train'])}
    probes = [linear_classifiers(*sets['train'], decay) for decay in _DECAYS]
    best = max(probes, key=lambda weights: float(_precisions(weights, *sets['val']).nanmean()))
    ways['linear classifiers'] = best
    for split in ('test', 'test_held_out'):
        for name, weights in ways.items():
            found = _precisions(weights, *sets[split])
            print(f'{split}, {name}: ' + ', '.join(_means(found, labels, attributes)), flush=True)


def features_of(cfg: Any, model: Any, split: str) -> tuple[tuple[Tensor, Tensor], list[str], dict]:
    """CLIP's mean over frames ``(N, E)``, the truth ``(N, C)`` of {1, 0, -1}, and the labels."""
    from mmengine.registry import DATASETS, DefaultScope

    given = dict(cfg.test_dataloader.dataset, ann_file=f'annotations/{split}.jsonl')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(given)
    labels, rows = list(dataset.metainfo['classes']), []
    for start in range(0, len(dataset), 32):
        part = [dataset[i]['inputs'] for i in range(start, min(start + 32, len(dataset)))]
        with torch.no_grad():
            rows.append(model.encode_videos(model.data_preprocessor(dict(inputs=part))['inputs']))
    seed = read_json(f'{cfg.data_root}/annotations/meta.json')['seed']
    place = {label: i for i, label in enumerate(labels)}
    truth = torch.zeros(len(dataset), len(labels), dtype=torch.int8)
    for i in range(len(dataset)):
        # All that is true, although the annotations of training name seen labels alone.
        told = annotation_of(scene_of(seed, split, i)[0], 'test')
        for value, key in ((1, 'labels'), (-1, 'unknown')):
            truth[i, [place[label] for label in told[key]]] = value
    attributes = dataset.metainfo['class_attributes']
    return (torch.cat(rows), truth), labels, attributes


def class_means(features: Tensor, truth: Tensor) -> Tensor:
    """Directions ``(E + 1, C)`` from the mean of all videos to that of a label's."""
    positive = (truth == 1).float()
    means = positive.T @ features / positive.sum(0).clamp(min=1)[:, None]
    return torch.cat([F.normalize(means, dim=1).T, torch.zeros(1, len(means))])


def linear_classifiers(features: Tensor, truth: Tensor, decay: float) -> Tensor:
    """Weights and biases ``(E + 1, C)`` of least binary cross-entropy."""
    torch.manual_seed(0)
    layer = nn.Linear(features.shape[1], truth.shape[1])
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, -5.0)
    known, target = (truth >= 0).float(), (truth == 1).float()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for _ in range(_STEPS):
        loss = F.binary_cross_entropy_with_logits(layer(features), target, known)
        loss = loss + decay * layer.weight.square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return torch.cat([layer.weight.detach().T, layer.bias.detach()[None]])


def _precisions(weights: Tensor, features: Tensor, truth: Tensor) -> Tensor:
    """Average precision of each label ``(C,)``; nan with fewer than three positives."""
    scores = features @ weights[:-1] + weights[-1]
    found = average_precision(scores, truth)
    return found.masked_fill(~countable_labels((truth == 1).sum(0), _FEWEST), torch.nan)


def _means(found: Tensor, labels: list[str], attributes: dict) -> list[str]:
    parts = []
    for kind in ('entity', 'action'):
        for split in ('seen', 'unseen', 'novel'):
            wanted = [
                i for i in range(len(labels))
                if attributes['split'][i] == split and attributes['kind'][i] == kind
            ]  # fmt: skip
            parts.append(f'{split} {kind} {100 * float(found[wanted].nanmean()):.1f}')
    return parts


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
