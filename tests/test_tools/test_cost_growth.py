"""How cost grows: a power law that is known, and a curve of real work."""

from __future__ import annotations

import importlib
import json

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / 'tools' / 'analysis_tools'))
    return importlib.import_module('cost_growth')


@pytest.mark.parametrize('power', [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power_law(tool, power):
    sizes = [10, 100, 1000]
    assert tool.exponent(sizes, [3e-3 * n**power for n in sizes]) == pytest.approx(power)


def test_a_curve_of_real_work(tool, tmp_path, capsys):
    out = tmp_path / 'growth.json'
    tool.main(
        tool.parse_args(
            ['--only', 'rows', 'frames', '--largest', '8', '--rounds', '1', '--out', str(out)]
        )
    )
    rows, frames = json.loads(out.read_text())
    assert rows['sizes'] == [] and frames['sizes'] == [4, 8] and frames['theory'] == 1
    assert min(frames['seconds']) > 0
    assert '| frames | 4: ' in capsys.readouterr().out
