"""The mmengine metric against scikit-learn on the same scores."""

import csv
import logging
import math

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator
from sklearn.metrics import average_precision_score

from ovmlv.errors import ConfigError, DataError
from ovmlv.evaluation import MultilabelMetric, functional as F
from ovmlv.registry import METRICS

CLASSES = ['a dog', 'a cat', 'running', 'a bird', 'flying', 'a plane']
ATTRIBUTES = dict(
    split=['seen', 'seen', 'seen', 'unseen', 'unseen', 'novel'],
    kind=['entity', 'entity', 'action', 'entity', 'action', 'entity'],
)
SPLIT, KIND = np.array(ATTRIBUTES['split']), np.array(ATTRIBUTES['kind'])


def make_samples(size=50, seed=0, unknown=False):
    random = np.random.default_rng(seed)
    targets = (random.random((size, 6)) < 0.3).astype(np.int64)
    if unknown:
        targets[random.random((size, 6)) < 0.2] = -1
    scores = random.random((size, 6)).astype(np.float32)
    samples = []
    for i in range(size):
        sample = ActionDataSample()
        sample.set_gt_label(targets[i])
        sample.set_pred_score(torch.tensor(scores[i]))
        sample.set_metainfo(
            dict(sample_idx=i, filename=f'videos/{i}.mp4', video_id=str(i), broken=False)
        )
        samples.append(sample)
    return samples, scores, targets


def evaluate(samples, size=None, meta=None, **kwargs):
    """Through mmengine's own evaluator, in batches of 8."""
    metric = MultilabelMetric(**kwargs)
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = meta or dict(classes=CLASSES, class_attributes=ATTRIBUTES)
    for i in range(0, len(samples), 8):
        evaluator.process(samples[i : i + 8])
    return evaluator.evaluate(len(samples) if size is None else size)


def test_values_of_all_groups():
    samples, scores, targets = make_samples()
    found = evaluate(samples)
    values = average_precision_score(targets, scores, average=None)

    expected = {'mAP': values.mean()}
    for split in ('seen', 'unseen', 'novel'):
        expected[f'mAP_{split}'] = values[split == SPLIT].mean()
        for kind in set(KIND[split == SPLIT]):
            expected[f'mAP_{split}_{kind}'] = values[(split == SPLIT) & (kind == KIND)].mean()
    for kind in ('entity', 'action'):
        expected[f'mAP_{kind}'] = values[kind == KIND].mean()
        a, b = expected[f'mAP_seen_{kind}'], expected[f'mAP_unseen_{kind}']
        expected[f'mAP_harmonic_{kind}'] = 2 * a * b / (a + b)
    a, b = expected['mAP_seen'], expected['mAP_unseen']
    expected['mAP_harmonic'] = 2 * a * b / (a + b)
    expected['mAP_micro'] = average_precision_score(targets, scores, average='micro')
    expected['mAP_weighted'] = average_precision_score(targets, scores, average='weighted')
    s, t = torch.tensor(scores), torch.tensor(targets)
    expected['F1@0.5'] = float(F.f1_at_threshold(s, t))
    expected['F1@3'] = float(F.f1_at_k(s, t, 3))
    expected['ECE'] = float(F.expected_calibration_error(s, t))
    expected.update(num_samples=50, num_broken=0, num_classes=6)
    assert found == pytest.approx({f'multilabel/{k}': v for k, v in expected.items()})


def test_unknown_labels_and_classes_without_positives_are_left_out(log):
    samples, scores, targets = make_samples(unknown=True)
    for sample, target in zip(samples, targets, strict=True):
        target[1], sample.gt_label[1] = 0, 0
    found = evaluate(samples, min_positives=5)
    values = [
        average_precision_score(t[t >= 0], s[t >= 0])
        for s, t in zip(scores.T, targets.T, strict=True)
        if (t == 1).sum() >= 5
    ]
    assert found['multilabel/mAP'] == pytest.approx(np.mean(values))
    assert found['multilabel/num_classes'] == len(values) == 5
    assert 'left out of the means: a cat (0)' in log.text


def test_group_without_positives_is_nan_and_so_is_its_harmonic_mean():
    samples, _, _ = make_samples()
    for sample in samples:
        sample.gt_label[3:5] = 0
    found = evaluate(samples)
    assert math.isnan(found['multilabel/mAP_unseen'])
    assert math.isnan(found['multilabel/mAP_harmonic'])
    assert not math.isnan(found['multilabel/mAP'])


def test_group_metrics_rank_the_group_alone():
    samples, scores, targets = make_samples()
    found = evaluate(samples, group_metrics=('mAP', 'F1', 'ECE'), topk=(1, 2), axes=('split',))
    unseen = SPLIT == 'unseen'
    s, t = torch.tensor(scores[:, unseen]), torch.tensor(targets[:, unseen])
    assert found['multilabel/F1@1_unseen'] == pytest.approx(float(F.f1_at_k(s, t, 1)))
    assert found['multilabel/ECE_unseen'] == pytest.approx(
        float(F.expected_calibration_error(s, t))
    )
    assert 'multilabel/mAP_entity' not in found


def test_order_and_repeated_samples_do_not_matter():
    samples, _, _ = make_samples(size=13)
    expected = evaluate(samples)
    assert evaluate([*samples[::-1], *samples[:5]], size=13) == expected


