"""What the command-line tools share: reading configs, their changes by flags, errors, strictness.

Precedence, the same in every tool: a flag of its own (``--work-dir``, ``--seed``, ...) wins over
``--cfg-options``, which wins over the config file.

Importing it is cheap: torch and mmengine are imported by what needs them, so that ``--help`` is
there at once.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.compat import apply
from ovmlv.config_names import find_named_config
from ovmlv.errors import CheckpointError, ConfigError, DataError, OvmlvError

from .config_options import merge_options, settle_loaders
from .error_door import is_user_error as is_user_error, one_line as one_line, run_tool as run_tool

if TYPE_CHECKING:
    from mmengine.config import Config

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
    """A parser whose help shows a module's docstring as it stands."""
    return argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **settings,
    )


def parse_arguments(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse arguments; paths may also stand behind options, and behind ``--`` begin with a dash.

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
    """``--debug``, which :func:`run_tool` reads."""
    parser.add_argument(
        '--debug', action='store_true', help='show the traceback of errors (or set OVMLV_DEBUG=1)'
    )


def add_cfg_options(parser: argparse.ArgumentParser, of: str = 'the config') -> None:
    """``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        metavar='KEY=VALUE',
        help=f'changes of {of}, nested as a.b.c=value, lists as key="[a,b]"; flags of their own '
        'win over these',
    )


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument('--device', help='such as cpu or cuda:0; default: a GPU if there is one')


def add_config_arguments(
    parser: argparse.ArgumentParser, checkpoint: bool = False, device: bool = False
) -> None:
    """Arguments of tools that work on a config: itself, ``--cfg-options`` and ``--debug``.

    Args:
        parser: To add them to.
        checkpoint: Also an optional checkpoint.
        device: Also ``--device``.
    """
    parser.add_argument('config', help='config file')
    if checkpoint:
        parser.add_argument('checkpoint', nargs='?', help='checkpoint file; none: as initialised')
    if device:
        add_device_argument(parser)
    add_cfg_options(parser)
    add_debug_argument(parser)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that train.py and test.py have in common."""
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (work_dirs/<config>)')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='job launcher')
    # torch.distributed.launch passes one spelling or the other by version; torchrun neither.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    add_debug_argument(parser)


def load_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file and merge ``--cfg-options`` into it.

    A config in Python is a program and runs; one in JSON or YAML is data, and nothing of it does.

    Raises:
        FileNotFoundError: The file or a base of it does not exist.
        ConfigError: It is no config, or an option does not fit; see :func:`merge_options`.
    """
    apply()
    from mmengine.config import Config

    if path.startswith('ovmlv::'):
        path = find_named_config(path)
    file = Path(path)
    if not file.is_file():
        near = [str(p) for p in file.parent.glob('*.py')] if file.parent.is_dir() else []
        near = get_close_matches(str(file), near, 1)
        hint = f'did you mean {near[0]}?' if near else 'give the path of a .py, .yml or .json file'
        raise FileNotFoundError(f'there is no config {path}; {hint}')
    from ovmlv.utils.data_config import SUFFIXES, check_types, read_data_config

    is_data = file.suffix in SUFFIXES
    try:
        cfg = read_data_config(path) if is_data else Config.fromfile(path)
    except ImportError as error:  # mmengine's own message blames sys.path and spells it out
        cause: BaseException = error
        while isinstance(cause.__cause__ or cause.__context__, ImportError):
            cause = cause.__cause__ or cause.__context__
        raise ConfigError(f'{path} imports what cannot be imported: {one_line(cause)}') from error
    except (SyntaxError, OSError, ValueError, TypeError, NameError, KeyError) as error:
        if isinstance(error, OvmlvError):
            raise
        raise ConfigError(f'{path} is no usable config: {one_line(error)}') from error
    if options:
        merge_options(cfg, options, path)
    settle_loaders(cfg)
    if cfg.get('default_scope') is None:
        cfg.default_scope = 'ovmlv'
    if is_data:
        check_types(cfg, path)
    return cfg


def apply_common_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Merge the flags of :func:`add_common_arguments` into the config."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config.rpartition('::')[2]).stem)


def refuse_mistakes(cfg: Config, path: str) -> None:
    """Raise a :class:`ConfigError` naming the first mistake that can be seen without building."""
    from ovmlv.utils.config_check import check_config

    mistakes = check_config(cfg)
    if mistakes:
        more = f' (and {len(mistakes) - 1} more)' if len(mistakes) > 1 else ''
        raise ConfigError(
            f'{mistakes[0]}{more}; for all: '
            f'python tools/analysis_tools/print_config.py {path} --check'
        )


def leave_amp_to_gpus(cfg: Config) -> None:
    """Without a GPU, train a config with mixed precision in float32: mmengine refuses it there."""
    from mmengine.device import get_device

    kind = (cfg.get('optim_wrapper') or {}).get('type')
    if get_device() not in ('cpu', 'mps') or getattr(kind, '__name__', kind) != 'AmpOptimWrapper':
        return
    print('no GPU: training in float32 instead of mixed precision', flush=True)
    cfg.optim_wrapper.type = 'OptimWrapper'
    for key in ('dtype', 'loss_scale', 'use_fsdp'):
        cfg.optim_wrapper.pop(key, None)


def refuse_missing_data(cfg: Config, *loaders: str) -> None:
    """Look for the files of the data sets before models are built, which may take downloads.

    Raises:
        DataError: An annotation file or a video folder is missing.
    """
    from mmengine.registry import DATASETS, DefaultScope

    scope = cfg.get('default_scope') or 'ovmlv'
    with (
        DefaultScope.overwrite_default_scope(scope),
        DATASETS.switch_scope_and_registry(scope) as registry,
    ):
        for name in loaders:
            for dataset in leaf_datasets((cfg.get(name) or {}).get('dataset')):
                kind = dataset['type']
                kind = registry.get(kind) if isinstance(kind, str) else kind
                if hasattr(kind, 'check_files'):
                    registry.build({**dataset, 'lazy_init': True}).check_files()


def leaf_datasets(dataset: Any) -> Iterator[dict]:
    """The data sets inside wrappers (``RepeatDataset``, ``ConcatDataset``, ...)."""
    if not isinstance(dataset, Mapping):
        return
    inner = [*(dataset.get('datasets') or ()), dataset.get('dataset')]
    if any(isinstance(part, Mapping) for part in inner):
        for part in inner:
            yield from leaf_datasets(part)
    elif 'type' in dataset:
        yield dict(dataset)


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


def find_checkpoint(work_dir: str) -> str | None:
    """The checkpoint to resume a work folder from, even if the folder moved.

    That is the one that ``last_checkpoint`` names. Where a kill left that note or that file
    damaged, it is the newest checkpoint that can be read, and a line on stdout says so.

    Raises:
        CheckpointError: There are checkpoints, and none can be read.
    """
    folder = Path(work_dir)
    note = folder / 'last_checkpoint'
    text = note.read_text(encoding='utf-8', errors='replace') if note.is_file() else ''
    saved = Path(text.strip('\0 \r\n'))
    named = [saved, folder / saved.name] if saved.name else []
    found = [path for path in named if path.is_file()][:1]
    found += [path for path in _newest_first(folder) if path.name not in {p.name for p in found}]
    if not found:
        if named:
            raise FileNotFoundError(
                f'{note} names {saved}, which is gone; give --resume a checkpoint'
            )
        return None
    reasons = []
    for path in found:
        try:
            content = read_checkpoint(str(path))
        except CheckpointError as error:
            reasons.append(str(error))
            continue
        if not isinstance(content, Mapping) or not {'meta', 'state_dict'} <= content.keys():
            continue
        if path not in named:
            print(_why(note, named, reasons, path), flush=True)
        return str(path)
    raise CheckpointError(
        f'none of {len(found)} checkpoints in {work_dir} can be resumed'
        f'{f" ({reasons[0]})" if reasons else ""}; give --resume another, or another --work-dir'
    )


def _newest_first(folder: Path) -> list[Path]:
    """Checkpoints of a training: by their number, as copying changes times; the best ones last."""

    def age(path: Path) -> tuple[bool, int, float]:
        number = re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem)
        return number is not None, int(number[1]) if number else 0, path.stat().st_mtime

    return sorted((path for path in folder.glob('*.pth') if path.is_file()), key=age, reverse=True)


def _why(note: Path, named: Sequence[Path], reasons: Sequence[str], path: Path) -> str:
    if reasons:
        why = reasons[0]
    elif named:
        why = f'{note} names {named[0]}, which is gone'
    else:
        why = f'{note} is {"empty" if note.is_file() else "missing"}'
    return f'{why}: resuming from {path}, the newest checkpoint that can be read'


def require_checkpoint(path: str) -> None:
    """Raise unless ``path`` is a file or an address that mmengine can read."""
    if '://' not in path and not Path(path).is_file():
        found = sorted(str(p) for p in Path(path).parent.glob('*.pth'))
        hint = f'there are {", ".join(found[-3:])}' if found else 'train first, or give another'
        raise FileNotFoundError(f'there is no checkpoint {path}; {hint}')


def checkpoint_seed(path: str) -> int | None:
    """The seed of the run that wrote a checkpoint, so that a resumed run orders samples alike."""
    if '://' in path:
        return None
    saved = read_checkpoint(path)
    meta = saved.get('meta') if isinstance(saved, dict) else None
    seed = meta.get('seed') if isinstance(meta, dict) else None
    return seed if isinstance(seed, int) else None


def read_checkpoint(path: str) -> Any:
    """What a local checkpoint holds, without running code that it may bring along.

    Raises:
        CheckpointError: It is damaged, or holds more than tensors and plain data.
    """
    from ovmlv.weight_files import read_weight_file

    return read_weight_file(path)


def load_strictly(runner: Any) -> None:
    """Make a runner refuse checkpoints of another model, where mmengine only warns."""
    from ovmlv.utils.checkpoints import open_weights_safely

    open_weights_safely()
    load_checkpoint = runner.load_checkpoint

    @functools.wraps(load_checkpoint)
    def load(filename: str, *args: Any, **kwargs: Any) -> dict:
        kwargs['strict'] = True
        if '://' not in str(filename):
            require_checkpoint(str(filename))
        try:
            return load_checkpoint(filename, *args, **kwargs)
        except OvmlvError:
            raise
        except RuntimeError as error:
            raise CheckpointError(
                f'{filename} does not fit the model of the config: {describe_mismatch(str(error))}'
            ) from error

    runner.load_checkpoint = load


def describe_mismatch(text: str) -> str:
    """mmengine's report of a failed loading, cut to one line and three keys a kind."""
    lines = [' '.join(line.split()) for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith('The model and loaded state dict')]
    short = []
    for line in lines[:3]:
        head, colon, tail = line.partition(': ')
        keys = tail.split(', ')
        more = f' and {len(keys) - 3} more' if len(keys) > 3 else ''
        short.append(f'{head}{colon}{", ".join(keys[:3])}{more}')
    if len(lines) > 3:
        short.append(f'{len(lines) - 3} more lines')
    return '; '.join(short)
