#!/usr/bin/env python
"""Make the notebook of the tutorial from its page.

    python tools/docs/make_notebook.py              # writes docs/tutorial.ipynb
    python tools/docs/make_notebook.py --check      # is the notebook that of the page?

A block ``python runnable`` becomes a cell of code, a block ``bash runnable`` a cell of ``%%bash``;
everything else is text.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'tutorial.md'
NOTEBOOK = PAGE.with_suffix('.ipynb')
_BLOCK = re.compile(r'^```(python|bash) runnable\n(.*?)^```$', re.M | re.S)


def blocks(text: str) -> list[tuple[str, str]]:
    """The runnable blocks of a page in their order: language and code."""
    return [(match[1], match[2]) for match in _BLOCK.finditer(text)]


def notebook(text: str) -> dict[str, Any]:
    """The page as a notebook (nbformat 4.5), without outputs."""
    cells: list[dict[str, Any]] = []

    def add(kind: str, content: str) -> None:
        if content := content.strip('\n'):
            cell = dict(id=f'cell-{len(cells)}', cell_type=kind, metadata={})
            cell['source'] = content.splitlines(keepends=True)
            cells.append(
                {**cell, **(dict(execution_count=None, outputs=[]) if kind == 'code' else {})}
            )

    end = 0
    for match in _BLOCK.finditer(text):
        add('markdown', text[end : match.start()])
        add('code', match[2] if match[1] == 'python' else f'%%bash\n{match[2]}')
        end = match.end()
    add('markdown', text[end:])
    kernel = dict(display_name='Python 3', language='python', name='python3')
    metadata = dict(kernelspec=kernel, language_info=dict(name='python'))
    return dict(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=5)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='only compare, for tests')
    check = parser.parse_args().check
    made = (
        json.dumps(notebook(PAGE.read_text(encoding='utf-8')), indent=1, ensure_ascii=False) + '\n'
    )
    if check:
        fresh = NOTEBOOK.is_file() and NOTEBOOK.read_text(encoding='utf-8') == made
        print(f'{NOTEBOOK.relative_to(ROOT)}: {"up to date" if fresh else "make it anew"}')
        return int(not fresh)
    NOTEBOOK.write_text(made, encoding='utf-8')
    print(NOTEBOOK.relative_to(ROOT))
    return 0


if __name__ == '__main__':
    sys.exit(main())
