"""The declared layers of the package, and the imports that its files really have."""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / 'ovmlv'
#: From top to bottom: a package imports from rows below its own, and nothing else.
LAYERS: tuple[tuple[str, ...], ...] = (
    ('cli',),
    ('benchmarking', 'embedding_tasks', 'serving'),
    ('visualization', 'export', 'index'),
    ('apis',),
    ('label_bank', 'curation', 'label_generation', 'evaluation'),
    ('engine', 'utils'),
    ('models', 'datasets'),
    ('registry',),
    ('weight_files', 'runtime', 'label_studio', 'parquet_rows'),
    ('compat', 'labels', 'results', 'schema'),
    ('config_names', 'openmmlab', 'containers', 'tables', 'plain_text', 'hub_files'),
    ('import_hooks', 'files'),
    ('errors', 'version'),
)


def parts() -> list[str]:
    """Packages and modules right below ``ovmlv``."""
    return sorted(
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == '.py' and not path.stem.startswith('__'))
        or (path / '__init__.py').is_file()
    )


def imported_modules(path: Path) -> Iterator[str]:
    """Modules of ovmlv that a file imports, wherever in it, as ``ovmlv.models.heads``."""
    yield from _names(path, ast.walk(ast.parse(path.read_text(encoding='utf-8'))))


def _names(path: Path, nodes: Iterable[ast.AST]) -> Iterator[str]:
    package = ('ovmlv', *path.relative_to(PACKAGE).with_suffix('').parts[:-1])
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split('.')[0] == 'ovmlv')
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split('.') if node.module else []
            if node.level:
                base = [*package[: len(package) - node.level + 1], *base]
            if base[:1] == ['ovmlv']:
                yield from ('.'.join([*base, a.name]) for a in node.names)


def module_of(path: Path) -> str:
    """``ovmlv.models.heads`` for a file or for the ``__init__`` of a package."""
    names = ('ovmlv', *path.relative_to(PACKAGE).with_suffix('').parts)
    return '.'.join(names[:-1] if names[-1] == '__init__' else names)


def imported_on_import(path: Path) -> Iterator[str]:
    """As :func:`imported_modules`, but not what functions import, nor what types alone need."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    later = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.unparse(node.test))
    ]
    hidden = {id(child) for node in later for child in ast.walk(node)}
    yield from _names(path, (node for node in ast.walk(tree) if id(node) not in hidden))


def part_of(path: Path) -> str:
    """The package or module right below ``ovmlv`` that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


@functools.cache
def imports_of_packages() -> Counter[tuple[str, str]]:
    """(importing part, imported part) -> number of files in which that happens."""
    known, found = set(parts()), Counter()
    for path in sorted(PACKAGE.rglob('*.py')):
        source = part_of(path)
        names = {name.split('.')[1] for name in imported_modules(path) if '.' in name}
        found.update((source, name) for name in names & known if source in known - {name})
    return found
