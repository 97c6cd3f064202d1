"""Values of annotation files: numbers, texts, lists and objects, or one error that says where.

Readers take all values of a file through these functions, so that ``nan``, ``24.7`` for a class, a
missing key or a number of a thousand digits mean the same in all of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

from ovmlv.errors import DataError, shown

T = TypeVar('T')

# No ``1_000``, no digits of other scripts, no ``nan`` and ``inf``: all of which float() takes.
_NUMBER = re.compile(r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?', re.ASCII)
_INTEGER = re.compile(r'[+-]?\d{1,18}', re.ASCII)
_LARGEST = 10**18
_KINDS = {dict: 'an object', list: 'a list', str: 'a text', int: 'a number'}


def finite_number(value: Any, where: str, what: str, minimum: float | None = None) -> float:
    """A number of JSON, or the text of one.

    Args:
        value: The value as the file has it.
        where: ``file:line``, for messages.
        what: What the value is, for messages ("duration").
        minimum: The smallest number that makes sense.

    Raises:
        DataError: The value is not a number, not finite, or too small.
    """
    number = _parse(value)
    if number is None:
        raise DataError(f'{where}: {what} {shown(value)} is not a number; correct it')
    if not math.isfinite(number):
        raise DataError(f'{where}: {what} {shown(value)} is not finite; correct it')
    if minimum is not None and number < minimum:
        raise DataError(f'{where}: {what} {number:g} is less than {minimum:g}; correct it')
    return number


def seconds(value: Any, where: str, what: str) -> float:
    """A time in seconds from the start of a video, see :func:`finite_number`."""
    return finite_number(value, where, what, minimum=0)


def whole_number(value: Any, where: str, what: str, minimum: int = 0) -> int:
    """A number without a fraction (24, "24", 24.0), such as the id of a class.

    Raises:
        DataError: The value has a fraction, is not a number, is too small, or has more than 18
            digits.
    """
    number: int | None = None
    if (
        (isinstance(value, str) and _INTEGER.fullmatch(value.strip()))
        or (isinstance(value, float) and value.is_integer())
        or (isinstance(value, Integral) and not isinstance(value, bool))
    ):
        number = int(value)
    if number is None or abs(number) >= _LARGEST:
        raise DataError(f'{where}: {what} {shown(value)} is no whole number; correct it')
    if number < minimum:
        raise DataError(f'{where}: {what} {number} is less than {minimum}; correct it')
    return number


def expect(value: Any, kind: type[T] | tuple[type[T], ...], where: str, form: str) -> T:
    """The value, if it is of a kind (dict, list, str).

    Args:
        value: The value as the file has it.
        kind: Kind that it must be of.
        where: ``file: entry``, for messages.
        form: What it should look like, for messages.

    Raises:
        DataError: The value is of another kind.
    """
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DataError(
            f'{where}: expected {form}, found {shown(value)}; use the published file or that form'
        )
    return value


def item(entry: Mapping[str, Any], key: str, kind: type[T] | tuple[type[T], ...], where: str) -> T:
    """The value of a key of a JSON object, which must be of a kind; ``object`` means any.

    Raises:
        DataError: There is no such key, or its value is of another kind.
    """
    if key not in entry:
        raise DataError(f'{where}: no key {key!r} among {shown(list(entry))}; restore the file')
    kinds = kind if isinstance(kind, tuple) else (kind,)
    form = ' or '.join(_KINDS.get(k, 'a value') for k in kinds)
    return expect(entry[key], kind, where, f'{form} under {key!r}')


def place(path: str, key: str) -> str:
    """``file: key``, for JSON files whose entries have names."""
    return f'{path}: {key if key.isprintable() and len(key) <= 80 else shown(key)}'


def span(value: Any, where: str) -> tuple[float, float]:
    """``[start, end]`` in seconds, as the file has it: the end may be before the start."""
    pair = value if isinstance(value, (list, tuple)) else ()
    numbers = [number for part in pair if (number := _parse(part)) is not None]
    if len(pair) != 2 or len(numbers) != 2:
        raise DataError(f'{where}: segment {shown(value)} is not [start, end] in seconds')
    start, end = map(float, numbers)
    if not math.isfinite(start + end):
        raise DataError(f'{where}: segment [{start}, {end}] is not finite; give seconds')
    if min(start, end) < 0:
        raise DataError(
            f'{where}: segment [{start:g}, {end:g}] starts before 0; give seconds from the start '
            'of the video'
        )
    return start, end


def _parse(value: Any) -> float | None:
    """A number, which may be infinite; None for everything else."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value.strip()) else None
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    return math.inf if isinstance(value, int) and abs(value) >= _LARGEST else float(value)
