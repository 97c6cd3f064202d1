"""Split the labels of a data set into seen and unseen ones, balanced over frequency.

    python tools/data/make_split.py CONFIG --out seen_unseen.json [--unseen 0.25] [--seed 0]
    python tools/data/make_split.py counts.json --out seen_unseen.json
    python tools/data/make_split.py names.txt --out seen_unseen.json

Labels are counted in the training set of the config, or the JSON says how often each occurs
({"label": 12, ...}, or {"verb": {"label": 12, ...}, ...} to balance each group by itself). All
labels of a list of names count as equally frequent. Unseen labels are drawn so that they are as
frequent as the seen ones; labels of the same words ("running", "a run") stay together. The file is
a label_split of our data sets. Its _meta holds version, seed, counts and source, from which the
same split can be drawn again. If a published split exists, use that one instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovmlv.files import file_digest, read_json, write_text
from ovmlv.utils.cli import add_cfg_options, add_debug_argument, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'source',
        help='config file, JSON of {label: number of its positives}, or .txt with a name a line',
    )
    parser.add_argument('--out', required=True, help='JSON file to write')
    parser.add_argument(
        '--unseen', type=float, default=0.25, help='share of unseen labels (default: %(default)s)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the draw (default: %(default)s)'
    )
    parser.add_argument(
        '--group-by', help='attribute of the labels (such as kind): balance each value by itself'
    )
    parser.add_argument('--note', help='a note about the source, for _meta')
    parser.add_argument('--force', action='store_true', help='overwrite --out')
    add_cfg_options(parser)
    add_debug_argument(parser)
    return parser.parse_args(argv)


def read_counts(args: argparse.Namespace) -> tuple[dict[str, int], dict[str, str], dict]:
    """Positives of each label, groups of labels, and where that comes from."""
    from ovmlv.curation import count_labels
    from ovmlv.curation.config_datasets import config_datasets
    from ovmlv.errors import ConfigError, DataError
    from ovmlv.labels import load_labels, unique_labels

    if args.source.endswith(('.json', '.txt')):
        if args.source.endswith('.txt'):
            counts = dict.fromkeys(load_labels(args.source), 0)
        else:
            counts = read_json(args.source)
        groups = {}
        if isinstance(counts, dict) and all(isinstance(v, dict) for v in counts.values()):
            groups = {label: group for group, part in counts.items() for label in part}
            counts = {label: n for part in counts.values() for label, n in part.items()}
        if not isinstance(counts, dict) or not all(type(v) is int for v in counts.values()):
            raise DataError(f'{args.source}: expected {{"label": number of positives, ...}}')
        names = unique_labels(list(counts), args.source)
        groups = {name: groups[label] for name, label in zip(names, counts) if groups}
        counts = dict(zip(names, counts.values()))
        if args.group_by:
            raise ConfigError('--group-by needs a config; a JSON names its groups itself')
        return (
            counts,
            groups,
            dict(source=Path(args.source).name, sha256=[file_digest(args.source)]),
        )
    cfg = load_config(args.source, args.cfg_options)
    datasets, _ = config_datasets(cfg, ['train_dataloader'], label_set='all')
    groups: dict[str, str] = {}
    if args.group_by:
        for dataset in datasets.values():
            attributes = dataset.metainfo['class_attributes']
            if args.group_by not in attributes:
                raise ConfigError(
                    f'--group-by {args.group_by}: labels have {sorted(attributes) or "nothing"}'
                )
            groups.update(zip(dataset.metainfo['classes'], attributes[args.group_by]))
    files = [d.ann_file for d in datasets.values()]
    meta = dict(
        source=', '.join(f'{type(d).__name__} {Path(d.ann_file).name}' for d in datasets.values()),
        sha256=[file_digest(file) for file in files if Path(file).is_file()],
    )
    return count_labels(datasets.values()), groups, meta


def format_split(meta: Mapping[str, Any], split: Mapping[str, list[str]]) -> str:
    """JSON with a line for each entry of _meta and each label, so that changes are seen."""

    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    entries = ',\n'.join(f'  {text(key)}: {text(value)}' for key, value in meta.items())
    parts = [f' "_meta": {{\n{entries}\n }}']
    for side, labels in split.items():
        lines = ',\n'.join(f'  {text(label)}' for label in labels)
        parts.append(f' {text(side)}: [\n{lines}\n ]')
    return '{\n' + ',\n'.join(parts) + '\n}\n'


def main(args: argparse.Namespace) -> None:
    """Count, draw, write."""
    from ovmlv.curation.splits import (
        SPLIT_VERSION,
        balanced_split,
        describe_split,
        record_draw,
    )
    from ovmlv.errors import DataError

    out = Path(args.out)
    if out.exists() and not args.force:
        raise DataError(f'{out} exists; give --force to overwrite it, or another --out')
    counts, groups, meta = read_counts(args)
    split = balanced_split(counts, args.unseen, args.seed, groups)
    balance = describe_split(split, counts)
    meta = dict(
        version=SPLIT_VERSION, seed=args.seed, unseen_share=args.unseen, **meta, balance=balance
    )
    if args.group_by:
        meta['group_by'] = args.group_by
    if args.note:
        meta['note'] = args.note
    meta |= record_draw(split, counts, groups)
    write_text(out, format_split(meta, split))
    for side, numbers in balance.items():
        print(
            f'{side}: {numbers["labels"]} labels, {numbers["positives"]} positives '
            f'(median {numbers["median"]:g})'
        )
    print(f'written to {out}')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
