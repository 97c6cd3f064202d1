"""Check this environment, and say how to mend it.

    ovmlv doctor
    ovmlv doctor --quick --format jsonl

It checks Python, versions of packages and their repairs, devices, the decoders (on a video that it
makes), the model that ships with the package (it tags that video), cached weights, and whether
files can be written. Exit status: 0, or 3 if something must be mended; what is optional does not
count.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback

from ovmlv.errors import DependencyError
from ovmlv.utils.terminal import Terminal

from .app import MUST_BE_MENDED
from .arguments import add_format_argument
from .health_checks import CHECKS, Finding
from .result_formats import write_rows

_SIGNS = {'ok': 'ok   ', 'note': 'note ', 'bad': 'BAD  '}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv doctor``."""
    parser.add_argument(
        '--quick', action='store_true', help='leave out the checks that load a model'
    )
    add_format_argument(parser)


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Make all checks, whatever one of them finds.

    A package that is missing or broken fails every later check that imports it. Such later failures
    become notes, so that one cause gives one line to mend.
    """
    found: list[Finding] = []
    debug = getattr(args, 'debug', False) or os.environ.get('OVMLV_DEBUG', '0') not in ('', '0')
    for check in CHECKS:
        if args.quick and check.__name__.endswith('model'):
            continue
        findings = []
        try:
            for finding in check():  # what it found before it failed counts
                findings.append(finding)  # noqa: PERF402
        except Exception as error:  # a broken library can raise anything
            if debug:
                traceback.print_exc(file=sys.stderr)
            findings.append(_unexpected(check.__name__, error, found + findings))
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


def _unexpected(name: str, error: Exception, before: list[Finding]) -> Finding:
    what = name.replace('_', ' ')
    detail = f'{type(error).__name__}: {" ".join(str(error).split())}'
    bad = [finding for finding in before if finding.state == 'bad']
    if bad and isinstance(error, DependencyError):  # whose message has a mend of its own
        return Finding('note', what, 'not looked at before the above is mended')
    if any(detail == finding.detail for finding in bad) or (bad and isinstance(error, ImportError)):
        return Finding('note', what, f'not looked at before the above is mended ({detail})')
    return Finding('bad', what, detail, 'ovmlv doctor --debug shows what raised it')
