"""What mkdocs does beside its configuration: it treats pages and links outside ``docs/``.

On the hub of the repository, a page may link to any file. The site has only pages, so
``configs/README.md`` becomes one of them, and the name of any other file is shown without a link.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).resolve().parents[2]
#: Files outside docs/ that are pages of the site.
_PAGES = {'configs/README.md': 'configs.md'}
#: ``python runnable`` tells the tests to run a block; mkdocs would take it for no block at all.
_FENCE = re.compile(r'^```(\w+)[ ]+[\w ]+$', re.M)
_LINK = re.compile(r'\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)')


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere."""
    for source, page in _PAGES.items():
        text = (_ROOT / source).read_text(encoding='utf-8')
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to where their target is on the site, and leave marks for tests out of blocks."""
    markdown = _FENCE.sub(r'```\1', markdown)
    folder = {p: posixpath.dirname(s) for s, p in _PAGES.items()}.get(
        page.file.src_uri, posixpath.join('docs', posixpath.dirname(page.file.src_uri))
    )

    def lead(match: re.Match) -> str:
        text, target, anchor = match[1], match[2], match[3] or ''
        if '://' in target:
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if path in _PAGES:
            path = f'docs/{_PAGES[path]}'
        if not path.startswith('docs/'):
            return text if text.startswith('`') else f'{text} (`{path}`)'
        start = posixpath.dirname(page.file.src_uri) or '.'
        return f'[{text}]({posixpath.relpath(path[len("docs/") :], start)}{anchor})'

    return _LINK.sub(lead, markdown)
