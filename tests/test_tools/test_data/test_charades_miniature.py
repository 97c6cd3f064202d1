"""tools/data/charades/make_miniature.py writes what the data set of Charades reads."""

import importlib.util

import pytest

from ovmlv.datasets import CharadesDataset
from ovmlv.utils.error_door import run_tool


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'data' / 'charades' / 'make_miniature.py'
    spec = importlib.util.spec_from_file_location('make_miniature', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(tool, *args):
    return run_tool(tool.main, tool.parse_args(list(map(str, args))))


def test_reads_as_charades(tool, tmp_path):
    options = ['--train', 3, '--test', 1, '--seconds', 2]
    assert run(tool, tmp_path, *options) == 0
    for part, count in (('train', 3), ('test', 1)):
        data = CharadesDataset(
            f'annotations/Charades_v1_{part}.csv',
            class_file='annotations/Charades_v1_classes.txt',
            data_root=str(tmp_path),
            data_prefix=dict(video='videos'),
        )
        assert len(data) == count and len(set(data.metainfo['classes'])) == 157
        for i in range(count):
            info = data.get_data_info(i)
            assert (info['label'] == 1).any()
            with open(info['filename'], 'rb') as file:
                assert file.read(12)[4:8] == b'ftyp'
    table = (tmp_path / 'annotations' / 'Charades_v1_train.csv').read_bytes()
    assert run(tool, tmp_path, *options) == 0
    assert (tmp_path / 'annotations' / 'Charades_v1_train.csv').read_bytes() == table


def test_mistakes(tool, tmp_path, capsys):
    for options in (['--train', 0], ['--classes', 170], ['--seconds', 0.5]):
        assert run(tool, tmp_path, *options) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert options[0] in line
