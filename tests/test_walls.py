"""What reads files of strangers is used in one place each, which is where the care is taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*(ROOT / 'ovmlv').rglob('*.py'), *(ROOT / 'tools').rglob('*.py')])

#: Function -> the files that may use it.
WALLS = {
    'torch.load': {'ovmlv/weight_files.py'},
    'torch.jit.load': {'ovmlv/weight_files.py'},
    'torch.hub.load': set(),
    'torch.hub.load_state_dict_from_url': set(),
    'torch.package.PackageImporter': set(),
    'pickle.load': set(),
    # What the server asks of its own process; the answer is read as data.
    'pickle.loads': {'ovmlv/serving/decoder_process.py'},
    'pickle.Unpickler': set(),
    'marshal.load': set(),
    'marshal.loads': set(),
    'shelve.open': set(),
    'dill.load': set(),
    'joblib.load': set(),
    'cloudpickle.load': set(),
    'pandas.read_pickle': set(),
    'numpy.load': {
        'ovmlv/runtime/label_set.py',
        'ovmlv/datasets/transforms/cache_frames.py',
        'ovmlv/datasets/formats/youtube8m_shard.py',
    },
    'numpy.lib.format.read_array': set(),
    'yaml.load': set(),
    'yaml.full_load': set(),
    'yaml.unsafe_load': set(),
    'yaml.safe_load': {'ovmlv/utils/data_config.py'},
    'mmengine.load': set(),
    'mmengine.fileio.load': set(),
    'mmengine.config.Config.fromfile': {'ovmlv/utils/configs.py'},
    'mmengine.Config.fromfile': set(),
    'mmengine.config.Config.fromstring': set(),
    'mmengine.runner.load_checkpoint': set(),
    'mmengine.runner.checkpoint.load_checkpoint': set(),
    'mmengine.utils.import_modules_from_strings': set(),
    'mmengine.utils.get_object_from_string': set(),
    # A measurement beside open_clip itself, which gets no weights.
    'open_clip.create_model': {'tools/speed/label_encoder.py'},
    'open_clip.factory.load_state_dict': set(),
    # The plain script that the speed is compared with reads its own videos.
    'av.open': {'ovmlv/containers.py', 'tools/speed/inference.py'},
    'decord.VideoReader': {'ovmlv/datasets/decoders/decord_reader.py'},
    'torchcodec.decoders.VideoDecoder': {'ovmlv/datasets/decoders/torchcodec_reader.py'},
    'eval': set(),
    'exec': set(),
    'compile': set(),
    '__import__': set(),
    'os.system': set(),
}
#: `from_pretrained` of these runs code of a folder unless it is told not to.
AUTO = ('AutoTokenizer', 'AutoConfig', 'AutoModel', 'AutoProcessor')


def imported(tree: ast.AST) -> dict[str, str]:
    """Local names -> what they stand for, wherever in the file they are imported."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    names[alias.asname] = alias.name
                else:
                    names[alias.name.split('.')[0]] = alias.name.split('.')[0]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.update({a.asname or a.name: f'{node.module}.{a.name}' for a in node.names})
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str | None:
    """``t.jit.load`` -> ``torch.jit.load`` where ``t`` was imported as torch."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return '.'.join([names.get(node.id, node.id), *reversed(parts)])


def uses(text: str) -> Iterator[tuple[str, int]]:
    """Functions behind the walls that a file names, called or not, and the lines."""
    tree = ast.parse(text)
    names = imported(tree)
    owners = {wall.rpartition('.')[0] for wall in WALLS}
    writing = {id(node.func) for node in ast.walk(tree) if _writes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                if f'{node.module}.{alias.name}' in WALLS:
                    yield f'{node.module}.{alias.name}', node.lineno
                if alias.name == '*' and node.module in owners:
                    yield f'{node.module}.*', node.lineno
        elif isinstance(node, (ast.Attribute, ast.Name)):
            name = full_name(node, names)
            if name in WALLS and id(node) not in writing:
                yield name, node.lineno
        elif (
            isinstance(node, ast.Call)
            and full_name(node.func, names) == 'getattr'  # getattr(torch, 'load')
            and len(node.args) > 1
        ):
            owner = full_name(node.args[0], names)
            key = node.args[1]
            if isinstance(key, ast.Constant) and f'{owner}.{key.value}' in WALLS:
                yield f'{owner}.{key.value}', node.lineno


def _writes(node: ast.AST) -> bool:
    """Whether it is a call that opens a file in order to write it."""
    if not isinstance(node, ast.Call):
        return False
    modes = [*node.args[1:2], *(key.value for key in node.keywords if key.arg == 'mode')]
    return any(isinstance(mode, ast.Constant) and mode.value == 'w' for mode in modes)


def test_only_one_place_uses_each():
    """FAULTS B: nothing goes around the one place that opens weights, configs or containers."""
    found = []
    for file in FILES:
        where = file.relative_to(ROOT).as_posix()
        for name, line in uses(file.read_text(encoding='utf-8')):
            if where not in WALLS.get(name, ()):
                found.append(f'{where}:{line} uses {name}')
    assert not found, '\n'.join(found)


@pytest.mark.parametrize(
    'text',
    [
        'import torch\ntorch.load(p)',
        'import torch as t\nt.load(p)',
        'from torch import load\nload(p)',
        'from torch import load as read\nread(p)',
        'def f():\n    import torch\n    return torch.jit.load(p)',
        'from torch import jit\njit.load(p)',
        'import torch.jit\nread = torch.jit.load',
        "import torch\ngetattr(torch, 'load')(p)",
        'from torch import *',
        'import pickle\npickle.loads(b)',
        'import numpy as np\nnp.load(p)',
        'from mmengine import Config\nConfig.fromfile(p)',
        'from mmengine.config import Config\nConfig.fromfile(p)',
        'import mmengine\nmmengine.load(p)',
        'import mmengine.fileio as io\nio.load(p)',
        'import av\nav.open(p)',
        'from av import open as o\no(p)',
        'from decord import VideoReader\nVideoReader(p)',
        'from torchcodec.decoders import VideoDecoder\nVideoDecoder(p)',
        'import torch\ntorch.hub.load(p)',
        "eval('1')",
        'exec(code)',
        'import yaml\nyaml.load(f)',
    ],
)
def test_the_walk_finds_it(text):
    assert list(uses(text))


@pytest.mark.parametrize(
    'text',
    [
        'model.eval()',
        'json.load(f)',
        'import re\nre.compile(x)',
        'import torch\ntorch.save(a, b)',
        "import av\nav.open(p, 'w')",
    ],
)
def test_the_walk_leaves_alone(text):
    assert not list(uses(text))


def test_transformers_runs_no_code_of_folders():
    """``from_pretrained`` of automatic classes is told so, or goes through what tells it so."""
    found = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else ''
            if node.func.attr == 'from_pretrained' and name.startswith(AUTO):
                values = {key.arg: key.value for key in node.keywords}
                told = values.get('trust_remote_code')
                if not (isinstance(told, ast.Constant) and told.value is False):
                    found.append(f'{file.relative_to(ROOT)}:{node.lineno}')
    assert not found, found
