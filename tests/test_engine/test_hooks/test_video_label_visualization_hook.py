"""With mmengine's Runner, and as docs/pictures.md has it."""

import re

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from PIL import Image

from ovmlv.datasets.motionshapes import generate
from ovmlv.errors import ConfigError
from ovmlv.registry import DATASETS, METRICS, MODELS
from ovmlv.utils import register_all_modules


@pytest.fixture
def parts():
    """A data set whose video i is of the grey 10 i, and a model that knows its labels."""

    class GreyVideos(torch.utils.data.Dataset):
        metainfo = dict(classes=['dark', 'bright'])

        def __len__(self):
            return 10

        def __getitem__(self, index):
            found = ActionDataSample(metainfo=dict(filename=f'some/where/v{index % 2}.mp4'))
            found.set_gt_label(torch.tensor([int(index < 5), int(index >= 5)]))
            video = torch.full((1, 3, 2, 16, 16), 10 * index, dtype=torch.uint8)
            return dict(inputs=video, data_samples=found)

    class Oracle(BaseModel):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, inputs, data_samples=None, mode='tensor'):
            if mode == 'loss':
                return dict(loss=self.weight**2)
            return [s.set_pred_score(s.gt_label.float()) for s in data_samples]

    class NoMetric(BaseMetric):
        def process(self, data_batch, data_samples):
            self.results += [1] * len(data_samples)

        def compute_metrics(self, results):
            return dict(count=len(results))

    names = ('GreyVideos', 'Oracle', 'NoMetric')
    for registry, part in zip((DATASETS, MODELS, METRICS), (GreyVideos, Oracle, NoMetric)):
        registry.register_module(module=part, force=True)
    yield
    for registry, name in zip((DATASETS, MODELS, METRICS), names):
        registry.module_dict.pop(name)


def run(work_dir, hook, visualizer='VideoLabelVisualizer', train=False):
    register_all_modules()
    loader = dict(
        batch_size=4, dataset=dict(type='GreyVideos'), collate_fn=dict(type='pseudo_collate'),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )  # fmt: skip
    config = dict(
        model=dict(type='Oracle'),
        work_dir=str(work_dir),
        val_dataloader=loader, val_cfg=dict(), val_evaluator=dict(type='NoMetric'),
        test_dataloader=loader, test_cfg=dict(), test_evaluator=dict(type='NoMetric'),
        default_scope='ovmlv', log_level='ERROR',
        experiment_name=str(work_dir).replace('/', '_'),  # by which visualizers are found again
        visualizer=dict(type=visualizer, vis_backends=[dict(type='LocalVisBackend')]),
        custom_hooks=[dict(type='VideoLabelVisualizationHook', **hook)],
    )  # fmt: skip
    if train:
        config.update(
            train_dataloader=loader, train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        )  # fmt: skip
    runner = Runner(**config)
    runner.train() if train else runner.test()
    return sorted(path.name for path in work_dir.rglob('*.png'))


def test_samples_are_spread_over_the_data(parts, tmp_path):
    """Samples of one file name, across batches, the last one smaller."""
    names = run(tmp_path / 'a', dict(num_samples=5, out_dir=str(tmp_path / 'out')))
    assert names == []
    pictures = sorted((tmp_path / 'out').iterdir())
    assert [p.name for p in pictures] == [f'{i:06d}_v1_0.png' for i in (1, 3, 5, 7, 9)]
    for path, i in zip(pictures, (1, 3, 5, 7, 9)):
        pixels = np.asarray(Image.open(path))
        assert (pixels == 10 * i).all(-1).sum() > 2 * 200 * 200


def test_all_samples_and_none(parts, tmp_path):
    assert len(run(tmp_path / 'all', dict(num_samples=99))) == 10
    assert run(tmp_path / 'none', dict(num_samples=0)) == []


def test_pictures_of_training_name_their_epoch(parts, tmp_path):
    names = run(tmp_path / 'a', dict(num_samples=1), train=True)
    assert names == ['000005_v1_1.png', '000005_v1_2.png']


def test_other_visualizers_are_refused(parts, tmp_path):
    with pytest.raises(ConfigError, match="set visualizer=dict\\(type='VideoLabelVisualizer'"):
        run(tmp_path / 'a', {}, visualizer='Visualizer')
    with pytest.raises(ConfigError, match='num_samples=-1'):
        run(tmp_path / 'b', dict(num_samples=-1))


def test_the_snippet_of_the_docs_draws_test_samples(repository, tmp_path):
    page = (repository / 'docs' / 'pictures.md').read_text(encoding='utf-8')
    snippet = next(s for s in re.findall(r'```python\n(.*?)```', page, re.S) if 'visualizer =' in s)
    base = repository / 'configs' / 'zeroshot_motionshapes.py'
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = [{str(base)!r}]\n{snippet}')
    cfg = Config.fromfile(path)
    root = tmp_path / 'motionshapes'
    generate(root, {'test': 6}, num_frames=8, num_workers=1)
    cfg.test_dataloader.dataset.data_root = str(root)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.work_dir, cfg.log_level = str(tmp_path / 'work'), 'ERROR'
    Runner.from_cfg(cfg).test()
    pictures = sorted((tmp_path / 'work').rglob('vis_image/*.png'))
    assert [p.name for p in pictures] == [f'{i:06d}_{i:06d}_0.png' for i in range(6)]
    # Frames from left to right, and columns for seen, unseen and novel labels.
    assert Image.open(pictures[0]).size[0] > 2 * (6 * 104 + 3 * 204)
