"""All readers at once: the same mistakes in each, one typed line for each of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError, OvmlvError
from tests.test_datasets.reading import build, samples, write
from tests.test_datasets.test_formats.workbooks import write_book

CHARADES = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length'
EPIC = (
    'narration_id,participant_id,video_id,start_timestamp,stop_timestamp,narration,verb_class,'
    'noun_class,all_noun_classes'
)

# Each file with places to fill, and what is right in them.
FILES: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    'charades': ('CharadesDataset', {}, {
        'Charades_v1_train.csv': f'{CHARADES}\n'
        'x,s,k,1,2,Yes,t,o,d,c000 {start} {end},{duration}\n',
        'Charades_v1_classes.txt': 'c000 Running\n',
    }),
    'activity_net': ('ActivityNetDataset', dict(ann_file='a.json'), {
        'a.json': '{{"database": {{"a": {{"subset": "training", "duration": {duration}, '
        '"annotations": [{{"segment": [{start}, {end}], "label": "Run"}}]}}}}}}',
    }),
    'multi_thumos': ('MultiTHUMOSDataset', dict(ann_file='a.json'), {
        'a.json': '{{"video_validation_1": {{"subset": "training", "duration": {duration}, '
        '"actions": [[{id}, {start}, {end}]]}}}}',
        'class_list.txt': '1 Run\n2 Walk\n',
    }),
    'multi_thumos folder': ('MultiTHUMOSDataset', {}, {
        'annotations/Run.txt': 'video_validation_1 {start} {end}\n',
        'class_list.txt': '1 Run\n',
    }),
    'thumos14': ('THUMOS14Dataset', dict(duration_file='d.json'), {
        'annotations_val/Run_val.txt': 'a  {start} {end}\n',
        'd.json': '{{"a": {{"duration": {duration}}}}}',
    }),
    'rare_act': ('RareActDataset', {}, {
        'rareact.csv': 'id,video_id,start,end,class_id,verb,noun,annotation\n'
        '1,a,{start},{end},{id},fry,hat,1\n',
    }),
    'epic_kitchens': ('EPICKitchensDataset', dict(info_file='info.csv'), {
        'EPIC_100_validation.csv': f'{EPIC}\n'
        'n,P01,P01_1,00:00:{start},00:00:{end},x,{id},0,"[0]"\n',
        'EPIC_100_verb_classes.csv': 'id,key,category\n1,take,x\n',
        'EPIC_100_noun_classes.csv': 'id,key,category\n0,hat,x\n',
        'info.csv': 'video_id,duration\nP01_1,{duration}\n',
    }),
    'kinetics': ('KineticsDataset', dict(ann_file='a.csv'), {
        'a.csv': 'label,youtube_id,time_start,time_end,split\nrunning,abc,{start},{end},val\n',
    }),
    'hvu': ('HVUDataset', dict(ann_file='a.csv', class_file='t.csv', trimmed=False), {
        'a.csv': 'Tags,youtube_id,time_start,time_end\nsky,a,{start},{end}\n',
        't.csv': 'Tag,Category\nsky,object\n',
    }),
    'hvu json': ('HVUDataset', dict(ann_file='a.json', class_file='t.json'), {
        'a.json': '[{{"filename": "a.mp4", "label": {{"object": [{id}]}}}}]',
        't.json': '{{"object": ["sky", "tree"]}}',
    }),
    'moments': ('MomentsDataset', dict(ann_file='a.csv', class_file='c.txt'), {
        'a.csv': 'x/a.mp4,0,{id}\n',
        'c.txt': 'clapping\npraying\n',
    }),
    'ava': ('AVADataset', dict(ann_file='a.csv', class_file='c.txt'), {
        'a.csv': 'a,0902,0,0,1,1,{id},0\n',
        'c.txt': '1: run\n',
    }),
    'ava json': ('AVADataset', dict(ann_file='a.csv', class_file='c.json'), {
        'a.csv': 'a,0902,0,0,1,1,1,0\n',
        'c.json': '{{"run": {id}}}',
    }),
    'animal_kingdom': ('AnimalKingdomDataset', dict(ann_file='a.csv', class_file='c.txt'), {
        'a.csv': 'video_id,type,labels\nA,train,{id}\n',
        'c.txt': 'eating\nrunning\n',
    }),
    'list': ('KineticsDataset', dict(ann_file='a.txt', class_file='c.txt'), {
        'a.txt': 'v.mp4 {id}\n',
        'c.txt': 'eating\nrunning\n',
    }),
    'generic list': ('MultilabelVideoDataset', dict(ann_file='a.txt', classes=['a', 'b']), {
        'a.txt': 'v.mp4 0 {id}\n',
    }),
    'generic csv': ('MultilabelVideoDataset', dict(ann_file='a.csv'), {
        'a.csv': 'video,labels,start,end\na.mp4,x,{start},{end}\n',
    }),
    'generic json': ('MultilabelVideoDataset', dict(ann_file='a.json'), {
        'a.json': '[{{"video": "a.mp4", "labels": ["x"], "segment": [{start}, {end}]}}]',
    }),
}  # fmt: skip
RIGHT = dict(start='1', end='3', duration='10', id='1')
JSON_KINDS = {k for k, (_, _, files) in FILES.items() if any(f.endswith('.json') for f in files)}


def made(root: Path, name: str, **changes: str) -> Any:
    kind, arguments, files = FILES[name]
    for file, text in files.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**{**RIGHT, **changes}), encoding='utf-8')
    return build(kind, root, **arguments)


def fields(name: str) -> list[str]:
    text = ''.join(FILES[name][2].values())
    return [field for field in RIGHT if f'{{{field}}}' in text]


PLACES = [(name, field) for name in FILES for field in fields(name)]
WRONG = {
    'start': ['NaN', '-1', 'inf', 'abc', '1e999', '9' * 5000, '1_0', ''],
    'end': ['NaN', '-Infinity', 'x', '1e400', '9' * 400],
    'duration': ['NaN', '-1', 'Infinity', 'abc', '9' * 400],
    'id': ['0.7', '-1', 'nan', '1e2', '9' * 5000, '--1', 'x', '9'],
}


FINE = [('ava', '9'), ('ava json', '9'), ('ava json', '1e2'), ('rare_act', '9')]


@pytest.mark.parametrize('name', FILES)
def test_what_is_right(tmp_path, name):
    assert len(samples(made(tmp_path, name))) == 1


@pytest.mark.parametrize(
    ('name', 'field', 'value'),
    [(name, field, value) for name, field in PLACES for value in WRONG[field]],
    ids=lambda v: v[:12],
)
def test_numbers_that_are_none(tmp_path, name, field, value):
    """FAULTS D4, D5: NaN became 0, -1 the start of the video, 24.7 the class 24."""
    if (name, value) in FINE:
        pytest.skip('ids with gaps; a number that is whole in JSON')
    with pytest.raises(OvmlvError) as error:
        made(tmp_path, name, **{field: value})
    message = str(error.value)
    assert str(tmp_path) in message and '\n' not in message and len(message) < 500


@pytest.mark.parametrize('name', sorted(JSON_KINDS))
@pytest.mark.parametrize(
    'text',
    [
        '[]',
        '{}',
        '3',
        'null',
        '"x"',
        '[3]',
        '{"a": "x"}',
        '[[]]',
        '{"a": []}',
        '[' * 100_000,
        '{"a":',
    ],
    ids=lambda v: v[:9],
)
def test_json_of_a_wrong_form(tmp_path, name, text):
    """FAULTS D4: AttributeError, TypeError and RecursionError."""
    kind, arguments, files = FILES[name]
    made(tmp_path, name)
    for file in files:
        if file.endswith('.json') and not (file == 'd.json' and text == '{}'):
            original = (tmp_path / file).read_text()
            (tmp_path / file).write_text(text)
            with pytest.raises(OvmlvError) as error:
                build(kind, tmp_path, **arguments)
            assert file in str(error.value) and '\n' not in str(error.value)
            (tmp_path / file).write_text(original)


@pytest.mark.parametrize('name', FILES)
def test_other_encodings(tmp_path, name):
    """FAULTS D4, D17: non-UTF-8 Charades; labels in Latin-1."""
    kind, arguments, files = FILES[name]
    made(tmp_path, name)
    for file in files:
        path = tmp_path / file
        original = path.read_bytes()
        path.write_bytes(original + '\né'.encode('latin-1'))
        with pytest.raises(DataError, match=f'{path.name}: no UTF-8 text'):
            build(kind, tmp_path, **arguments)
        path.write_bytes(original)


@pytest.mark.parametrize(
    'name', ['charades', 'kinetics', 'rare_act', 'epic_kitchens', 'hvu', 'generic csv']
)
def test_a_column_twice(tmp_path, name):
    """FAULTS D11."""
    kind, arguments, files = FILES[name]
    made(tmp_path, name)
    path = tmp_path / next(file for file in files if file.endswith('.csv'))
    head, *rows = path.read_text().splitlines()
    first = head.split(',')[0]
    write(path, f'{head},{first}', *(f'{row},z' for row in rows))
    with pytest.raises(DataError, match=f"csv:1: the column '{first}' stands twice"):
        build(kind, tmp_path, **arguments)


def test_a_key_twice(tmp_path):
    """FAULTS D11."""
    write(tmp_path / 'a.jsonl', '{"video": "a.mp4", "labels": ["x"], "labels": ["y"]}')
    with pytest.raises(DataError, match="a.jsonl:1: the key 'labels' stands twice"):
        build('MultilabelVideoDataset', tmp_path, ann_file='a.jsonl')


@pytest.mark.parametrize('line', [
    'v.mp4,0', 'v.mp4 --1', 'v.mp4 0.5', 'v.mp4 nan', 'v.mp4;0', 'v.mp4 0,1', 'v.mp4 x', 'v.mp4,',
    'a b.avi|3', 'frames/v 0.5', 'frames/v --1', 'frames/v 1,2', 'v.MKV -1-',
])  # fmt: skip
def test_what_follows_the_path_of_a_list(tmp_path, line):
    """FAULTS D11: `a.mp4,0` was the name of a video without labels; D4: `v.mp4 --1`."""
    write(tmp_path / 'a.txt', 'x.mp4 0', line)
    for kind, more in (
        ('MultilabelVideoDataset', dict(classes=['a', 'b'])),
        ('KineticsDataset', {}),
    ):
        write(tmp_path / 'c.txt', 'a', 'b')
        arguments = more or dict(class_file='c.txt')
        with pytest.raises(DataError, match='a.txt:2: '):
            build(kind, tmp_path, ann_file='a.txt', **arguments)


@pytest.mark.parametrize(
    'line', ['my video 2.mp4', 'a (1).mp4', 'v, w.mp4 1', 'x.mp4.mkv 0', 'v_1']
)
def test_paths_that_are_fine(tmp_path, line):
    write(tmp_path / 'a.txt', line)
    dataset = build('MultilabelVideoDataset', tmp_path, ann_file='a.txt', classes=['a', 'b'])
    assert len(dataset) == 1


@pytest.mark.parametrize('video', ['3', 'null', '["a"]', '" "', '"a\\u0000b"'])
def test_video_paths_that_are_none(tmp_path, video):
    """FAULTS D11: integer video paths."""
    write(tmp_path / 'a.jsonl', f'{{"video": {video}, "labels": ["x"]}}')
    with pytest.raises(DataError, match='a.jsonl:1: the video path '):
        build('MultilabelVideoDataset', tmp_path, ann_file='a.jsonl')


# --- subsets --------------------------------------------------------------------------------------


def animals(root: Path, value: str) -> None:
    write(root / 'a.csv', 'video_id,type,labels', 'A,train,0', f'B,{value},0')
    write(root / 'c.txt', 'eating')


def animals_book(root: Path, value: str) -> None:
    sheets = {
        'AR': [['video_id', 'type', 'labels'], ['A', 'train', 0], ['B', value, 0]],
        'Action': [['Label', 'Action', 'Category'], [0, 'Eating', 'x']],
    }
    write_book(root / 'a.xlsx', sheets, shared_texts=True)


def activities(root: Path, value: str) -> None:
    entry = dict(duration=3, annotations=[dict(segment=[0, 1], label='Run')])
    videos = {'a': dict(entry, subset='training'), 'b': dict(entry, subset=value)}
    write(root / 'a.json', json.dumps(dict(database=videos)))


def listed_activities(root: Path, value: str) -> None:
    entry = dict(duration_second=3, annotations=[dict(segment=[0, 1], label='Run')])
    write(root / 'a.json', json.dumps({'v_a': entry, 'v_b': entry}))
    write(root / 'i.csv', 'video,subset', 'v_a,training', f'v_b,{value}')


def thumos(root: Path, value: str) -> None:
    entry = dict(duration=3, actions=[[1, 0, 1]])
    videos = {'a': dict(entry, subset='training'), 'b': dict(entry, subset=value)}
    write(root / 'a.json', json.dumps(videos))
    write(root / 'c.txt', '1 Run')


def thumos_folder(root: Path, value: str) -> None:
    write(root / 'annotations' / 'Run.txt', 'video_validation_1 0 1', f'video_{value}_2 0 1')
    write(root / 'c.txt', '1 Run')


SUBSETS = {
    'animal_kingdom csv': (
        animals, 'AnimalKingdomDataset', dict(ann_file='a.csv', class_file='c.txt')
    ),
    'animal_kingdom xlsx': (animals_book, 'AnimalKingdomDataset', dict(ann_file='a.xlsx')),
    'activity_net': (activities, 'ActivityNetDataset', dict(ann_file='a.json')),
    'activity_net info_file': (
        listed_activities, 'ActivityNetDataset', dict(ann_file='a.json', info_file='i.csv')
    ),
    'multi_thumos': (thumos, 'MultiTHUMOSDataset', dict(ann_file='a.json', class_file='c.txt')),
    'multi_thumos folder': (thumos_folder, 'MultiTHUMOSDataset', dict(class_file='c.txt')),
}  # fmt: skip


@pytest.mark.parametrize('name', SUBSETS)
@pytest.mark.parametrize('value', ['Train', 'Training', 'val', 'training.', '', 'x'])
def test_rows_of_an_unknown_subset(tmp_path, name, value):
    """FAULTS D2: they vanished."""
    prepare, kind, arguments = SUBSETS[name]
    prepare(tmp_path, value)
    with pytest.raises(DataError, match='subset .* is none of .*correct it, or') as error:
        build(kind, tmp_path, **arguments)
    assert value in str(error.value) and '\n' not in str(error.value)
    assert len(build(kind, tmp_path, subset='all', **arguments)) == 2


def test_videos_that_the_info_file_does_not_name(tmp_path):
    """FAULTS D2: 40 of 80 videos were gone without a word."""
    entry = dict(duration_second=3, annotations=[dict(segment=[0, 1], label='Run')])
    write(tmp_path / 'a.json', json.dumps({f'v_{i}': entry for i in range(4)}))
    write(tmp_path / 'i.csv', 'video,subset', 'v_0,training', 'v_1,validation')
    seen: list[str] = []
    logger = MMLogger.get_current_instance()
    logger.addFilter(lambda record: seen.append(record.getMessage()) or True)
    try:
        dataset = build('ActivityNetDataset', tmp_path, ann_file='a.json', info_file='i.csv')
    finally:
        logger.filters.clear()
    assert len(dataset) == 1
    assert any('2 of 4 videos are not in i.csv (first: v_2)' in text for text in seen)


@pytest.mark.parametrize(
    'kind', ['AnimalKingdomDataset', 'ActivityNetDataset', 'MultiTHUMOSDataset']
)
def test_subsets_that_no_file_has(tmp_path, kind):
    with pytest.raises(ConfigError, match="subset='Train' is not one of .*, all"):
        build(kind, tmp_path, subset='Train')


# --- names of files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'folder', 'stem'),
    [
        ('charades', 'Charades_v1_480', 'x'),
        ('activity_net', 'videos', 'v_a'),
        ('multi_thumos', 'videos', 'video_validation_1'),
        ('multi_thumos folder', 'videos', 'video_validation_1'),
        ('thumos14', 'videos/val', 'a'),
        ('rare_act', '', 'a'),
        ('epic_kitchens', '', 'P01/videos/P01_1'),
        ('kinetics', '', 'abc_000001_000003'),
        ('hvu', 'videos_train', 'a_000010_000030'),
        ('ava', 'videos', 'a'),
        ('animal_kingdom', '', 'A'),
    ],
)
@pytest.mark.parametrize('suffix', ['.webm', '.MKV'])
def test_clips_of_any_suffix(tmp_path, name, folder, stem, suffix):
    """FAULTS D9: some readers insisted on .mp4."""
    (tmp_path / folder / stem).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / f'{stem}{suffix}').touch()
    kwargs = {} if folder else dict(data_prefix=dict(video='.'))
    kind, arguments, _ = FILES[name]
    made(tmp_path, name)
    dataset = build(kind, tmp_path, **arguments, **kwargs)
    assert Path(samples(dataset)[0]['filename']).name == f'{Path(stem).name}{suffix}'
