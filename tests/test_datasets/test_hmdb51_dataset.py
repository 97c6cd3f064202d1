"""HMDB51: invented lines in the official format, and the real ones where they are at hand."""

import csv

import pytest

from ovmlv.errors import ConfigError, DataError
from tests.test_datasets.reading import build, samples, short, write

ODD = '#1_[Ha]_(b)_c!_d+e_&_f;g_jump_u_nm_np1_ba_goo_0.avi'


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / 'testTrainMulti_7030_splits'
    # Lines end in a blank, as they do in the official files.
    write(folder / 'comb_wool_test_split1.txt', 'a_comb_0.avi 1 ', f'{ODD} 2 ', 'c_comb_1.avi 0 ')
    write(folder / 'jump_test_split1.txt', 'a_jump_0.avi 2 ', 'b_comb_wool_1.avi 1 ')
    write(folder / 'comb_wool_test_split2.txt', 'a_comb_0.avi 2 ')
    write(folder / 'jump_test_split2.txt', 'a_jump_0.avi 1 ')
    return tmp_path


def test_official_folder(root):
    test = build('HMDB51Dataset', root)
    assert test.metainfo['classes'] == ['comb wool', 'jump']
    assert short(test) == [
        (f'comb_wool/{ODD}', 'comb wool'),
        ('jump/a_jump_0.avi', 'jump'),
    ]
    assert samples(test)[0]['video_id'] == ODD[:-4]
    assert short(build('HMDB51Dataset', root, subset='train')) == [
        ('comb_wool/a_comb_0.avi', 'comb wool'),
        ('jump/b_comb_wool_1.avi', 'jump'),
    ]
    assert short(build('HMDB51Dataset', root, split=2)) == [('comb_wool/a_comb_0.avi', 'comb wool')]


def test_lists(root):
    write(root / 'labels.csv', 'id,name', '0,comb wool', '1,jump', end='\r\n')
    write(root / 'val1.txt', f'{ODD} 1', 'x_comb_2.avi 0')
    dataset = build('HMDB51Dataset', root, ann_file='val1.txt', class_file='labels.csv')
    assert short(dataset) == [(ODD, 'jump'), ('x_comb_2.avi', 'comb wool')]
    write(root / 'frames.txt', 'jump/a_jump_0 408 1')
    dataset = build('HMDB51Dataset', root, ann_file='frames.txt', class_file='labels.csv')
    assert short(dataset) == [('jump/a_jump_0.avi', 'jump')]


def test_what_cannot_be(root):
    for kwargs in (dict(subset='val'), dict(split=4)):
        with pytest.raises(ConfigError, match=next(iter(kwargs))):
            build('HMDB51Dataset', root, **kwargs)
    with pytest.raises(DataError, match=r'no file named \*_test_split3.txt'):
        build('HMDB51Dataset', root, split=3)
    with pytest.raises(DataError, match='annotation folder .*nowhere not found.*hmdb51_org.rar'):
        build('HMDB51Dataset', root, ann_file='nowhere')
    write(root / 'testTrainMulti_7030_splits' / 'jump_test_split1.txt', 'a_jump_0.avi 3 ')
    with pytest.raises(DataError, match='jump_test_split1.txt:1: expected "clip.avi 0", 1 or 2'):
        build('HMDB51Dataset', root)


def test_class_file_of_another_order(root):
    """Two class files are about, which sort "kick" and "kick_ball" differently."""
    write(root / 'ours.txt', 'kick', 'kick_ball')
    write(root / 'theirs.csv', 'id,name', '0,kick ball', '1,kick', end='\r\n')
    line = 'The_Film_2_kick_f_cm_np1_le_med_6.avi 0'
    write(root / 'val1.txt', line, 'x_kick_ball_f_cm_np1_ri_med_5.avi 1')
    ours = build('HMDB51Dataset', root, ann_file='val1.txt', class_file='ours.txt')
    assert [s['labels'] for s in samples(ours)] == [['kick'], ['kick ball']]
    with pytest.raises(DataError, match="val1.txt:1: label 0 is 'kick_ball' in theirs.csv"):
        build('HMDB51Dataset', root, ann_file='val1.txt', class_file='theirs.csv')


@pytest.mark.parametrize('name', ['val1.txt', 'train_rgb_split_1.txt'])
def test_real_lines(shared, name):
    folder = shared / 'hmdb51'
    names = (folder / 'label_map_mmaction2.txt').read_text().split()
    dataset = build(
        'HMDB51Dataset', folder, ann_file=name, class_file='label_map_mmaction2.txt',
        label_style='official',
    )  # fmt: skip
    assert dataset.metainfo['classes'] == names and len(names) == 51
    lines = [line.split() for line in (folder / name).read_text().splitlines()]
    for line, sample in zip(lines, samples(dataset), strict=True):
        assert sample['path'] == (line[0] if len(line) == 2 else f'{line[0]}.avi')
        assert sample['labels'] == [names[int(line[-1])]]
    if name == 'val1.txt':
        assert len(lines) == 1530
        assert set('!()#[]+&') <= {c for line in lines for c in line[0]}


def test_real_class_files_differ_in_their_order(shared):
    folder = shared / 'hmdb51'
    names = [row['name'] for row in csv.DictReader((folder / 'hmdb_51_labels.csv').open())]
    assert names[20:22] == ['kick ball', 'kick']  # the other one has them the other way round
    with pytest.raises(DataError, match="'kick_ball' in hmdb_51_labels.csv"):
        build('HMDB51Dataset', folder, ann_file='val1.txt', class_file='hmdb_51_labels.csv')
