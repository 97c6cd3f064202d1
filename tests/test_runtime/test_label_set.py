"""Label files, and the probabilities that they give."""

import dataclasses

import numpy as np
import pytest

from ovmlv.errors import DataError, VocabularyError
from ovmlv.results import TagResult
from ovmlv.runtime import LabelSet

VIEWS = np.array([[[0.6, 0.8], [1.0, 0.0]]], np.float32)  # one video, two views


@pytest.fixture
def labels():
    embeddings = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    bias = np.array([0.0, -0.5, 0.25], np.float32)
    return LabelSet(('a', 'ü b', 'c'), embeddings, 4.0, -1.0, bias, 'abc', 'a video of {}')


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def test_probabilities_by_hand(labels):
    first = sigmoid([4 * 0.6 - 1, 4 * 0.8 - 1.5, 4 * 1.0 - 0.75])
    second = sigmoid([4 * 1.0 - 1, -1.5, 4 * 0.6 - 0.75])
    mean = sigmoid([4 * 0.8 - 1, 4 * 0.4 - 1.5, 4 * 0.8 - 0.75])
    np.testing.assert_allclose(labels.probabilities(VIEWS, 'score')[0], mean, atol=1e-6)
    found = labels.probabilities(VIEWS, 'probability')[0]
    np.testing.assert_allclose(found, (first + second) / 2, atol=1e-6)
    unit = np.array([0.8, 0.4]) / np.hypot(0.8, 0.4)
    joint = sigmoid(4 * labels.embeddings @ unit - 1 + labels.label_bias)
    np.testing.assert_allclose(labels.probabilities(VIEWS, 'embedding')[0], joint, atol=1e-6)


def test_extreme_logits_do_not_overflow(labels):
    with np.errstate(all='raise', under='ignore'):
        certain = LabelSet(labels.labels, labels.embeddings, 1e3, -500.0, labels.label_bias, '')
        assert certain.probabilities(VIEWS[:, 1:])[0, :2].tolist() == [1.0, 0.0]


def test_files(labels, tmp_path):
    labels.save(tmp_path / 'new' / 'words.v1')
    for name in ('words.v1.json', 'words.v1.npz'):
        found = LabelSet.load(tmp_path / 'new' / name)
        assert (found.labels, found.scale, found.bias) == (labels.labels, 4.0, -1.0)
        assert (found.fingerprint, found.template) == ('abc', 'a video of {}')
        np.testing.assert_array_equal(found.embeddings, labels.embeddings)
        np.testing.assert_array_equal(found.label_bias, labels.label_bias)


def test_some_of_the_labels(labels):
    some = labels.select(['c', 'a'])
    expected = labels.probabilities(VIEWS)[:, [2, 0]]
    np.testing.assert_array_equal(some.probabilities(VIEWS), expected)
    with pytest.raises(VocabularyError, match="'d' is not among the 3"):
        labels.select(['d'])


def test_files_of_different_exports_are_refused(labels, tmp_path):
    labels.save(tmp_path / 'one')
    labels.select(['c']).save(tmp_path / 'two')
    (tmp_path / 'one.npz').write_bytes((tmp_path / 'two.npz').read_bytes())
    with pytest.raises(DataError, match='export both again'):
        LabelSet.load(tmp_path / 'one')
    (tmp_path / 'two.npz').unlink()
    with pytest.raises(FileNotFoundError, match='copy both'):
        LabelSet.load(tmp_path / 'two')
    with pytest.raises(FileNotFoundError, match='ovmlv export'):
        LabelSet.load(tmp_path / 'three')


@pytest.mark.parametrize('change', [dict(labels=('a', 'a', 'b')), dict(label_bias=np.zeros(2))])
def test_inconsistent_sets_are_refused(labels, change):
    with pytest.raises(VocabularyError):
        LabelSet(**{**vars(labels), **change})


def test_a_calibration_by_hand(labels, tmp_path):
    """``sigmoid(logit(p) / 2 + 1)`` of the mean over views; thresholds stay with labels."""
    limits = np.array([0.2, 0.4, 0.6], np.float32)
    changes = dict(temperature=2.0, calibration_bias=1.0, thresholds=limits)
    calibrated = dataclasses.replace(labels, **changes)
    calibrated.save(tmp_path / 'words')
    for average in ('score', 'embedding', 'probability'):
        p = labels.probabilities(VIEWS, average)
        wanted = sigmoid(np.log(p / (1 - p)) / 2 + 1)
        for found in (calibrated, LabelSet.load(tmp_path / 'words')):
            np.testing.assert_allclose(found.probabilities(VIEWS, average), wanted, atol=1e-6)
    np.testing.assert_array_equal(calibrated.select(['c', 'a']).thresholds, limits[[2, 0]])
    scores = np.array([0.3, 0.3, 0.6], np.float32)
    tags = TagResult('frames', labels.labels, scores, thresholds=limits)
    assert [score.label for score in tags.present()] == ['c', 'a']
    assert [score.label for score in tags.present(0.5)] == ['c']
    with pytest.raises(VocabularyError, match='thresholds of shape'):
        dataclasses.replace(labels, thresholds=limits[:2])
