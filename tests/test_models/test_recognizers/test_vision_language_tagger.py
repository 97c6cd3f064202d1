"""VisionLanguageTagger: probabilities of the model, calibrated by the scorer of all models."""

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper

from ovmlv.errors import ConfigError
from ovmlv.models.recognizers import VisionLanguageTagger
from ovmlv.models.recognizers.vision_language_tagger import frames_of
from tests.test_models.test_vlm.test_yes_no import plain_log_odds
from tests.tiny_vlms import tiny_vlm

LABELS = ['dog', 'red cat', 'small blue house']
QUESTION = 'show a {} , yes no'


@pytest.fixture(scope='module')
def model():
    return VisionLanguageTagger(tiny_vlm(), question=QUESTION, questions_per_pass=2).eval()


@pytest.fixture(scope='module')
def videos():
    """(B, M, C, T, H, W) bytes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 2, 3, 2, 20, 24), dtype=torch.uint8, generator=generator)


def samples(count):
    targets = torch.tensor([[1, 0, -1], [0, 1, 0]])
    return [ActionDataSample().set_gt_label(targets[i % 2]) for i in range(count)]


def test_probabilities_are_those_of_yes(model, videos):
    """sigmoid(log p(yes) - log p(no)) = p(yes) / (p(yes) + p(no)); views are averaged."""
    odds = np.array(
        [
            [
                np.mean([plain_log_odds(model.vlm, frames_of(view), question) for view in video])
                for question in map(QUESTION.format, LABELS)
            ]
            for video in videos
        ]
    )
    expected = 1 / (1 + np.exp(-odds))
    np.testing.assert_allclose(model.predict_labels(videos, LABELS), expected, atol=1e-4)
    model.set_vocabulary(LABELS)
    data = model.data_preprocessor(dict(inputs=list(videos), data_samples=samples(2)))
    out = model(**data, mode='predict')
    np.testing.assert_allclose(torch.stack([s.pred_score for s in out]), expected, atol=1e-4)


def test_bytes_survive_the_preprocessor(model, videos):
    pixels = model.data_preprocessor(dict(inputs=list(videos)))['inputs']
    assert pixels.max() <= 1
    np.testing.assert_array_equal(frames_of(pixels[0, 0]), frames_of(videos[0, 0]))


def test_scale_and_bias_alone_train_and_are_logistic_regression(videos):
    """Training finds what a direct fit of two numbers to the log-odds finds."""
    config = dict(question=QUESTION, scorer=dict(init_bias='prior'))
    model = VisionLanguageTagger(tiny_vlm(), **config).train()
    model.set_vocabulary(dict(classes=LABELS, label_prior=[0.4] * 3))
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert set(trained) == {'scorer.log_scale', 'scorer.bias'}
    assert not model.vlm.model.training
    wrapper = OptimWrapper(torch.optim.SGD(trained.values(), lr=0.1))
    batch = dict(inputs=list(videos), data_samples=samples(2))
    log = model.train_step(batch, wrapper)
    odds = model.log_odds(videos.flatten(0, 1), LABELS)
    targets = torch.tensor([[1, 0, -1], [1, 0, -1], [0, 1, 0], [0, 1, 0]])
    known = targets >= 0
    p = odds.new_tensor(0.0)
    bias = log['bias']
    p = (odds + bias).sigmoid()
    assert p[known].mean().item() == pytest.approx(0.4, abs=1e-4), 'calibrated to the prior'
    expected = torch.nn.functional.binary_cross_entropy(p[known], targets[known].float())
    assert log['loss_cls'].item() == pytest.approx(expected.item(), rel=1e-4)
    first = [model.train_step(batch, wrapper)['loss_cls'].item() for _ in range(5)]
    assert first[-1] < first[0] < expected
    keys = [key for key in model.state_dict() if 'fingerprint' not in key and 'frozen' not in key]
    assert not any(key.startswith('vlm.model') for key in keys), 'frozen weights stay out of files'


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(question='a dog?'), "'{}' exactly once"),
        (dict(questions_per_pass=0), 'questions_per_pass=0'),
        (dict(loss=dict(type='RegularizedMultilabelLoss', video_distill=1.0)), 'video_ref'),
        (dict(scorer=dict(label_bias=True)), 'label_bias=True'),
        (dict(yes=['sure']), 'different tokens'),
        (dict(vlm_dtype='int4'), 'int4'),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(ConfigError) as caught:
        VisionLanguageTagger(tiny_vlm(), **options)
    assert words in str(caught.value) and '\n' not in str(caught.value)


def test_it_has_no_embeddings(model):
    with pytest.raises(ConfigError, match='no embeddings'):
        model.set_vocabulary(LABELS, embeddings=torch.ones(3, 4))
    with pytest.raises(ConfigError, match='no embeddings'):
        model(torch.zeros(1, 3, 2, 8, 8), mode='tensor')
