"""Two processes with half a batch each equal one process with the whole batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.test_integration import fsdp_worker
from tests.test_integration.ddp_worker import step
from tests.test_integration.tiny import model_config, write_clip

ROOT = Path(__file__).resolve().parents[2]


def run_two(config: dict, folder: Path, worker: str = 'ddp_worker') -> list[dict]:
    torch.save(config, folder / 'config.pt')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = str(s.getsockname()[1])
    command = [sys.executable, '-m', f'tests.test_integration.{worker}']
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(folder), port],
            cwd=ROOT,
            env=dict(os.environ, OMP_NUM_THREADS='1'),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        logs = [p.communicate(timeout=240)[0] for p in processes]
    finally:
        for p in processes:
            p.kill()
    assert [p.returncode for p in processes] == [0, 0], logs
    return [torch.load(folder / f'{rank}.pt', weights_only=True) for rank in (0, 1)]


def test_loss_gradients_bias_and_predictions(tmp_path):
    # The first video has no known label, so that the processes have different numbers of targets.
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(trainable=1),
        loss=dict(
            base=dict(type='AsymmetricLoss'),
            video_distill=0.5,
            text_distill=0.5,
            similarity_distill=0.1,
            weight_l2=0.1,
        ),
        reference_vocabulary=['house', 'tree', 'river'],
    )
    one = step(config, 0, 1)
    two = run_two(config, tmp_path)
    assert two[0]['bias'] == two[1]['bias']
    assert two[0]['bias'].item() == pytest.approx(one['bias'].item(), abs=1e-5)
    for name, expected in one['losses'].items():
        mean = (two[0]['losses'][name] + two[1]['losses'][name]) / 2
        torch.testing.assert_close(mean, expected, atol=1e-5, rtol=1e-4, msg=name)
    assert set(one['grads']) == set(two[0]['grads'])
    for name, expected in one['grads'].items():
        for found in (two[0]['grads'][name], two[1]['grads'][name]):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3, msg=name)
    scores = torch.cat([two[0]['scores'], two[1]['scores']])
    torch.testing.assert_close(scores, one['scores'], atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_fully_sharded(tmp_path):
    """FAULTS F9: FSDP refuses parameters without a dimension, frozen ones too."""
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(trainable=1, temporal=dict(type='CrossFrameMessage', blocks='last-1')),
        loss=dict(video_distill=0.5),
        scorer=dict(init_bias=-3.0, label_bias=True),
    )
    one = fsdp_worker.step(config, 0, 1)
    two = run_two(config, tmp_path, 'fsdp_worker')
    torch.testing.assert_close((two[0]['loss'] + two[1]['loss']) / 2, one['loss'])
    for found in two:
        for what in ('grads', 'saved'):
            assert list(found[what]) == list(one[what])
            for name, expected in one[what].items():
                torch.testing.assert_close(
                    found[what][name], expected, atol=1e-5, rtol=1e-3, msg=name
                )
