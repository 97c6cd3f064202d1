"""See what training sees: frames of a config's own pipeline, with their labels, on one picture.

    python tools/analysis_tools/browse_dataset.py CONFIG --out sheet.png [--loader train] [--num 8]

Each row is a sample: its file and segment, the frames that the pipeline gives, and its positive
labels. If the data set knows seen and unseen labels, they have separate columns. Labels that are
unknown (not negative) have a column of their own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ovmlv.errors import ConfigError, DataError
from ovmlv.utils.cli import add_config_arguments, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool

if TYPE_CHECKING:
    from ovmlv.datasets import BaseVideoDataset
    from ovmlv.visualization import SheetRow


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('--out', required=True, help='picture to write (.png, .jpg, .webp)')
    parser.add_argument(
        '--loader',
        choices=('train', 'val', 'test'),
        default='train',
        help='data loader that the samples come from',
    )
    parser.add_argument(
        '--num', type=int, default=8, help='number of samples (default: %(default)s)'
    )
    parser.add_argument('--indices', nargs='+', type=int, help='samples by index')
    parser.add_argument('--label', help='only samples with this positive label')
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the random draws of the pipeline'
    )
    parser.add_argument('--max-frames', type=int, default=8, help='frames of a sample')
    parser.add_argument('--max-labels', type=int, default=8, help='labels of a column')
    parser.add_argument('--title', default='', help='heading')
    return parser.parse_intermixed_args(argv)


def choose(
    dataset: BaseVideoDataset, num: int, indices: list[int] | None, label: str | None
) -> list[int]:
    """Indices of the samples, spread over those in question."""
    size = len(dataset)
    if indices is not None:
        for index in indices:
            if not 0 <= index < size:
                raise ConfigError(f'--indices {index}: there are samples 0..{size - 1}')
        return indices
    if num < 1:
        raise ConfigError(f'--num {num}: show at least 1 sample')
    candidates = np.arange(size)
    if label is not None:
        classes = dataset.metainfo['classes']
        if label not in classes:
            raise ConfigError(f'--label {label!r} is no label of this data set')
        column = classes.index(label)
        candidates = np.flatnonzero(
            [dataset.get_data_info(i)['label'][column] == 1 for i in range(size)]
        )
        if not len(candidates):
            raise DataError(f'--label {label!r}: no sample has it')
    places = np.linspace(0, len(candidates) - 1, min(num, len(candidates))).round().astype(int)
    return candidates[np.unique(places)].tolist()


def make_row(sample: dict, metainfo: dict) -> SheetRow:
    """A row of the sheet from a packed sample, its first view."""
    from ovmlv.visualization import SheetLabel, SheetRow

    if not isinstance(sample, dict) or 'inputs' not in sample or sample['inputs'].ndim != 5:
        raise ConfigError("the pipeline gives no frames as 'inputs'; this tool shows videos")
    frames = sample['inputs'][0].permute(1, 2, 3, 0).numpy()
    packed, classes = sample['data_samples'], metainfo['classes']
    splits = metainfo.get('class_attributes', {}).get('split') or ['labels'] * len(classes)
    truth = packed.gt_label.numpy()
    labels = [SheetLabel(classes[i], None, None, splits[i]) for i in np.flatnonzero(truth == 1)]
    labels += [SheetLabel(classes[i], None, None, 'unknown') for i in np.flatnonzero(truth == -1)]
    title = Path(packed.get('filename', '')).name
    if packed.get('segment') is not None:
        title += ' · {:.2f} to {:.2f} s'.format(*packed.segment)
    if packed.get('broken'):
        title += f' · cannot be read: {packed.get("broken_reason", "")}'
    if packed.get('replaced'):
        title += ' · in place of one that cannot be read'
    return SheetRow(frames, labels, title)


def main(args: argparse.Namespace) -> None:
    """Run the pipeline on the samples and draw them."""
    out = Path(args.out)
    if out.suffix.lower() not in ('.png', '.jpg', '.jpeg', '.webp'):
        raise ConfigError(f'--out {out}: name a .png, .jpg or .webp file')
    cfg = load_config(args.config, args.cfg_options)
    loader = cfg.get(f'{args.loader}_dataloader')
    if loader is None:
        raise ConfigError(f'{args.config} has no {args.loader}_dataloader; choose another --loader')

    from mmengine.registry import DATASETS, DefaultScope
    from mmengine.runner import set_random_seed

    from ovmlv.visualization import contact_sheet
    from ovmlv.visualization.pictures import save_picture

    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(loader.dataset)
    set_random_seed(args.seed)
    indices = choose(dataset, args.num, args.indices, args.label)
    rows = [make_row(dataset[index], dataset.metainfo) for index in indices]
    sheet = contact_sheet(rows, args.title, args.max_frames, args.max_labels)
    save_picture(sheet, out)
    print(f'{out}: samples {", ".join(map(str, indices))} of {len(dataset)}')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
