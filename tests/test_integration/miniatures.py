"""Data sets in miniature: the official layout and format with invented rows and real mp4 files.

A builder writes a data set under a folder, laid out as its config expects it, and returns what the
run must find. ``@miniature('ovmlv_name')`` enters it; test_dataset_configs.py trains every config
that is entered.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovmlv.datasets.motionshapes.generate import FPS, write_video
from ovmlv.datasets.motionshapes.scene import render_clip, sample_scene
from tests.test_datasets.test_formats.tf_records import example, frame
from tests.test_datasets.test_formats.workbooks import write_book


@dataclass
class Expected:
    """What a run over a miniature must find.

    Attributes:
        train: Training samples.
        val: Validation samples.
        classes: Number of labels.
        root: ``data_root`` of its data loaders.
        keys: Metrics that must be reported, without their prefix.
        size_key: The one that must be ``val``.
        options: Further ``--cfg-options``.
        without: Beginnings of the usual options that do not fit this config.
        prefix: Of the metrics.
        train_classes: Labels in training, if there are others.
        shape: Of a view.
        views: In testing.
    """

    train: int
    val: int
    classes: int
    root: Path
    keys: tuple[str, ...] = ('mAP',)
    size_key: str = 'num_samples'
    options: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    prefix: str = 'multilabel'
    train_classes: int | None = None
    shape: tuple[int, ...] = (3, 4, 64, 64)
    views: int = 12


MINIATURES: dict[str, Callable[[Path], Expected]] = {}


def miniature(name: str) -> Callable[[Callable], Callable]:
    """Enter a builder for ``configs/{name}.py``."""

    def enter(builder: Callable[[Path], Expected]) -> Callable[[Path], Expected]:
        assert name not in MINIATURES, name
        MINIATURES[name] = builder
        return builder

    return enter


def videos(folder: Path, names: Iterable[str], seconds: float = 2.0) -> None:
    """Write a small moving picture under each name; each name has its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        rng = np.random.default_rng(list(name.encode()))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, render_clip(sample_scene(rng, video=True), int(seconds * FPS), rng))


