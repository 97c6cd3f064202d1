"""Evaluate saved predictions again, with any metric, without model and videos.

    python tools/test.py CONFIG CHECKPOINT --dump a.safetensors
    python tools/analysis_tools/eval_metric.py a.safetensors --config CONFIG --bootstrap 1000
    python tools/analysis_tools/eval_metric.py a.safetensors \\
        --metric MultilabelMetric --options "extra=['AUPR','GAP','peak_F1']" topk="(3,5)"
    python tools/analysis_tools/eval_metric.py a.safetensors --compare b.safetensors

With --config, the metrics are those of its test_evaluator; otherwise --metric names one.
--bootstrap adds confidence intervals, for which videos are resampled. --compare says for the mAP,
and for the mAP of each group of labels, whether the second file is better than the first one on the
same videos (paired bootstrap).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import write_json
from ovmlv.utils.cli import CfgOptions, add_debug_argument, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('predictions', help='.safetensors file that "ovmlv test --dump" wrote')
    parser.add_argument('--config', help='take the metrics from the test_evaluator of this config')
    parser.add_argument('--metric', default='MultilabelMetric', help='default: %(default)s')
    parser.add_argument(
        '--options',
        nargs='+',
        action=CfgOptions,
        default={},
        help='options of the metric: key=value',
    )
    parser.add_argument(
        '--bootstrap', type=int, help='number of resamples (default: 0; 1000 with --compare)'
    )
    parser.add_argument(
        '--confidence', type=float, help='confidence of the intervals (default: 0.95)'
    )
    parser.add_argument('--seed', type=int, help='seed of the resamples (default: 0)')
    parser.add_argument('--compare', metavar='OTHER', help='predictions of another model')
    parser.add_argument('--out', help='write the metrics to this .json file')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def metric_configs(args: argparse.Namespace) -> list[dict]:
    """The metrics to build, with the options of the command line."""
    if args.config is None:
        configs = [dict(type=args.metric)]
    else:
        found = load_config(args.config).get('test_evaluator')
        configs = [dict(m) for m in (found if isinstance(found, (list, tuple)) else [found]) if m]
        configs = [
            m for m in configs if not str(m.get('type')).rpartition('.')[2].startswith('Dump')
        ]
        if not configs:
            raise ConfigError(f'{args.config} has no metric in test_evaluator; use --metric')
    given = {k: getattr(args, k) for k in ('bootstrap', 'confidence', 'seed')}
    given = {k: v for k, v in given.items() if v is not None}
    return [{**m, **given, **args.options} for m in configs]


def evaluate(path: str, configs: list[dict]) -> dict[str, float]:
    """Metrics of one file."""
    from ovmlv.evaluation import Predictions
    from ovmlv.registry import METRICS

    predictions = Predictions.load(path)
    metrics: dict[str, float] = {}
    for config in configs:
        try:
            metric = METRICS.build(dict(config))
        except (TypeError, KeyError) as error:
            text = str(error.args[0] if error.args else error)
            raise ConfigError(f'{config["type"]} cannot be built: {text}') from None
        metric.dataset_meta = predictions.meta
        metric.process(None, list(predictions.samples()))
        metrics |= metric.evaluate(len(predictions))
    return metrics


def compare(first: str, second: str, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Difference of mAP, for all labels and each group, on the same resamples of videos."""
    import torch

    from ovmlv.evaluation import Predictions, functional as F
    from ovmlv.evaluation.metrics.group_values import resampled_means
    from ovmlv.evaluation.metrics.label_groups import label_groups

    pair = [Predictions.load(path) for path in (first, second)]
    for what in ('video_ids', 'meta'):
        if getattr(pair[0], what) != getattr(pair[1], what):
            raise DataError(f'{first} and {second} differ in their {what}; test on the same data')
    if not torch.equal(pair[0].targets, pair[1].targets):
        raise DataError(f'{first} and {second} differ in their targets; test on the same data')
    targets = pair[0].targets
    # An unreadable video has no prediction, as in the metrics.
    scores = [p.scores.masked_fill(p.row_broken()[:, None], -torch.inf) for p in pair]
    counts = F.resample_counts(
        pair[0].num_videos, args.bootstrap or 1000, 0 if args.seed is None else args.seed
    )[:, pair[0].row_videos().numpy()]
    groups = label_groups(pair[0].meta.get('class_attributes', {}), targets.shape[1])
    masks = {'_'.join(['mAP', g.name]).rstrip('_'): g.mask for g in groups}
    values = [F.average_precision(s, targets)[None] for s in scores]
    resampled = [F.bootstrap_average_precision(s, targets, counts) for s in scores]
    means = [resampled_means(v, masks) for v in (*values, *resampled)]
    found = {}
    for name in masks:
        a, b = (float(m[name][0]) for m in means[:2])
        test = F.paired_bootstrap(means[2][name], means[3][name], b - a, args.confidence or 0.95)
        found[name] = dict(first=a, second=b, **test._asdict())
    return found


def print_comparison(found: Mapping[str, Mapping[str, float]]) -> None:
    from ovmlv.evaluation.metrics.report import text_table

    header = ['', 'first', 'second', 'difference', 'low', 'high', 'p']
    print(text_table(header, [[name, *row.values()] for name, row in found.items()]))


def main(args: argparse.Namespace) -> None:
    if args.out is not None and not args.out.endswith('.json'):
        raise ConfigError(f'--out {args.out}: the metrics go into a .json file; name one')
    if args.bootstrap is not None and args.bootstrap < (1 if args.compare else 0):
        raise ConfigError(f'--bootstrap {args.bootstrap}: give a number of resamples, e.g. 1000')

    from ovmlv.utils import register_all_modules

    register_all_modules()
    result: dict[str, Any]
    if args.compare is None:
        result = evaluate(args.predictions, metric_configs(args))
        width = max(map(len, result), default=0)
        for key, value in result.items():
            print(f'{key:<{width}}  {value:.6g}')
    else:
        result = compare(args.predictions, args.compare, args)
        print_comparison(result)
    if args.out is not None:
        write_json(args.out, result, indent=2, default=float)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
