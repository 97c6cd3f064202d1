"""Which mmengine and mmcv are there, by module, since several distributions own the same modules.

``mmcv``, ``mmcv-lite`` and ``mmcv-full`` all install the module ``mmcv`` and overwrite each other,
and so do the maintained forks ``onedl-mmengine`` and ``onedl-mmcv``. pip knows nothing of that: for
a requirement, it would install one distribution over a fork. Therefore the package requires none of
them (``requirements/mminstall.txt``, as OpenMMLab does), and the code here looks at the module.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import sys
from typing import NamedTuple

from .errors import DependencyError


class Library(NamedTuple):
    """A module that must be there.

    Attributes:
        module: Name of the module.
        oldest: The first version that works.
        originals: OpenMMLab's own distributions of it; any other distribution that owns it is a
            fork.
        install: The distribution to install if there is none.
        why: What needs the module.
    """

    module: str
    oldest: str
    originals: tuple[str, ...]
    install: str
    why: str


# Before 0.10.7, mmengine registers torch's Adafactor and transformers' under one name
# (mmengine#1609), so that importing its Runner fails.
MMENGINE = Library(
    'mmengine', '0.10.7', ('mmengine', 'mmengine-lite'), 'mmengine>=0.10.7,<1.0', 'ovmlv'
)
MMCV = Library('mmcv', '2.0', ('mmcv', 'mmcv-lite', 'mmcv-full'), 'mmcv-lite==2.1.0', 'mmaction2')


def require(library: Library) -> str:
    """The version of a library's module.

    Raises:
        DependencyError: The module is missing or too old; the message says what to type. Other
            errors of its import are passed on.
    """
    found = fault(library)
    if found is not None:
        raise DependencyError(f'{found[0]}: {found[1]}')
    return _version(library.module)


def fault(library: Library) -> tuple[str, str] | None:
    """What is wrong with a library and what to type; None if nothing is."""
    name = library.module
    if importlib.util.find_spec(name) is None:
        return f'{library.why} needs {name}, which is not installed', _mend(library)
    version = _version(name)
    if release(version) < release(library.oldest):
        text = f'{library.why} needs {name} >= {library.oldest}, but {name} {version} is installed'
        return f'{text}{_of(name)}', _mend(library)
    return None


def _version(module: str) -> str:
    return str(getattr(importlib.import_module(module), '__version__', 'of no version'))


def release(version: str) -> tuple[int, int, int]:
    """``'5.23.0.dev0+x'`` -> ``(5, 23, 0)``; ``'2.0.0rc4'`` counts as ``(2, 0, 0)``."""
    numbers = re.match(r'(?:\d+!)?(\d+)(?:\.(\d+))?(?:\.(\d+))?', version.strip())
    if numbers is None:
        return 0, 0, 0
    major, minor, patch = (int(part or 0) for part in numbers.groups())
    return major, minor, patch


def owners(module: str) -> list[str]:
    """The distributions that own a module, as ``name version``."""
    names = set(importlib.metadata.packages_distributions().get(module, ()))
    if not names and sys.version_info < (3, 11):
        names = _owners_by_files(module)
    return [f'{name} {importlib.metadata.version(name)}' for name in sorted(names)]


def _owners_by_files(module: str) -> set[str]:
    """Distributions with a file of the module.

    Python 3.10 itself looks no farther than ``top_level.txt``, which a wheel need not have.
    """
    return {
        found.metadata['Name']
        for found in importlib.metadata.distributions()
        if any(file.parts[:1] == (module,) for file in found.files or ())
    }


def described(library: Library, version: str) -> str:
    """``'2.3.6'``, or ``'2.3.6 (of onedl-mmcv 2.3.6)'`` if another distribution owns it."""
    plain = owners(library.module) == [f'{library.module} {version}']
    return version if plain else f'{version}{_of(library.module)}'


def _of(module: str) -> str:
    found = owners(module)
    return f' (of {" and ".join(found)})' if found else ''


def _mend(library: Library) -> str:
    """What to type to replace an unfit version. Nothing is ever installed over a fork."""
    found = [owner.split()[0] for owner in owners(library.module)]
    forks = [name for name in found if name.lower() not in library.originals]
    if forks:
        return f'pip install --upgrade --force-reinstall --no-deps {" ".join(forks)}'
    if found:
        return f'pip uninstall -y {" ".join(found)}, then pip install "{library.install}"'
    return f'pip install "{library.install}"'
