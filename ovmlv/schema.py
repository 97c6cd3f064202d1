"""What a JSON file must hold, described by a form and checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import DataError
from .files import read_json

_LARGE = 1e300


def text(value: Any) -> bool:
    """A text that can be printed and saved: no lone halves of UTF-16 pairs."""
    return isinstance(value, str) and not any('\ud800' <= letter <= '\udfff' for letter in value)


def label(value: Any) -> bool:
    """A text that is not blank."""
    return text(value) and bool(value.strip())


def integer(value: Any) -> bool:
    """A whole number; true and false do not count."""
    return isinstance(value, int) and not isinstance(value, bool)


def count(value: Any) -> bool:
    """A whole number of at least 0."""
    return integer(value) and value >= 0


def positive(value: Any) -> bool:
    """A whole number above 0."""
    return integer(value) and value > 0


def number(value: Any) -> bool:
    """A finite number, as a float can hold it."""
    return (integer(value) or isinstance(value, float)) and -_LARGE < value < _LARGE


def is_plain_path(name: str) -> bool:
    """Whether a name stays in the folder that it is joined to, on any system."""
    parts = name.replace('\\', '/').split('/')
    return (
        text(name)
        and '\0' not in name
        and ':' not in parts[0]
        and not any(part in ('', '.', '..') or len(part.encode()) > 255 for part in parts)
    )


def fits(value: Any, form: Any) -> bool:
    """Whether a value has a form.

    Args:
        value: As JSON has it.
        form: A function or a type that decides; ``None`` for null; a tuple of forms of which one
            must fit; ``[form]`` for lists; a dict of names to forms, all of which must be there, or
            ``{text: form}`` for any names.
    """
    if form is None:
        return value is None
    if isinstance(form, tuple):
        return any(fits(value, one) for one in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(one, form[0]) for one in value)
    if isinstance(form, Mapping):
        return not misfit(value, form)
    if isinstance(form, type):
        return isinstance(value, form)
    return bool(form(value))


def misfit(value: Any, form: Mapping[Any, Any]) -> str:
    """The first entry of an object that is missing or not of its form; empty if there is none."""
    if not isinstance(value, dict):
        return 'no object'
    for name, inner in form.items():
        if callable(name):
            bad = next((k for k, v in value.items() if not (name(k) and fits(v, inner))), None)
            if bad is not None:
                return repr(str(bad)[:80])
        elif name not in value or not fits(value[name], inner):
            return name
    return ''


def read_object(path: str | Path, form: Mapping[Any, Any], what: str, mend: str) -> dict[str, Any]:
    """An object in a JSON file whose entries have their forms, see :func:`fits`.

    Args:
        path: The file.
        form: Names to forms; other names may be there.
        what: What a message says about another file ("no index of a label bank").
        mend: What the user can do.

    Raises:
        DataError: The file is not JSON, or its entries do not have these forms.
    """
    try:
        value = read_json(path)
    except DataError as error:
        reason = str(error).removeprefix(str(path)).lstrip(': ')
        raise DataError(f'{path} is {what} ({reason}), {mend}') from None
    bad = misfit(value, form)
    if bad:
        raise DataError(f'{path} is {what} ({bad} is missing or wrong), {mend}')
    return value
