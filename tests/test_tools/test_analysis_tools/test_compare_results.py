import importlib.util
import json
import math
import subprocess
import sys

import pytest

from ovmlv.utils.error_door import run_tool

ZERO_SHOT = {
    'mAP': 0.3, 'mAP_micro': 0.2, 'mAP_seen': 0.4, 'mAP_unseen': 0.2, 'mAP_novel': 0.1,
    'mAP_harmonic': 4 / 15, 'mAP_entity': 0.5, 'mAP_seen_entity': 0.6, 'mAP_unseen_entity': 0.5,
    'mAP_novel_entity': 0.2, 'mAP_harmonic_entity': 6 / 11, 'mAP_action': 0.1,
    'mAP_seen_action': 0.12, 'mAP_unseen_action': 0.08, 'mAP_harmonic_action': 0.096,
    'F1@0.5': 0.25, 'F1@3': 0.3, 'ECE': 0.05, 'num_samples': 20,
}  # fmt: skip
TRAINED = {
    **ZERO_SHOT, 'mAP_action': 0.2, 'mAP_unseen_entity': 0.46, 'mAP_harmonic': 0.3, 'ECE': 0.01,
    'mAP_novel_action': 0.123,
}  # fmt: skip


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'analysis_tools' / 'compare_results.py'
    spec = importlib.util.spec_from_file_location('compare_results', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(tmp_path):
    def write(name, metrics):
        path = tmp_path / f'{name}.json'
        path.write_text(json.dumps({f'multilabel/{k}': v for k, v in metrics.items()}))
        return f'{name}={path}'

    return [write('zero-shot CLIP', ZERO_SHOT), write('trained', TRAINED)]


def run(tool, *arguments):
    return run_tool(tool.main, tool.parse_args(list(map(str, arguments))))


def test_table(tool, files, capsys):
    assert run(tool, *files) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert len({tuple(i for i, c in enumerate(line) if c in '|+') for line in lines}) == 1
    head, zero, trained = (
        [cell for part in lines[i].split('|')[1:] for cell in part.split()] for i in (1, 3, 4)
    )
    splits = ['seen', 'unseen', 'novel', 'harm.']
    assert head == [*splits, *splits, *splits, 'joint', 'F1@0.5', 'ECE']
    assert zero[:8] == ['60.0', '50.0', '20.0', '54.5', '12.0', '8.0', '-', '9.6']
    assert zero[8:] == ['40.0', '20.0', '10.0', '26.7', '30.0', '25.0', '5.0']
    assert trained[6] == '12.3'
    assert [' entities ' in lines[0], ' actions ' in lines[0], ' all labels ' in lines[0]] == [
        True
    ] * 3


def test_chosen_kinds(tool, files, capsys):
    run(tool, *files, '--kinds', 'action')
    first = capsys.readouterr().out.splitlines()[0]
    assert 'actions' in first and 'entities' not in first and 'all labels' in first


def test_markdown(tool, files, tmp_path):
    out = tmp_path / 'new' / 'results.md'
    assert run(tool, *files, '--markdown', out) == 0
    rows = [[c.strip() for c in line.split('|')[1:-1]] for line in out.read_text().splitlines()]
    assert len(rows) == 4 and len({len(row) for row in rows}) == 1
    table = dict(zip(rows[0], zip(*rows[2:])))
    assert table['entities<br>unseen'] == ('**50.0**', '46.0')
    assert table['all labels<br>ECE'] == ('5.0', '**1.0**')  # less is better
    assert table['actions<br>novel'] == ('-', '**12.3**')


@pytest.mark.parametrize(
    ('changes', 'failing'),
    [
        ({}, None),
        ({'mAP_action': 0.199}, 'actions'),
        ({'mAP_unseen_entity': 0.449}, 'unseen entities'),
        ({'mAP_harmonic': ZERO_SHOT['mAP_harmonic']}, 'harmonic'),
        ({'mAP_action': math.nan}, 'actions'),
    ],
)
def test_requirements(tool, files, tmp_path, capsys, changes, failing):
    (tmp_path / 'trained.json').write_text(
        json.dumps({f'multilabel/{k}': v for k, v in {**TRAINED, **changes}.items()})
    )
    assert run(tool, *files, '--require') == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('  [')]
    assert len(lines) == 3
    assert [line for line in lines if 'NOT MET' in line] == [
        line for line in lines if failing and failing in line
    ]
    assert run(tool, *files, '--require', '--strict') == int(failing is not None)


def test_mistakes(tool, files, tmp_path, capsys):
    (tmp_path / 'other.json').write_text('{"accuracy": 1}')
    (tmp_path / 'broken.json').write_text('{')
    for argument, message in [
        ('trained', "'trained' is not of the form NAME=FILE"),
        ('a=none.json', 'there is no none.json'),
        (f'a={tmp_path}/other.json', 'has no multilabel/mAP'),
        (f'a={tmp_path}/broken.json', 'holds no metrics'),
        (files[0], "two rows are named 'zero-shot CLIP'"),
    ]:
        assert run(tool, files[0], argument) == 2
        error = capsys.readouterr().err
        assert message in error and len(error.splitlines()) == 1


def test_as_a_command(repository, files):
    command = [sys.executable, 'tools/analysis_tools/compare_results.py', *files, '--require']
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('[met]') == 3
