"""configs/ovmlv_motionshapes.py in two processes, and killed and resumed, as users run it."""

from __future__ import annotations

import importlib
import json
import re
import signal
import sys
from pathlib import Path

import pytest
import torch

from ovmlv.datasets.motionshapes.generate import generate
from tests.test_tools.test_train_cli import (
    _load as load_tool,
    assert_same_weights,
    finish,
    forked,
    run,
    start,
    weights,
)

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'ovmlv_motionshapes.py'
SIZES = dict(train=11, val=5, test=13)  # no multiple of processes or batches
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

KILLER = """
import os, signal
from mmengine.hooks import Hook
from ovmlv.registry import HOOKS

@HOOKS.register_module()
class KillerHook(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == int(os.environ.get('TEST_KILL_AT', -1)):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True, scope='module')
def imports():
    """What the tools import late, once here rather than in every fork."""
    for name in ('mmengine.runner', 'mmaction.datasets', 'transformers.models.gpt2.modeling_gpt2'):
        importlib.import_module(name)


@pytest.fixture(scope='module')
def options(tmp_path_factory) -> list[str]:
    """Overrides: a few small videos and a random LLM, all else as the config has it."""
    root = tmp_path_factory.mktemp('motionshapes')
    generate(root, SIZES, num_workers=1)
    changes = [f'{name}.dataset.data_root={root}' for name in LOADERS]
    for name in LOADERS:
        changes += [f'{name}.batch_size=3', f'{name}.num_workers=0']
        changes += [f'{name}.persistent_workers=False']
    llm = dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=2, n_positions=128)
    changes += [f'model.head.llm.config.{key}={value}' for key, value in llm.items()]
    changes += ['model.head.llm.name=None', 'model.head.readout.layer=1']
    changes += ['train_cfg.max_epochs=2', 'train_cfg.val_interval=2']
    changes += [f'{name}_evaluator.min_positives=1' for name in ('val', 'test')]
    return ['--cfg-options', *changes]


@pytest.fixture(scope='module')
def trained(options, tmp_path_factory) -> tuple[Path, str]:
    """Work folder and log of a training in two processes."""
    work = tmp_path_factory.mktemp('work')
    out, err = run(
        'dist_train.sh', CONFIG, 2, '--work-dir', work, *options, PYTHON=sys.executable
    )  # fmt: skip
    return work, out + err


def test_two_processes_train_and_validate(trained):
    work, log = trained
    assert 'GPU number: 2' in log or 'Distributed training: True' in log
    # 11 videos on 2 processes are 6 each (one twice), 2 batches of 3.
    assert (work / 'epoch_2.pth').is_file()
    saved = torch.load(work / 'epoch_2.pth', weights_only=True)
    assert saved['meta']['iter'] == 4
    assert all(bool(v.isfinite().all()) for v in saved['state_dict'].values())
    counts = re.findall(r'multilabel/num_samples: ([\d.]+)', log)
    assert [float(c) for c in counts] == [SIZES['val']]


@pytest.mark.slow
def test_two_processes_measure_what_one_does(trained, options, tmp_path, monkeypatch):
    work, _ = trained
    checkpoint = work / 'epoch_2.pth'
    files = [tmp_path / 'one.json', tmp_path / 'two.json']
    both = start(
        'dist_test.sh', CONFIG, checkpoint, 2, '--work-dir', tmp_path / 'b', '--out', files[1],
        *options, PYTHON=sys.executable,
    )  # fmt: skip
    args = [CONFIG, checkpoint, '--work-dir', tmp_path / 'a', '--out', files[0], *options]
    assert forked(load_tool(monkeypatch, 'test'), *args) == 0
    finish(both)
    one, two = (json.loads(file.read_text()) for file in files)
    assert one.keys() == two.keys() and len(one) > 10
    assert one['multilabel/num_samples'] == two['multilabel/num_samples'] == SIZES['test']
    for key, value in one.items():
        assert two[key] == pytest.approx(value, abs=1e-6, nan_ok=True), key


@pytest.mark.slow  # test_train_cli.py does it with a toy
def test_killed_and_resumed_model_ends_like_the_uninterrupted_one(options, tmp_path, monkeypatch):
    """The real model, as test_train_cli.py does it with a toy: killed inside the second epoch."""
    (tmp_path / 'killer.py').write_text(KILLER)
    config = tmp_path / 'killed.py'
    config.write_text(
        f"_base_ = ['{CONFIG}']\n"
        "custom_imports = dict(imports=['killer'])\n"
        "custom_hooks = [dict(type='KillerHook')]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    train = load_tool(monkeypatch, 'train')
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    assert forked(train, config, '--no-validate', '--work-dir', whole, *options) == 0
    args = [config, '--no-validate', '--work-dir', killed]
    assert forked(train, *args, *options, TEST_KILL_AT='5') == -signal.SIGKILL
    assert (killed / 'epoch_1.pth').is_file() and not (killed / 'epoch_2.pth').exists()
    assert forked(train, *args, '--resume', *options) == 0
    assert_same_weights(whole / 'epoch_2.pth', killed / 'epoch_2.pth')
    first, last = weights(killed / 'epoch_1.pth'), weights(killed / 'epoch_2.pth')
    for part in ('backbone.temporal', 'head.prompter', 'scorer'):
        changed = [k for k in last if k.startswith(part) and not torch.equal(first[k], last[k])]
        assert changed, f'{part} did not train in the second epoch'
