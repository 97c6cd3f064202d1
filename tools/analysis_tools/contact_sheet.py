"""Tag test videos of a config and draw them on one picture.

    python tools/analysis_tools/contact_sheet.py CONFIG [CHECKPOINT] --out sheet.png [--num 8]

The videos are spread evenly over the test set, or chosen by --indices. Each row shows a video and
its most probable labels: right ones with a tick, wrong ones with a cross. If the test set knows
seen, unseen and novel labels, they have separate columns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ovmlv.errors import ConfigError
from ovmlv.utils.cli import add_config_arguments, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool

if TYPE_CHECKING:
    from ovmlv.visualization import SheetRow


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_config_arguments(parser, checkpoint=True, device=True)
    parser.add_argument('--out', required=True, help='picture to write (.png, .jpg, .webp)')
    parser.add_argument(
        '--num', type=int, default=8, help='number of videos (default: %(default)s)'
    )
    parser.add_argument('--indices', nargs='+', type=int, help='videos by index in the test set')
    parser.add_argument('--top-k', type=int, default=5, help='labels in each column')
    parser.add_argument('--max-frames', type=int, default=6, help='frames of a video')
    parser.add_argument('--title', default='', help='heading')
    return parser.parse_intermixed_args(argv)


def choose(size: int, num: int, indices: Sequence[int] | None) -> list[int]:
    """Indices of the videos to show."""
    if indices is None:
        if num < 1:
            raise ConfigError(f'--num {num}: show at least 1 video')
        return np.unique(np.linspace(0, size - 1, min(num, size)).round().astype(int)).tolist()
    for index in indices:
        if not 0 <= index < size:
            raise ConfigError(f'--indices {index}: the test set has videos 0..{size - 1}')
    return list(indices)


def make_row(sample: dict, scores: np.ndarray, metainfo: Mapping, top_k: int) -> SheetRow:
    """A row of the sheet from a packed sample, its first view."""
    from ovmlv.visualization import SheetRow
    from ovmlv.visualization.sheet_labels import best_labels, title_with_truth

    frames = sample['inputs'][0].permute(1, 2, 3, 0).numpy()
    if frames.dtype != np.uint8:
        raise ConfigError('the test pipeline gives no uint8 frames; leave normalisation to a model')
    truth = sample['data_samples'].gt_label.numpy()
    name = Path(sample['data_samples'].get('filename', '')).name
    title = title_with_truth(name, truth, metainfo)
    return SheetRow(frames, best_labels(scores, truth, metainfo, top_k), title)


def main(args: argparse.Namespace) -> None:
    from ovmlv.visualization.pictures import check_picture, save_picture

    out = check_picture(args.out)
    cfg = load_config(args.config, args.cfg_options)
    if cfg.get('test_dataloader') is None:
        raise ConfigError(f'{args.config} has no test_dataloader, so there are no videos to show')

    import torch
    from mmengine.registry import DATASETS, DefaultScope

    from ovmlv.apis import init_recognizer
    from ovmlv.visualization import contact_sheet

    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    metainfo = dataset.metainfo
    indices = choose(len(dataset), args.num, args.indices)
    model = init_recognizer(cfg, args.checkpoint, args.device)
    rows = []
    for index in indices:
        sample = dataset[index]
        batch = model.data_preprocessor(dict(inputs=[sample['inputs']], data_samples=None))
        with torch.no_grad():
            scores = model.predict_labels(batch['inputs'], metainfo['classes'])[0]
        rows.append(make_row(sample, scores.float().cpu().numpy(), metainfo, args.top_k))
    sheet = contact_sheet(rows, args.title, args.max_frames, args.top_k)
    save_picture(sheet, out)
    print(f'{out}: {len(rows)} videos, {sheet.shape[1]} x {sheet.shape[0]} pixels')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
