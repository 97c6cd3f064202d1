"""Seen and unseen labels as data: configs/splits, and the configs that train on them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovmlv.curation import find_leaks
from ovmlv.curation.splits import redraw
from ovmlv.datasets.ava_dataset import AVADataset
from ovmlv.datasets.epic_kitchens_dataset import EPICKitchensDataset
from ovmlv.datasets.formats.official_files import read_class_names, spoken
from ovmlv.datasets.formats.xlsx import read_sheet
from ovmlv.datasets.youtube8m_dataset import read_vocabulary
from ovmlv.labels import load_label_attributes
from ovmlv.registry import DATASETS, METRICS
from ovmlv.tables import read_csv_rows
from ovmlv.utils import register_all_modules
from tests.test_integration import miniatures
from tests.test_integration.test_dataset_configs import TINY, run, tiny_pipelines

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = sorted((REPOSITORY / 'configs' / 'open_vocabulary').glob('*.py'))
SPLITS = sorted((REPOSITORY / 'configs' / 'splits').glob('*.json'))
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
named = dict(ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('ovmlv'):
        yield


@pytest.mark.parametrize('path', SPLITS, **named)
def test_split_file(path):
    table = json.loads(path.read_text(encoding='utf-8'))
    split = load_label_attributes(str(path))['split']
    assert set(split.values()) == {'seen', 'unseen'} and len(split) > 10
    meta = table['_meta']
    assert meta['version'] == 1 and meta['source']
    assert not find_leaks(table['unseen'], table['seen'], parts=False).leaks
    if 'seed' in meta:
        again = redraw(table)
        assert {side: set(again[side]) for side in again} == {
            side: set(table[side]) for side in again
        }
        assert abs(len(table['unseen']) / len(split) - meta['unseen_share']) < 0.02
    else:
        assert 'http' in meta['source'] and meta['protocol']  # a published one


def test_each_split_file_is_of_one_config():
    used = [Path(Config.fromfile(path).label_split).resolve() for path in CONFIGS]
    assert sorted(used) == SPLITS


def charades(root: Path) -> list[str]:
    lines = (root / 'Charades_v1_classes.txt').read_text().splitlines()
    return [line.split(' ')[0] for line in lines]


def ava(root: Path) -> list[str]:
    name = 'ava_action_list_v2.1_for_activitynet_2018.pbtxt.txt'
    dataset = AVADataset(class_file=name, data_root=str(root), lazy_init=True)
    return list(dataset._read_classes(str(root / name))[0].values())


def epic_kitchens(root: Path) -> list[str]:
    file = 'EPIC_100_validation.csv'
    dataset = EPICKitchensDataset(file, data_root=str(root), serialize_data=False)
    return dataset.metainfo['classes']


def hvu(root: Path) -> list[str]:
    rows = read_csv_rows(str(root / 'HVU_Tags_Categories_V1.0.csv'), ('Tag',))
    return [spoken(row['Tag']) for _, row in rows]


def animal_kingdom(root: Path) -> list[str]:
    return [row['action'].strip().lower() for _, row in read_sheet(str(root / 'df_action.xlsx'))]


def youtube8m(root: Path) -> list[str]:
    names = read_vocabulary(str(root / 'label_names_2018.csv')).names
    return [name for name in names.values() if name]


def thumos14(root: Path) -> list[str]:
    names = [p.stem.removesuffix('_val') for p in (root / 'annotations_val').glob('*_val.txt')]
    return [spoken(name) for name in names if name != 'Ambiguous']


# Data set -> folder and class file (read as they stand, or as words), or how to get the classes.
CLASSES = dict(
    activitynet=('activitynet', 'label_map_mmaction2.txt', spoken),
    animal_kingdom=('animal_kingdom', animal_kingdom),
    ava=('ava', ava),
    charades=('charades', charades),
    epic_kitchens=('epic_kitchens', epic_kitchens),
    hmdb51=('hmdb51', 'label_map_mmaction2.txt', spoken),
    hvu=('hvu', hvu),
    kinetics400=('kinetics', 'label_map_k400.txt', str),
    kinetics600=('kinetics', 'label_map_k600.txt', str),
    moments=('moments', 'category_momentsv2.txt', spoken),
    multi_moments=('moments', 'category_multi_momentsv2.txt', spoken),
    multithumos=('multithumos', 'class_list.derived.txt', spoken),
    ssv2=('ssv2', 'labels.json', str.lower),
    thumos14=('thumos14', thumos14),
    ucf101=('ucf101', 'label_map_mmaction2.txt', spoken),
    youtube8m=('youtube8m', youtube8m),
)


def data_of(path: Path) -> str:
    """Data set of a split file or config."""
    (name,) = [d for d in CLASSES if path.stem in (f'{d}_{p}' for p in PROTOCOLS)] or [
        d for d in CLASSES if path.stem in (f'{p}_{d}' for p in PROTOCOLS)
    ]
    return name


PROTOCOLS = ('seen_unseen', 'base_novel', 'zero_shot')


@pytest.mark.parametrize('path', SPLITS, **named)
def test_covers_exactly_the_published_classes(path, shared_data):
    folder, *how = CLASSES[data_of(path)]
    if len(how) == 1:
        classes = how[0](shared_data / folder)
    else:
        classes = [how[1](name) for name in read_class_names(str(shared_data / folder / how[0]))]
    split = load_label_attributes(str(path))['split']
    assert len(classes) == len(set(classes)) and set(split) == set(classes)


BASE_NOVEL = dict(
    kinetics400=('kinetics/kinetics_400_{}_labels.csv', str),
    hmdb51=('hmdb51/hmdb_51_{}_labels.csv', spoken),
    ssv2=('ssv2/ssv2_174_{}_labels.csv', str.lower),
)


@pytest.mark.parametrize('name', BASE_NOVEL)
def test_published_splits_are_the_published_ones(name, shared_data):
    pattern, label_of = BASE_NOVEL[name]
    table = json.loads((REPOSITORY / f'configs/splits/{name}_base_novel.json').read_text())
    for side, file in (('seen', 'base'), ('unseen', 'novel')):
        names = read_class_names(str(shared_data / pattern.format(file)))
        assert set(table[side]) == set(map(label_of, names))


def test_zero_shot_classes_of_kinetics600_are_unseen(shared_data):
    file = shared_data / 'kinetics' / 'ZS_split1_K600.csv'
    split = load_label_attributes(str(REPOSITORY / 'configs/splits/kinetics600_zero_shot.json'))
    assert {split['split'][name] for name in read_class_names(str(file))} == {'unseen'}
    k400 = read_class_names(str(shared_data / 'kinetics' / 'label_map_k400.txt'))
    assert 'unseen' not in {split['split'].get(name) for name in k400}


def miniature(path: Path, root: Path, monkeypatch) -> tuple[Config, list[str]]:
    """The config on a miniature of its data, whose last label is unseen; and all labels."""
    data = data_of(path)
    if 'thumos' not in data:  # windows and time points need the durations of real files
        monkeypatch.setattr(miniatures, 'videos', lambda *_, **__: None)
    expected = miniatures.MINIATURES[f'ovmlv_{data}'](root)
    cfg = Config.fromfile(path)
    for loader in LOADERS:
        cfg[loader].dataset.update(data_root=str(expected.root), serialize_data=False)
        cfg[loader].dataset.pipeline = []
    plain = dict(cfg.val_dataloader.dataset.to_dict(), label_split=None)
    classes = DATASETS.build(plain).metainfo['classes']
    table = dict(seen=classes[:-1], unseen=classes[-1:])
    for loader in LOADERS:
        cfg[loader].dataset.label_split = table
    return cfg, classes


def targets(dataset) -> np.ndarray:
    return np.stack([dataset.get_data_info(i)['label'] for i in range(len(dataset))])


@pytest.mark.parametrize('path', CONFIGS, **named)
def test_trains_on_seen_labels_and_tests_all(path, tmp_path, monkeypatch):
    cfg, classes = miniature(path, tmp_path, monkeypatch)
    train, val, test = (DATASETS.build(cfg[loader].dataset) for loader in LOADERS)
    assert train.metainfo['classes'] == classes[:-1]
    assert set(train.metainfo['class_attributes']['split']) == {'seen'}
    assert targets(train).shape == (len(train), len(classes) - 1)
    single = cfg.val_evaluator.type == 'SingleLabelMetric'
    if single:  # no video of an unseen class is a negative
        whole = DATASETS.build(dict(cfg.train_dataloader.dataset, label_set='all'))
        assert (targets(train) == 1).any(1).all()
        assert len(train) == (targets(whole)[:, :-1] == 1).any(1).sum()
    for dataset in (val, test):
        assert dataset.metainfo['classes'] == classes
        split = dataset.metainfo['class_attributes']['split']
        assert split == ['seen'] * (len(classes) - 1) + ['unseen']
    metric = METRICS.build(dict(cfg.test_evaluator))
    metric.dataset_meta = test.metainfo
    rows = torch.as_tensor(targets(test))
    scores = torch.rand(rows.shape, generator=torch.Generator().manual_seed(0))
    samples = [
        dict(pred_score=s, gt_label=t, sample_idx=i, filename=f'{i}', video_id=f'{i}')
        for i, (s, t) in enumerate(zip(scores, rows, strict=True))
    ]
    monkeypatch.chdir(tmp_path)  # some write a table of classes
    metric.process(None, samples)
    found = metric.evaluate(len(samples))
    best = cfg.default_hooks.checkpoint.save_best
    assert best in found and best.endswith('_seen')
    for side in ('unseen', 'harmonic'):
        assert best.replace('_seen', f'_{side}') in found


# One kind of metric each; the others differ in nothing but data, which the tests above read.
TRAINED = ('seen_unseen_charades', 'base_novel_ucf101', 'seen_unseen_multithumos')


@pytest.mark.slow
@pytest.mark.parametrize('name', TRAINED)
def test_trains_an_epoch_and_reports_both_sides(name, tmp_path):
    path = REPOSITORY / 'configs' / 'open_vocabulary' / f'{name}.py'
    data = data_of(path)
    expected = miniatures.MINIATURES[f'ovmlv_{data}'](tmp_path)
    cfg = Config.fromfile(path)
    plain = dict(cfg.val_dataloader.dataset, label_split=None, pipeline=[])
    plain.update(data_root=str(expected.root), serialize_data=False)
    classes = DATASETS.build(plain).metainfo['classes']
    split = tmp_path / 'split.json'
    split.write_text(json.dumps(dict(seen=classes[:-1], unseen=classes[-1:])))
    options = [*TINY, *tiny_pipelines(cfg)]
    for loader in LOADERS:
        options.append(f'{loader}.dataset.data_root={expected.root}')
        options.append(f'{loader}.dataset.label_split={split}')
    spec = importlib.util.spec_from_file_location('train', REPOSITORY / 'tools' / 'train.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    work = tmp_path / 'work'
    status = run(tool, path, '--work-dir', work, '--cfg-options', *options)
    assert status == 0, '\n'.join(p.read_text() for p in work.rglob('*.log'))[-3000:]
    (scalars,) = work.rglob('scalars.json')
    keys = {key for line in scalars.read_text().splitlines() for key in json.loads(line)}
    best = cfg.default_hooks.checkpoint.save_best
    assert {best, best.replace('_seen', '_unseen'), best.replace('_seen', '_harmonic')} <= keys
    assert list(work.glob('best_*_seen_epoch_1.pth'))
