"""From a model's answer to labels, without junk and duplicates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ovmlv.datasets.synthetic_labels import spelling_key

# Items of a list; bullets and numbers at their head.
_SEPARATORS = re.compile(r'[,;\n|]|\s/\s')
_BULLET = re.compile(r'^\s*(?:[-*•]|\(?\d+[.):])\s*')
_WORDS = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*(?: [^\W\d_]+(?:['-][^\W\d_]+)*)*", re.UNICODE)
# Words that make an item a sentence or part of one, not a label.
_PROSE = frozenset(
    'is are was were this that these those which who it its they he she we you your my our i and '
    'or but because also etc label labels video videos frame frames image images following example '
    'examples none same other thing things something'.split()
)


@dataclass
class ParsedLabels:
    """Labels of an answer, and the reasons why its other items were dropped."""

    labels: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def parse_labels(
    answer: str,
    source: str = '',
    examples: Collection[str] = (),
    excluded: Collection[str] = (),
    max_words: int = 4,
) -> ParsedLabels:
    """Take the labels out of an answer, in lower case.

    Items are dropped if they are empty, longer than ``max_words``, not words, parts of sentences,
    the source itself, copies of the prompt's examples, excluded, or there already.

    Args:
        answer: A list separated by commas, semicolons or lines.
        source: The text that the answer was derived from.
        examples: Labels of the prompt.
        excluded: Labels that must not be generated, such as those of a test.
        max_words: Number of words of the longest label.
    """
    found = ParsedLabels()
    seen: set[str] = set()
    own = spelling_key(source)
    copies, forbidden = set(map(spelling_key, examples)), set(map(spelling_key, excluded))
    for item in _SEPARATORS.split(answer):
        text = ' '.join(_BULLET.sub('', item).strip(' \t."\'`*:()').casefold().split())
        key = spelling_key(text)
        words = key.split()
        if not text:
            continue  # as behind the last comma
        if not key or not _WORDS.fullmatch(text):
            reason = 'no words'
        elif len(text.split()) > max_words:
            reason = 'too long'
        elif (text.isascii() and len(words[0]) < 2) or _PROSE & set(text.split()):
            reason = 'prose'
        elif key == own:
            reason = 'the source itself'
        elif key in copies:
            reason = 'copied from the prompt'
        elif key in forbidden:
            reason = 'excluded'
        elif key in seen:
            reason = 'duplicate'
        else:
            seen.add(key)
            found.labels.append(text)
            continue
        found.dropped[reason] += 1
    return found


def vote(answers: Sequence[ParsedLabels], min_votes: int = 1) -> ParsedLabels:
    """Labels that at least ``min_votes`` of several answers to one question have.

    Returns:
        The labels, those of most answers first, and a count of all that was dropped.
    """
    spelling: dict[str, str] = {}
    votes: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for answer in answers:
        dropped.update(answer.dropped)
        for label in answer.labels:
            key = spelling_key(label)
            spelling.setdefault(key, label)
            votes[key] += 1
    kept = [spelling[key] for key, n in votes.most_common() if n >= min_votes]
    repeated = sum(votes.values()) - len(votes)
    too_few = len(votes) - len(kept)
    for reason, n in (('said again', repeated), (f'fewer than {min_votes} votes', too_few)):
        if n:
            dropped[reason] += n
    return ParsedLabels(kept, dropped)
