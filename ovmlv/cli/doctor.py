"""Check this environment, and say how to mend it.

    ovmlv doctor
    ovmlv doctor --quick --format jsonl

Checked: Python, versions of packages, repairs of them, devices, the decoders (on a video made for
it), the model that ships with the package (it tags that video), cached weights, and whether files
can be written. Exit status: 0, or 3 if something must be mended; what is optional does not count.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from .arguments import add_format_argument
from .health_checks import CHECKS, Finding
from .result_formats import write_rows

MUST_BE_MENDED = 3
_SIGNS = {'ok': 'ok   ', 'note': 'note ', 'bad': 'BAD  '}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv doctor``."""
    parser.add_argument('--quick', action='store_true', help='leave out what loads a model')
    add_format_argument(parser)


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Make all checks, whatever one of them meets."""
    found: list[Finding] = []
    for check in CHECKS:
        if args.quick and check.__name__.endswith('model'):
            continue
        try:
            findings = list(check())
        except Exception as error:  # a broken library can raise anything
            findings = [_unexpected(check.__name__, error)]
        found += findings
        if args.format == 'table':
            for finding in findings:
                out.write(f'{_SIGNS[finding.state]} {finding.what}: {finding.detail}\n')
                if finding.mend:
                    out.write(f'        mend: {finding.mend}\n')
            out.flush()
    if args.format != 'table':
        write_rows(out, args.format, Finding._fields, found)
    bad = [finding for finding in found if finding.state == 'bad']
    if args.format == 'table':
        out.write(f'{len(bad)} to mend\n' if bad else 'all is well\n')
    return MUST_BE_MENDED if bad else 0


def _unexpected(name: str, error: Exception) -> Finding:
    detail = f'{type(error).__name__}: {" ".join(str(error).split())}'
    return Finding('bad', name.replace('_', ' '), detail, 'see docs/troubleshooting.md')
