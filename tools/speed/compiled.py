"""Rows of torch.compile: the same forward pass and the same step, compiled and not."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .side_by_side import Row, Side, difference
from .video_encoder import encoder_and_videos


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """Forward and step of the video encoder, with an architecture of open_clip, random weights."""
    backbone, videos = encoder_and_videos(args)
    target = F.normalize(torch.randn(args.batch, backbone.embed_dim), dim=-1).to(videos)
    counted: list[Any] = []

    def counting(graph: Any, inputs: Any) -> Any:
        from torch._inductor.compile_fx import compile_fx

        counted.append(graph)
        return compile_fx(graph, inputs)

    def forward(call: Callable[[Tensor], Tensor]) -> Callable[[], Tensor]:
        def run() -> Tensor:
            with torch.no_grad():
                return call(videos)

        return run

    def step(call: Callable[[Tensor], Tensor]) -> Callable[[], Tensor]:
        def run() -> Tensor:
            loss = (1 - (F.normalize(call(videos), dim=-1) * target).sum(-1)).mean()
            loss.backward()
            backbone.zero_grad(set_to_none=True)
            return loss.detach()[None]

        return run

    def check(found: dict[str, Tensor]) -> str:
        plain, compiled = (value.float() for value in found.values())
        apart = difference(plain, compiled)
        assert apart < (1e-4 if args.dtype == 'float32' else 3e-2), apart
        return f'{apart:.1e} apart; torch.compile made {len(counted)} graphs'

    for name, train, make in (('forward', False, forward), ('step', True, step)):
        backbone.train(train)
        torch._dynamo.reset()
        counted.clear()
        yield Row(
            f'torch.compile, {name}: {args.clip}, {args.batch} videos of {args.frames} frames',
            [
                Side('not compiled', make(backbone)),
                Side('compiled', make(torch.compile(backbone, backend=counting))),
            ],
            check,
            (args.batch, 'videos'),
        )
