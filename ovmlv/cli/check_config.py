"""Look for mistakes in configs, without building anything.

    ovmlv check-config CONFIG [CONFIG ...]
    ovmlv check-config CONFIG --cfg-options model.loss.video_distill=1

Every type is looked up in its registry, and the keywords beside it are compared with its signature.
All mistakes are listed with the nearest names. Exit status: 0, or 3 if there are any.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, TextIO

from ovmlv.utils.cli import CONFIG_HELP, add_cfg_options
from ovmlv.utils.configs import load_config
from ovmlv.utils.terminal import Terminal

from .app import MUST_BE_MENDED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv check-config``."""
    parser.add_argument('config', nargs='+', help=CONFIG_HELP)
    add_cfg_options(parser)


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Check all configs, whatever is found in one of them."""
    right = [list_mistakes(path, args.cfg_options, out) for path in args.config]
    return 0 if all(right) else MUST_BE_MENDED


def list_mistakes(path: str, options: Mapping[str, Any] | None, out: TextIO | Terminal) -> bool:
    """Write what is wrong with a config; return True if nothing is."""
    cfg = load_config(path, options)

    from ovmlv.utils.config_check import check_config

    mistakes = check_config(cfg)
    for mistake in mistakes:
        out.write(f'{path}: {mistake}\n')
    if mistakes:
        out.write(f'{path}: {len(mistakes)} mistake{"s" * (len(mistakes) > 1)}\n')
    else:
        out.write(f'{path}: every type and keyword is known\n')
    return not mistakes
