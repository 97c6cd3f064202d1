"""Test a model.

    ovmlv test CONFIG CHECKPOINT
    ovmlv test CONFIG CHECKPOINT --out metrics.json --dump predictions.safetensors
    ovmlv test ovmlv::ovmlv_motionshapes.py                     # a config of the package

Without a checkpoint, the model is tested as the config initialises it: with pretrained parts that
is its zero-shot result. A checkpoint of another model is refused. A flag such as --work-dir wins
over --cfg-options, which wins over the config file.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ovmlv.errors import ConfigError
from ovmlv.files import write_json
from ovmlv.utils.cli import CONFIG_HELP, add_common_arguments, apply_common_arguments
from ovmlv.utils.configs import load_config, refuse_missing_data, refuse_mistakes
from ovmlv.utils.terminal import Terminal

if TYPE_CHECKING:
    from mmengine.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv test``."""
    parser.add_argument('config', help=CONFIG_HELP)
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint file; without it, the model as initialised'
    )
    add_common_arguments(parser)
    parser.add_argument(
        '--dump',
        metavar='FILE',
        help='write every prediction to this file: a .safetensors file also holds targets and '
        'classes, for "ovmlv calibrate" and tools/analysis_tools/eval_metric.py; a .parquet file '
        "is a table of them for other programs; a .pkl file is that of MMEngine's DumpResults",
    )
    parser.add_argument('--out', metavar='FILE', help='write the metrics to this .json file')


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Test, and print the metrics; the log has more."""
    metrics = measure(args)

    from mmengine.dist import is_main_process

    if is_main_process():
        width = max(map(len, metrics), default=0)
        out.writelines(f'{name:{width}}  {float(value):.4f}\n' for name, value in metrics.items())


def measure(args: argparse.Namespace) -> Mapping[str, Any]:
    """The metrics of a test, which are also written to ``--out`` if that is given."""
    cfg = load_config(args.config, args.cfg_options)
    merge_args(cfg, args)
    refuse_mistakes(cfg, args.config)
    refuse_missing_data(cfg, 'test_dataloader')

    from mmengine.dist import is_main_process

    from ovmlv.utils.checkpoints import load_strictly
    from ovmlv.utils.runners import build_runner

    runner = build_runner(cfg)
    load_strictly(runner)
    metrics = runner.test()
    if args.out is not None and is_main_process():
        # Figures arrive as Python or numpy numbers; `float` serves both.
        write_json(args.out, metrics, indent=2, default=float)
    return metrics


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Let the flags change the config."""
    from ovmlv.utils.checkpoints import require_checkpoint

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


def dump_metric(path: str, metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metric that writes the predictions."""
    if path.endswith(('.safetensors', '.parquet')):
        # What the config's own metrics accept, as a part of the data set.
        accept = any(m.get('allow_incomplete', False) for m in metrics)
        return dict(type='ovmlv.DumpPredictions', out_file=path, allow_incomplete=accept)
    if path.endswith(('.pkl', '.pickle')):
        return dict(type='DumpResults', out_file_path=path)
    raise ConfigError(
        f'--dump {path}: predictions go into a .safetensors (or .parquet, or .pkl) file; name one'
    )
