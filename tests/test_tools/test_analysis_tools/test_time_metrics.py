"""time_metrics.py on a small problem; the ratio on the large one is not for tests."""

import importlib.util

import pytest
import torch

from ovmlv.utils.error_door import run_tool


@pytest.fixture
def tool(repository, monkeypatch):
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.setenv(name, '1')  # the tool sets them; they are put back
    path = repository / 'tools' / 'analysis_tools' / 'time_metrics.py'
    spec = importlib.util.spec_from_file_location('time_metrics', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def test_prints_machine_versions_and_ratios(tool, capsys):
    small = ['--videos', '3000', '--labels', '4', '--repeat', '1']
    assert run_tool(tool.main, tool.parse_args(small)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'Python' in lines[0] and 'scikit-learn' in lines[1]
    rows = [line.split() for line in lines if ' s ' in line]
    assert len(rows) == 6
    assert all(float(row[-2]) > 0 and float(row[-1]) <= 1e-9 for row in rows)
    assert run_tool(tool.main, tool.parse_args([*small, '--first', '--require', '1e9'])) == 1
