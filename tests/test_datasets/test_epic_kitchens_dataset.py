"""EPIC-KITCHENS-100: invented rows in the official format, and the real ones."""

import ast
import csv

import pytest

from ovmlv.errors import ConfigError, DataError
from tests.test_datasets.reading import build, samples, write

HEADER = (
    'narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,'
    'start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes'
)
ROWS = [
    'P01_11_0,P01,P01_11,00:00:00.560,00:00:00.00,00:00:02.00,1,113,take tap,take,0,tap,0,'
    "['tap'],[0]",
    # Several nouns, one of them twice; an empty narration_timestamp.
    'P01_11_1,P01,P01_11,,00:00:01.50,00:01:02.50,93,147,turn on hot tap,turn-on,1,tap,0,'
    "\"['tap', 'water', 'tap:hot']\",\"[0, 2, 0]\"",
    'P02_3_9,P02,P02_3,00:00:09.000,01:00:10.25,01:00:12.25,1,2,pour on board,pour-onto,2,'
    "board:chopping,1,['board:chopping'],[1]",
]


@pytest.fixture
def root(tmp_path):
    # CRLF without a final newline, and LF with everything quoted: both are about.
    write(
        tmp_path / 'EPIC_100_verb_classes.csv',
        'id,key,instances,category',
        '0,take,"[\'fetch\', \'take\']",retrieve',
        "1,turn-on,['turn-on'],access",
        "2,water,['water'],manipulate",
        end='\r\n', last=False,
    )  # fmt: skip
    write(
        tmp_path / 'EPIC_100_noun_classes.csv',
        '"id","key","instances","category"',
        '"0","tap","[\'tap\', \'tap:hot\']","appliances"',
        '"1","board:chopping","[\'board:chopping\']","utensils"',
        '"2","water","[\'water\']","drinks"',
    )
    write(tmp_path / 'EPIC_100_validation.csv', HEADER, *ROWS)
    return tmp_path


def test_segments_with_verbs_and_nouns(root):
    dataset = build('EPICKitchensDataset', root)
    assert dataset.metainfo['classes'] == [
        'take', 'turn on', 'water', 'tap', 'chopping board', 'water (drinks)',
    ]  # fmt: skip
    assert dataset.metainfo['class_attributes'] == dict(kind=['verb'] * 3 + ['noun'] * 3)
    found = samples(dataset)
    assert [(s['path'], s['segment']) for s in found] == [
        ('P01/videos/P01_11.MP4', (0.0, 2.0)),
        ('P01/videos/P01_11.MP4', (1.5, 62.5)),
        ('P02/videos/P02_3.MP4', (3610.25, 3612.25)),
    ]
    # The second segment covers a quarter of the first: its own labels are unknown there.
    assert found[0]['label'].tolist() == [1, -1, 0, 1, 0, -1]
    assert found[1]['labels'] == ['turn on', 'tap', 'water (drinks)']
    assert found[2]['labels'] == ['water', 'chopping board']
    assert found[2]['narration_id'] == 'P02_3_9' and found[2]['narration'] == 'pour on board'
    assert found[0]['video_id'] == 'P01_11'


def test_actions_and_subsets_of_kinds(root):
    dataset = build('EPICKitchensDataset', root, axes=['action'])
    assert dataset.metainfo['classes'] == ['take tap', 'turn on tap', 'water chopping board']
    assert samples(dataset)[1]['labels'] == ['turn on tap']
    extra = ROWS[0].replace(',0,tap,0,', ',2,tap,0,')
    write(root / 'train.csv', HEADER, extra)
    both = build('EPICKitchensDataset', root, axes=['action', 'verb'], action_files=['train.csv'])
    assert both.metainfo['classes'][2:4] == ['water tap', 'water chopping board']
    seen = build('EPICKitchensDataset', root, axes=['noun', 'verb'], label_set=dict(kind='verb'))
    # Which word gets the hint is decided by the order of the kinds.
    assert seen.metainfo['classes'] == ['take', 'turn on', 'water (manipulate)']


