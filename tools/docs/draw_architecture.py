#!/usr/bin/env python
"""Draw the packages of ovmlv, layer by layer, with the imports that are really there.

    python tools/docs/draw_architecture.py              # writes docs/images/architecture.svg
    python tools/docs/draw_architecture.py --check      # is the picture that of the code?

Rows are the declared layers (``tests/test_architecture.py`` holds the code to them). An arrow goes
from a package down to one that it imports, unless other arrows lead there already: a third of the
arrows says as much about the order of the code as all of them.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.architecture import LAYERS, imports_of_packages  # noqa: E402

OUT = ROOT / 'docs' / 'images' / 'architecture.svg'
WIDTH, ROW, TOP, LEFT = 1100, 84, 50, 168
BOX, LANE, GAP = (134, 42), 10, 26  # of a package, of an arrow that passes a row, between them
#: Not drawn: whatever shows the version imports it.
HIDDEN = {'version'}
#: The first package of each group of rows, the group's name, and its colours.
GROUPS = (
    ('cli', 'Ways in', '#eef4ff', '#3b66b0'),
    ('label_bank', 'Around the model', '#eefaf3', '#2f7d55'),
    ('models', 'Model and data', '#fff6e8', '#a76a13'),
    ('weight_files', 'Foundations', '#f4f4f6', '#5c6370'),
)
NOTES = {
    'cli': 'ovmlv tag, ...',
    'serving': 'page and HTTP API',
    'benchmarking': 'configs over seeds',
    'embedding_tasks': 'mteb',
    'export': 'ONNX',
    'index': 'videos, encoded once',
    'visualization': 'pictures',
    'apis': 'OVMLVInferencer',
    'label_bank': 'encoded once',
    'curation': 'check, split, resize',
    'label_generation': 'labels of an LLM',
    'evaluation': 'mAP, ECE',
    'engine': 'hooks',
    'utils': 'configs, checkpoints',
    'models': 'encode, score, loss',
    'datasets': 'decode, sample',
    'registry': 'type to class',
    'weight_files': 'opened safely',
    'runtime': 'tags without torch',
    'label_studio': 'tasks and back',
    'labels': 'read and checked',
    'results': 'TagResult',
    'compat': 'repairs of others',
    'schema': 'forms of JSON',
    'config_names': 'ovmlv::NAME',
    'openmmlab': 'which are installed',
    'plain_text': 'no controls',
    'containers': 'videos, opened safely',
    'tables': 'CSV, TSV',
    'hub_files': 'of Hugging Face',
    'import_hooks': 'after an import',
    'errors': 'one line for users',
    'files': 'read, write whole',
}


Edge = tuple[str, str]
Node = str | tuple[str, str, int]  # a package, or where an arrow passes a row


def needed(edges: Iterable[Edge]) -> list[Edge]:
    """The edges that no longer path replaces."""
    below: dict[str, set[str]] = defaultdict(set)
    for source, target in edges:
        below[source].add(target)

    def reached(name: str) -> set[str]:
        found = below.get(name, set())
        return found.union(*map(reached, found))

    return sorted(
        (source, target)
        for source, targets in below.items()
        for target in targets
        if not any(target in reached(other) for other in targets)
    )


def lanes(rows: list[list[Node]], edges: list[Edge]) -> dict[Edge, list[Node]]:
    """The nodes that each edge goes through, one in each row; lanes are added to ``rows``."""
    row_of = {name: index for index, names in enumerate(rows) for name in names}
    ways = {}
    for source, target in edges:
        between = [(source, target, row) for row in range(row_of[source] + 1, row_of[target])]
        for lane in between:
            rows[lane[2]].append(lane)
        ways[source, target] = [source, *between, target]
    return ways


def places(rows: list[list[Node]], ways: Iterable[list[Node]]) -> dict[Node, float]:
    """Where each node is in its row: near those that it is joined to, and beside none."""
    joined: dict[Node, list[Node]] = defaultdict(list)
    for way in ways:
        for upper, lower in itertools.pairwise(way):
            joined[upper].append(lower)
            joined[lower].append(upper)
    centre = (WIDTH + LEFT) / 2
    at = {node: centre + 30 * (i - len(row) / 2) for row in rows for i, node in enumerate(row)}
    for turn in range(60):
        for row in rows if turn % 2 else reversed(rows):
            wish = {n: sum(at[m] for m in joined[n]) / max(len(joined[n]), 1) for n in row}
            row.sort(key=lambda n: wish[n])
            at.update(_apart(row, wish))
    return at


def _width(node: Node) -> float:
    return BOX[0] if isinstance(node, str) else LANE


def _apart(row: list[Node], wish: dict[Node, float]) -> dict[Node, float]:
    """Places as near to the wishes as widths allow, within the picture."""
    blocks: list[tuple[list[Node], float]] = []  # nodes that touch, and the left end of the first

    def left_end(nodes: list[Node]) -> float:
        offsets, total = [], 0.0
        for node in nodes:
            offsets.append(wish[node] - total - _width(node) / 2)
            total += _width(node) + GAP
        best = sum(offsets) / len(offsets)
        return max(LEFT + GAP, min(best, WIDTH - total))

    for node in row:
        blocks.append(([node], left_end([node])))
        while len(blocks) > 1:
            (first, x1), (second, x2) = blocks[-2:]
            if x1 + sum(_width(n) + GAP for n in first) <= x2:
                break
            blocks[-2:] = [(first + second, left_end(first + second))]
    found = {}
    for nodes, x in blocks:
        for node in nodes:
            found[node] = x + _width(node) / 2
            x += _width(node) + GAP
    return found


def draw(imports: Iterable[Edge]) -> str:
    """The picture as SVG."""
    rows: list[list[Node]] = [[n for n in names if n not in HIDDEN] for names in LAYERS]
    row_of = {name: index for index, names in enumerate(rows) for name in names}
    ways = lanes(rows, needed(edge for edge in imports if not HIDDEN & set(edge)))
    at = places(rows, ways.values())
    height = TOP + ROW * (len(rows) - 1) + 50
    starts = [row_of[group[0]] for group in GROUPS]
    color = {}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#8390a3"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for (_, title, fill, stroke), first, end in zip(
        GROUPS, starts, [*starts[1:], len(rows)], strict=True
    ):
        y = TOP + ROW * first - ROW / 2 + 4
        color.update({name: stroke for row in rows[first:end] for name in row})
        parts.append(
            f'<rect x="6" y="{y:.0f}" width="{WIDTH - 12}" height="{ROW * (end - first) - 8}" '
            f'rx="10" fill="{fill}"/><text x="22" y="{y + 28:.0f}" font-size="15" '
            f'font-weight="600" fill="{stroke}">{escape(title)}</text>'
        )
    parts += [_arrow([(at[node], _row(node, row_of)) for node in way]) for way in ways.values()]
    for name, row in row_of.items():
        parts.append(_box(name, at[name], TOP + ROW * row, color[name]))
    return '\n'.join([*parts, '</svg>', ''])


def _row(node: Node, row_of: dict[str, int]) -> int:
    return row_of[node] if isinstance(node, str) else node[2]


def _arrow(points: list[tuple[float, int]]) -> str:
    """A line from the lower side of a box, straight through rows between, to the next box."""
    half = BOX[1] / 2
    path = ''
    for (x1, row1), (x2, row2) in itertools.pairwise(points):
        y1, y2 = TOP + ROW * row1 + half, TOP + ROW * row2 - half
        middle = (y1 + y2) / 2
        path += f'L{x1:.0f} {y1:.0f}' if path else f'M{x1:.0f} {y1:.0f}'
        path += f'C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}'
    return f'<path d="{path}" fill="none" stroke="#8390a3" marker-end="url(#head)"/>'


def _box(name: str, x: float, y: float, color: str) -> str:
    note = NOTES.get(name, '')
    text = f'<text x="{x:.0f}" text-anchor="middle" '
    return (
        f'<rect x="{x - BOX[0] / 2:.0f}" y="{y - BOX[1] / 2:.0f}" width="{BOX[0]}" '
        f'height="{BOX[1]}" rx="7" fill="#fff" stroke="{color}"/>'
        f'{text}y="{y + (-2 if note else 5):.0f}" font-size="14" fill="#12233c">'
        f'{escape(name)}</text>'
        f'{text}y="{y + 14:.0f}" font-size="11" fill="#4c5f7a">{escape(note)}</text>'
    )


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
