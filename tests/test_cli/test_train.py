"""``ovmlv train``, ``test``, ``check-config``, ``check-data``: what tools/ does, from a wheel."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import pytest

from ovmlv.cli import main
from ovmlv.utils import register_all_modules
from ovmlv.utils.configs import config_file

TOYS = Path(__file__).parents[1] / 'test_tools'
CONFIG = str(TOYS / 'toy_config.py')
SHIPPED = 'ovmlv_motionshapes.py'


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOYS))
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    monkeypatch.chdir(tmp_path)


def forked(*arguments: object) -> int:
    """The exit status of the command in a fork, as a Runner leaves much behind."""
    register_all_modules(init_default_scope=False)  # here once, not in every fork
    child = os.fork()
    if child == 0:
        try:
            status = main([str(a) for a in arguments])
        except BaseException:
            traceback.print_exc()
            status = 1
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_training_and_testing(tmp_path, capfd):
    """Logs go to stderr; the metrics alone to stdout, and they are those of the file."""
    options = ['--seed', 1, '--cfg-options', 'train_cfg.max_epochs=1']
    assert forked('train', CONFIG, '--work-dir', 'work', *options) == 0
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()
    out, err = capfd.readouterr()
    assert out == '' and 'Epoch(train) [1]' in err
    assert forked('test', CONFIG, 'work/epoch_1.pth', '--work-dir', 'w', '--out', 'm.json') == 0
    rows = dict(line.split() for line in capfd.readouterr().out.splitlines())
    metrics = json.loads((tmp_path / 'm.json').read_text())
    assert metrics['toy/count'] == 7
    assert rows == {name: f'{value:.4f}' for name, value in metrics.items()}


@pytest.mark.parametrize('name', [f'ovmlv::{SHIPPED}', SHIPPED, SHIPPED[:-3]])
def test_a_config_of_the_package_by_name(command, name):
    """In an empty folder it is the data that is missing, not the config."""
    for verb in ('train', 'test'):
        status, out, err = command(verb, name)
        assert (status, out) == (2, '')
        assert 'data/motionshapes' in err.splitlines()[-1] and 'no config' not in err
        assert ('taking ovmlv::ovmlv_motionshapes.py' in err) == ('::' not in name)


def test_a_file_goes_before_the_package(tmp_path, capsys):
    (tmp_path / SHIPPED).write_text('model = dict()\n')
    assert config_file(SHIPPED) == SHIPPED
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize(
    'path', [f'configs/{SHIPPED}', 'cross_dataset/kinetics400_to_ucf101', f'configs/{SHIPPED[:-3]}']
)
def test_a_path_is_not_taken_for_another(path):
    """It may be a changed copy elsewhere, so the package's own is proposed, not taken."""
    name = path.removeprefix('configs/').removesuffix('.py')
    with pytest.raises(FileNotFoundError, match=rf'did you mean ovmlv::{name}\.py\?'):
        config_file(path)


def test_an_unknown_name():
    for path in ('nothing_like_it.py', '/nothing_like_it.py', '../nothing.py', '.'):
        with pytest.raises(FileNotFoundError, match='give the path of a .py'):
            config_file(path)


def test_configs_are_checked(command):
    status, out, _ = command('check-config', CONFIG, f'ovmlv::{SHIPPED}')
    assert status == 0 and out.count('every type and keyword is known') == 2
    wrong = ['model.type=ToyMdel', 'optim_wrapper.optimizer.type=AdmW']
    status, out, err = command('check-config', CONFIG, '--cfg-options', *wrong)
    assert status == 3
    assert 'ToyModel' in out and 'AdamW' in out and out.endswith('2 mistakes\n')
    status, _, err = command('train', CONFIG, '--work-dir', 'w', '--cfg-options', *wrong)
    assert status == 2 and 'ovmlv check-config' in err


def test_data_is_checked(command, clips, tmp_path):
    folder = tmp_path / 'videos'
    folder.mkdir()
    os.link(clips[0], folder / 'good.mp4')
    status, out, err = command('check-data', folder, '--out', 'report', '--min-frames', 2)
    assert status == 0 and 'report/report.txt' in out and '1 of 1 videos' in err
    (folder / 'bad.mp4').write_bytes(b'no video')
    status, out, _ = command('check-data', folder, '--out', 'report', '--min-frames', 2)
    assert status == 3 and 'bad.mp4' in out
    assert (tmp_path / 'report' / 'report.json').is_file()
