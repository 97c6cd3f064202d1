"""What is asked for: labels, joined by AND, OR and NOT."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ovmlv.errors import VocabularyError, shown
from ovmlv.labels import check_labels

_TOKEN = re.compile(r'\s*(?:"([^"]*)"|([()])|([^\s()"]+))')
_WORDS = frozenset(('AND', 'OR', 'NOT'))
_SPECIAL = re.compile(r'[()"]|\b(?:AND|OR|NOT)\b')
_DEEPEST = 50
_ValueT = TypeVar('_ValueT')


@dataclass(frozen=True)
class Query:
    """A label, or labels joined by AND, OR and NOT.

    Attributes:
        kind: ``label``, ``and``, ``or`` or ``not``.
        label: The label of the first kind; empty for the others.
        parts: What the others join.

    Examples:
        >>> query = Query.parse('a dog jumping AND NOT (indoors OR "a cat and a dog")')
        >>> query.labels
        ('a dog jumping', 'indoors', 'a cat and a dog')
        >>> print(query)
        a dog jumping AND NOT (indoors OR a cat and a dog)
        >>> Query.of('a dog') & ~Query.of('indoors') == Query.parse('a dog AND NOT indoors')
        True
    """

    kind: str
    label: str = ''
    parts: tuple[Query, ...] = ()

    @classmethod
    def of(cls, label: str) -> Query:
        """A query of one label, whatever its text."""
        (label,) = check_labels([label])
        return cls('label', label)

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read a text.

        Labels stand as they are. ``AND``, ``OR`` and ``NOT`` are words in capitals; NOT binds more
        than AND, and AND more than OR. Parentheses group. A label that has such a word, a
        parenthesis or two spaces in it stands in double quotes.

        Raises:
            VocabularyError: The text is no query.
        """
        return _Parser(text).query()

    def __and__(self, other: Query) -> Query:
        return Query('and', '', (self, other))

    def __or__(self, other: Query) -> Query:
        return Query('or', '', (self, other))

    def __invert__(self) -> Query:
        return Query('not', '', (self,))

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, each once, in the order of the text."""
        return tuple(dict.fromkeys(self._labels()))

    def evaluate(
        self,
        value: Callable[[str], _ValueT],
        both: Callable[[_ValueT, _ValueT], _ValueT],
        either: Callable[[_ValueT, _ValueT], _ValueT],
        negate: Callable[[_ValueT], _ValueT],
    ) -> _ValueT:
        """The value of the query from those of its labels.

        Args:
            value: Function from a label to its value.
            both: Function for AND.
            either: Function for OR.
            negate: Function for NOT.
        """
        if self.kind == 'label':
            return value(self.label)
        found = [part.evaluate(value, both, either, negate) for part in self.parts]
        if self.kind == 'not':
            return negate(found[0])
        result = found[0]
        for other in found[1:]:
            result = (both if self.kind == 'and' else either)(result, other)
        return result

    def _labels(self) -> Iterator[str]:
        if self.kind == 'label':
            yield self.label
        for part in self.parts:
            yield from part._labels()

    def __str__(self) -> str:
        if self.kind == 'label':
            plain = ' '.join(self.label.split()) == self.label and not _SPECIAL.search(self.label)
            return self.label if plain else f'"{self.label}"'
        if self.kind == 'not':
            return f'NOT {self.parts[0]._grouped()}'
        return f' {self.kind.upper()} '.join(part._grouped() for part in self.parts)

    def _grouped(self) -> str:
        return f'({self})' if self.kind in ('and', 'or') else str(self)


def read_query(query: str | Query | Sequence[str | Query], negative: Sequence[str] = ()) -> Query:
    """One query of what a user gives.

    Args:
        query: A text, see :meth:`Query.parse`; a query; or several, any of which will do.
        negative: Labels that must not be there.

    Raises:
        VocabularyError: It is empty, or is no query.
    """
    if isinstance(query, Query):
        found = query
    elif isinstance(query, str):
        found = Query.parse(query)
    else:
        parts = tuple(read_query(part) for part in query)
        if not parts:
            raise VocabularyError('nothing is asked for; write find("a dog jumping"), say')
        found = parts[0] if len(parts) == 1 else Query('or', '', parts)
    for label in negative:
        found = found & ~Query.of(label)
    return found


class _Parser:
    """A parser that descends: OR of AND of NOT of labels and groups."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise VocabularyError(f'{shown(text)} is no text to ask for; give a label')
        self.text = text
        self._tokens = list(_tokens(text))
        self._at = self._depth = 0

    def query(self) -> Query:
        found = self._joined('OR')
        if self._at < len(self._tokens):
            raise self._wrong(f'{self._tokens[self._at][1]!r} is too much')
        return found

    def _joined(self, word: str) -> Query:
        inner = self._negated if word == 'AND' else lambda: self._joined('AND')
        parts = [inner()]
        while self._take('word', word):
            parts.append(inner())
        return parts[0] if len(parts) == 1 else Query(word.lower(), '', tuple(parts))

    def _negated(self) -> Query:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f'it is nested deeper than {_DEEPEST}')
        try:
            return ~self._negated() if self._take('word', 'NOT') else self._operand()
        finally:
            self._depth -= 1

    def _operand(self) -> Query:
        if self._take('sign', '('):
            found = self._joined('OR')
            if not self._take('sign', ')'):
                raise self._wrong('a parenthesis is not closed')
            return found
        if self._at < len(self._tokens) and self._tokens[self._at][0] == 'label':
            label = self._tokens[self._at][1]
            self._at += 1
            return Query.of(label)
        before = self._tokens[self._at - 1][1] if self._at else ''
        raise self._wrong(f'a label is missing {f"after {before}" if before else "in it"}')

    def _take(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (kind, text):
            self._at += 1
            return True
        return False

    def _wrong(self, what: str) -> VocabularyError:
        return VocabularyError(
            f'{shown(self.text)} cannot be read ({what}); put labels with parentheses, AND, OR or '
            'NOT in double quotes'
        )


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kinds and texts: words that follow each other are one label."""
    words: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise VocabularyError(
                f'{shown(text)} cannot be read (a double quote is not closed); close it'
            )
        at = match.end()
        quote, sign, word = match.groups()
        if word is not None and word not in _WORDS:
            words.append(word)
            continue
        if words:
            yield 'label', ' '.join(words)
            words = []
        if quote is not None:
            yield 'label', quote
        elif sign is not None:
            yield 'sign', sign
        else:
            yield 'word', word or ''
    if words:
        yield 'label', ' '.join(words)
