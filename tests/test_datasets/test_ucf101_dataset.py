"""UCF101: invented lines in the official format, and the real ones where they are at hand."""

import pytest

from ovmlv.errors import DataError
from tests.test_datasets.reading import build, samples, short, write


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / 'ucfTrainTestlist'
    write(folder / 'classInd.txt', '1 BakeBread', '2 Handsprings', '3 YoYo', end='\r\n')
    write(
        folder / 'trainlist01.txt',
        'BakeBread/v_BakeBread_g08_c01.avi 1',
        'Handsprings/v_HandSprings_g01_c02.avi 2',
        end='\r\n',
    )
    write(
        folder / 'testlist01.txt',
        'YoYo/v_YoYo_g01_c01.avi',
        'Handsprings/v_HandSprings_g03_c02.avi',
        end='\r\n',
    )
    write(folder / 'val1.txt', 'v_HandSprings_g01_c01.avi 1', 'v_BakeBread_g02_c01.avi 0')
    return tmp_path


def test_train_test_and_flat_lists(root):
    train = build('UCF101Dataset', root, ann_file='ucfTrainTestlist/trainlist01.txt')
    assert train.metainfo['classes'] == ['bake bread', 'handsprings', 'yo yo']
    assert short(train) == [
        ('BakeBread/v_BakeBread_g08_c01.avi', 'bake bread'),
        ('Handsprings/v_HandSprings_g01_c02.avi', 'handsprings'),
    ]
    assert samples(train)[1]['video_id'] == 'v_HandSprings_g01_c02'
    assert short(build('UCF101Dataset', root)) == [
        ('YoYo/v_YoYo_g01_c01.avi', 'yo yo'),
        ('Handsprings/v_HandSprings_g03_c02.avi', 'handsprings'),
    ]
    flat = build(
        'UCF101Dataset', root, ann_file='ucfTrainTestlist/val1.txt', label_style='official'
    )
    assert short(flat) == [
        ('v_HandSprings_g01_c01.avi', 'Handsprings'),
        ('v_BakeBread_g02_c01.avi', 'BakeBread'),
    ]


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('BakeBread/v_BakeBread_g08_c01.avi 0', r"label 0 is not that of class 'BakeBread' \(1\)"),
        ('v_BakeBread_g08_c01.avi 1', r"label 1 is not that of class 'BakeBread' \(0\)"),
        ('Baking/v_Baking_g08_c01.avi 1', "class 'Baking' is not in classInd.txt"),
        ('clip.avi 1', "'clip.avi' is not "),
    ],
)
def test_ids_that_disagree_with_names(root, line, words):
    write(root / 'list.txt', line)
    with pytest.raises(DataError, match=f'list.txt:1: {words}'):
        build('UCF101Dataset', root, ann_file='list.txt')


@pytest.mark.parametrize('name', ['trainlist01.txt', 'testlist01.txt', 'val1.txt'])
def test_real_lines(shared, name):
    folder = shared / 'ucf101'
    names = (folder / 'label_map_mmaction2.txt').read_text().split()
    dataset = build(
        'UCF101Dataset', folder, ann_file=name, class_file='label_map_mmaction2.txt',
        label_style='official',
    )  # fmt: skip
    raw = (folder / name).read_bytes()
    assert (b'\r\n' in raw) == name.endswith('list01.txt')
    lines = [line.split() for line in raw.decode().split('\n') if line.strip()]
    found = samples(dataset)
    assert len(found) == len(lines)
    for (path, *ids), sample in zip(lines, found, strict=True):
        # By number where there is one, for the reader goes by name.
        number = int(ids[0]) - (name == 'trainlist01.txt') if ids else None
        expected = path.split('/')[0] if number is None else names[number]
        assert sample['path'] == path and sample['labels'] == [expected]
    if name != 'val1.txt':  # an excerpt
        assert {s['labels'][0] for s in found} == set(names)
        odd = [s for s in found if 'HandStandPushups' in s['path']]
        assert odd and {s['labels'][0] for s in odd} == {'HandstandPushups'}


def test_real_class_files_say_the_same(shared):
    kinds = [
        build('UCF101Dataset', shared / 'ucf101', ann_file='testlist01.txt', class_file=name)
        for name in ('label_map_mmaction2.txt', 'ucf_101_labels.csv')
    ]
    assert kinds[0].metainfo['classes'] == kinds[1].metainfo['classes']
    assert 'apply eye makeup' in kinds[0].metainfo['classes']
