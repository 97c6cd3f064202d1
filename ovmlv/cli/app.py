"""Which subcommand runs, and how it ends."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any

from ovmlv.utils.cli import add_debug_argument, make_parser, parse_arguments
from ovmlv.utils.error_door import run_tool
from ovmlv.utils.terminal import Terminal, lenient
from ovmlv.version import __version__

COMMANDS = {
    'train': 'train a model',
    'test': 'test a model',
    'check-config': 'look for mistakes in configs, without building anything',
    'check-data': 'look for what is wrong with videos and annotations',
    'tag': 'tag videos with any labels',
    'bank': 'keep encoded labels: build, add, remove, merge, search, info',
    'index': 'keep encoded videos, and ask any labels later: add, find, tag, similar, ...',
    'label-studio': 'let people correct labels in Label Studio, and take the result',
    'calibrate': 'fit temperature, bias and thresholds on videos with known labels',
    'serve': 'open the web page and the HTTP API',
    'export': 'write the video encoder and labels for programs without torch',
    'publish': 'write a model as one folder that every command opens',
    'doctor': 'check this environment and say how to mend it',
}
DESCRIPTION = """Open-vocabulary multi-label video tagging.

    ovmlv tag my_video.mp4 --model motionshapes --labels "a red circle" "a star spinning"
    ovmlv tag videos/ --model my_model --labels-file words.txt --output tags.jsonl --resume
    ovmlv serve --model my_model
    ovmlv train ovmlv::ovmlv_motionshapes.py --work-dir work
    ovmlv doctor
"""
EPILOG = """exit status:
  0  all is done
  1  a fault of the program
  2  wrong usage, or a setting or file that cannot be used; one line says which
  3  done, but some videos could not be read (tag, index add, index merge), or something must be
     mended (doctor, check-config, check-data, index verify)
130  interrupted"""
MUST_BE_MENDED = 3
INTERRUPTED = 130
_PIPE_CLOSED = 141  # as shells report a program that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; None takes those of this process.

    Returns:
        The exit status.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        with lenient(sys.stdout, sys.stderr):
            return _dispatch('ovmlv', DESCRIPTION, COMMANDS, __package__, argv)
    except SystemExit as end:  # of argparse
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Else the interpreter would complain once more when it flushes at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED


def _dispatch(
    prog: str, description: str, commands: Mapping[str, str], package: str, argv: list[str]
) -> int:
    """Run the command that comes first, or list all commands.

    argparse's own subcommands are not used: they would build all parsers before one is used, and
    they cannot take options among several paths.
    """
    if argv and not argv[0].startswith('-'):
        name = argv.pop(0)
        if name in commands:
            module = import_module(f'{package}.{name.replace("-", "_")}')
            prog = f'{prog} {name}'
            if hasattr(module, 'COMMANDS'):
                return _dispatch(prog, module.__doc__ or '', module.COMMANDS, module.__name__, argv)
            return _run(prog, module, argv)
        near = get_close_matches(name, commands, 1)
        hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(commands)}'
        print(f'{prog}: error: there is no command {name!r}; {hint}', file=sys.stderr)
        return 2
    rows = '\n'.join(f'  {name:12} {text}' for name, text in commands.items())
    parser = make_parser(
        description,
        prog=prog,
        usage=f'{prog} COMMAND ...',
        epilog=f'commands ({prog} COMMAND --help tells more):\n{rows}\n\n{EPILOG}',
    )
    if prog == 'ovmlv':
        parser.add_argument('--version', action='version', version=f'ovmlv {__version__}')
    parser.parse_args(argv)
    parser.print_help(sys.stderr)
    return 2


def command_parser(
    module: ModuleType, description: str | None, **settings: Any
) -> argparse.ArgumentParser:
    """The parser of a subcommand, also for a script of tools/ that is another door to it."""
    parser = make_parser(description, **settings)
    module.add_arguments(parser)
    add_debug_argument(parser)
    return parser


def _run(prog: str, module: ModuleType, argv: list[str]) -> int:
    parser = command_parser(module, module.__doc__, prog=prog, epilog=EPILOG)
    if hasattr(module, 'check_usage'):
        module.check_usage(parser, argv)
    args = parse_arguments(parser, argv)
    out = Terminal(sys.stdout)
    # Libraries print logs where results belong.
    with contextlib.redirect_stdout(sys.stderr):
        return run_tool(functools.partial(_call, module, out), args)


def _call(module: ModuleType, out: Terminal, args: argparse.Namespace) -> int | None:
    status = module.run(args, out)
    out.flush()
    return status
