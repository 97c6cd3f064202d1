"""Labels that consist of others: products by hand, whichever labels are asked for."""

import json
import logging

import pytest
import torch
from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.label_bank import LabelBank
from ovmlv.models.recognizers.label_parts import LabelParts

PARTS = {
    'a dog running': ['dog', 'running'],
    'a dog running home': ['a dog running', 'home'],
}
LABELS = ['a dog running home', 'running', 'a dog running', 'a cat']


@pytest.fixture
def models(make_model):
    scorer = dict(init_scale=3.0, init_bias=1.0)  # probabilities that products change
    found = make_model(scorer=scorer).eval(), make_model(scorer=scorer, label_parts=PARTS).eval()
    assert min(m.scorer(torch.tensor([-1.0, 1.0])).sigmoid().min() for m in found) > 0.1
    return found


def by_hand(model, inputs):
    """Products of what a model without parts gives."""
    names = ['a dog running home', 'a dog running', 'dog', 'running', 'home', 'a cat']
    home, both, dog, running, place, cat = model.predict_labels(inputs, names).unbind(1)
    return torch.stack([home * both * dog * running * place, running, both * dog * running, cat], 1)


def test_probabilities_are_products(models, make_batch):
    plain, model = models
    inputs, _ = make_batch(views=2)
    expected = by_hand(plain, inputs)
    found = model.predict_labels(inputs, LABELS)
    torch.testing.assert_close(found, expected)
    for label, column in zip(LABELS, expected.unbind(1), strict=True):  # whatever else is asked for
        torch.testing.assert_close(model.predict_labels(inputs, [label])[:, 0], column)
    whole, parts = found[:, 2], model.predict_labels(inputs, PARTS['a dog running'])
    assert (whole <= parts.amin(1)).all()
    assert torch.equal(
        model.predict_labels(inputs, ['a cat']), plain.predict_labels(inputs, ['a cat'])
    )


def test_a_test_uses_them_and_training_does_not(models, make_batch):
    plain, model = models
    inputs, samples = make_batch(classes=len(LABELS))
    for each in models:
        each.set_vocabulary(LABELS)
    scores = torch.stack([s.pred_score for s in model(inputs, samples, mode='predict')])
    torch.testing.assert_close(scores, by_hand(plain, inputs))
    losses = [each.train()(inputs, samples, mode='loss')['loss_cls'] for each in models]
    assert losses[0] == losses[1]


def test_embeddings_that_are_given_have_them_too(models, make_batch):
    """Those of parts that are no labels are computed."""
    plain, model = models
    inputs, samples = make_batch(classes=len(LABELS))
    model.set_vocabulary(LABELS, model.encode_labels(LABELS))
    scores = torch.stack([s.pred_score for s in model(inputs, samples, mode='predict')])
    torch.testing.assert_close(scores, by_hand(plain, inputs))


def test_parts_are_checked_with_their_labels(make_model):
    model = make_model(label_parts=PARTS)
    seen = []
    model.head.check = seen.extend
    model.set_vocabulary(['a dog running home', 'a cat'])
    assert seen == ['a dog running home', 'a cat', 'a dog running', 'home', 'dog', 'running']


def test_a_bank_has_them_too(models, make_batch):
    """Parts are in the bank, or they are not."""
    plain, model = models
    inputs, _ = make_batch(views=2)
    bank = LabelBank.build(model, LABELS)
    expected = by_hand(plain, inputs)
    torch.testing.assert_close(bank.probabilities(model, inputs), expected)
    for scores, row in zip(bank.top_k(model, inputs, 2), expected, strict=True):
        best = row.topk(2)
        assert [s.label for s in scores] == [LABELS[i] for i in best.indices]
        assert [s.probability for s in scores] == pytest.approx(best.values.tolist())
    with pytest.raises(ConfigError, match='k=0'):
        bank.top_k(model, inputs, 0)


def test_what_scores_labels_by_themselves_says_so(models):
    _, model = models
    said, logger = [], MMLogger.get_current_instance()
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger.addHandler(handler)
    try:
        model.label_parts.warn_of(['a cat', 'running'], 'an index')
        for _ in range(2):  # it is said once
            model.label_parts.warn_of(LABELS, 'an index')
    finally:
        logger.removeHandler(handler)
    assert said == [
        'an index scores each label by itself: model.label_parts does nothing for the 2 of its 4 '
        'labels that have parts'
    ]


def test_a_file(tmp_path, make_model):
    file = tmp_path / 'parts.json'
    file.write_text(json.dumps(PARTS))
    assert make_model(label_parts=str(file)).label_parts.complete(['a dog running']) == [
        'a dog running', 'dog', 'running',
    ]  # fmt: skip


@pytest.mark.parametrize(
    'content', ['[1]', '{"a dog running": "dog"}', '{"a": [" "]}', '{', '{"a": [3]}']
)
def test_a_file_of_another_form(tmp_path, content):
    file = tmp_path / 'parts.json'
    file.write_text(content)
    with pytest.raises(DataError, match='parts.json is no file of the parts of labels') as caught:
        LabelParts(str(file))
    assert '\n' not in str(caught.value) and 'a dog running' in str(caught.value)


@pytest.mark.parametrize(
    ('parts', 'error', 'words'),
    [
        ({'a': ['a', 'b']}, ConfigError, "'a' is a part of itself"),
        ({'a': ['b'], 'b': ['c'], 'c': ['a']}, ConfigError, 'is a part of itself'),
        ({'a dog running': 'dog'}, ConfigError, 'no mapping of labels to lists'),
        (['a dog'], ConfigError, 'no mapping of labels to lists'),
        ({'a': []}, VocabularyError, "label_parts of 'a': the list of labels is empty"),
        ({'a': [' ']}, VocabularyError, 'empty label'),
    ],
)  # fmt: skip
def test_what_cannot_be_parts(parts, error, words):
    with pytest.raises(error, match=words):
        LabelParts(parts)
