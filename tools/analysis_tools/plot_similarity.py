"""Draw the cosines between labels before and after training.

    python tools/analysis_tools/plot_similarity.py CONFIG CHECKPOINT --out similarity.png

"Before" is the frozen CLIP with its template, from which the label encoder starts. "After" is the
label encoder with the checkpoint. The labels are spread over the splits of the test set, or are
those of --labels.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.errors import ConfigError
from ovmlv.utils.cli import add_config_arguments, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_config_arguments(parser, checkpoint=True, device=True)
    parser.add_argument('--out', required=True, help='picture to write')
    parser.add_argument(
        '--num', type=int, default=36, help='number of labels to show (default: %(default)s)'
    )
    parser.add_argument('--labels', nargs='+', help='show these labels')
    return parser.parse_intermixed_args(argv)


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options)

    import torch
    from mmengine.registry import DATASETS, DefaultScope

    from ovmlv.apis import init_recognizer
    from ovmlv.visualization.similarity import choose_labels, draw_similarity

    labels, splits = args.labels, []
    if labels is None:
        if args.num < 2:
            raise ConfigError(f'--num {args.num}: show at least 2 labels')
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            # Without a pipeline it needs no videos.
            dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []})
        meta = dataset.metainfo
        attributes = meta.get('class_attributes') or {}
        chosen = choose_labels(meta['classes'], attributes, args.num)
        labels = [meta['classes'][i] for i in chosen]
        splits = [attributes['split'][i] for i in chosen] if 'split' in attributes else []
    model = init_recognizer(cfg, args.checkpoint, args.device)
    with torch.no_grad():
        before = model.head.reference(labels).float().cpu().numpy()
        after = model.encode_labels(labels).float().cpu().numpy()
    print(draw_similarity(before, after, labels, args.out, splits))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
