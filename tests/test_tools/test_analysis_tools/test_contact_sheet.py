import importlib.util

import numpy as np
import pytest
from PIL import Image

from ovmlv.datasets.motionshapes import generate
from ovmlv.utils.error_door import run_tool


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'analysis_tools' / 'contact_sheet.py'
    spec = importlib.util.spec_from_file_location('contact_sheet_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def arguments(repository, tmp_path_factory):
    """A small test set, tagged zero-shot."""
    root = tmp_path_factory.mktemp('motionshapes')
    generate(root, {'test': 5}, num_frames=8, num_workers=1)
    return [
        str(repository / 'configs' / 'zeroshot_motionshapes.py'), '--device', 'cpu',
        '--cfg-options', f'test_dataloader.dataset.data_root={root}',
    ]  # fmt: skip


def test_sheet(tool, arguments, tmp_path, capsys):
    out = tmp_path / 'new' / 'sheet.png'
    assert run_tool(tool.main, tool.parse_args([*arguments, '--out', str(out), '--num', '2'])) == 0
    two = np.asarray(Image.open(out))
    assert f'{out}: 2 videos' in capsys.readouterr().out
    options = ['--out', str(out), '--indices', '4', '0', '2']
    assert run_tool(tool.main, tool.parse_args([*arguments, *options])) == 0
    three = np.asarray(Image.open(out))
    assert three.shape[1] == two.shape[1] and three.shape[0] > two.shape[0]


def test_choice(tool):
    assert tool.choose(101, 3, None) == [0, 50, 100]
    assert tool.choose(2, 8, None) == [0, 1]
    assert tool.choose(9, 8, [7, 1]) == [7, 1]


def test_mistakes(tool, arguments, tmp_path, capsys):
    for options, message in [
        (['--out', 'sheet.txt'], 'name a file ending in .png'),
        (['--out', 's.png', '--indices', '5'], 'the test set has videos 0..4'),
        (['--out', 's.png', '--num', '0'], '--num 0'),
    ]:
        assert run_tool(tool.main, tool.parse_args([*arguments, *options])) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
