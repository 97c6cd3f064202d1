"""The side-by-side timing of the shared prefix, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / 'tools/analysis_tools/time_prefix.py'


def run(*args: str) -> subprocess.CompletedProcess:
    env = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]),
    }
    command = [
        sys.executable,
        str(TOOL),
        '--llm',
        'tiny',
        '--num-labels',
        '40',
        '--repeats',
        '2',
        *args,
    ]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)


@pytest.mark.slow
def test_shared_prefix_is_faster_and_equal() -> None:
    result = run('--num-tokens', '64', '--min-ratio', '1.0')
    assert result.returncode == 0, result.stderr
    outputs, gradients = (
        float(x) for x in re.findall(r'largest difference of \w+ (\S+)', result.stdout)
    )
    scales = [float(x) for x in re.findall(r'\(largest \w+ (\S+)\)', result.stdout)]
    assert outputs < 1e-4 and gradients < 1e-4
    assert min(scales) > 1e-3, 'nothing to compare'
    assert float(re.search(r'ratio (\S+)', result.stdout)[1]) > 1
