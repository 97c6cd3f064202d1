"""Options of MultilabelMetric, and the metrics for frames and single labels, by the functional
core on the same scores."""

import numpy as np
import pytest
import torch

from ovmlv.errors import ConfigError, DataError
from ovmlv.evaluation import functional as F
from ovmlv.registry import METRICS

CATEGORY = ['action', 'action', 'object', 'scene', 'object', 'scene']


def make(size=40, seed=0):
    random = np.random.default_rng(seed)
    targets = torch.tensor((random.random((size, 6)) < 0.3).astype(np.int64))
    targets[::4, 3] = targets[::4, 5] = -1  # nobody looked for scenes there
    return torch.tensor(random.random((size, 6)).astype(np.float32)), targets


def evaluate(scores, targets, meta=None, videos=None, size=None, **config):
    metric = METRICS.build(config)
    metric.dataset_meta = meta
    videos = videos or [f'{i}.mp4' for i in range(len(scores))]
    metric.process(
        None,
        [
            dict(pred_score=s, gt_label=t, sample_idx=i, filename=videos[i])
            for i, (s, t) in enumerate(zip(scores, targets, strict=True))
        ],
    )
    found = metric.evaluate(len(scores) if size is None else size)
    return {key.partition('/')[2]: value for key, value in found.items()}


def test_every_extra_metric():
    scores, targets = make()
    extra = ['AUPR', 'PR', 'class', 'mkt', 'peak_F1', 'adaptive_ECE', 'Brier', 'GAP', 'hit']
    found = evaluate(scores, targets, type='MultilabelMetric', extra=extra, gap_k=2)
    aupr, positives = F.area_under_pr_curve(scores, targets), (targets == 1).sum(0)
    at_k, at_t = F.precision_recall_at_k, F.precision_recall_at_threshold
    by_class = at_k(scores, targets, 3, **F.DEFINITIONS['dualcoop_class'])
    mkt = at_k(scores, targets, 3, **F.DEFINITIONS['mkt'])
    flat = F.area_under_pr_curve(scores.reshape(-1, 1), targets.reshape(-1, 1))
    expected = {
        'AUPR': aupr.mean(),
        'AUPR_weighted': (aupr * positives).sum() / positives.sum(),
        'AUPR_micro': flat,
        'P@0.5': at_t(scores, targets, 0.5).precision,
        'R@0.5': at_t(scores, targets, 0.5).recall,
        'P@3': at_k(scores, targets, 3).precision,
        'R@3': at_k(scores, targets, 3).recall,
        'CP@3': by_class.precision,
        'CR@3': by_class.recall,
        'CF1@3': by_class.f1,
        'CF1@0.5': at_t(scores, targets, 0.5, 'class').f1,
        'CF1_of_means@3': at_k(scores, targets, 3, **F.DEFINITIONS['of_means']).f1,
        'P_mkt@3': mkt.precision,
        'R_mkt@3': mkt.recall,
        'F1_mkt@3': mkt.f1,
        'peak_F1': F.peak_f1(scores, targets)[0],
        'peak_F1_threshold': F.peak_f1(scores, targets)[1],
        'peak_F1_class': F.peak_f1(scores, targets, 'class')[0].mean(),
        'adaptive_ECE': F.expected_calibration_error(scores, targets, 15, adaptive=True),
        'Brier': F.brier_score(scores, targets),
        'GAP@2': F.global_average_precision(scores, targets, 2),
        'Hit@1': F.topk_accuracy(scores, targets, 1),
        'Hit@3': F.topk_accuracy(scores, targets, 3),
    }
    assert {k: found[k] for k in expected} == pytest.approx(
        {k: float(v) for k, v in expected.items()}
    )


def test_categories_of_hvu():
    """mAP of each category and the mean of the categories; unknown where one has no tags."""
    scores, targets = make()
    meta = dict(classes=list('abcdef'), class_attributes=dict(category=CATEGORY))
    found = evaluate(scores, targets, meta, type='MultilabelMetric')
    values = F.average_precision(scores, targets).numpy()
    expected = {c: values[np.array(CATEGORY) == c].mean() for c in set(CATEGORY)}
    for category, value in expected.items():
        assert found[f'mAP_{category}'] == pytest.approx(value)
    assert found['mAP_mean_category'] == pytest.approx(np.mean(list(expected.values())))


def test_intervals_are_of_the_resampled_metric():
    scores, targets = make()
    meta = dict(classes=list('abcdef'), class_attributes=dict(split=['seen', 'unseen'] * 3))
    found = evaluate(
        scores, targets, meta, type='MultilabelMetric', bootstrap=60, confidence=0.8, seed=4
    )
    values = F.bootstrap_average_precision(scores, targets, F.resample_counts(40, 60, 4))
    seen, unseen = values[:, ::2].nanmean(1), values[:, 1::2].nanmean(1)
    for name, resampled in (
        ('mAP', values.nanmean(1)),
        ('mAP_seen', seen),
        ('mAP_harmonic', 2 * seen * unseen / (seen + unseen)),
    ):
        expected = F.percentile_interval(resampled, 0.8)
        assert (found[f'{name}_ci_low'], found[f'{name}_ci_high']) == pytest.approx(expected)
        assert found[f'{name}_ci_low'] < found[name] < found[f'{name}_ci_high']


