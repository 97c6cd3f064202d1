import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ovmlv.datasets.motionshapes import generate
from ovmlv.evaluation import Predictions
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
    assert tool.choose(9, 4, None, [2, 4, 6]) == [0, 2, 6, 8]
    assert tool.choose(3, 4, None, [1]) == [0, 1, 2]
    assert tool.choose(3, 2, None, [0, 1, 2]) == [0, 2]
    assert tool.choose(9, 2, None, []) == [0, 8]


def test_scores_of_a_test(tool, arguments, repository, tmp_path, capsys):
    """No model is run; some of the videos say something that is asked for."""
    dump, out = tmp_path / 'all.safetensors', tmp_path / 'sheet.png'
    test = [v for v in arguments if v not in ('--device', 'cpu')]
    test += ['--work-dir', str(tmp_path), '--dump', str(dump)]
    subprocess.run([sys.executable, repository / 'tools' / 'test.py', *test], check=True)
    capsys.readouterr()

    def draw(*options):
        status = run_tool(tool.main, tool.parse_args([*arguments, '--out', str(out), *options]))
        return status, capsys.readouterr()

    given = ['--scores', str(dump)]
    assert draw('--indices', '3', '0')[0] == 0
    by_model = np.asarray(Image.open(out)).astype(int)
    assert draw(*given, '--indices', '3', '0')[0] == 0
    by_file = np.asarray(Image.open(out)).astype(int)
    assert by_model.shape == by_file.shape and np.abs(by_model - by_file).mean() < 0.01
    assert draw(*given, '--min-probability', '0.9')[0] == 0
    fewer = np.asarray(Image.open(out))
    assert (fewer.reshape(-1, 3) != fewer[-1, -1]).mean() < (by_file != by_file[-1, -1]).mean()
    status, said = draw(*given, '--said', 'unseen', '--num', '2')
    assert status == 0 and '2 videos' in said.out
    for options, words in (
        (['--said', 'unseen'], '--said unseen looks at all videos; give their scores'),
        ([*given, '--said', 'other'], '--said other: no label of the test set is of this split'),
    ):
        status, said = draw(*options)
        assert status == 2 and words in said.err.splitlines()[-1]
    found = Predictions.load(dump)
    found.sample_idx[0] = 4
    found.save(dump)
    assert 'has no row for each video' in draw(*given)[1].err.splitlines()[-1]
    found.meta['classes'] = found.meta['classes'][::-1]
    found.save(dump)
    assert 'is of another test set' in draw(*given)[1].err.splitlines()[-1]


def test_mistakes(tool, arguments, tmp_path, capsys):
    for options, message in [
        (['--out', 'sheet.txt'], 'name a file ending in .png'),
        (['--out', 's.png', '--indices', '5'], 'the test set has videos 0..4'),
        (['--out', 's.png', '--num', '0'], '--num 0'),
    ]:
        assert run_tool(tool.main, tool.parse_args([*arguments, *options])) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
