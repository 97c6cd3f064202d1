"""Every public name has an example in its docstring; it runs and prints what it says."""

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import pytest
from mmengine.logging import MMLogger

from tests.architecture import PACKAGE, module_of

REFERENCE = Path(__file__).resolve().parents[1] / 'docs' / 'reference'
MODULES = sorted(
    module_of(path) for path in PACKAGE.rglob('*.py') if '>>> ' in path.read_text(encoding='utf-8')
)
#: ``module.Name`` -> why it cannot have one.
WITHOUT_EXAMPLE: dict[str, str] = {}
#: Modules whose examples need packages that are optional.
NEEDED_PACKAGES = {
    'ovmlv.datasets.decoders.torchcodec_reader': ('torchcodec.decoders',),
    'ovmlv.index.parquet_file': ('pyarrow',),
    'ovmlv.index.video_index': ('lancedb', 'pyarrow'),
    'ovmlv.label_bank.index': ('faiss',),
    'ovmlv.parquet_rows': ('pyarrow',),
    'ovmlv.runtime.video_tagger': ('onnx', 'onnxscript', 'onnxruntime'),
}


def reference_modules() -> list[str]:
    """Modules that the pages of the reference are made from."""
    pages = [page.read_text(encoding='utf-8') for page in sorted(REFERENCE.glob('*.md'))]
    return [name for page in pages for name in re.findall(r'^::: (\S+)$', page, re.MULTILINE)]


def public_parts(module: str) -> Iterator[tuple[str, object]]:
    """The classes and functions of a package's ``__all__``, or that a module defines.

    Constants and aliases of types are neither.
    """
    content = importlib.import_module(module)
    names = getattr(content, '__all__', None)
    if names is None:
        parts = vars(content).items()
        own = [name for name, part in parts if getattr(part, '__module__', None) == module]
        names = [name for name in own if not name.startswith('_')]
    for name in names:
        part = getattr(content, name)
        # To Python 3.10, dict[str, str] is a class.
        if inspect.isfunction(part) or (inspect.isclass(part) and get_origin(part) is None):
            yield name, part


def test_there_are_examples():
    assert 'ovmlv.evaluation.functional.average_precision' in MODULES


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    for package in NEEDED_PACKAGES.get(name, ()):
        # A package may be there and fail to load a library.
        pytest.importorskip(package, exc_type=(ImportError, OSError, RuntimeError))
    # A logger made by an example would write into what the example prints.
    MMLogger.get_current_instance()
    module = importlib.import_module(name)
    # A function may stand in the package under the name of its module.
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE, report=True)
    assert found.attempted and not found.failed


@pytest.mark.parametrize('module', reference_modules())
def test_every_public_name_has_an_example(module):
    parts = dict(public_parts(module))
    assert parts, f'{module} has no public class or function'
    without = [name for name, part in parts.items() if '>>> ' not in (part.__doc__ or '')]
    assert not [name for name in without if f'{module}.{name}' not in WITHOUT_EXAMPLE]


def test_list_of_names_without_an_example_is_current():
    """An entry goes when its name goes, or is given an example."""
    for entry in WITHOUT_EXAMPLE:
        module, _, name = entry.rpartition('.')
        part = dict(public_parts(module))[name]
        assert '>>> ' not in (part.__doc__ or ''), f'{entry} has an example'
