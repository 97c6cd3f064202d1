"""Command lines that the shell launchers put together, with stand-ins for srun and torchrun."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture
def launch(tmp_path):
    def run(script, *args, status=0, **environment):
        for name in ('srun', 'python'):
            tool = tmp_path / name
            tool.write_text('#!/usr/bin/env bash\necho "$(basename "$0")" "$@"\n')
            tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
        names = ('NNODES', 'NODE_RANK', 'PORT', 'MASTER_ADDR', 'OMP_NUM_THREADS', 'PYTHON')
        env = {key: value for key, value in os.environ.items() if key not in names}
        # PYTHON as well: the launchers prefer the repository's own environment to PATH.
        env.update({'PYTHON': 'python', **environment}, PATH=f'{tmp_path}:{env["PATH"]}')
        command = ['bash', str(TOOLS / script), *map(str, args)]
        result = subprocess.run(command, capture_output=True, text=True, env=env)
        assert result.returncode == status, result.stderr
        return result.stdout.strip() if status == 0 else result.stderr.strip()

    return run


def test_slurm_train(launch):
    line = launch(
        'slurm_train.sh', 'part', 'job', 'c.py', '--seed', 3, GPUS='4', SRUN_ARGS='--qos low'
    )
    assert line.startswith('srun --partition=part --job-name=job --gres=gpu:4 --ntasks=4 ')
    assert '--ntasks-per-node=4 --cpus-per-task=5 --kill-on-bad-exit=1 --qos low python -u' in line
    assert line.endswith('/train.py c.py --seed 3 --launcher slurm')


def test_slurm_test(launch):
    line = launch('slurm_test.sh', 'part', 'job', 'c.py', 'w.pth', GPUS='16', GPUS_PER_NODE='8')
    assert '--gres=gpu:8 --ntasks=16 --ntasks-per-node=8' in line
    assert line.endswith('/test.py c.py w.pth --launcher slurm')


def test_dist_train_over_machines(launch):
    place = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.7', PORT='1234')
    line = launch('dist_train.sh', 'c.py', 8, '--amp', OMP_NUM_THREADS='2', **place)
    assert line.startswith(
        'python -m torch.distributed.run --nnodes=2 --node_rank=1 --master_addr=10.0.0.7 '
        '--master_port=1234 --nproc_per_node=8 '
    )
    assert line.endswith('/train.py c.py --amp --launcher pytorch')


def test_dist_test_puts_the_checkpoint_behind_the_config(launch):
    options = dict(PORT='29501', OMP_NUM_THREADS='1')
    line = launch('dist_test.sh', 'c.py', 'w.pth', 4, '--out', 'm.json', **options)
    assert line.endswith('/test.py c.py w.pth --out m.json --launcher pytorch')
    assert '--nproc_per_node=4' in line and '--master_port=29501' in line


@pytest.mark.parametrize(
    ('script', 'args'),
    [
        ('dist_train.sh', ['c.py']),
        ('dist_test.sh', ['c.py', 4]),
        ('slurm_train.sh', ['part', 'job']),
        ('slurm_test.sh', ['part', 'job', 'c.py']),
    ],
)
def test_too_few_arguments_show_the_usage(launch, script, args):
    assert launch(script, *args, status=2).startswith(f'usage: {script} ')