def test_incomplete_data_set_is_an_error():
    samples, _, _ = make_samples(size=13)
    with pytest.raises(DataError, match=r'12 different .* has 13 \(first missing indices \[5\]\)'):
        evaluate(samples[:5] + samples[6:], size=13)
    assert evaluate(samples[:5], size=13, allow_incomplete=True)['multilabel/num_samples'] == 5
    with pytest.raises(DataError, match='13 different samples .* has 12'):
        evaluate(samples, size=12)


def test_concatenated_data_sets_share_indices():
    """Both parts of mmengine's ConcatDataset count their samples from 0."""
    first, _, _ = make_samples(size=5)
    second, _, _ = make_samples(size=5, seed=1)
    for sample in second:
        sample.set_metainfo(dict(filename='other/' + sample.filename))
    assert evaluate(first + second, size=10)['multilabel/num_samples'] == 10


@pytest.mark.parametrize('broken', ['none', 'keep', 'drop'])
def test_broken_videos_are_reported(broken, log):
    samples, scores, targets = make_samples()
    for i in (3, 7):
        samples[i].set_metainfo(dict(broken=True))
    found = evaluate(samples, broken=broken)
    assert found['multilabel/num_broken'] == 2
    assert '2 of 50 videos could not be read' in log.text
    assert 'videos/3.mp4, videos/7.mp4' in log.text
    if broken == 'drop':
        scores, targets = np.delete(scores, (3, 7), 0), np.delete(targets, (3, 7), 0)
    elif broken == 'none':
        scores[[3, 7]] = -1
    assert found['multilabel/mAP'] == pytest.approx(average_precision_score(targets, scores))
    assert found['multilabel/num_samples'] == 50


def test_all_videos_broken_is_an_error():
    samples, _, _ = make_samples(size=4)
    for sample in samples:
        sample.set_metainfo(dict(broken=True))
    with pytest.raises(DataError, match='none of the 4 videos could be read'):
        evaluate(samples)


def test_official_charades_value():
    samples, scores, targets = make_samples()
    for i in range(10):
        samples[i].set_metainfo(dict(official_unlabeled=True))
        samples[i].gt_label[:] = 0
        targets[i] = 0
    found = evaluate(samples, official_charades=True)
    scores[:10] = -1
    assert found['multilabel/mAP_charades'] == pytest.approx(
        average_precision_score(targets, scores)
    )
    assert found['multilabel/mAP'] < found['multilabel/mAP_charades']


def test_table_and_per_class_file(log, tmp_path):
    log.set_level(logging.INFO)
    samples, scores, targets = make_samples()
    for sample in samples:
        sample.gt_label[5] = -1
    found = evaluate(samples, per_class=True, per_class_file=str(tmp_path / 'sub' / 'classes.csv'))
    table = [line.split() for line in log.text.splitlines()]
    assert ['mAP', 'all', 'entity', 'action'] in table
    row = next(line for line in table if line[:1] == ['seen'])
    keys = ('mAP_seen', 'mAP_seen_entity', 'mAP_seen_action')
    assert row[1:] == [f'{found[f"multilabel/{k}"]:.4f}' for k in keys]
    assert any(line[:1] == ['harmonic'] and len(line) == 4 for line in table)
    assert ['novel', '-', '-', '-'] in table
    with open(tmp_path / 'sub' / 'classes.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [r['label'] for r in rows] == CLASSES
    assert (rows[5]['known'], rows[5]['AP'], rows[5]['kind']) == ('0', '', 'entity')
    assert float(rows[0]['AP']) == pytest.approx(
        average_precision_score(targets[:, 0], scores[:, 0])
    )
    assert int(rows[0]['positives']) == targets[:, 0].sum()


def test_works_without_meta_and_from_a_config():
    metric = METRICS.build(dict(type='MultilabelMetric', topk=(1, 3)))
    samples, scores, targets = make_samples()
    metric.process({}, [s.to_dict() for s in samples])
    found = metric.evaluate(50)
    assert found['multilabel/mAP'] == pytest.approx(average_precision_score(targets, scores))
    assert 'multilabel/F1@1' in found


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda s: s.set_field(torch.rand(5), 'pred_score'), '5 scores but 6 labels'),
        (lambda s: s.set_field(torch.full((6,), math.nan), 'pred_score'), 'videos/1.mp4 hold NaN'),
        (lambda s: s.pop('pred_score'), "no 'pred_score'"),
        (lambda s: s.pop('gt_label'), "no 'gt_label'"),
    ],
)
def test_bad_predictions_are_named(change, words):
    samples, _, _ = make_samples(size=4)
    change(samples[1])
    with pytest.raises(DataError) as error:
        evaluate(samples)
    assert words in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('meta', 'words'),
    [
        (dict(classes=CLASSES[:5]), 'scores for 6 labels but the data set has 5 classes'),
        (dict(classes=CLASSES, class_attributes=dict(kind=['x'] * 5)), 'has 5 values for 6'),
        (dict(classes=CLASSES, class_attributes=dict(a=['x'] * 6, b=['x'] * 6)), "'x' is taken"),
        (dict(classes=CLASSES, class_attributes=dict(kind=['micro'] * 6)), "'micro' is taken"),
    ],
)
def test_meta_that_does_not_fit_is_named(meta, words):
    samples, _, _ = make_samples(size=4)
    with pytest.raises(ValueError, match=words):
        evaluate(samples, meta=meta)


@pytest.mark.parametrize(
    'kwargs', [dict(broken='zero'), dict(group_metrics=('AP',)), dict(harmonic=('seen',))]
)
def test_bad_settings_are_named(kwargs):
    with pytest.raises(ConfigError, match=next(iter(kwargs))):
        MultilabelMetric(**kwargs)
