"""Seeded ways to spoil a file: by bytes, by the cells of a text, by the values of a JSON tree."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

#: What a cell, a line or a value is replaced by: odd numbers, odd texts, odd names.
ODD = (
    *(
        '',
        ' ',
        'nan',
        'inf',
        '-inf',
        '-1',
        '--1',
        '+1',
        '0',
        '1.5',
        '1e3',
        '1e999',
        '9' * 30,
        '1_0',
    ),
    *('0x10', '٣', '１', 'true', 'null', 'None', '[]', '{}', '[1', '"', "'", ',', ';', '\t', '|'),
    *('\u2028', '\x85', '\x0b', '\x00', '\x1b[31m', '\ufeff', '\ud7ff', 'é', 'e\u0301', '😀'),
    *('a' * 300, '%s', '{0}', '../x', '/dev/zero', 'http://127.0.0.1:9/x', 'c000', 'video', '#'),
)
ODD_VALUES = (
    *(None, True, False, 0, -1, 1.5, 10**30, float('nan'), float('inf'), '', 'x', [], {}),
    *([None], [[]], {'a': 1}, ['x', 'x'], [1, 'a'], 'nan', '-1', '\u2028', 'a' * 300, [0.5, 0.1]),
)


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four of: flip a bit, set a byte, cut, repeat or blank a run, end early."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not out:
            break
        at = int(rng.integers(len(out)))
        run = int(rng.integers(1, 1 + min(64, len(out) - at)))
        kind = rng.integers(6)
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at] = int(rng.integers(256))
        elif kind == 2:
            del out[at : at + run]
        elif kind == 3:
            out[at:at] = out[at : at + run]
        elif kind == 4:
            out[at : at + run] = bytes(run)
        else:
            del out[at:]
    return bytes(out)


def mutate_text(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace a cell, move lines about, change line ends, or spoil bytes."""
    kind = rng.integers(8)
    text = data.decode('utf-8')
    if kind <= 3:
        cells = list(re.finditer(r'[^\s,;:|"\[\]{}]+', text))
        if cells:
            cell = cells[rng.integers(len(cells))]
            text = text[: cell.start()] + str(_pick(ODD, rng)) + text[cell.end() :]
        return text.encode()
    lines = text.split('\n')
    i, j = rng.integers(len(lines), size=2)
    if kind == 4:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 5:
        lines[i:i] = [lines[j] if rng.integers(2) else str(_pick(ODD, rng))]
    elif kind == 6:
        text = '\n'.join(lines).replace('\n', _pick(('\r\n', '\r', '\n\n', '\u2028'), rng))
        return _pick(('\ufeff', '', '\n'), rng).encode() + text.encode()
    else:
        return mutate_bytes(data, rng)
    return '\n'.join(lines).encode()


def mutate_json(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace, remove or double a value somewhere in the tree, or spoil the text."""
    if rng.integers(5) == 0:
        return mutate_text(data, rng)
    tree = [json.loads(data)]
    places: list[tuple[Any, Any]] = [(tree, 0)]
    for node, key in places:  # grows while it is walked
        value = node[key]
        if isinstance(value, dict):
            places += [(value, k) for k in value]
        elif isinstance(value, list):
            places += [(value, k) for k in range(len(value))]
    node, key = places[rng.integers(len(places))]
    kind = rng.integers(4)
    if kind == 0 and node is not tree:
        del node[key]
    elif kind == 1 and isinstance(node, list) and node is not tree:
        node.insert(key, node[key])
    elif kind == 2 and isinstance(node, dict):
        node[str(_pick(ODD, rng))] = node.pop(key)
    else:
        node[key] = _pick(ODD_VALUES, rng)
    return json.dumps(tree[0]).encode()


def mutate_json_lines(data: bytes, rng: np.random.Generator) -> bytes:
    """As :func:`mutate_json` in one line."""
    lines = data.splitlines()
    i = rng.integers(len(lines))
    lines[i] = mutate_json(lines[i], rng)
    return b'\n'.join(lines) + b'\n'


def mutator_for(name: str) -> Callable[[bytes, np.random.Generator], bytes]:
    """The mutator that goes deepest into a file of this name."""
    suffix = name.rpartition('.')[2].lower()
    if suffix in ('csv', 'tsv', 'txt', 'pbtxt', 'py', 'md'):
        return mutate_text
    return {'json': mutate_json, 'jsonl': mutate_json_lines}.get(suffix, mutate_bytes)


def _pick(options: tuple, rng: np.random.Generator) -> Any:
    return options[rng.integers(len(options))]
