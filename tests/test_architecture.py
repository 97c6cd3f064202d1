"""The plan of the house: layers, no circles, and packages that know no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture import (
    LAYERS,
    PACKAGE,
    imported_on_import,
    imports_of_packages,
    module_of,
    parts,
)

LEVEL = {name: number for number, row in enumerate(LAYERS) for name in row}
#: May be imported where torch is not installed, and load nothing of it where it is.
TORCH_FREE = (
    'containers',
    'errors',
    'files',
    'label_studio',
    'labels',
    'results',
    'runtime',
    'schema',
    'tables',
)
HEAVY = {'torch', 'mmengine', 'mmcv', 'mmaction', 'transformers', 'open_clip'}


def test_every_part_has_its_layer():
    assert set(parts()) == set(LEVEL)


@pytest.mark.parametrize('part', parts())
def test_imports_lead_downwards(part):
    """Lower layers know nothing of higher ones; neighbours know nothing of each other."""
    upwards = {
        target
        for (source, target) in imports_of_packages()
        if source == part and LEVEL[target] <= LEVEL[part]
    }
    assert not upwards


def test_no_file_imports_itself_by_a_detour():
    files = {module_of(path): path for path in PACKAGE.rglob('*.py')}
    graph = {}
    for name, path in files.items():
        found = set()
        for target in imported_on_import(path):
            # `from package import name`: the module of that name, or else the package.
            module = target if target in files else target.rpartition('.')[0]
            if module in files and module != name and not name.startswith(f'{module}.'):
                found.add(module)
        graph[name] = found
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(' -> '.join(error.args[1]))


@pytest.mark.parametrize('part', TORCH_FREE)
def test_loads_no_torch(part):
    code = f'import sys, ovmlv.{part}; print({{n.split(".")[0] for n in sys.modules}})'
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert done.returncode == 0, done.stderr
    assert not HEAVY & ast.literal_eval(done.stdout)


def test_imports_within_a_package_are_relative():
    """What is near stands near: `from .files import ...` beside, `from ovmlv.files` elsewhere."""
    wrong = []
    for path in PACKAGE.rglob('*.py'):
        folder = '.'.join(('ovmlv', *path.relative_to(PACKAGE).parent.parts))
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.ImportFrom) or folder == 'ovmlv':
                continue
            name = f'{path.relative_to(PACKAGE)}:{node.lineno} {ast.unparse(node)}'
            if node.level == 0 and (node.module or '').startswith(f'{folder}.'):
                wrong.append(name)
    assert not wrong
