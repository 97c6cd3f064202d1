"""Train a model.

    ovmlv train ovmlv::ovmlv_motionshapes.py --work-dir work    # a config of the package
    ovmlv train CONFIG --cfg-options train_cfg.max_epochs=10 train_dataloader.batch_size=8
    ovmlv train CONFIG --resume
    torchrun --nproc_per_node 2 -m ovmlv train CONFIG --launcher pytorch

A flag such as --seed wins over --cfg-options, which wins over the config file.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError
from ovmlv.utils.cli import CONFIG_HELP, add_common_arguments, apply_common_arguments
from ovmlv.utils.configs import (
    leave_amp_to_gpus,
    load_config,
    refuse_missing_data,
    refuse_mistakes,
)
from ovmlv.utils.terminal import Terminal

if TYPE_CHECKING:
    from mmengine.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv train``."""
    parser.add_argument('config', help=CONFIG_HELP)
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from this checkpoint; without a path, from the latest of the work folder',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train with automatic mixed precision (GPU)'
    )
    parser.add_argument('--no-validate', action='store_true', help='train without validation')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the batch size over auto_scale_lr.base_batch_size',
    )
    parser.add_argument(
        '--seed', type=int, help='random seed; it wins over randomness.seed of the config'
    )
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='use another seed in each process'
    )
    parser.add_argument('--deterministic', action='store_true', help='use deterministic algorithms')
    parser.add_argument(
        '--no-pin-memory', action='store_true', help='do not pin the memory of data loaders'
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='start the workers of data loaders anew in every epoch',
    )


def run(args: argparse.Namespace, out: Terminal | None = None) -> None:
    """Train. There is no result to print: what there is to say goes to the log."""
    cfg = load_config(args.config, args.cfg_options)
    merge_args(cfg, args)
    refuse_mistakes(cfg, args.config)
    refuse_missing_data(cfg, 'train_dataloader', 'val_dataloader')
    leave_amp_to_gpus(cfg)

    from ovmlv.utils.checkpoints import open_weights_safely, resume_strictly
    from ovmlv.utils.file_lock import only_training_in
    from ovmlv.utils.runners import build_runner

    from .batches import refuse_missing_batches

    open_weights_safely()
    with only_training_in(cfg.work_dir, cfg.launcher):
        runner = build_runner(cfg)
        if cfg.get('resume'):
            resume_strictly(runner)
        if runner.train_loop is not None:
            refuse_missing_batches(runner.train_loop.dataloader)
        runner.train()


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Let the flags change the config."""
    apply_common_arguments(cfg, args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        use_amp(cfg)
    if args.auto_scale_lr:
        if cfg.get('auto_scale_lr', {}).get('base_batch_size') is None:
            raise ConfigError(
                f'--auto-scale-lr: {args.config} does not say which batch size its learning rate '
                'is for; add auto_scale_lr=dict(base_batch_size=N)'
            )
        cfg.auto_scale_lr.enable = True
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if loader is not None and args.no_pin_memory:
            loader.pin_memory = False
        if loader is not None and args.no_persistent_workers:
            loader.persistent_workers = False
    randomness = dict(cfg.get('randomness') or {})
    if args.seed is not None:
        randomness['seed'] = args.seed
    if args.diff_rank_seed:
        randomness['diff_rank_seed'] = True
    if args.deterministic:
        randomness['deterministic'] = True
    set_resume(cfg, args, randomness)
    cfg.randomness = {'seed': None, **randomness}


def use_amp(cfg: Config) -> None:
    """Turn a plain OptimWrapper into an AmpOptimWrapper."""
    from mmengine.device import get_device

    if get_device() in ('cpu', 'mps'):
        raise ConfigError('--amp needs a GPU, and there is none here; leave the flag out')
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    name = getattr(kind, '__name__', kind)
    if name not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ConfigError(f'--amp does not go with optim_wrapper.type={name}; leave the flag out')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def set_resume(cfg: Config, args: argparse.Namespace, randomness: dict) -> None:
    """Decide what to resume from, and take over that run's seed if none is given.

    mmengine restores the seed only after the samplers were built with another one.
    """
    from ovmlv.utils.checkpoints import checkpoint_seed, find_checkpoint, require_checkpoint

    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if not cfg.get('resume'):
        return
    checkpoint = cfg.get('load_from') or find_checkpoint(cfg.work_dir)
    if checkpoint is None:
        print(f'nothing to resume in {cfg.work_dir}: starting from the beginning', flush=True)
        cfg.resume = False
        return
    require_checkpoint(checkpoint)
    cfg.load_from = checkpoint
    seed = checkpoint_seed(checkpoint)
    if randomness.get('seed') is None and seed is not None:
        randomness['seed'] = seed
