"""A tiny open_clip architecture, a tiny LLM and real videos for whole-model tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmaction.structures import ActionDataSample
from torch import Tensor

from ovmlv.registry import MODELS

LABELS = ['red', 'green', 'blue', 'getting brighter', 'getting darker']
UNSEEN = ['reddish thing', 'getting dark']

CLIP = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=32, layers=2, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=24, vocab_size=49408, width=32, heads=2, layers=2),
)
LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=2, n_positions=64))
PROMPTER = dict(width=32, num_layers=1)


def write_clip(folder: Path) -> str:
    """Write the JSON file of the architecture."""
    path = folder / 'tiny_clip_for_recognizers.json'
    path.write_text(json.dumps(CLIP))
    return str(path)


def model_config(clip: str, **kwargs: Any) -> dict[str, Any]:
    """The paper's model in small; ``backbone`` and ``head`` in ``kwargs`` are merged."""
    backbone = dict(
        type='TemporalCLIPBackbone',
        model_name=clip,
        num_frames=4,
        temporal=dict(type='ParallelTemporalAttention', blocks='last-1'),
    )
    head = dict(
        type='LLMPromptHead',
        model_name=clip,
        llm=LLM,
        readout=dict(type='PrefixReadout', num_tokens=2),
        prompter=PROMPTER,
    )
    given = kwargs.pop('head', {})
    if given.get('type', 'LLMPromptHead') != 'LLMPromptHead':
        head = dict(model_name=clip)
    return dict(
        type='OpenVocabRecognizer',
        backbone={**backbone, **kwargs.pop('backbone', {})},
        head={**head, **given},
        **kwargs,
    )


def build_model(config: dict[str, Any], seed: int = 0) -> Any:
    """Build with reproducible random weights, and stir those that start at zero."""
    torch.manual_seed(seed)
    model = MODELS.build(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad and p.ndim and not p.any():
                p.add_(0.1 * torch.randn(p.shape, generator=generator))
            elif p.requires_grad and not p.ndim and p == 0:
                p.add_(0.5)
    return model


def make_batch(num: int, views: int = 1, seed: int = 0) -> dict[str, Any]:
    """Random videos and targets, unknown ones among them, as of a data loader."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num, views, 3, 4, 32, 32)
    inputs = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    targets = torch.randint(-1, 2, (num, len(LABELS)), generator=generator)
    targets[0] = -1
    samples = [
        ActionDataSample(metainfo=dict(sample_idx=i, filename=f'{i}.mp4')).set_gt_label(y)
        for i, y in enumerate(targets)
    ]
    return dict(inputs=list(inputs), data_samples=samples)


def total(losses: dict[str, Tensor]) -> Tensor:
    """The sum that mmengine trains on."""
    return torch.stack([value for key, value in losses.items() if 'loss' in key]).sum()


def write_videos(folder: Path, count: int = 12) -> None:
    """Write ``train.jsonl`` and mp4 files of one colour whose brightness rises or falls."""
    (folder / 'videos').mkdir(parents=True)
    rows = []
    for i in range(count):
        colour, rising = i % 3, (i // 3) % 2 == 0
        name = f'{i}.mp4'
        writer = cv2.VideoWriter(
            str(folder / 'videos' / name), cv2.VideoWriter_fourcc(*'mp4v'), 10, (64, 48)
        )
        assert writer.isOpened()
        for t in range(12):
            frame = np.full((48, 64, 3), 20, dtype=np.uint8)
            frame[..., 2 - colour] = 60 + 15 * (t if rising else 11 - t)  # BGR
            writer.write(frame)
        writer.release()
        labels = [LABELS[colour], LABELS[3 if rising else 4]]
        rows.append(json.dumps(dict(video=name, labels=labels)))
    (folder / 'train.jsonl').write_text('\n'.join(rows))


def data_loader(folder: Path, test: bool, batch_size: int = 4, **dataset: Any) -> dict[str, Any]:
    """Config of a data loader over these videos."""
    pipeline = [
        dict(type='mmaction.DecordInit'),
        dict(type='SampleSegmentFrames', clip_len=4, test_mode=test),
        dict(type='mmaction.DecordDecode'),
        dict(type='mmaction.Resize', scale=(32, 32), keep_ratio=False),
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='PackMultilabelInputs'),
    ]
    return dict(
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=not test),
        dataset={
            **dict(
                type='MultilabelVideoDataset',
                ann_file=str(folder / 'train.jsonl'),
                data_prefix=dict(video=str(folder / 'videos')),
                classes=LABELS,
                pipeline=pipeline,
                test_mode=test,
            ),
            **dataset,
        },
    )
