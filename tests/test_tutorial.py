"""The tutorial runs as it stands, block after block, in an empty folder."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from ovmlv.registry import DATASETS
from ovmlv.utils.config_check import check_config

ROOT = Path(__file__).resolve().parents[1]


def load_script():
    path = ROOT / 'tools' / 'docs' / 'make_notebook.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()
BLOCKS = SCRIPT.blocks(SCRIPT.PAGE.read_text(encoding='utf-8'))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs blocks in an empty folder, as a notebook would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}')
    paths = filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(paths))
    namespace = {'__name__': 'tutorial'}

    def run_blocks(blocks):
        for language, code in blocks:
            if language == 'python':
                exec(compile(code, str(SCRIPT.PAGE), 'exec'), namespace)
            else:
                subprocess.run(['bash', '-euc', code], check=True)
        return namespace

    return run_blocks


def test_data_and_config(run):
    """All up to the training: the config has no mistakes, and its data sets read the folder."""
    run(BLOCKS[:3])
    config = Config.fromfile('my_config.py')
    assert not check_config(config)
    for loader, size in ((config.train_dataloader, 64), (config.val_dataloader, 32)):
        data = DATASETS.build(loader.dataset)
        assert len(data) == size
        assert data[0]['inputs'].shape == (1, 3, 8, 64, 64)


def test_whole_tutorial(run, capfd):
    namespace = run(BLOCKS)
    metrics = json.loads(Path('metrics.json').read_text(encoding='utf-8'))
    assert metrics['multilabel/mAP'] > 0.7  # chance: 0.2
    assert len(namespace['answer']['tags']) == 3
    assert namespace['server'].returncode is not None
    assert 'ECE' in capfd.readouterr().out


def test_notebook_has_the_blocks_in_order():
    cells = json.loads(SCRIPT.NOTEBOOK.read_text(encoding='utf-8'))['cells']
    code = [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']
    assert [text.removeprefix('%%bash\n') + '\n' for text in code] == [text for _, text in BLOCKS]
