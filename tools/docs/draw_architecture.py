#!/usr/bin/env python
"""Draw the packages of ovmlv, layer by layer, with the imports that are really there.

    python tools/docs/draw_architecture.py              # writes docs/images/architecture.svg
    python tools/docs/draw_architecture.py --check      # is the picture that of the code?

Rows are the declared layers (``tests/test_architecture.py`` holds the code to them); a line goes
from a package down to each package that it imports, thicker where more files do.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.architecture import LAYERS, imports_of_packages  # noqa: E402

OUT = ROOT / 'docs' / 'images' / 'architecture.svg'
WIDTH, ROW, BOX, LEFT = 980, 92, (132, 40), 20
NOTES = {
    'cli': 'ovmlv tag, ...',
    'serving': 'page and HTTP API',
    'apis': 'OVMLVInferencer',
    'models': 'f_v, f_t, loss',
    'datasets': 'decode, sample',
    'engine': 'hooks',
    'evaluation': 'mAP, ECE',
    'runtime': 'without torch',
    'labels': 'one answer for all',
    'label_bank': 'encoded once',
    'registry': 'type -> class',
}


def places() -> dict[str, tuple[float, float]]:
    """Centre of each package's box."""
    found = {}
    for row, names in enumerate(LAYERS):
        step = (WIDTH - 2 * LEFT) / len(names)
        for column, name in enumerate(names):
            found[name] = (LEFT + step * (column + 0.5), 34 + ROW * row)
    return found


def draw(edges: Counter[tuple[str, str]]) -> str:
    """The picture as SVG."""
    at = places()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {ROW * len(LAYERS)}" '
        'font-family="system-ui, sans-serif" text-anchor="middle">',
        f'<rect width="{WIDTH}" height="{ROW * len(LAYERS)}" fill="#fff"/>',
    ]
    for (source, target), count in sorted(edges.items()):
        (x1, y1), (x2, y2) = at[source], at[target]
        y1, y2 = y1 + BOX[1] / 2, y2 - BOX[1] / 2
        middle = (y1 + y2) / 2
        parts.append(
            f'<path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} '
            f'{y2:.0f}" fill="none" stroke="#7a8aa0" stroke-opacity=".45" '
            f'stroke-width="{min(1 + count / 6, 4):.1f}"/>'
        )
    for name, (x, y) in at.items():
        note = NOTES.get(name, '')
        parts.append(
            f'<rect x="{x - BOX[0] / 2:.0f}" y="{y - BOX[1] / 2:.0f}" width="{BOX[0]}" '
            f'height="{BOX[1]}" rx="7" fill="#eef3fb" stroke="#30507a"/>'
            f'<text x="{x:.0f}" y="{y + (-2 if note else 5):.0f}" font-size="14" fill="#12233c">'
            f'{escape(name)}</text>'
        )
        if note:
            parts.append(
                f'<text x="{x:.0f}" y="{y + 13:.0f}" font-size="10" fill="#4c5f7a">'
                f'{escape(note)}</text>'
            )
    return '\n'.join([*parts, '</svg>', ''])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='only compare, for tests')
    check = parser.parse_args().check
    picture = draw(imports_of_packages())
    if check:
        fresh = OUT.is_file() and OUT.read_text(encoding='utf-8') == picture
        print(f'{OUT.relative_to(ROOT)}: {"up to date" if fresh else "draw it anew"}')
        return int(not fresh)
    OUT.write_text(picture, encoding='utf-8')
    print(OUT.relative_to(ROOT))
    return 0


if __name__ == '__main__':
    sys.exit(main())
