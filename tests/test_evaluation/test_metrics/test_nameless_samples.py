"""Samples without a name are videos of their own, in every metric and in files of predictions."""

import itertools

import numpy as np
import pytest
import torch

from ovmlv.errors import DataError
from ovmlv.evaluation import Predictions
from ovmlv.registry import METRICS

#: What a sample that nobody named may carry.
NAMELESS = {
    'no fields': {},
    'empty': dict(filename='', video_id=''),
    'None': dict(filename=None, video_id=None),
}


def make(size=50, seed=0, single=False):
    random = np.random.default_rng(seed)
    scores = torch.tensor(random.random((size, 4)).astype(np.float32))
    if single:
        targets = torch.nn.functional.one_hot(torch.tensor(random.integers(0, 4, size)), 4)
    else:
        targets = torch.tensor((random.random((size, 4)) < 0.3).astype(np.int64))
    return scores, targets


def samples_of(scores, targets, names):
    """Samples with a dict of names each."""
    return [
        dict(pred_score=s, gt_label=t, sample_idx=i, **name)
        for i, (s, t, name) in enumerate(zip(scores, targets, names, strict=False))
    ]


def evaluate(samples, **config):
    metric = METRICS.build(config)
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def named(numbers):
    return [dict(filename=f'{i}.mp4') for i in numbers]


@pytest.mark.parametrize('kind', NAMELESS)
@pytest.mark.parametrize('metric', ['MultilabelMetric', 'FrameLevelMetric', 'SingleLabelMetric'])
def test_intervals_are_those_of_named_videos(metric, kind):
    """They collapsed to the value itself, since all samples were taken for one video."""
    scores, targets = make(single=metric == 'SingleLabelMetric')
    config = dict(type=metric, bootstrap=200)
    if metric == 'SingleLabelMetric':
        config['topk'] = (1, 2)
    expected = evaluate(samples_of(scores, targets, named(range(50))), **config)
    found = evaluate(samples_of(scores, targets, [NAMELESS[kind]] * 50), **config)
    assert found == pytest.approx(expected)
    for key in [key for key in found if key.endswith('_ci_low')]:
        assert found[key] < found[key.replace('_low', '_high')]


@pytest.mark.parametrize('kind', NAMELESS)
def test_tables_of_points_are_videos(kind):
    scores, targets = (v.reshape(5, 10, 4) for v in make())
    config = dict(type='FrameLevelMetric', bootstrap=50)
    expected = evaluate(samples_of(scores, targets, named(range(5))), **config)
    found = evaluate(samples_of(scores, targets, [NAMELESS[kind]] * 5), **config)
    assert found == pytest.approx(expected) and found['frame/num_videos'] == 5


def test_names_of_others_stay_what_they_are():
    """Clips of a named video go together, and no number of a nameless sample is anybody's name."""
    scores, targets = make(8)
    names = [{}, dict(video_id='a'), dict(video_id='a'), {}, dict(filename='b.mp4'), {}]
    names += [dict(video_id='0'), dict(filename='3')]
    samples = samples_of(scores, targets, names)
    assert evaluate(samples, type='FrameLevelMetric')['frame/num_videos'] == 7
    metric = METRICS.build(dict(type='MultilabelMetric', bootstrap=30))
    metric.process(None, samples)
    counts = metric.resamples(metric.results)
    assert len(counts) == 30 and (counts.sum(1) != 8).any()  # a's two clips come and go together
    together = {
        pair
        for pair in itertools.combinations(range(8), 2)
        if (counts[:, pair[0]] == counts[:, pair[1]]).all()
    }
    assert together == {(1, 2)}


@pytest.mark.parametrize('kind', NAMELESS)
def test_predictions_on_disk(kind, tmp_path):
    scores, targets = make(6)
    names = [NAMELESS[kind]] * 4 + [dict(video_id='a')] * 2
    path = tmp_path / 'test.safetensors'
    evaluate(samples_of(scores, targets, names), type='DumpPredictions', out_file=str(path))
    found = Predictions.load(path)
    assert found.num_videos == 5 and found.row_videos().tolist() == [0, 1, 2, 3, 4, 4]
    config = dict(type='MultilabelMetric', bootstrap=50)
    again = evaluate(list(found.samples()), **config)
    assert again == pytest.approx(evaluate(samples_of(scores, targets, names), **config))


def test_rows_of_nameless_tables():
    results = [
        dict(
            key=(i, '', ''), scores=torch.rand(rows, 2), labels=torch.ones(rows, 2).char(),
            filename='', video_id='', broken=False, unlabeled=False,
        )
        for i, rows in ((3, 2), (5, 1))
    ]  # fmt: skip
    found = Predictions.from_results(results, {})
    assert found.num_videos == 2 and found.row_videos().tolist() == [0, 0, 1]


@pytest.mark.parametrize('kind', NAMELESS)
def test_messages_name_the_sample(kind, log):
    """By its number, where it has no name."""
    scores, targets = make(3, single=True)
    samples = samples_of(scores, targets, [NAMELESS[kind]] * 3)
    evaluate([dict(samples[0], broken=True), *samples[1:]], type='SingleLabelMetric')
    assert "(broken='none'): sample 0" in log.text
    for change, words in (
        (dict(gt_label=torch.ones(4)), 'sample 1 has 4 labels'),
        (dict(pred_score=torch.full((4,), torch.nan)), 'the scores of sample 1 hold NaN'),
        (dict(pred_score=torch.ones(3)), '3 scores but 4 labels for sample 1'),
    ):
        with pytest.raises(DataError, match=words):
            evaluate([samples[0], dict(samples[1], **change)], type='SingleLabelMetric')
