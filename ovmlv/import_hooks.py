"""Act around the import of somebody else's module, without importing it.

A repair that is made this way costs nothing if the module is never imported, needs no order of
imports, and can try the plain import first to see whether anything must be repaired at all.
"""

from __future__ import annotations

import copy
import functools
import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

#: Runs the code of the module that is being imported. Called again, it starts over: what the first
#: try left in the module and in ``sys.modules`` is forgotten.
Execute = Callable[[], None]
Repair = Callable[[Execute, ModuleType], None]


def around_import(name: str, repair: Repair) -> None:
    """From now on, let ``repair(execute, module)`` import the module ``name``.

    A module that is already imported stays as it is. A second repair of a name replaces the first.
    """
    _watch().repairs[name] = repair


def after_import(name: str, repair: Callable[[ModuleType], None]) -> None:
    """Call ``repair(module)`` when ``name`` has been imported: now, or as soon as it is."""

    def import_and_repair(execute: Execute, module: ModuleType) -> None:
        execute()
        repair(module)

    around_import(name, import_and_repair)
    module = sys.modules.get(name)
    if module is not None:
        repair(module)


def replace_function(
    package: str, module: ModuleType, name: str, make: Callable[[Any], Any]
) -> None:
    """Put ``make(original)`` in place of a function, wherever a package has imported it.

    Args:
        package: The package whose loaded modules may hold the function under the same name.
        module: The module that defines it; if it lacks the function, nothing is changed.
        name: The function's name.
        make: Function that gives the new function. A function that was replaced before is not
            changed.
    """
    original = getattr(module, name, None)
    if original is None or hasattr(original, '_replaced_by_ovmlv'):
        return
    replacement = make(original)
    replacement._replaced_by_ovmlv = True
    for key, holder in list(sys.modules.items()):
        if key.split('.')[0] == package and getattr(holder, '__dict__', {}).get(name) is original:
            setattr(holder, name, replacement)
    setattr(module, name, replacement)


class ImportWatch(importlib.abc.MetaPathFinder):
    """The first finder in ``sys.meta_path``: the others find, and it changes who executes."""

    def __init__(self) -> None:
        self.repairs: dict[str, Repair] = {}
        self._searching: set[tuple[int, str]] = set()

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return what the others find; its loader is replaced if there is something to repair."""
        repair = self.repairs.get(fullname)
        key = (threading.get_ident(), fullname)
        if repair is None or key in self._searching:
            return None
        self._searching.add(key)  # another such finder would ask this one again
        try:
            spec = self._found_by_others(fullname, path, target)
        finally:
            self._searching.discard(key)
        # A loader is an object with an `exec_module`; built-in modules have a class, which stays.
        if (
            spec is not None
            and hasattr(spec.loader, 'exec_module')
            and not isinstance(spec.loader, type)
        ):
            # The loader stays what it is for everybody who asks it for sources or resources.
            loader: Any = copy.copy(spec.loader)
            loader.exec_module = functools.partial(_execute, spec.loader, repair)
            spec.loader = loader
        return spec

    def _found_by_others(
        self, fullname: str, path: Any, target: Any
    ) -> importlib.machinery.ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is not self and hasattr(finder, 'find_spec'):
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


def _execute(loader: Any, repair: Repair, module: ModuleType) -> None:
    before = dict(vars(module))
    tried = False

    def execute() -> None:
        nonlocal tried
        if tried:
            vars(module).clear()
            vars(module).update(before)
            for name in [name for name in sys.modules if name.startswith(f'{module.__name__}.')]:
                del sys.modules[name]
        tried = True
        loader.exec_module(module)

    repair(execute, module)


def _watch() -> ImportWatch:
    for finder in sys.meta_path:
        if isinstance(finder, ImportWatch):
            return finder
    watch = ImportWatch()
    sys.meta_path.insert(0, watch)
    return watch
