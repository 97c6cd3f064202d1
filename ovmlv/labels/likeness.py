"""Labels that say the same in another spelling or in another form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .words import label_key, words_of


class Neighbour(NamedTuple):
    """A label near another one.

    Attributes:
        label: The near label.
        similarity: Cosine of the embeddings, in [-1, 1].
        kind: Kind of likeness: the ``same`` string; another ``spelling`` (case, signs, joined
            words); ``inflection`` (the same words in other forms or order); None if the letters
            show none.
    """

    label: str
    similarity: float
    kind: str | None


class Duplicate(NamedTuple):
    """A label that says the same as an earlier one; ``kind`` is as in :class:`Neighbour`."""

    label: str
    earlier: str
    kind: str


def likeness(first: str, second: str) -> str | None:
    """In which way two labels are the same by their letters, see :class:`Neighbour`."""
    if first == second:
        return 'same'
    if _spelling(first) == _spelling(second):
        return 'spelling'
    return 'inflection' if label_key(first) == label_key(second) else None


def find_duplicates(labels: Iterable[str]) -> list[Duplicate]:
    """Labels that are an earlier one in another spelling or form."""
    spelt: dict[str, str] = {}
    formed: dict[tuple[str, ...], str] = {}
    found = []
    for label in labels:
        earlier = spelt.setdefault(_spelling(label), label)
        if earlier == label:
            earlier = formed.setdefault(label_key(label), label)
        if earlier != label:
            found.append(Duplicate(label, earlier, str(likeness(label, earlier))))
    return found


def _spelling(label: str) -> str:
    # Labels of signs alone have no words.
    return ''.join(words_of(label)) or label
