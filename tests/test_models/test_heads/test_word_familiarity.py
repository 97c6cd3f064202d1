"""In how far labels are new to CLIP, by what was counted in its captions."""

import json

import pytest
import torch

from ovmlv.errors import ConfigError, DataError
from ovmlv.models.heads.word_familiarity import WordFamiliarity


def test_the_rarest_word_decides():
    known = WordFamiliarity({'a': 900, 'Dog': 30, 'running': 90}, half_count=30)
    labels = ['a dog', 'A DOG, running', 'running', 'a dog skiing', 'skiing', '!', 'dog 30']
    expected = torch.tensor([30 / 60, 30 / 60, 30 / 120, 1, 1, 1, 1])
    torch.testing.assert_close(known.unknown_share(labels), expected)


def test_without_counts_the_words_of_known_labels_are_known():
    known = WordFamiliarity(None, 30, ['a red car', "dog's dinner", '街 道'])
    labels = ['red', 'a car', "dog's", 'dog', 'blue car', '道', '街道']
    assert known.unknown_share(labels).tolist() == [0, 0, 0, 1, 1, 0, 1]


def test_a_file_and_what_it_must_not_hold(tmp_path):
    file = tmp_path / 'words.json'
    file.write_text(json.dumps({'Dog': 30}))
    assert WordFamiliarity(str(file), 30).unknown_share(['dog']).item() == 0.5
    for wrong in ([], {'dog': 'many'}, {'dog': -1}, {'dog': True}):
        file.write_text(json.dumps(wrong))
        with pytest.raises(DataError, match='words.json is no file of word frequencies'):
            WordFamiliarity(str(file), 30)
    with pytest.raises(ConfigError, match='half_count=0'):
        WordFamiliarity({}, 0)


def test_what_was_counted_is_part_of_the_identity():
    one, other = WordFamiliarity({'a': 1}, 30), WordFamiliarity({'a': 2}, 30)
    assert one.frequencies != other.frequencies
    assert one.frequencies == WordFamiliarity({'A': 1}, 30).frequencies
