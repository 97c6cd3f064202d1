#!/usr/bin/env python
"""Run mypy over ovmlv, and fail when it finds more than pyproject.toml allows.

``[tool.ovmlv]`` of pyproject.toml has the number of errors that the package may have, which may
only shrink, and the parts of the package that may have none. mypy is not a dependency of the
package; install it with ``pip install mypy``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
_ERROR = re.compile(r'ovmlv[/\\](?P<part>\w+).*?:\d+: error: ')


@dataclass(frozen=True)
class Allowed:
    """What pyproject.toml allows.

    Attributes:
        errors: How many errors the whole package may have.
        clean: Packages and modules right below ``ovmlv`` that may have none.
    """

    errors: int
    clean: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Allowed:
        """Read ``[tool.ovmlv]`` of a pyproject.toml."""
        settings: dict[str, Any] = tomllib.loads(path.read_text(encoding='utf-8'))
        found = settings['tool']['ovmlv']
        return cls(found['mypy_errors'], tuple(found['mypy_clean']))


def complaints(lines: Iterable[str], allowed: Allowed) -> list[str]:
    """What is wrong with a report of mypy, a sentence each; nothing if all is well.

    Args:
        lines: Lines that mypy printed.
        allowed: What it may find.
    """
    errors = [(match['part'], line) for line in lines if (match := _ERROR.match(line))]
    found = [line for part, line in errors if part in allowed.clean]
    if len(errors) > allowed.errors:
        found.append(
            f'ovmlv has {len(errors)} errors of types, and {allowed.errors} are allowed '
            '(mypy_errors in pyproject.toml); mend the new ones'
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run mypy; 0 if it finds what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'mypy_arguments', nargs='*', help='further arguments of mypy, after a --, such as -- -v'
    )
    args = parser.parse_args(arguments)
    command = [sys.executable, '-m', 'mypy', '--no-error-summary', *args.mypy_arguments]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = report.stdout.splitlines()
    # 1 is "errors were found", if mypy itself ran; 2 is that it could not.
    if report.returncode > 1 or (report.returncode and not lines):
        print(report.stdout + report.stderr, file=sys.stderr)
        return 2
    wrong = complaints(lines, Allowed.read(ROOT / 'pyproject.toml'))
    print('\n'.join(wrong or lines))
    return int(bool(wrong))


if __name__ == '__main__':
    sys.exit(main())
