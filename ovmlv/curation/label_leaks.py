"""Labels of the test set that training has met under the same or another name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ovmlv.errors import DataError
from ovmlv.labels.words import label_key, words_of

KINDS = ('same', 'spelling', 'inflection', 'neighbour', 'part')


@dataclass(frozen=True)
class Leak:
    """A label of the test set and one of training.

    Attributes:
        test: The test label.
        train: The training label.
        kind: Kind of leak: the ``same`` string; another ``spelling`` (case, signs, joined words);
            ``inflection`` (the same words in other forms or order); ``neighbour`` (close
            embeddings: perhaps a synonym); ``part`` (all words of one are in the other).
        similarity: Cosine of the embeddings, in [-1, 1], if there are any.
    """

    test: str
    train: str
    kind: str
    similarity: float | None = None


@dataclass
class LeakReport:
    """Findings, the clearest first.

    Attributes:
        leaks: Pairs; a pair is named once, by its first kind of :data:`KINDS`.
        num_test: Number of labels that were looked at.
    """

    leaks: list[Leak] = field(default_factory=list)
    num_test: int = 0

    def counts(self) -> dict[str, int]:
        """Kind -> number of test labels whose clearest leak is of this kind."""
        first: dict[str, str] = {}
        for leak in self.leaks:
            first.setdefault(leak.test, leak.kind)
        found = Counter(first.values())
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return dict(
            num_test=self.num_test, counts=self.counts(), leaks=[asdict(v) for v in self.leaks]
        )

    def text(self) -> str:
        """The report as text."""
        counts = self.counts()
        total = sum(counts.values())
        lines = [f'{total} of {self.num_test} test labels have something like them in training']
        for kind, number in counts.items():
            lines.append(f'{kind}: {number}')
        for leak in self.leaks:
            score = '' if leak.similarity is None else f' ({leak.similarity:.3f})'
            lines.append(f'  {leak.kind}: {leak.test!r} is like {leak.train!r} of training{score}')
        return '\n'.join(lines)


def find_leaks(
    test: Sequence[str],
    train: Sequence[str],
    embed: Callable[[list[str]], np.ndarray] | None = None,
    threshold: float = 0.9,
    parts: bool = True,
) -> LeakReport:
    """Compare every test label with every training label.

    Args:
        test: Labels that training should not know.
        train: Labels of training (and of the reference vocabulary, if there is one).
        embed: Function from labels to unit vectors ``(C, E)``, to find synonyms; None compares the
            spelling alone.
        threshold: Least cosine of two neighbours. It depends on the model: look at the similarities
            that are reported.
        parts: Whether to report ``part``.
    """
    if not test or not train:
        raise DataError('there must be test labels and training labels to compare')
    test, train = list(dict.fromkeys(test)), list(dict.fromkeys(train))
    cosines = None
    if embed is not None:
        both = np.asarray(embed(test + train), dtype=np.float64)
        cosines = both[: len(test)] @ both[len(test) :].T
    by_text, by_spelling, by_key = defaultdict(list), defaultdict(list), defaultdict(list)
    holders: dict[str, set[int]] = defaultdict(set)
    for j, label in enumerate(train):
        by_text[label].append(j)
        by_spelling[''.join(words_of(label))].append(j)
        by_key[label_key(label)].append(j)
        for word in set(label_key(label)):
            holders[word].add(j)
    leaks: list[Leak] = []
    for i, label in enumerate(test):
        key = label_key(label)
        found: dict[int, str] = {}
        groups = [
            ('same', by_text[label]),
            ('spelling', by_spelling[''.join(words_of(label))]),
            ('inflection', by_key[key]),
        ]
        if cosines is not None:
            near = np.flatnonzero(cosines[i] >= threshold)
            nearest = near[np.argsort(-cosines[i, near], kind='stable')]
            groups.append(('neighbour', nearest.tolist()))
        if parts:
            groups.append(('part', _parts(key, train, holders)))
        for kind, members in groups:
            for j in members:
                found.setdefault(int(j), kind)
        leaks += [
            Leak(label, train[j], kind, None if cosines is None else _shown(cosines[i, j]))
            for j, kind in found.items()
        ]
    order = {label: i for i, label in enumerate(test)}
    leaks.sort(key=lambda v: (KINDS.index(v.kind), order[v.test]))
    return LeakReport(leaks, len(test))


def _shown(cosine: np.float64) -> float:
    """Unit vectors in float32 are not quite of length 1, and a cosine of theirs may be above it."""
    return float(np.clip(cosine, -1, 1))


def _parts(key: tuple[str, ...], train: Sequence[str], holders: dict[str, set[int]]) -> list[int]:
    """Training labels that hold all words of the label, or have no other words."""
    words = set(key)
    inside = set.intersection(*(holders.get(word, set()) for word in words)) if words else set()
    touching = set().union(*(holders.get(word, set()) for word in words))
    return sorted(inside | {j for j in touching if set(label_key(train[j])) <= words})
