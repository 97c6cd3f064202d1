"""Labels and their split."""

from collections import Counter

import pytest

from ovmlv.datasets.toybox.assets import HELD_OUT_FAMILY, actions, concepts, families
from ovmlv.datasets.toybox.scene import drawn_by
from ovmlv.datasets.toybox.words import all_labels, words_of


def test_texts_are_unique_and_short():
    texts = [label.text for label in all_labels()]
    assert len(set(texts)) == len(texts) > 1500
    assert all(text == text.strip().lower() and len(text) < 60 for text in texts)


def test_no_word_of_a_novel_label_is_in_a_known_one_unless_another_word_makes_it_novel():
    """What makes a label novel is a word that no known label has."""
    known = set().union(*(words_of(label.text) for label in all_labels() if label.split != 'novel'))
    for label in all_labels():
        if label.split == 'novel':
            assert words_of(label.text) - known, label.text


def test_the_actions_themselves_are_taught():
    split = {label.text: label.split for label in all_labels()}
    assert all(split[row['label']] == 'seen' for row in actions().values())


@pytest.mark.parametrize('kind', ['entity', 'action'])
def test_every_split_has_labels_of_each_kind(kind):
    counts = Counter(label.split for label in all_labels() if label.kind == kind)
    assert all(counts[split] >= 50 for split in ('seen', 'unseen', 'novel')), counts


def test_a_pair_is_no_better_known_than_its_parts():
    order = {'seen': 0, 'unseen': 1, 'novel': 2}
    split = {label.text: order[label.split] for label in all_labels()}
    for label in all_labels():
        if label.parts:
            assert split[label.text] >= max(split[part] for part in label.parts), label.text


def test_every_concept_is_drawn_on_both_sides():
    assert families()[0] == HELD_OUT_FAMILY and 250 <= len(concepts()) <= 400
    for number in range(len(concepts())):
        assert drawn_by(number, True) == [HELD_OUT_FAMILY]
        assert drawn_by(number, False) and HELD_OUT_FAMILY not in drawn_by(number, False)
