"""Moments in Time and Multi-Moments: invented rows in the official formats."""

import pytest

from ovmlv.errors import DataError
from tests.test_datasets.reading import build, samples, short, write


@pytest.fixture
def root(tmp_path):
    write(tmp_path / 'moments_categories.txt', 'adult+male+humming,0', 'knotting,1')
    write(
        tmp_path / 'validationSet.csv',
        'adult+male+humming/flickr-1-2+3.mp4,adult+male+humming,3,0',
        'knotting/yt-_a,b.mp4,knotting,2,1'.replace('yt-_a,b.mp4', '"yt-_a,b.mp4"')
        .replace('knotting/"', '"knotting/'),
    )  # fmt: skip
    write(tmp_path / 'multi.txt', 'petting/stroking', 'adult+male+humming', 'knotting')
    write(tmp_path / 'multi.csv', '0-9-6/-a.mp4,2', 'u/b.mp4,0,2,1', 'u/c.mp4,1,0', end='\r\n')
    return tmp_path


def test_single_label(root):
    dataset = build('MomentsDataset', root)
    assert dataset.metainfo['classes'] == ['adult male humming', 'knotting']
    assert short(dataset) == [
        ('adult+male+humming/flickr-1-2+3.mp4', 'adult male humming'),
        ('knotting/yt-_a,b.mp4', 'knotting'),
    ]


def test_multi_label_rows_of_different_length(root):
    dataset = build('MomentsDataset', root, ann_file='multi.csv', class_file='multi.txt')
    assert dataset.metainfo['classes'][0] == 'petting or stroking'
    assert [s['label'].tolist() for s in samples(dataset)] == [[0, 0, 1], [1, 1, 1], [1, 1, 0]]
    assert samples(dataset)[0]['path'] == '0-9-6/-a.mp4'
    only = build(
        'MomentsDataset', root, ann_file='multi.csv', class_file='multi.txt', missing='unknown',
        label_style='official',
    )  # fmt: skip
    assert only.metainfo['classes'][0] == 'petting/stroking'
    assert samples(only)[0]['label'].tolist() == [-1, -1, 1]


@pytest.mark.parametrize(
    ('row', 'words'),
    [
        ('a.mp4,3', 'label index 3 is outside 0..2'),
        ('a.mp4,1,knotting', "class id 'knotting' is no whole number"),
        ('a.mp4', "no label behind 'a.mp4'"),
        ('a.mp4,sitting,3,0', "class 'sitting' is not in multi.txt"),
        ('"a.mp4,1', 'no valid CSV'),
    ],
)
def test_damaged_rows(root, row, words):
    write(root / 'bad.csv', row)
    with pytest.raises(DataError, match=f'bad.csv:1: .*{words}'):
        build('MomentsDataset', root, ann_file='bad.csv', class_file='multi.txt')


@pytest.mark.parametrize(
    ('name', 'count'), [('category_momentsv2.txt', 305), ('category_multi_momentsv2.txt', 292)]
)
def test_real_classes(shared, tmp_path, name, count):
    names = (shared / 'moments' / name).read_text().split('\n')[:-1]
    assert len(names) == count
    # No row of the annotations was at hand: rows of their form that name every class once.
    write(tmp_path / 'rows.csv', *(f'x/{i}.mp4,{i},{(i + 1) % count}' for i in range(count)))
    dataset = build(
        'MomentsDataset', tmp_path, ann_file='rows.csv', class_file=str(shared / 'moments' / name)
    )
    said = [n.replace('+', ' ').replace('/', ' or ') for n in names]
    assert dataset.metainfo['classes'] == said
    for i, sample in enumerate(samples(dataset)):
        assert set(sample['labels']) == {said[i], said[(i + 1) % count]}
