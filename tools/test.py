"""Test a model.

    python tools/test.py CONFIG [CHECKPOINT] [--out METRICS.json] [--dump PREDICTIONS.safetensors]

Without a checkpoint, the model is tested as the config initialises it: with pretrained parts that
is its zero-shot result. A checkpoint of another model is refused. A flag of its own wins over
--cfg-options, which wins over the config file.
"""

from __future__ import annotations

import argparse
import sys

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS

from ovmlv.errors import ConfigError
from ovmlv.files import write_json
from ovmlv.utils.checkpoints import load_strictly, require_checkpoint
from ovmlv.utils.cli import (
    add_common_arguments,
    apply_common_arguments,
    make_parser,
    parse_arguments,
)
from ovmlv.utils.configs import load_config, refuse_missing_data, refuse_mistakes
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file; none: as initialised')
    add_common_arguments(parser)
    parser.add_argument(
        '--dump',
        help='write every prediction to this file: .safetensors with targets and classes, for '
        "tools/analysis_tools/eval_metric.py; .pkl as MMEngine's DumpResults",
    )
    parser.add_argument('--out', help='write the metrics to this .json file')
    return parse_arguments(parser, argv)


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Let the flags change the config."""
    apply_common_arguments(cfg, args)
    cfg.resume = False
    cfg.load_from = args.checkpoint
    if args.checkpoint is not None:
        require_checkpoint(args.checkpoint)
    for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        if cfg.get(key) is None:
            raise ConfigError(f'{args.config} has no {key}; add it to test with this config')
    if args.out is not None and not args.out.endswith('.json'):
        raise ConfigError(f'--out {args.out}: the metrics go into a .json file; name one')
    if args.dump is not None:
        metrics = cfg.test_evaluator
        metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
        cfg.test_evaluator = [*metrics, dump_metric(args.dump, metrics)]


def dump_metric(path: str, metrics: list) -> dict:
    """The metric that writes the predictions."""
    if path.endswith('.safetensors'):
        # What the config's own metrics accept, as a part of the data set.
        accept = any(m.get('allow_incomplete', False) for m in metrics)
        return dict(type='ovmlv.DumpPredictions', out_file=path, allow_incomplete=accept)
    if path.endswith(('.pkl', '.pickle')):
        return dict(type='DumpResults', out_file_path=path)
    raise ConfigError(f'--dump {path}: predictions go into a .safetensors (or .pkl) file; name one')


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options)
    merge_args(cfg, args)
    refuse_mistakes(cfg, args.config)
    refuse_missing_data(cfg, 'test_dataloader')

    from mmengine.runner import Runner

    runner = Runner.from_cfg(cfg) if 'runner_type' not in cfg else RUNNERS.build(cfg)
    load_strictly(runner)
    metrics = runner.test()
    if args.out is not None and is_main_process():
        # Figures arrive as Python or numpy numbers; `float` serves both.
        write_json(args.out, metrics, indent=2, default=float)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
