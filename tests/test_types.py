"""What holds mypy to the number of errors that pyproject.toml allows."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    """tools/check_types.py."""
    spec = importlib.util.spec_from_file_location('check_types', ROOT / 'tools/check_types.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules['check_types'] = module
    spec.loader.exec_module(module)
    return module


def lines(**errors: int) -> list[str]:
    """A report with so many errors in each package, and a note that counts for nothing."""
    found = [
        f'ovmlv/{p}/x.py:{i}: error: wrong  [misc]' for p, n in errors.items() for i in range(n)
    ]
    return [*found, 'ovmlv/cli/x.py:3: note: a word about it']


@pytest.mark.parametrize(
    ('errors', 'words'),
    [
        (dict(cli=2), ()),
        (dict(cli=1), ()),
        (dict(cli=3), ('3 errors', '2 are allowed')),
        (dict(labels=1), ('ovmlv/labels/x.py:0',)),
        (dict(labels=1, cli=2), ('ovmlv/labels/x.py:0', '3 errors')),
        (dict(labels_of_others=1), ()),
    ],
)
def test_what_is_a_fault(tool: ModuleType, errors: dict, words: tuple[str, ...]) -> None:
    found = '\n'.join(tool.complaints(lines(**errors), tool.Allowed(2, ('labels',))))
    assert bool(found) == bool(words)
    assert all(word in found for word in words)


def test_modules_count_as_packages_do(tool: ModuleType) -> None:
    line = ['ovmlv/results.py:3: error: wrong  [misc]']
    assert tool.complaints(line, tool.Allowed(5, ('results',))) == line


def test_settings_name_what_exists(tool: ModuleType) -> None:
    allowed = tool.Allowed.read(ROOT / 'pyproject.toml')
    package = ROOT / 'ovmlv'
    assert all((package / n).is_dir() or (package / f'{n}.py').is_file() for n in allowed.clean)
    wanted = {'labels', 'label_bank', 'results', 'evaluation', 'runtime', 'models', 'apis'}
    assert wanted <= set(allowed.clean)
    assert (package / 'py.typed').is_file()


def test_the_package_has_no_more_errors(tool: ModuleType, capsys: Any) -> None:
    pytest.importorskip('mypy', reason='mypy is no dependency; CI runs tools/check_types.py')
    assert tool.main([]) == 0, capsys.readouterr().out


def test_recognizer_satisfies_its_contract() -> None:
    from ovmlv.models import contracts
    from ovmlv.models.recognizers import OpenVocabRecognizer

    names = {n for n in vars(contracts.Recognizer) if not n.startswith('_')}
    assert all(hasattr(OpenVocabRecognizer, name) for name in names)
    assert {'backbone', 'head', 'scorer'} <= set(get_type_hints(contracts.Recognizer))
    assert type(None) in get_args(get_type_hints(contracts.LabelEncoder)['logit_bias'])
