"""The requirements that an environment does not meet.

It uses the standard library only: tools/check_env.py reads this file where nothing is installed
yet.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable
from pathlib import Path


def release(version: str) -> tuple[int, ...]:
    """``'2.13.0+cpu'`` -> ``(2, 13, 0)``; enough for the plain ranges of our files."""
    return tuple(int(part) for part in re.findall(r'\d+', version.split('+')[0])[:3])


def _parts(pattern: str, text: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, text)
    assert found is not None  # a line of our own files
    return found.groups()


def problem(line: str, installed: Callable[[str], str] = importlib.metadata.version) -> str | None:
    """What is wrong with one requirement line such as ``mmengine>=0.10.7,<1.0``, if anything."""
    name, limits = _parts(r'([\w.-]+)\s*(.*)', line)
    try:
        found = installed(name)
    except importlib.metadata.PackageNotFoundError:
        return f'{name} is not installed (needed: {line})'
    for limit in filter(None, limits.split(',')):
        operator, bound = _parts(r'\s*(>=|<)\s*(\S+)\s*', limit)
        width = max(len(release(found)), len(release(bound)))
        have, want = ((*release(v), 0, 0, 0)[:width] for v in (found, bound))
        if not (have >= want if operator == '>=' else have < want):
            return f'{name} {found} is installed (needed: {line})'
    return None


def declared(package: Path) -> dict[str, list[str]]:
    """Requirement lines that are needed (``runtime``), and those of more functions (``optional``).

    Args:
        package: The package's folder. In a checkout, requirements/ is read, since the notes of the
            installation may be older; elsewhere, the requirements of the wheel.
    """
    folder = package.parent / 'requirements'
    found: dict[str, list[str]] = {'runtime': [], 'optional': []}
    if (folder / 'runtime.txt').is_file():
        for name in found:
            lines = (folder / f'{name}.txt').read_text(encoding='utf-8').splitlines()
            found[name] = [text for line in lines if (text := line.split('#')[0].strip())]
        return found
    for line in importlib.metadata.requires(package.name) or ():
        requirement, _, marker = (part.strip() for part in line.partition(';'))
        if not marker:
            found['runtime'].append(requirement)
        elif re.search(r'extra\s*==\s*["\']optional["\']', marker):
            found['optional'].append(requirement)
    return found