def test_whole_videos_windows_and_durations(root):
    write(
        root / 'info.csv', 'video_id,duration,fps,resolution', 'P01_11,60.0,59.94,1920x1080',
        'P02_3,3612.0,50,1920x1080',
    )  # fmt: skip
    whole = build('EPICKitchensDataset', root, units='video', info_file='info.csv')
    assert [s['labels'] for s in samples(whole)] == [
        ['take', 'turn on', 'tap', 'water (drinks)'],
        ['water', 'chopping board'],
    ]
    cut = build('EPICKitchensDataset', root, info_file='info.csv')
    assert samples(cut)[1]['segment'] == (1.5, 60.0) and cut.statistics['past_end'] == 2
    windows = build('EPICKitchensDataset', root, units='window', window=30, info_file='info.csv')
    assert [s['labels'] for s in samples(windows)[:2]] == [['turn on', 'tap', 'water (drinks)']] * 2


def test_test_set_without_labels(root):
    header = ','.join(HEADER.split(',')[:8])
    write(root / 'test.csv', header, ','.join(ROWS[0].split(',')[:8]))
    dataset = build('EPICKitchensDataset', root, ann_file='test.csv')
    assert samples(dataset)[0]['label'].tolist() == [-1] * 6


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('00:00:01.50', '1.5', "csv:3: time '1.5' is not hh:mm:ss.ff"),
        (',2,board', ',3,board', 'csv:4: verb class 3 is not in EPIC_100_verb_classes.csv'),
        ('"[0, 2, 0]"', '"[0, 5, 0]"', 'csv:3: noun class 5 is not in EPIC_100_noun'),
        ('"[0, 2, 0]"', '"[0, 2"', 'csv:3: verb_class, noun_class and all_noun_classes are'),
        (',2,board', ',,board', "csv:4: verb_class '' is no whole number"),
    ],
)
def test_damaged_rows(root, old, new, words):
    path = root / 'EPIC_100_validation.csv'
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))
    with pytest.raises(DataError, match=words.replace('.', r'\.')):
        build('EPICKitchensDataset', root)


def test_what_cannot_be(root):
    with pytest.raises(ConfigError, match="axes=.'subject'. must be a list of some of verb"):
        build('EPICKitchensDataset', root, axes=['subject'])
    with pytest.raises(DataError, match='verb class file .*v.csv, action 1 file .*a.csv not found'):
        build('EPICKitchensDataset', root, verb_file='v.csv', action_files=['a.csv'])


@pytest.mark.parametrize('name', ['EPIC_100_validation.csv', 'EPIC_100_validation_oddrows.csv'])
def test_real_rows_agree_with_csv(shared, name):
    folder = shared / 'epic_kitchens'
    tables = {
        kind: {
            int(row['id']): row
            for row in csv.DictReader((folder / f'EPIC_100_{kind}_classes.csv').open(newline=''))
        }
        for kind in ('verb', 'noun')
    }
    rows = list(csv.DictReader((folder / name).open(newline='')))
    dataset = build(
        'EPICKitchensDataset', folder, ann_file=name, info_file='EPIC_100_video_info.csv',
        axes=['verb', 'noun', 'action'],
    )  # fmt: skip
    classes, kinds = dataset.metainfo['classes'], dataset.metainfo['class_attributes']['kind']
    assert kinds.count('verb') == 97 and kinds.count('noun') == 300
    pairs = sorted({(int(r['verb_class']), int(r['noun_class'])) for r in rows})
    assert kinds.count('action') == len(pairs)
    # Six words are verb and noun.
    assert sorted(c for c in classes if '(' in c) == [
        'brush (cleaning equipment and material)', 'drink (drinks)', 'filter (utensils)',
        'roll (baked goods and grains)', 'water (drinks)', 'wrap (materials)',
    ]  # fmt: skip
    assert classes[97 + 1] == tables['noun'][1]['key'] == 'spoon'
    found = {s['narration_id']: s for s in samples(dataset)}
    assert len(found) == len(rows)
    for row in rows:
        sample = found[row['narration_id']]
        nouns = {int(row['noun_class']), *ast.literal_eval(row['all_noun_classes'])}
        columns = {int(row['verb_class'])} | {97 + n for n in nouns}
        columns.add(397 + pairs.index((int(row['verb_class']), int(row['noun_class']))))
        assert all(sample['label'][list(columns)] == 1)
        h, m, s = row['start_timestamp'].split(':')
        assert sample['segment'][0] == pytest.approx(int(h) * 3600 + int(m) * 60 + float(s))
        assert sample['path'] == f'{row["participant_id"]}/videos/{row["video_id"]}.MP4'
    # What else is positive is of a segment that overlaps.
    alone = [s for s in found.values() if sum(s['label'] == 1) == 3]
    assert len(alone) > len(rows) // 4
