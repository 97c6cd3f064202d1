"""What docs and README say: snippets run, names exist, links and paths lead somewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted([*ROOT.glob('docs/*.md'), *ROOT.glob('README.md')])
FENCE = re.compile(r'^```(\w*)([^\n]*)\n(.*?)^```$', re.M | re.S)
#: Not classes: other projects, what Python has, and a name that stands for any.
NO_CLASSES = {'MotionShapes', 'MMEngine', 'MMAction2', 'ImportError', 'FooBar'}
#: Classes of transformers that are named.
NO_CLASSES |= {'CLIPModel', 'PeAudioVideoModel', 'PeVideoModel', 'SiglipModel', 'Siglip2Model'}
NO_CLASSES |= {'VideoPrismClipModel', 'XCLIPModel'}


def snippets(path):
    """Code of the fenced blocks ``python runnable``, each at its line of the file.

    The tutorial trains and serves: ``test_tutorial.py`` runs it.
    """
    text = path.read_text(encoding='utf-8')
    for match in FENCE.finditer(text):
        if match[1] == 'python' and match[2].strip() == 'runnable' and path.stem != 'tutorial':
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
    words += re.findall(r"(?<!model_)type='([\w.]+)'", text)
    assert {word.split('.')[-1] for word in words} - known <= NO_CLASSES


def lines_about_the_method():
    """Lines of code, configs and pages that say something of the original method, with places."""
    for folder in ('ovmlv', 'configs', 'docs'):
        for file in sorted((ROOT / folder).rglob('*')):
            if file.suffix in ('.py', '.md', '.yml', '.ipynb', '.html', '.js'):
                for number, line in enumerate(file.read_text(encoding='utf-8').splitlines(), 1):
                    if re.search(r'\bthe papers?\b', line, re.I):
                        yield f'{file.relative_to(ROOT)}:{number}: {line.strip()}'


def test_what_is_the_original_methods_is_said_in_three_words():
    """Each line about it says whether that is quoted, our reading or ours."""
    lines = list(lines_about_the_method())
    assert len(lines) > 20
    words = re.compile(r'\b(quoted|our reading|ours)\b', re.I)
    assert not [line for line in lines if not words.search(line)]


def test_the_table_of_the_method_has_its_rows():
    text = (ROOT / 'docs' / 'method.md').read_text(encoding='utf-8')
    rows = [line.split('|') for line in text.splitlines() if line.startswith('| ')]
    head = next(row for row in rows if row[1].strip() == 'part')
    assert [cell.strip() for cell in head[2:5]] == ['quoted', 'our reading', 'ours']
    parts = {row[1].strip() for row in rows if len(row) == len(head)}
    assert parts >= {
        'what trains', 'score', 'prefixes', 'output sequence', 'groups', 'text', 'zero residual',
        'temporal branch', 'synthetic labels',
    }  # fmt: skip
    configs = {path.stem for path in (ROOT / 'configs').rglob('*.py')}
    assert {'as_drawn_charades', 'finetuned_charades'} <= configs & set(re.findall(r'\w+', text))


def nav_pages(entry):
    """Files that an entry of the site's navigation names, with all below it."""
    if isinstance(entry, str):
        return [entry]
    children = entry.values() if isinstance(entry, dict) else entry
    return [page for child in children for page in nav_pages(child)]


def site_pages():
    folder = ROOT / 'docs'
    return {path.relative_to(folder).as_posix() for path in folder.rglob('*.md')}


def test_every_page_is_in_the_navigation():
    text = (ROOT / 'mkdocs.yml').read_text(encoding='utf-8')
    pages = nav_pages(yaml.safe_load(text)['nav'])
    assert len(pages) == len(set(pages))
    assert set(pages) == site_pages() | {'configs.md'}  # a copy of configs/README.md


def test_every_page_is_linked_from_the_index():
    """The reference has an index of its own, to which the first one leads."""
    linked = {}
    for name in ('index.md', 'reference/index.md'):
        page = ROOT / 'docs' / name
        targets = re.findall(r'\]\(([^)#\s]+)', page.read_text(encoding='utf-8'))
        paths = [(page.parent / target).resolve() for target in targets if '://' not in target]
        linked[name] = {p.relative_to(ROOT).as_posix().removeprefix('docs/') for p in paths}
    assert 'reference/index.md' in linked['index.md']
    assert 'configs/README.md' in linked['index.md']
    assert site_pages() - {'index.md'} <= linked['index.md'] | linked['reference/index.md']


def test_the_site_builds(tmp_path):
    """Strictly: a link or an anchor to nowhere, or a name without a docstring page, fails."""
    missing = [n for n in ('mkdocs', 'material', 'mkdocstrings') if not importlib.util.find_spec(n)]
    if missing:
        pytest.skip(f'{", ".join(missing)} not installed: pip install -r requirements/docs.txt')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-q', '-d', tmp_path / 'site']
    environment = {**os.environ, 'NO_MKDOCS_2_WARNING': '1'}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    text = (tmp_path / 'site/data/index.html').read_text(encoding='utf-8')
    assert 'class="highlight"' in text
    assert '```' not in text  # blocks that are marked for the tests are blocks all the same


@pytest.mark.parametrize('script', ['draw_architecture', 'make_notebook'])
def test_made_files_are_up_to_date(script):
    """The picture is that of the imports, the notebook that of the page."""
    command = [sys.executable, ROOT / 'tools' / 'docs' / f'{script}.py', '--check']
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
