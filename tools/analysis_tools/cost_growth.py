#!/usr/bin/env python
"""How the cost of a part grows with the size of its work: a power law is fitted, beside theory.

    python tools/analysis_tools/cost_growth.py [--only labels rows] [--out growth.json]

``seconds = a * size ** b``: b is fitted to the medians of several rounds in turn, of the process's
CPU time in one thread. b falls short of theory where something constant weighs in at small sizes.

* labels: a training step of the label encoder, C labels (theory: 1)
* frames: the video encoder, forward, T frames (1; attention over frames alone is 2)
* length: reading 8 frames of a file of so many seconds (0: it starts from the key frame before)
* llm: states of 16 labels in a language model of so many parameters (1)
* rows: loading an annotation file of so many rows (1)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault('OMP_NUM_THREADS', '1')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ovmlv.compat import apply

apply()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from speed.side_by_side import Row, Side, measure  # noqa: E402

from ovmlv.files import write_json  # noqa: E402
from ovmlv.utils.cli import add_debug_argument, make_parser  # noqa: E402
from ovmlv.utils.error_door import run_tool  # noqa: E402

#: Name -> sizes, the exponent of theory, and what makes a function that does the work once.
Curve = tuple[Sequence[int], float, Callable[[int, Path], Callable[[], Any]]]
_CLIP = dict(model_name='motionshapes', pretrained='motionshapes')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('--only', nargs='+', choices=sorted(CURVES), default=list(CURVES))
    parser.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    parser.add_argument('--largest', type=int, help='leave larger sizes out')
    parser.add_argument('--out', type=Path, help='a .json file for all times')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def of_labels(count: int, _folder: Path) -> Callable[[], Any]:
    """A step of the label encoder."""
    from speed.label_encoder import make_labels

    from ovmlv.models.heads import LLMPromptHead

    head = LLMPromptHead(
        **_CLIP, llm=_llm(64, 4), readout=dict(type='StaticReadout'), truncate=True
    )
    labels = make_labels(count)
    return lambda: head(labels).sum().backward()


def of_frames(count: int, _folder: Path) -> Callable[[], Any]:
    """The video encoder without gradients."""
    from ovmlv.models.backbones import TemporalCLIPBackbone

    backbone = TemporalCLIPBackbone(**_CLIP, num_frames=count).eval()
    video = torch.rand(1, 3, count, *backbone.image_size)

    def run() -> None:
        with torch.inference_mode():
            backbone(video)

    return run


def of_length(seconds: int, folder: Path) -> Callable[[], Any]:
    """Reading 8 frames of a file."""
    from mmengine.dataset import Compose
    from speed.reading import write_video

    from ovmlv.utils import register_all_modules

    register_all_modules()
    path = folder / f'{seconds}.mp4'
    write_video(path, (320, 240), 0, frames=30 * seconds)
    sampler = dict(type='mmaction.UniformSample', clip_len=8, num_clips=1, test_mode=True)
    pipeline = Compose([dict(type='ovmlv.VideoInit'), sampler, dict(type='ovmlv.VideoDecode')])
    return lambda: pipeline(dict(filename=str(path), start_index=0, modality='RGB'))


def of_llm(parameters: int, _folder: Path) -> Callable[[], Any]:
    """States of labels, computed anew; 12 layers of a width W have 144 W² parameters."""
    from speed.label_encoder import make_labels

    from ovmlv.models.llm import CausalLLM, StaticReadout

    width = max(64, round((parameters / 144) ** 0.5 / 64) * 64)
    llm = CausalLLM(**_llm(width, 12), self_check=False)
    readout, labels = StaticReadout(llm, cache_megabytes=0), make_labels(16)

    def run() -> None:
        with torch.no_grad():
            readout(llm, labels)

    return run


def of_rows(count: int, folder: Path) -> Callable[[], Any]:
    """Loading an annotation file."""
    from ovmlv.datasets import MultilabelVideoDataset

    path, rng = folder / f'{count}.jsonl', np.random.default_rng(0)
    chosen = rng.integers(0, 300, (count, 3))
    with path.open('w') as file:
        for i, row in enumerate(chosen.tolist()):
            labels = [f'label {c}' for c in sorted(set(row))]
            file.write(json.dumps(dict(video=f'{i:07}.mp4', labels=labels)) + '\n')
    return lambda: MultilabelVideoDataset(path.name, data_root=str(folder))


def _llm(width: int, layers: int) -> dict[str, Any]:
    return dict(config=dict(model_type='gpt2', n_embd=width, n_layer=layers, n_head=width // 32))


CURVES: dict[str, Curve] = {
    'labels': ((64, 256, 1024, 4096), 1, of_labels),
    'frames': ((4, 8, 16, 32, 64), 1, of_frames),
    'length': ((5, 10, 20, 40, 80), 0, of_length),
    'llm': ((2_000_000, 8_000_000, 32_000_000, 128_000_000), 1, of_llm),
    'rows': ((1_000, 10_000, 100_000, 1_000_000), 1, of_rows),
}


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log(seconds) over log(size)."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measured(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Times and exponents of a curve."""
    sizes, theory, make = CURVES[name]
    sizes = [size for size in sizes if args.largest is None or size <= args.largest]
    with tempfile.TemporaryDirectory() as folder:
        sides = [Side(str(size), make(size, Path(folder))) for size in sizes]
        row = Row(name, sides, lambda _: 'other sizes are other work')
        times = measure(row, args.rounds).seconds.values() if sides else ()
    seconds = [statistics.median(own) for own in times]
    fitted = exponent(sizes, seconds) if len(sizes) > 1 else float('nan')
    last = exponent(sizes[-2:], seconds[-2:]) if len(sizes) > 1 else float('nan')
    return dict(name=name, sizes=sizes, seconds=seconds, exponent=fitted, last=last, theory=theory)


def line(curve: dict[str, Any]) -> str:
    """A line of a Markdown table."""
    cells = [f'{n:,}: {s:.3g} s' for n, s in zip(curve['sizes'], curve['seconds'], strict=True)]
    return (
        f'| {curve["name"]} | {", ".join(cells)} | {curve["exponent"]:.2f} | {curve["last"]:.2f} | '
        f'{curve["theory"]:g} |'
    )


def main(args: argparse.Namespace) -> None:
    """Measure, and print each curve as it is done."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter('ignore')  # of labels that are cut, for the tiny CLIP reads 15 tokens
    print('| | sizes and CPU time | exponent | of the last two | theory |')
    print('| :-- | :-- | --: | --: | --: |')
    found = []
    for name in args.only:
        found.append(measured(name, args))
        print(line(found[-1]), flush=True)
        if args.out is not None:
            write_json(args.out, found)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
