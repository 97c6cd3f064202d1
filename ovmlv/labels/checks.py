"""What a label is, and what a list of labels is: the same for everything that takes labels.

A label is one line of visible text. Spaces around it, a byte order mark and other invisible signs
at its ends do not count, and letters are composed (Unicode's NFC), so that the two spellings of
"café" are one label. Case matters: ``Dog`` and ``dog`` are two labels.
"""

from __future__ import annotations

import difflib
import functools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from ovmlv.errors import DataError, VocabularyError, shown

# Signs without a width that editors and web pages leave around a text: byte order mark, zero-width
# space, word joiner, soft hyphen. (The zero-width joiner is not among them: emojis need it.)
_INVISIBLE = '\ufeff\u200b\u2060\u00ad'
# Categories of Unicode that cannot stand within a line of text.
_CONTROL = {
    'Cc': 'a control character',
    'Zl': 'a line separator',
    'Zp': 'a paragraph separator',
    'Cs': 'half a character, or a byte that is no UTF-8 text',
}
_UNSEEN = ('Cc', 'Cf', 'Zs', 'Zl', 'Zp')


def clean_label(label: Any, where: str = 'label') -> str:
    """The label in the form in which everything else uses it.

    Args:
        label: The label that was given.
        where: The file and row, or the place in a list, for messages.

    Raises:
        VocabularyError: The label is not a text, is empty, has more than one line, or has
            characters that are not text.

    Examples:
        >>> clean_label(' a dog ')
        'a dog'
        >>> clean_label('cafe\\u0301') == 'café'  # an accent of its own, and one letter
        True
    """
    try:
        return _clean(label)
    except _UnfitError as error:
        raise VocabularyError(f'{where} is {shown(label)}: {error}') from None


class _UnfitError(Exception):
    """The reason why a value is not a label."""


def _clean(label: Any) -> str:
    if not isinstance(label, str):
        raise _UnfitError('it is no text; write it in quotes')
    return _clean_text(label)


# Annotation files of millions of rows have thousands of labels.
@functools.lru_cache(maxsize=65536)
def _clean_text(label: str) -> str:
    if label.isascii() and label.isprintable():
        text = label.strip()
    else:
        text = _trim(label)
        for character in text:
            if reason := _CONTROL.get(unicodedata.category(character)):
                raise _UnfitError(
                    f'it has {reason} (U+{ord(character):04X}) in it; write one line of UTF-8 text'
                )
        text = unicodedata.normalize('NFC', text)
    if all(unicodedata.category(c) in _UNSEEN for c in text):
        raise _UnfitError('it is an empty label; remove it or give it a name')
    return text


def _trim(text: str) -> str:
    """The text without the spaces and invisible signs around it, in whatever order they are."""
    while (trimmed := text.strip().strip(_INVISIBLE)) != text:
        text = trimmed
    return text


def check_labels(labels: Iterable[str]) -> list[str]:
    """The cleaned labels in their order; a label may occur more than once.

    Raises:
        VocabularyError: There is no label, the whole is a single text, or a label cannot be used.

    Examples:
        >>> check_labels([' a dog', 'running', 'a dog'])
        ['a dog', 'running', 'a dog']
    """
    return [label for label, _ in _each(labels, 'labels')]


def unique_labels(
    labels: Iterable[str], name: str = 'labels', lines: Sequence[int] | None = None
) -> tuple[str, ...]:
    """The cleaned labels, none of them twice: the columns of a vocabulary.

    Args:
        labels: Any texts.
        name: What the labels are, for messages ("classes", a file).
        lines: The lines of the file that hold the labels, if they are from a file.

    Raises:
        VocabularyError: There is no label, a label cannot be used, or two are the same.

    Examples:
        >>> unique_labels([' a dog', 'running'])
        ('a dog', 'running')
        >>> from ovmlv.errors import VocabularyError
        >>> try:
        ...     unique_labels([' a dog', 'a dog'])
        ... except VocabularyError:
        ...     print('occurs twice')
        occurs twice
    """
    first: dict[str, str] = {}
    for number, (label, given) in enumerate(_each(labels, name, lines), 1):
        place = f'{lines[number - 1] if lines else number}'
        if given != label:
            place += f' as {shown(given)}'
        if label in first:
            raise VocabularyError(
                f'{name}: label {shown(label)} occurs twice ({"lines" if lines else "entries"} '
                f'{first[label]} and {place}); remove one'
            )
        first[label] = place
    return tuple(first)


def clean_labels(labels: Any, name: str, where: str) -> tuple[str, ...]:
    """The cleaned labels that a row gives to its video, in their order.

    A row is not a vocabulary: if it names a label again, the label is taken once.

    Args:
        labels: A list, as the file has it.
        name: Name of the row's list ("labels", "negatives").
        where: ``file:line``, for messages.

    Raises:
        DataError: The value is not a list, or a label cannot be used.

    Examples:
        >>> clean_labels([' a dog', 'running', 'a dog'], 'labels', 'train.jsonl:1')
        ('a dog', 'running')
    """
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise DataError(f'{where}: {name!r} is {shown(labels)}; give a list of label strings')
    found: dict[str, None] = {}
    for label in labels:
        try:
            found[_clean(label)] = None
        except _UnfitError as error:
            raise DataError(f'{where}: label {shown(label)} in {name!r}: {error}') from None
    return tuple(found)


def unlisted_label_error(
    label: str, vocabulary: Sequence[str], where: str, mend: str = ''
) -> VocabularyError:
    """The error for a label that is in no vocabulary, with the nearest names.

    Examples:
        >>> error = unlisted_label_error('a dgo', ['a dog', 'running'], 'train.jsonl:1')
        >>> type(error).__name__, "'a dog'" in str(error), "'running'" in str(error)
        ('VocabularyError', True, False)
    """
    near = difflib.get_close_matches(label, vocabulary, n=3, cutoff=0.5)
    hint = f' (nearest: {", ".join(map(shown, near))})' if near else ''
    return VocabularyError(
        f'{where}: label {shown(label)} is not among the {len(vocabulary)} classes{hint}; correct '
        f'it or add it to classes{mend}'
    )


def _each(
    labels: Iterable[str], name: str, lines: Sequence[int] | None = None
) -> list[tuple[str, Any]]:
    """Each label, cleaned and as it was given."""
    if isinstance(labels, (str, bytes)):
        raise VocabularyError(
            f'{name} must be a list of texts, not the single text {shown(labels)}; write '
            f'[{shown(labels)}]'
        )
    if isinstance(labels, Mapping) or not isinstance(labels, Iterable):
        raise VocabularyError(
            f'{name}: expected a list of labels, found {type(labels).__name__}; give a list'
        )
    given = list(labels)
    if not given:
        raise VocabularyError(f'{name}: the list of labels is empty; give at least one label')
    wheres = (f'{name}:{n}' for n in lines) if lines else (f'{name}: entry {n}' for n in count(1))
    return [(clean_label(v, where), v) for v, where in zip(given, wheres)]