def text(path: Path, *lines: str, end: str = '\n') -> None:
    """Write a text file with these line ends, whatever the system's are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(''.join(line + end for line in lines).encode())


@miniature('ovmlv_charades')
def charades(root: Path) -> Expected:
    header = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions'
    cell = 'S1,Attic,6,7,Yes,"One, two.",box;flag,A thing.'
    rows = dict(
        train=['07E49', 'c002 0.50 2.90;c000 0.00 1.00', '83654', '', '1E500', 'c001 0.00 2.00'],
        test=['50E06', 'c001 0.00 2.10', '00123', 'c000 0.00 1.00;c002 0.00 2.00'],
    )
    for split, items in rows.items():
        pairs = list(zip(items[::2], items[1::2], strict=True))
        lines = [f'{video},{cell},{actions},2.00' for video, actions in pairs]
        path = root / 'annotations' / f'Charades_v1_{split}.csv'
        text(path, f'{header},length', *lines, end='\r\n')
        videos(root / 'videos', (f'{video}.mp4' for video, _ in pairs))
    classes = ('c000 Waving a red flag', 'c001 Opening a box/crate', 'c002 Someone is dancing')
    text(root / 'annotations' / 'Charades_v1_classes.txt', *classes)
    return Expected(train=2, val=2, classes=3, root=root, keys=('mAP', 'mAP_charades'))


@miniature('ovmlv_ava')
def ava(root: Path) -> Expected:
    folder = root / 'annotations'
    rows = dict(
        train=[
            '-x_Y,0901,0.1,0.1,0.5,0.9,12,0',
            '-x_Y,0901,0.1,0.1,0.5,0.9,7,0',
            '-x_Y,0902,0.1,0.1,0.5,0.9,80,0',
            'Z1,0902,0.1,0.1,0.5,0.9,7,1',
        ],
        val=[
            'W2,0901,0.1,0.1,0.5,0.9,7,0',
            'W2,0902,0.1,0.1,0.5,0.9,12,0',
            'W2,0903,0.1,0.1,0.5,0.9,80,0',
        ],
    )
    for split, lines in rows.items():
        text(folder / f'ava_{split}_v2.2.csv', *lines)
    text(folder / 'ava_train_excluded_timestamps_v2.2.csv', '-x_Y,0902')
    text(folder / 'ava_val_excluded_timestamps_v2.2.csv', 'W2,0909')
    items = ((7, 'jump/leap'), (12, 'stand'), (80, 'watch (a person)'))
    lines = [f'item {{\n  name: "{name}"\n  id: {number}\n}}' for number, name in items]
    text(folder / 'ava_action_list_v2.2_for_activitynet_2019.pbtxt', *lines)
    videos(root / 'videos_15min', ('-x_Y.mkv', 'Z1.mp4', 'W2.mp4'), seconds=4)
    return Expected(train=2, val=3, classes=3, root=root)


@miniature('ovmlv_hvu')
def hvu(root: Path) -> Expected:
    tags = ('playing_flute,action', 'leaping,action', 'sky,object', 'flute,object', 'lake,scene')
    text(root / 'annotations' / 'HVU_Tags_Categories_V1.0.csv', 'Tag,Category', *tags)
    rows = dict(
        Train=('playing_flute|flute,-aB_9,101.5,103.5', 'sky|lake,-aB_9,7.0,9.0'),
        Val=('leaping|sky,x1,0.0,2.0', 'lake|flute|playing_flute,y2,0.5,2.5'),
    )
    for split, lines in rows.items():
        header = 'Tags,youtube_id,time_start,time_end'
        text(root / 'annotations' / f'HVU_{split}_V1.0.csv', header, *lines)
    videos(root / 'videos_train', ('-aB_9_001015_001035.mp4', '-aB_9_000070_000090.mp4'))
    videos(root / 'videos_val', ('x1_000000_000020.mp4', 'y2_000005_000025.mp4'))
    keys = tuple(f'mAP_{category}' for category in ('action', 'object', 'scene'))
    return Expected(train=2, val=2, classes=5, root=root, keys=keys)


@miniature('ovmlv_multithumos')
def multithumos(root: Path) -> Expected:
    folder = root / 'multithumos'
    names = dict(
        GolfSwing=['video_validation_0000051 0.5 2.0', 'video_test_0000004 0.5 1.6'],
        BodyTurn=['video_validation_0000051 0.2 0.6', 'video_test_0000004 0.5 0.5'],
        NoHuman=['video_test_0000004 1.5 9.0', 'video_validation_0000051 1.8 2.9'],
    )
    text(folder / 'class_list.txt', *(f'{i} {name}' for i, name in enumerate(names, 1)))
    for name, lines in names.items():
        text(folder / 'annotations' / f'{name}.txt', *lines)
    shared = root / 'thumos14' / 'videos'
    videos(shared / 'val', ['video_validation_0000051.mp4'], seconds=3)
    videos(shared / 'test', ['video_test_0000004.mp4'], seconds=3)
    found = dict(prefix='frame', size_key='num_points')
    return Expected(train=3, val=3, classes=3, root=folder, **found)


@miniature('ovmlv_thumos14')
def thumos14(root: Path) -> Expected:
    for split, video in (('val', 'video_validation_0000007'), ('test', 'video_test_0000004')):
        rows = dict(
            CliffDiving=[f'{video}  1.0 3.0'],
            Diving=[f'{video}  1.0 3.0', f'{video}  9.5 13.0'],
            GolfSwing=[f'{video}  5.0 5.5'],
            Ambiguous=[f'{video}  8.5 9.0'],
        )
        for name, lines in rows.items():
            text(root / f'annotations_{split}' / f'{name}_{split}.txt', *lines)
        text(root / f'annotations_{split}' / 'readme.txt', 'THUMOS CHALLENGE 2014')
        videos(root / 'videos' / split, [f'{video}.mp4'], seconds=12)
    # 0..8 and 4..12
    return Expected(train=2, val=2, classes=3, root=root)


@miniature('ovmlv_activitynet')
def activitynet(root: Path) -> Expected:
    database = {}
    for video, subset, actions in (
        ('--a1', 'training', [([0.5, 2.9], 'Blow-drying hair')]),
        ('B_2', 'training', [([0, 0], 'Tango'), ([0.1, 1.0], 'Archery')]),
        ('c-3', 'validation', [([0.01, 2.0], 'Archery')]),
        ('d4', 'validation', [([0.01, 2.0], 'Tango')]),
        ('e5', 'testing', []),
    ):
        annotations = [dict(segment=span, label=label) for span, label in actions]
        database[video] = dict(duration=2.0, subset=subset, annotations=annotations)
    content = dict(version='VERSION 1.3', taxonomy=[], database=database)
    text(root / 'activity_net.v1-3.min.json', json.dumps(content))
    videos(root / 'videos', ('v_--a1.mkv', 'v_B_2.mp4', 'v_c-3.mp4', 'v_d4.mp4'))
    return Expected(train=2, val=2, classes=3, root=root)


ACCURACY = dict(prefix='acc', keys=('top1', 'top5'))


def kinetics(root: Path, version: str) -> Expected:
    header = 'label,youtube_id,time_start,time_end,split'
    rows = dict(
        train=[
            'juggling pears,-0a_b,7,9',
            '"playing flute (in a tree)",0000123,1,3',
            'juggling pears,0000123,11,13',
        ],
        val=['juggling pears,07E49,7,9', '"playing flute (in a tree)",07E49,107,109'],
    )
    for split, lines in rows.items():
        if version == '600':
            lines = [line.replace('"', '') for line in lines]
        lines = [f'{line},{split}' for line in lines]
        text(root / 'annotations' / f'kinetics-{version}_{split}.csv', header, *lines)
    clips = ('-0a_b_000007_000009.mp4', '0000123_000001_000003.mp4', '0000123_000011_000013.mp4')
    videos(root / 'videos_train', clips)
    videos(root / 'videos_val', ('07E49_000007_000009.mp4', '07E49_000107_000109.mp4'))
    return Expected(train=3, val=2, classes=2, root=root, **ACCURACY)


@miniature('ovmlv_kinetics400')
def kinetics400(root: Path) -> Expected:
    return kinetics(root, '400')


@miniature('ovmlv_kinetics600')
def kinetics600(root: Path) -> Expected:
    return kinetics(root, '600')


@miniature('ovmlv_kinetics400_synthetic')
def kinetics400_synthetic(root: Path) -> Expected:
    rows = (
        dict(video='-0a_b_000007_000009.mp4', labels=['a red circle', 'fruit']),
        dict(video='0000123_000011_000013.mp4', labels=['fruit'], negatives=['a red circle']),
    )
    text(root / 'annotations' / 'synthetic_train.jsonl', *map(json.dumps, rows))
    return dataclasses.replace(kinetics(root, '400'), train_classes=4)


@miniature('ovmlv_ucf101')
def ucf101(root: Path) -> Expected:
    folder = root / 'ucfTrainTestlist'
    train = ('BakeBread/v_BakeBread_g08_c01.avi', 'Handsprings/v_HandSprings_g09_c01.avi')
    test = ('BakeBread/v_BakeBread_g01_c01.avi', 'Handsprings/v_HandSprings_g01_c02.avi')
    text(folder / 'classInd.txt', '1 BakeBread', '2 Handsprings', end='\r\n')
    lines = (f'{video} {i}' for i, video in enumerate(train, 1))
    text(folder / 'trainlist01.txt', *lines, end='\r\n')
    text(folder / 'testlist01.txt', *test, end='\r\n')
    videos(root / 'UCF-101', (*train, *test))
    return Expected(train=2, val=2, classes=2, root=root, **ACCURACY)


@miniature('ovmlv_hmdb51')
def hmdb51(root: Path) -> Expected:
    odd = '#1_[Ha]_(b)_c!_d+e_&_jump_u_nm_np1_ba_goo_0.avi'
    rows = dict(comb_wool=['a.avi 1 ', 'b.avi 2 ', 'c.avi 0 '], jump=[f'{odd} 1 ', 'd.avi 2 '])
    for name, lines in rows.items():
        text(root / 'testTrainMulti_7030_splits' / f'{name}_test_split1.txt', *lines)
        videos(root / 'videos' / name, (line.split()[0] for line in lines))
    return Expected(train=2, val=2, classes=2, root=root, **ACCURACY)


@miniature('ovmlv_ssv2')
def ssv2(root: Path) -> Expected:
    names = ('Folding something', 'Tipping something left')
    labels = {name: str(i) for i, name in enumerate(names)}
    text(root / 'labels' / 'labels.json', json.dumps(labels))
    for split, ids in (('train', ('3', '100', '7')), ('validation', ('20', '1'))):
        rows = [
            dict(
                id=v, template=names[i % 2].replace('something', '[something]'), placeholders=['a']
            )
            for i, v in enumerate(ids)
        ]
        text(root / 'labels' / f'{split}.json', json.dumps(rows))
        videos(root / '20bn-something-something-v2', (f'{v}.webm' for v in ids))
    return Expected(train=3, val=2, classes=2, root=root, **ACCURACY)


@miniature('ovmlv_moments')
def moments(root: Path) -> Expected:
    text(root / 'moments_categories.txt', 'adult+male+humming,0', 'knotting,1')
    for split in ('training', 'validation'):
        clips = (f'adult+male+humming/{split}-1+2.mp4', f'knotting/{split}_3.mp4')
        rows = (f'{clip},{clip.split("/")[0]},3,0' for clip in clips)
        text(root / f'{split}Set.csv', *rows)
        videos(root / split, clips)
    return Expected(train=2, val=2, classes=2, root=root, **ACCURACY)


@miniature('ovmlv_multi_moments')
def multi_moments(root: Path) -> Expected:
    text(root / 'mmit_categories.txt', 'petting/stroking', 'adult+male+humming', 'knotting')
    rows = dict(training=('a-1.mp4,2', 'b.mp4,0,1'), validation=('c.mp4,0,2,1', 'd.mp4,1'))
    for split, lines in rows.items():
        text(root / f'{split}Set.csv', *lines)
        videos(root / 'videos', (line.split(',')[0] for line in lines))
    return Expected(train=2, val=2, classes=3, root=root, keys=('mAP', 'Hit@1', 'Hit@5'))


@miniature('ovmlv_epic_kitchens')
def epic_kitchens(root: Path) -> Expected:
    folder = root / 'annotations'
    verbs = ("0,take,\"['fetch', 'take']\",retrieve", "1,water,['water'],manipulate")
    nouns = ("0,tap,['tap'],appliances", "1,water,['water'],drinks")
    for kind, rows in (('verb', verbs), ('noun', nouns)):
        path = folder / f'EPIC_100_{kind}_classes.csv'
        text(path, 'id,key,instances,category', *rows, end='\r\n')
    header = 'narration_id,participant_id,video_id,narration_timestamp,start_timestamp,'
    header += 'stop_timestamp,start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,'
    header += 'all_nouns,all_noun_classes'
    for split, video in (('train', 'P01_11'), ('validation', 'P02_3')):
        rows = (
            f"{video}_0,P01,{video},,00:00:00.00,00:00:01.00,1,9,x,take,0,tap,0,['tap'],[0]",
            f'{video}_1,P01,{video},,00:00:01.20,00:00:09.00,1,9,x,water,1,tap,0,'
            '"[\'tap\', \'water\']","[0, 1]"',
        )
        text(folder / f'EPIC_100_{split}.csv', header, *rows)
        videos(root / 'EPIC-KITCHENS' / 'P01' / 'videos', [f'{video}.MP4'])
    info = [f'{video},2.0,8.0,64x64' for video in ('P01_11', 'P02_3')]
    text(folder / 'EPIC_100_video_info.csv', 'video_id,duration,fps,resolution', *info)
    return Expected(2, 2, classes=4, root=root, keys=('mAP', 'mAP_verb', 'mAP_noun'))


@miniature('ovmlv_animal_kingdom')
def animal_kingdom(root: Path) -> Expected:
    folder = root / 'annotations'
    folder.mkdir(parents=True)
    clips = [['07E49', 'train', '1,0'], ['AAACX', 'train', 1]]
    clips += [['BBBDY', 'test', '0'], ['CCCEZ', 'test', '0,1']]
    table = [['S/N', 'video_id', 'type', 'labels', 'list_animal_action']]
    table += [[i, *clip, "[('Crane', 'Eating')]"] for i, clip in enumerate(clips)]
    actions = [['Label', 'Category', 'Action', 'Description']]
    actions += [[1, 'Food', 'Eating', ''], [0, 'Movement', 'Gliding', '']]
    write_book(folder / 'AR_metadata.xlsx', dict(AR=table, Action=actions), shared_texts=False)
    counts = [['S/N', 'action_category', 'action', 'index', 'segment', 'count']]
    counts += [[1, 'Food', 'Eating', 0, 'head', 9], [2, 'Movement', 'Gliding', 1, 'tail', 1]]
    write_book(folder / 'df_action.xlsx', dict(AR_count=counts), shared_texts=True)
    videos(root / 'video', (f'{clip[0]}.mp4' for clip in clips))
    return Expected(2, 2, classes=2, root=root, keys=('mAP', 'mAP_head', 'mAP_tail'))


@miniature('ovmlv_youtube8m')
def youtube8m(root: Path) -> Expected:
    header = 'Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl,Vertical1,Vertical2,Vertical3,'
    rows = ('1,9,/m/0a,Lighthouse,,Travel,,,"A, b."', '0,8,/m/0b,"Acme, Inc.",,(Unknown),,,')
    text(root / 'vocabulary.csv', f'{header}WikiDescription', *rows, '2,7,/m/0c,,,(Unknown),,,')
    (root / 'video').mkdir()
    rng = np.random.default_rng(0)
    for name, labels in (('train00', ([0], [1, 2], [0, 1])), ('validate-1', ([1], [0, 1]))):
        records = [
            example(
                id=[b'ab%02d' % i],
                labels=indices,
                mean_rgb=rng.normal(size=1024).tolist(),
                mean_audio=rng.normal(size=128).tolist(),
            )
            for i, indices in enumerate(labels)
        ]
        (root / 'video' / f'{name}.tfrecord').write_bytes(frame(*records))
    return Expected(
        train=3,
        val=2,
        classes=2,
        root=root,
        keys=('mAP', 'GAP@20', 'Hit@1'),
        options=('model.backbone.embed_dim=128', 'model.backbone.hidden=32'),
        without=('model.backbone.',),
        shape=(1152, 1, 1, 1),
        views=1,
    )
