"""Where the work on an index is done: arguments of ``add`` and ``tag``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError

from ..arguments import above_zero, positive, zero_or_more

if TYPE_CHECKING:
    from ovmlv.index import RayEngine, Shard

_OF_RAY = ('address', 'workers', 'worker_cpus', 'worker_gpus')


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """``--engine``, what Ray needs, and ``--shard``."""
    group = parser.add_argument_group('on several machines')
    group.add_argument(
        '--engine',
        choices=('local', 'ray'),
        default='local',
        help='this process, or workers of Ray (default: %(default)s)',
    )
    group.add_argument(
        '--address',
        metavar='A',
        help='Ray cluster: auto, or host:6379 (default: $RAY_ADDRESS, or this machine alone)',
    )
    group.add_argument(
        '--workers', type=positive, metavar='N', help='workers of Ray (default: all that fit)'
    )
    group.add_argument(
        '--worker-cpus',
        type=above_zero,
        metavar='N',
        help='CPUs of each (1 beside a GPU, else 2)',
    )
    group.add_argument(
        '--worker-gpus',
        type=zero_or_more,  # 0 keeps workers off GPUs
        metavar='N',
        help='GPUs of each, such as 0.5 (1 if any)',
    )
    group.add_argument(
        '--shard', metavar='i/n', help='do part i of n, beside processes that do the others'
    )


def read_engine(args: argparse.Namespace) -> RayEngine | None:
    """The engine that the arguments name; None for this process.

    Raises:
        ConfigError: Arguments do not fit together.
    """
    if args.engine != 'ray':
        named = [name for name in _OF_RAY if getattr(args, name) is not None]
        if named:
            flag = named[0].replace('_', '-')
            raise ConfigError(f'--{flag} is for Ray; add --engine ray, or leave it out')
        return None
    if args.shard is not None:
        raise ConfigError(
            '--shard is for processes that know nothing of each other; leave it out with '
            '--engine ray'
        )
    from ovmlv.index import RayEngine
    from ovmlv.index.ray_cluster import ray_module

    ray_module()  # before anything is opened
    engine = RayEngine(args.address, args.device, args.workers, args.worker_cpus, args.worker_gpus)
    args.device = 'cpu'  # this process only looks at the model
    return engine


def read_shard(args: argparse.Namespace) -> Shard | None:
    """The part that the arguments name."""
    from ovmlv.index import Shard

    return None if args.shard is None else Shard.parse(args.shard)
