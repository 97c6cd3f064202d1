"""Cross-data-set configs: training on one miniature, tests on another one's labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovmlv.registry import DATASETS, METRICS
from ovmlv.utils import register_all_modules
from tests.test_integration import miniatures
from tests.test_integration.miniatures import text

CONFIGS = sorted((Path(__file__).parents[2] / 'configs' / 'cross_dataset').glob('*.py'))


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('ovmlv'):
        yield


def kinetics600(root: Path) -> None:
    """The three splits of ViFi-CLIP's lists; ids count within a split."""
    for split, names in enumerate((('arguing', 'luge'), ('luge', 'licking'), ('sewing',)), 1):
        rows = (f'{i},{name}' for i, name in enumerate(names))
        text(root / 'annotations' / f'ZS_split{split}_K600.csv', 'id,name', *rows)
        clips = (f'val/x{i}_000001_000011.mp4 {i}' for i in range(len(names)))
        text(root / 'annotations' / f'ZS_split{split}_K600_eval.txt', *clips)


def rareact(root: Path) -> None:
    rows = ('0,-a_B,50,60,0,fry,hat,1', '1,-a_B,50,60,1,fry,apple,2', '2,0000,20,30,1,fry,apple,1')
    header = 'id,video_id,start,end,class_id,verb,noun,annotation'
    text(root / 'rareact.csv', header, *rows)


# Where no training set has a miniature.
TEST_SETS: dict[str, Callable[[Path], None]] = dict(kinetics600=kinetics600, rareact=rareact)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_labels_are_those_of_the_test_set(path, tmp_path, monkeypatch):
    monkeypatch.setattr(miniatures, 'videos', lambda *_, **__: None)
    source, target = path.stem.split('_to_')
    cfg = Config.fromfile(path)
    roots = {name: tmp_path / name for name in ('train', 'test')}
    trained = miniatures.MINIATURES[f'ovmlv_{source}'](roots['train'])
    build = TEST_SETS.get(target) or miniatures.MINIATURES[f'ovmlv_{target}']
    build(roots['test'])

    def dataset(loader: str, root: Path, **changes):
        config = dict(cfg[loader].dataset, data_root=str(root), pipeline=[], serialize_data=False)
        return DATASETS.build(dict(config, **changes))

    train = dataset('train_dataloader', roots['train'])
    val = dataset('val_dataloader', roots['train'])
    assert len(train) == trained.train and len(train.metainfo['classes']) == trained.classes
    assert val.metainfo['classes'] == train.metainfo['classes']
    for overrides in (cfg.get('test_splits') or {'': {}}).values():
        if target == 'hmdb51' and overrides['test_dataloader.dataset.split'] > 1:
            continue  # the miniature has one split, and so has that of UCF101
        if target == 'ucf101' and 'testlist01' not in str(overrides):
            continue
        changes = {key.rpartition('.')[2]: value for key, value in overrides.items()}
        test = dataset('test_dataloader', roots['test'], **changes)
        classes = test.metainfo['classes']
        assert classes and not set(classes) & set(train.metainfo['classes'])
        targets = np.stack([test.get_data_info(i)['label'] for i in range(len(test))])
        assert targets.shape[1] == len(classes) and (targets == 1).any()
        metric = METRICS.build(dict(cfg.test_evaluator))
        metric.dataset_meta = test.metainfo
        random = torch.Generator().manual_seed(0)
        samples = [
            dict(pred_score=s, gt_label=t, sample_idx=i, filename=f'{i}', video_id=f'{i}')
            for i, (s, t) in enumerate(
                zip(torch.rand(targets.shape, generator=random), torch.tensor(targets), strict=True)
            )
        ]
        metric.process(None, samples)
        found = metric.evaluate(len(samples))
        single = cfg.test_evaluator.type == 'SingleLabelMetric'
        key = found['acc/top5' if single else 'multilabel/mAP']
        assert key == 1 if single else 0 < key <= 1
