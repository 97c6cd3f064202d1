"""The runtime imports nothing heavy, even where it is installed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / 'ovmlv' / 'runtime').glob('*.py'))
BELOW = tuple(f'ovmlv.{n}' for n in 'containers errors files labels results schema'.split())
ALLOWED = {'numpy', 'av', 'onnxruntime', 'ovmlv', *sys.stdlib_module_names}


def test_importing_it_loads_numpy_alone():
    code = 'import sys, ovmlv.runtime; print({n.split(".")[0] for n in sys.modules})'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    loaded = ast.literal_eval(done.stdout)
    assert 'numpy' in loaded
    heavy = {'torch', 'transformers', 'mmengine', 'mmcv', 'mmaction', 'onnxruntime', 'av'}
    assert not heavy & loaded


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_what_is_imported_anywhere(file):
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            names = [f'ovmlv.{node.module}' if node.level else node.module]
        else:
            continue
        for name in names:
            assert name.split('.')[0] in ALLOWED, name
            assert not name.startswith('ovmlv.') or name in BELOW, name
