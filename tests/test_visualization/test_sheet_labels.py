import numpy as np

from ovmlv.visualization.sheet_labels import best_labels, title_with_truth, true_labels


def test_best_labels_of_each_split():
    metainfo = dict(
        classes=['a', 'b', 'c', 'd'],
        class_attributes=dict(split=['novel', 'seen', 'seen', 'seen']),
    )
    scores, truth = np.array([0.9, 0.2, 0.8, 0.5]), np.array([1, 0, -1, 1])
    found = best_labels(scores, truth, metainfo, 2)
    assert [(v.label, v.truth, v.group) for v in found] == [
        ('c', None, 'seen'), ('d', True, 'seen'), ('a', True, 'novel'),
    ]  # fmt: skip
    assert [v.label for v in best_labels(scores, truth, metainfo, 2, 0.8)] == ['c', 'a']
    assert [v.group for v in best_labels(scores, truth, dict(classes=list('abcd')), 9)] == (
        [''] * 4
    )


def test_truth_is_named():
    metainfo = dict(classes=['a', 'b', 'c'], class_attributes=dict(split=['seen', 'novel', 'seen']))
    truth = np.array([1, 1, -1])
    assert [(v.label, v.probability, v.truth, v.group) for v in true_labels(truth, metainfo)] == [
        ('a', None, None, 'seen'), ('b', None, None, 'novel'),
    ]  # fmt: skip
    assert title_with_truth('v.mp4', truth, metainfo) == 'v.mp4 · 2 true labels: a, b'
    assert title_with_truth('v.mp4', truth[1:], dict(classes=['b', 'c'])) == (
        'v.mp4 · 1 true label: b'
    )
    assert title_with_truth('v.mp4', -truth, metainfo).startswith('v.mp4 · 1')
    assert title_with_truth('v.mp4', 0 * truth, metainfo) == 'v.mp4'
