"""configs/scaling/fully_shard_7b_charades.py, tiny, in two processes, as users run it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from tests.test_integration.miniatures import charades
from tests.test_integration.processes import in_processes
from tests.test_tools.test_charades_end_to_end import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'scaling' / 'fully_shard_7b_charades.py'
PLAIN = ROOT / 'configs' / 'ovmlv_charades.py'
LOADERS = ('train', 'val', 'test')

pytestmark = pytest.mark.slow


def run_command(command: str, arguments: list[str]) -> int:
    """The exit status of ``ovmlv COMMAND``."""
    from ovmlv.cli.app import command_parser
    from ovmlv.utils.cli import parse_arguments
    from ovmlv.utils.error_door import run_tool
    from ovmlv.utils.terminal import Terminal

    module = importlib.import_module(f'ovmlv.cli.{command}')
    parser = command_parser(module, module.__doc__)
    return run_tool(
        lambda args: module.run(args, Terminal(sys.stdout)),
        parse_arguments(parser, [*map(str, arguments)]),
    )


def run(folder: Path, command: str, *arguments: object, world: int = 2) -> None:
    folder.mkdir()
    launcher = ['--launcher', 'pytorch'] if world > 1 else []
    args = [*arguments[:1], *launcher, *arguments[1:]]
    assert in_processes(folder, run_command, command, args, world=world) == [0] * world


@pytest.fixture(scope='module')
def options(tmp_path_factory) -> list[str]:
    root = tmp_path_factory.mktemp('charades')
    charades(root)
    data = [f'{name}_dataloader.dataset.data_root={root}' for name in LOADERS]
    return ['--cfg-options', *OPTIONS, 'train_dataloader.batch_size=1', *data]


@pytest.fixture(scope='module')
def trained(options, tmp_path_factory) -> Path:
    """Work folder of two epochs in two processes."""
    folder = tmp_path_factory.mktemp('trained')
    run(folder / 'run', 'train', CONFIG, '--work-dir', folder / 'work', *options)
    return folder / 'work'


def read(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def assert_same(one, other, where=''):
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}')
    elif isinstance(one, (list, tuple)):
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f'{where}.{i}')
    elif isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5, msg=where)
    else:
        assert one == other, where


def test_checkpoint_is_the_ordinary_one(trained, options, tmp_path):
    """Same keys and shapes as the ordinary Runner's: frozen weights are not in it."""
    run(tmp_path / 'run', 'train', PLAIN, '--work-dir', tmp_path / 'work', *options, world=1)
    sharded, plain = read(trained / 'epoch_2.pth'), read(tmp_path / 'work' / 'epoch_2.pth')
    assert sharded.keys() == plain.keys()
    assert sharded['meta'].keys() == plain['meta'].keys()
    for found in (sharded, plain):
        found['shapes'] = {k: tuple(v.shape) for k, v in found['state_dict'].items()}
        assert {type(v) for v in found['state_dict'].values()} == {torch.Tensor}
    assert sharded['shapes'] == plain['shapes']
    states = [found['optimizer']['state'] for found in (sharded, plain)]
    assert states[0].keys() == states[1].keys()
    for i, state in states[1].items():
        shapes = {k: v.shape for k, v in state.items()}
        assert {k: v.shape for k, v in states[0][i].items()} == shapes


def test_resumed_training_ends_like_the_uninterrupted_one(trained, options, tmp_path):
    args = [CONFIG, '--work-dir', tmp_path / 'work', '--resume', trained / 'epoch_1.pth', *options]
    run(tmp_path / 'run', 'train', *args)
    one, other = read(trained / 'epoch_2.pth'), read(tmp_path / 'work' / 'epoch_2.pth')
    assert_same(one['state_dict'], other['state_dict'])
    assert_same(one['optimizer'], other['optimizer'])


def test_other_ways_go_on_from_it(trained, options, tmp_path):
    """One process with the strategy, and the ordinary Runner without it."""
    for config in (CONFIG, PLAIN):
        work = tmp_path / config.stem
        args = [config, '--work-dir', work, '--resume', trained / 'epoch_1.pth', *options]
        run(tmp_path / f'run_{config.stem}', 'train', *args, world=1)
        assert (work / 'epoch_2.pth').is_file()


def test_tests_alike(trained, options, tmp_path):
    """Two processes with the strategy, one with it, one with the ordinary Runner."""
    metrics = []
    for config, world in ((CONFIG, 2), (CONFIG, 1), (PLAIN, 1)):
        name = f'{config.stem}_{world}'
        args = [config, trained / 'epoch_2.pth', '--work-dir', tmp_path / 'work']
        out = tmp_path / f'{name}.json'
        run(tmp_path / name, 'test', *args, '--out', out, *options, world=world)
        metrics.append(json.loads(out.read_text()))
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-6, nan_ok=True)
    assert metrics[1] == pytest.approx(metrics[2], abs=1e-6, nan_ok=True)
