"""The labels of Toybox, the scenes that each is true of, and how they are split.

Words come from CLDR and WordNet, and a seed splits them; nobody chose a novel word by hand.

* *novel*: a fifth of all words, drawn by the seed, and two fifths of the few words for actions
  (except the labels of the actions themselves, which training has to teach). No label with one of
  these words is in any caption of pretraining or is a label of training videos, so that only a
  language model knows it.
* *unseen*: a quarter of the other labels. The tiny CLIP has read them; training videos do not have
  them.
* *seen*: the rest.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .assets import actions, concepts, human_motions

SEED = 2026
NOVEL_SHARE, NOVEL_ACTION_SHARE, UNSEEN_SHARE = 0.2, 0.4, 0.25
#: Concepts whose pairs with motions are labels ("a dog spinning"), drawn by the seed.
NUM_PAIR_CONCEPTS = 40
PERSON = -1  # in place of a concept's number
RELATIONS = ('chase', 'overtake', 'behind', 'collide', 'carry')
#: Parts of CLDR's names of subgroups that are no words for a thing.
_NO_WORDS = {'other', 'object', 'place', 'prepared', 'asian', 'ground', 'av'}
_SMALL_WORDS = {'a', 'an', 'the', 'of', 'with', 'from', 'to', 'on', 'up', 'and', 'in'}


@dataclass(frozen=True)
class Label:
    """A label and the scenes that it is true of.

    It is true of a scene if an actor is one of ``things`` (if there are any) and does one of
    ``doings`` (if there are any).

    Attributes:
        text: The label.
        kind: ``entity`` or ``action``.
        group: ``name``, ``keyword``, ``person``, ``motion`` (things), ``human`` (people),
            ``relation`` or ``pair``.
        split: ``seen``, ``unseen`` or ``novel``.
        things: Numbers of concepts, or :data:`PERSON`.
        doings: Names of actions.
        parts: For a pair, the labels of its thing and of what that does.
    """

    text: str
    kind: str
    group: str
    split: str = 'seen'
    things: frozenset[int] = field(default_factory=frozenset)
    doings: frozenset[str] = field(default_factory=frozenset)
    parts: tuple[str, ...] = ()


def words_of(text: str) -> set[str]:
    """Words that carry meaning."""
    return set(re.findall(r"[a-z']+", text.lower())) - _SMALL_WORDS


@lru_cache(maxsize=1)
def all_labels() -> tuple[Label, ...]:
    """Every label, in a fixed order."""
    doings, pairs = _actions(), _pairs()
    plain = [*_entities(without={label.text for label in doings}), *doings]
    taught = {row['label'] for row in actions().values()}
    said = {word for label in plain for word in words_of(label.text)}
    words = sorted(said.difference(*map(words_of, taught)))
    rng = np.random.default_rng(SEED)
    of_actions = set().union(*(words_of(label.text) for label in doings))
    novel = {
        word
        for word, draw in zip(words, rng.random(len(words)))
        if draw < (NOVEL_ACTION_SHARE if word in of_actions else NOVEL_SHARE)
    }
    split = {}
    for label, draw in zip(plain, rng.random(len(plain))):
        unseen = 'unseen' if draw < UNSEEN_SHARE else 'seen'
        unseen = 'seen' if label.text in taught else unseen
        split[label.text] = 'novel' if words_of(label.text) & novel else unseen
    for label, draw in zip(pairs, rng.random(len(pairs))):
        unseen = 'unseen' if draw < UNSEEN_SHARE else 'seen'
        # A pair is no better known than its parts.
        thing, doing = label.parts
        known = 'unseen' if 'unseen' in (split[thing], split[doing]) else unseen
        split[label.text] = 'novel' if words_of(label.text) & novel else known
    return tuple(dataclasses.replace(label, split=split[label.text]) for label in [*plain, *pairs])


@lru_cache(maxsize=1)
def _seen_words() -> frozenset[str]:
    seen = (label for label in all_labels() if label.split == 'seen')
    return frozenset().union(*(words_of(label.text) for label in seen))


def is_apart(label: Label) -> bool:
    """Whether a label shares no word with any label of training videos."""
    return not words_of(label.text) & _seen_words()


def article(noun: str) -> str:
    """'a dog', 'an ant'."""
    return f'{"an" if noun[0] in "aeiou" else "a"} {noun}'


def pair_concepts() -> tuple[int, ...]:
    """Concepts whose pairs with motions are labels."""
    rng = np.random.default_rng((SEED, 1))
    return tuple(sorted(rng.choice(len(concepts()), NUM_PAIR_CONCEPTS, replace=False).tolist()))


def thing_motions() -> tuple[str, ...]:
    """Motions that things make by themselves."""
    people = human_motions()
    return tuple(a for a in actions() if a not in people and a not in RELATIONS)


def _entities(without: set[str]) -> list[Label]:
    """Names, keywords and groups of concepts; a word of several is true of each."""
    things: dict[str, set[int]] = defaultdict(set)
    names = {concept.name for concept in concepts()}
    for number, concept in enumerate(concepts()):
        groups = set(concept.subgroup.split('-')) - _NO_WORDS
        for word in {concept.name, *concept.keywords, *groups}:
            if word not in without and re.fullmatch(r"[a-z']+( [a-z']+)?", word):
                things[word].add(number)
    found = [
        Label(word, 'entity', 'name' if word in names else 'keyword', things=frozenset(numbers))
        for word, numbers in sorted(things.items())
    ]
    return [*found, Label('person', 'entity', 'person', things=frozenset([PERSON]))]


def _actions() -> list[Label]:
    """Labels, synonyms and hypernyms of actions; a word of several is true of each."""
    doings: dict[str, set[str]] = defaultdict(set)
    own = {row['label'] for row in actions().values()}
    for name, row in actions().items():
        for word in (row['label'], *row['synonyms'], *row['hypernyms']):
            doings[word].add(name)
    people = set(human_motions())

    def group(names: set[str]) -> str:
        if names & set(RELATIONS):
            return 'relation'
        return 'human' if names <= people else 'motion'

    order = sorted(doings.items(), key=lambda item: (item[0] not in own, item[0]))
    return [Label(w, 'action', group(names), doings=frozenset(names)) for w, names in order]


def _pairs() -> list[Label]:
    """A thing and its motion, or who chases, overtakes and carries."""
    who = [(number, concepts()[number].name) for number in pair_concepts()]
    found = []
    for number, name in [*who, (PERSON, 'person')]:
        active = ('chase', 'overtake', 'carry')
        for doing in active if number == PERSON else (*thing_motions(), *active):
            does = actions()[doing]['label']
            found.append(
                Label(
                    f'{article(name)} {does}', 'action', 'pair', things=frozenset([number]),
                    doings=frozenset([doing]), parts=(name, does),
                )
            )  # fmt: skip
    return found
