import pytest

from ovmlv.errors import ConfigError
from ovmlv.label_generation import PROMPTS, Prompt, load_prompt, parse_labels, vote


@pytest.mark.parametrize(
    ('answer', 'labels', 'dropped'),
    [
        ('A Pet, animal.', ['a pet', 'animal'], {}),
        ('1. pet\n2) "animal"\n- four-legged friend', ['pet', 'animal', 'four-legged friend'], {}),
        ('pet; Pets; the pet', ['pet'], {'duplicate': 2}),
        ('dog, dogs, a Dog', [], {'the source itself': 3}),
        ('pet, it is an animal that barks loudly', ['pet'], {'too long': 1}),
        ('it barks, this dog, x', [], {'prose': 3}),
        ('pet, ..., 42, </s>, a+b', ['pet'], {'no words': 3}),
        ('weeping, feline, Cats', ['cats'], {'copied from the prompt': 1, 'excluded': 1}),
        ('', [], {}),
        ('été, 狗, x', ['été', '狗'], {'prose': 1}),
    ],
)
def test_answers(answer, labels, dropped):
    found = parse_labels(answer, 'a dog', {'weeping'}, {'feline'})
    assert (found.labels, dict(found.dropped)) == (labels, dropped)


def test_votes():
    texts = ['pet, animal', 'Pets, fur', 'animal, pet, 42']
    found = vote([parse_labels(text) for text in texts], min_votes=2)
    assert found.labels == ['pet', 'animal']
    assert found.dropped == {'no words': 1, 'said again': 3, 'fewer than 2 votes': 1}


def test_prompts(tmp_path):
    prompt = load_prompt('labels')
    assert prompt.fill('a dog').endswith('Label: a dog\nLabels:') and 'weeping' in prompt.examples
    assert all(prompt.text.count('{}') == 1 for prompt in PROMPTS.values())
    own = tmp_path / 'own.txt'
    own.write_text('Other words for {}:\n')
    assert load_prompt('labels', str(own)).fill('x') == 'Other words for x:'
    with pytest.raises(ConfigError, match='has 0 places'):
        Prompt('Other words:')