def test_clips_of_a_video_are_resampled_together():
    """Ten copies of each sample tell nothing new, so the interval stays as wide."""
    scores, targets = make()
    once = evaluate(scores, targets, type='MultilabelMetric', bootstrap=50)
    videos = [f'{i}.mp4' for i in range(40) for _ in range(10)]
    copies = scores.repeat_interleave(10, 0), targets.repeat_interleave(10, 0)
    many = evaluate(*copies, videos=videos, type='MultilabelMetric', bootstrap=50)
    assert many['mAP_ci_low'] == pytest.approx(once['mAP_ci_low'])
    assert many['mAP_ci_high'] == pytest.approx(once['mAP_ci_high'])


def test_frame_level_takes_points_or_videos():
    scores, targets = make()
    targets[:, 2] = 0
    videos = [f'{i // 10}.mp4' for i in range(40)]
    points = evaluate(scores, targets, videos=videos, type='FrameLevelMetric', bootstrap=30)
    tables = scores.split(10), targets.split(10)
    whole = evaluate(*tables, type='FrameLevelMetric', bootstrap=30)
    assert points == whole
    expected = F.average_precision(scores, targets)
    assert points['mAP'] == pytest.approx(float(expected.nanmean()))
    assert (points['num_points'], points['num_videos'], points['num_classes']) == (40, 4, 5)
    zero = evaluate(*tables, type='FrameLevelMetric', empty='zero')
    assert zero['mAP'] == pytest.approx(float(expected.nansum() / 6))
    counts = F.resample_counts(4, 30)[:, np.repeat(np.arange(4), 10)]
    resampled = F.bootstrap_average_precision(scores, targets, counts).nanmean(1)
    assert points['mAP_ci_low'] == pytest.approx(F.percentile_interval(resampled)[0])


def test_single_label():
    scores, _ = make()
    labels = torch.arange(40) % 6
    targets = torch.nn.functional.one_hot(labels, 6)
    found = evaluate(scores, targets, type='SingleLabelMetric', topk=(1, 3), bootstrap=40)
    assert found['top1'] == pytest.approx(float((scores.argmax(1) == labels).float().mean()))
    assert found['top3'] == pytest.approx(float(F.topk_accuracy(scores, labels, 3)))
    assert found['mean1'] == pytest.approx(float(F.topk_accuracy(scores, labels, 1, 'class')))
    counts = torch.tensor(F.resample_counts(40, 40)).double()
    hits = (scores.argmax(1) == labels).double()
    expected = F.percentile_interval(counts @ hits / 40)
    assert (found['top1_ci_low'], found['top1_ci_high']) == pytest.approx(expected)
    with pytest.raises(DataError, match='0.mp4 has 2 labels'):
        evaluate(scores, targets | targets.roll(1, 1), type='SingleLabelMetric')


def test_seen_and_unseen_sides_of_single_labels_and_frames():
    """Each side by itself, as if the labels of the other did not exist."""
    random = np.random.default_rng(3)
    scores = torch.tensor(random.random((30, 6)).astype(np.float32))
    numbers = torch.tensor(random.integers(0, 6, 30))
    targets = torch.nn.functional.one_hot(numbers, 6)
    split = ['seen', 'unseen', 'seen', 'seen', 'unseen', 'unseen']
    meta = dict(classes=[*'abcdef'], class_attributes=dict(split=split))
    found = evaluate(scores, targets, meta, type='SingleLabelMetric', topk=(1, 2))
    for k in (1, 2):
        sides = []
        for side in ('seen', 'unseen'):
            columns = [i for i, value in enumerate(split) if value == side]
            hits = [
                int(number) in sorted(columns, key=lambda c, row=row: -row[c])[:k]
                for row, number in zip(scores, numbers, strict=True)
                if number in columns
            ]
            sides.append(sum(hits) / len(hits))
            assert found[f'top{k}_{side}'] == pytest.approx(sides[-1])
        assert found[f'top{k}_harmonic'] == pytest.approx(2 / (1 / sides[0] + 1 / sides[1]))
    frames = evaluate(scores, targets, meta, type='FrameLevelMetric')
    values = F.average_precision(scores, targets)
    halves = [values[[v == side for v in split]].mean() for side in ('seen', 'unseen')]
    assert frames['mAP_seen'] == pytest.approx(float(halves[0]))
    assert frames['mAP_harmonic'] == pytest.approx(F.harmonic_mean(*map(float, halves)))
    one_side = dict(meta, class_attributes=dict(split=['seen'] * 6))
    found = evaluate(scores, targets, one_side, type='SingleLabelMetric')
    assert not any('seen' in key or 'harmonic' in key for key in found)


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (dict(type='MultilabelMetric', extra=['AUC']), "extra .'AUC'. are not among"),
        (dict(type='MultilabelMetric', bootstrap=-1), 'bootstrap=-1'),
        (dict(type='FrameLevelMetric', empty='nan'), "empty='nan'"),
        (dict(type='FrameLevelMetric', confidence=95), 'confidence=95'),
        (dict(type='SingleLabelMetric', topk=(0,)), r'topk=\[0\]'),
        (dict(type='DumpPredictions', out_file='a.pkl'), 'must end in .safetensors'),
    ],
)
def test_bad_settings_are_named(config, words):
    with pytest.raises(ConfigError, match=words):
        METRICS.build(config)
