"""Seeded splits, balanced over frequency."""

import numpy as np
import pytest

from ovmlv.curation import balanced_split
from ovmlv.curation.splits import describe_split, record_draw, redraw
from ovmlv.errors import ConfigError, DataError

# A long tail, as data sets have it.
COUNTS = {f'class{i}x': int(10000 / (1 + i)) for i in range(120)}


def test_sizes_seeds_and_order():
    one, again, other = (balanced_split(COUNTS, 0.25, seed) for seed in (0, 0, 1))
    assert one == again != other
    assert len(one['unseen']) == 30 and len(one['seen']) == 90
    assert sorted(one['seen'] + one['unseen']) == sorted(COUNTS)
    order = list(COUNTS)
    for labels in one.values():
        assert labels == sorted(labels, key=order.index)


def test_a_seed_gives_this_split_for_ever():
    counts = dict(a1=9, b1=1, c1=5, d1=7, e1=3, f1=2, g1=8, h1=4)
    assert balanced_split(counts, 0.25, seed=0)['unseen'] == ['a1', 'h1']
    shuffled = dict(sorted(counts.items(), reverse=True))
    assert sorted(balanced_split(shuffled, 0.25, seed=0)['unseen']) == ['a1', 'h1']


def test_every_run_of_frequencies_gives_one_unseen_label():
    by_count = sorted(COUNTS, key=COUNTS.get)
    for seed in range(5):
        unseen = set(balanced_split(COUNTS, 0.25, seed)['unseen'])
        assert all(len(unseen & set(by_count[i : i + 4])) == 1 for i in range(0, 120, 4))


def test_balance_is_better_than_that_of_a_plain_draw():
    labels, counts = list(COUNTS), np.array(list(COUNTS.values()))
    generator = np.random.default_rng(0)
    ours, plain = [], []
    for seed in range(30):
        unseen = balanced_split(COUNTS, 0.25, seed)['unseen']
        ours.append(np.log(counts[[labels.index(v) for v in unseen]]).mean())
        plain.append(np.log(generator.choice(counts, 30, replace=False)).mean())
    target = np.log(counts).mean()
    assert np.abs(np.array(ours) - target).mean() < 0.4 * np.abs(np.array(plain) - target).mean()


def test_labels_of_the_same_words_stay_together():
    counts = {f'{word}ing': 5 for word in 'jump walk talk paint cook climb kick open'.split()}
    counts |= {f'a {word}': 3 for word in 'jump walk talk paint cook climb kick open'.split()}
    for seed in range(6):
        unseen = balanced_split(counts, 0.25, seed)['unseen']
        assert len(unseen) == 4 and len({v.removesuffix('ing').split()[-1] for v in unseen}) == 2
    apart = [balanced_split(counts, 0.25, s, keep_together=False)['unseen'] for s in range(6)]
    assert any(len({v.removesuffix('ing').split()[-1] for v in unseen}) > 2 for unseen in apart)


def test_groups_are_balanced_each_by_itself():
    groups = {label: 'entity' if i % 3 else 'action' for i, label in enumerate(COUNTS)}
    unseen = balanced_split(COUNTS, 0.3, 0, groups)['unseen']
    assert sum(groups[v] == 'action' for v in unseen) == 12 and len(unseen) == 36


def test_description_and_mistakes():
    split = dict(seen=['a', 'b'], unseen=['c'])
    assert describe_split(split, dict(a=1, b=4, c=2)) == dict(
        seen=dict(labels=2, positives=5, median=2.5), unseen=dict(labels=1, positives=2, median=2.0)
    )
    with pytest.raises(ConfigError, match=r'unseen=1\.5'):
        balanced_split(COUNTS, 1.5)
    with pytest.raises(DataError, match='leave one side empty'):
        balanced_split(dict(a=1, b=2), 0.1)


@pytest.mark.parametrize('counted', [True, False])
@pytest.mark.parametrize('grouped', [True, False])
def test_a_saved_split_can_be_drawn_again(counted, grouped):
    """From the file alone: seed, share, counts and groups; whatever the order of labels was."""
    random = np.random.default_rng(1)
    names = [*COUNTS, 'a run', 'running', 'runs']
    counts = {name: int(random.integers(0, 9)) if counted else 0 for name in names}
    groups = {name: 'odd' if i % 2 else 'even' for i, name in enumerate(names)} if grouped else {}
    split = balanced_split(counts, 0.25, 7, groups)
    meta = dict(version=1, seed=7, unseen_share=0.25, **record_draw(split, counts, groups))
    assert ('counts' in meta, 'groups' in meta) == (counted, grouped)
    again = redraw(dict(_meta=meta, **split))
    assert {side: set(again[side]) for side in split} == {side: set(split[side]) for side in split}
    with pytest.raises(DataError, match='version 2'):
        redraw(dict(split, _meta=dict(meta, version=2)))
