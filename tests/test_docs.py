"""What docs and README say: snippets run, names exist, links and paths lead somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted([*ROOT.glob('docs/*.md'), *ROOT.glob('README.md')])
FENCE = re.compile(r'^```(\w*)([^\n]*)\n(.*?)^```$', re.M | re.S)
#: Not classes: other projects, what Python has, and a name that stands for any.
NO_CLASSES = {'MotionShapes', 'MMEngine', 'MMAction2', 'ImportError', 'FooBar'}


def snippets(path):
    """Code of the fenced blocks ``python runnable``, each at its line of the file."""
    text = path.read_text(encoding='utf-8')
    for match in FENCE.finditer(text):
        if match[1] == 'python' and match[2].strip() == 'runnable':
            yield '\n' * text.count('\n', 0, match.start(3)) + match[3]


def with_snippets():
    return [pytest.param(path, id=path.stem) for path in DOCS if any(snippets(path))]


@pytest.mark.parametrize('path', with_snippets())
def test_snippets_run(path, tmp_path, monkeypatch):
    """The blocks of a page run one after the other, as a reader would paste them."""
    monkeypatch.chdir(tmp_path)
    namespace = {'__name__': f'docs_{path.stem}'}
    for code in snippets(path):
        exec(compile(code, str(path), 'exec'), namespace)


def test_there_are_snippets():
    assert {'method', 'data', 'extend', 'troubleshooting'} <= {
        p.values[0].stem for p in with_snippets()
    }


@pytest.mark.parametrize('path', DOCS, ids=lambda p: p.stem)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding='utf-8')
    links = re.findall(r'\]\(([^)#\s]+)', text)
    missing = [v for v in links if '://' not in v and not (path.parent / v).exists()]
    assert not missing


@pytest.mark.parametrize('path', DOCS, ids=lambda p: p.stem)
def test_paths_exist(path):
    text = path.read_text(encoding='utf-8')
    paths = re.findall(r'\b(?:ovmlv|configs|tools|demo|requirements|tests)/[\w./-]*\.\w+', text)
    assert not [v for v in paths if not (ROOT / v).exists()]


@pytest.mark.parametrize('path', DOCS, ids=lambda p: p.stem)
def test_classes_exist(path):
    """Class names in code are of ovmlv, mmengine or mmaction2, or made by the page itself."""
    others = [Path(importlib.util.find_spec(n).origin).parent for n in ('mmengine', 'mmaction')]
    files = [file for folder in (ROOT / 'ovmlv', *others) for file in folder.rglob('*.py')]
    text = path.read_text(encoding='utf-8')
    sources = [text, *(file.read_text(encoding='utf-8') for file in files)]
    known = {name for source in sources for name in re.findall(r'^\s*class (\w+)', source, re.M)}
    words = re.findall(r'`([A-Z][a-z]+[A-Z]\w+|[A-Z]{2,}[a-z]\w+)(?:\(.*?\))?`', text)
    words += re.findall(r"type='([\w.]+)'", text)
    assert {word.split('.')[-1] for word in words} - known <= NO_CLASSES
