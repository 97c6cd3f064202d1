"""Tag test videos of a config and draw them on one picture.

    python tools/analysis_tools/contact_sheet.py CONFIG [CHECKPOINT] --out sheet.png [--num 8]

The videos are spread evenly over the test set, or chosen by --indices. Each row shows a video and
its most probable labels: right ones with a tick, wrong ones with a cross. If the test set knows
seen, unseen and novel labels, they have separate columns.

    python tools/test.py CONFIG CHECKPOINT --dump all.safetensors
    python tools/analysis_tools/contact_sheet.py CONFIG --scores all.safetensors --out sheet.png \\
        --min-probability 0.3 --said novel

With the scores of a test, no model is run, and half of the videos can be such that something is
said by a label of one split; which label, and whether it is right, does not matter.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ovmlv.errors import ConfigError, DataError
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
    parser.add_argument('--scores', help='take the scores from this file of tools/test.py --dump')
    parser.add_argument('--said', metavar='SPLIT', help='see above; needs --scores')
    parser.add_argument(
        '--min-probability',
        type=float,
        default=0.0,
        help='show labels with this probability and more (default: %(default)s)',
    )
    parser.add_argument('--max-frames', type=int, default=6, help='frames of a video')
    parser.add_argument('--title', default='', help='heading')
    return parser.parse_intermixed_args(argv)


def choose(
    size: int, num: int, indices: Sequence[int] | None, said: Sequence[int] = ()
) -> list[int]:
    """Indices of the videos to show.

    Args:
        size: Number of videos.
        num: How many are wanted.
        indices: The videos, if they are given.
        said: Videos that half of the chosen ones shall be of, if there are enough.
    """
    if indices is not None:
        for index in indices:
            if not 0 <= index < size:
                raise ConfigError(f'--indices {index}: the test set has videos 0..{size - 1}')
        return list(indices)
    if num < 1:
        raise ConfigError(f'--num {num}: show at least 1 video')
    others = sorted(set(range(size)).difference(said))
    chosen = evenly(said, max(num // 2, num - len(others)))
    return sorted([*chosen, *evenly(others, num - len(chosen))])


def evenly(items: Sequence[int], num: int) -> list[int]:
    """Some of the items, spread evenly over them."""
    places = np.linspace(0, len(items) - 1, min(num, len(items))).round().astype(int)
    return [items[i] for i in np.unique(places)]


def scores_of_file(path: str, metainfo: Mapping, size: int) -> np.ndarray:
    """The scores ``(N, C)`` of the videos of a test set, in its order."""
    from ovmlv.evaluation import Predictions

    found = Predictions.load(path)
    order = found.sample_idx.argsort()
    if found.meta.get('classes') != list(metainfo['classes']) or len(found) != size:
        raise DataError(f'{path} is of another test set than the config; test it again')
    if len(found.scores) != size or found.sample_idx[order].tolist() != list(range(size)):
        raise DataError(f'{path} has no row for each video of the test set; test it again')
    return found.scores[order].numpy()


def videos_that_say(
    scores: np.ndarray, split: str, metainfo: Mapping, min_probability: float
) -> list[int]:
    """Videos with a label of a split that is probable enough."""
    from ovmlv.visualization.sheet_labels import label_splits

    wanted = np.array([found == split for found in label_splits(metainfo)])
    if not wanted.any():
        raise ConfigError(f'--said {split}: no label of the test set is of this split')
    return np.flatnonzero((scores[:, wanted] >= min_probability).any(1)).tolist()


def make_row(
    sample: dict, scores: np.ndarray, metainfo: Mapping, top_k: int, min_probability: float
) -> SheetRow:
    """A row of the sheet from a packed sample, its first view."""
    from ovmlv.visualization import SheetRow
    from ovmlv.visualization.sheet_labels import best_labels, title_with_truth

    frames = sample['inputs'][0].permute(1, 2, 3, 0).numpy()
    if frames.dtype != np.uint8:
        raise ConfigError('the test pipeline gives no uint8 frames; leave normalisation to a model')
    truth = sample['data_samples'].gt_label.numpy()
    name = Path(sample['data_samples'].get('filename', '')).name
    title = title_with_truth(name, truth, metainfo)
    labels = best_labels(scores, truth, metainfo, top_k, min_probability)
    return SheetRow(frames, labels, title)


def scorer_of(cfg: Any, args: argparse.Namespace, metainfo: Mapping) -> Callable:
    """A function that runs the model on a packed sample."""
    import torch

    from ovmlv.apis import init_recognizer

    model = init_recognizer(cfg, args.checkpoint, args.device)

    def score(sample: dict) -> np.ndarray:
        batch = model.data_preprocessor(dict(inputs=[sample['inputs']], data_samples=None))
        with torch.no_grad():
            found = model.predict_labels(batch['inputs'], metainfo['classes'])[0]
        return found.float().cpu().numpy()

    return score


def main(args: argparse.Namespace) -> None:
    from ovmlv.visualization.pictures import check_picture, save_picture

    out = check_picture(args.out)
    cfg = load_config(args.config, args.cfg_options)
    if cfg.get('test_dataloader') is None:
        raise ConfigError(f'{args.config} has no test_dataloader, so there are no videos to show')

    if args.said and not args.scores:
        raise ConfigError(f'--said {args.said} looks at all videos; give their scores by --scores')

    from mmengine.registry import DATASETS, DefaultScope

    from ovmlv.visualization import contact_sheet

    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    metainfo, said = dataset.metainfo, []
    if args.scores:
        scores = scores_of_file(args.scores, metainfo, len(dataset))
        if args.said:
            said = videos_that_say(scores, args.said, metainfo, args.min_probability)
    chosen = choose(len(dataset), args.num, args.indices, said)
    score = None if args.scores else scorer_of(cfg, args, metainfo)
    rows = []
    for index in chosen:
        sample = dataset[index]
        found = scores[index] if score is None else score(sample)
        rows.append(make_row(sample, found, metainfo, args.top_k, args.min_probability))
    sheet = contact_sheet(rows, args.title, args.max_frames, args.top_k)
    save_picture(sheet, out)
    print(f'{out}: {len(rows)} videos, {sheet.shape[1]} x {sheet.shape[0]} pixels')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
