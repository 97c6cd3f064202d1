"""What the parsers of the command and of the tools share.

The precedence is the same everywhere: a flag such as ``--work-dir`` or ``--seed`` wins over
``--cfg-options``, which wins over the config file.

Importing this is cheap, so that ``--help`` is there at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.compat import apply
from ovmlv.errors import DataError

if TYPE_CHECKING:
    from mmengine.config import Config

CONFIG_HELP = 'config file, or ovmlv::NAME for a config of the package'
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


class CfgOptions(argparse.Action):
    """``--cfg-options a.b=1 c=[1,2]``, with a usage message for what is not ``key=value``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Parse the options of one ``--cfg-options`` and join them to earlier ones."""
        for value in values:
            if '=' not in value.lstrip('='):
                parser.error(f'{option_string}: "{value}" is not of the form key=value')
        apply()
        from mmengine.config import DictAction

        parse = DictAction(self.option_strings, self.dest, nargs=self.nargs)
        parse(parser, namespace, values, option_string)


def make_parser(description: str | None, **settings: Any) -> argparse.ArgumentParser:
    """A parser whose help shows a module's docstring unchanged."""
    return argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **settings,
    )


def parse_arguments(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse arguments; paths may come after options, and after ``--`` they may begin with a dash.

    ``parse_intermixed_args`` alone does not take ``--``.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if '--' in argv:
        cut = argv.index('--')
        # No argument of a process can hold a null character.
        argv[cut + 1 :] = [f'\0{value}' for value in argv[cut + 1 :]]
    args = parser.parse_intermixed_args(argv)
    for name, value in vars(args).items():
        if isinstance(value, str):
            setattr(args, name, value.removeprefix('\0'))
        elif isinstance(value, list):
            value = [v for v in value if v != '--']
            setattr(args, name, [v.removeprefix('\0') if isinstance(v, str) else v for v in value])
    return args


def add_debug_argument(parser: argparse.ArgumentParser) -> None:
    """``--debug``, which :func:`~ovmlv.utils.error_door.run_tool` reads."""
    parser.add_argument(
        '--debug', action='store_true', help='show the traceback of errors (or set OVMLV_DEBUG=1)'
    )


def add_cfg_options(parser: argparse._ActionsContainer, of: str = 'the config') -> None:
    """``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        metavar='KEY=VALUE',
        help=f'changes of {of}, nested as a.b.c=value, lists as key="[a,b]"; other flags win over '
        'these',
    )


def add_device_argument(parser: argparse._ActionsContainer) -> None:
    """``--device``."""
    parser.add_argument(
        '--device', help='device such as cpu or cuda:0; default: a GPU if there is one'
    )


def add_config_arguments(
    parser: argparse.ArgumentParser, checkpoint: bool = False, device: bool = False
) -> None:
    """Arguments of tools that work on a config: the config, ``--cfg-options`` and ``--debug``.

    Args:
        parser: The parser that they are added to.
        checkpoint: Whether to add an optional checkpoint.
        device: Whether to add ``--device``.
    """
    parser.add_argument('config', help=CONFIG_HELP)
    if checkpoint:
        parser.add_argument(
            'checkpoint', nargs='?', help='checkpoint file; without it, the model as initialised'
        )
    if device:
        add_device_argument(parser)
    add_cfg_options(parser)
    add_debug_argument(parser)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that training and testing have in common."""
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (work_dirs/<config>)')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='job launcher')
    # torch.distributed.launch passes one spelling or the other by version; torchrun neither.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def apply_common_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Merge the flags of :func:`add_common_arguments` into the config."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config.rpartition('::')[2]).stem)


def named_paths(arguments: Iterable[str]) -> dict[str, str]:
    """``NAME=PATH`` arguments: name -> path."""
    found: dict[str, str] = {}
    for argument in arguments:
        name, equals, path = argument.partition('=')
        if not equals or not name.strip() or not path:
            raise DataError(f'{argument!r} is not of the form NAME=FILE; write e.g. trained=b.json')
        if name in found:
            raise DataError(f'two rows are named {name!r}; rename one')
        found[name] = path
    return found
