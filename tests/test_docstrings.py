"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib

import pytest

from tests.architecture import PACKAGE, module_of

MODULES = sorted(
    module_of(path) for path in PACKAGE.rglob('*.py') if '>>> ' in path.read_text(encoding='utf-8')
)


def test_there_are_examples():
    assert 'ovmlv.evaluation.functional.average_precision' in MODULES


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    # A function may stand in the package under the name of its module.
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE, report=True)
    assert found.attempted and not found.failed
