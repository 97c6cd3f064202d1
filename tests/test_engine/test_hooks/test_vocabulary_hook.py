"""VocabularyHook under real Runners."""

import logging
import math

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Subset

from ovmlv.engine.hooks.vocabulary_hook import dataset_vocabulary
from ovmlv.errors import ConfigError, VocabularyError

TRAIN, TEST = ['dog', 'cat', 'running'], ['cat', 'swimming']


class Videos(BaseDataset):
    """Random videos whose classes are known after loading, as those of real data sets."""

    def __init__(self, classes, prior=None, num=4, **kwargs):
        self.classes, self.prior, self.num = classes, prior, num
        super().__init__(**kwargs)

    def load_data_list(self):
        self._metainfo['classes'] = self.classes
        if self.prior is not None:
            self._metainfo['label_prior'] = self.prior
        return [dict(index=i) for i in range(self.num)]

    def __getitem__(self, idx):
        sample = ActionDataSample().set_gt_label(torch.zeros(len(self.classes)).long())
        return dict(inputs=torch.rand(1, 3, 2, 4, 4), data_samples=sample)


class Recorder(BaseModel):
    """Notes the vocabulary with which it is called."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen = []

    def set_vocabulary(self, metainfo, embeddings=None):
        self.vocabulary = metainfo

    def check_labels(self, labels):
        self.checked = list(labels)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        self.seen.append((mode, tuple(self.vocabulary['classes'])))
        return dict(loss=self.weight * 1.0) if mode == 'loss' else data_samples


class Nothing(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(n=len(results))


def loader(dataset, shuffle=False):
    return dict(
        dataset=dataset,
        batch_size=2,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type='pseudo_collate'),
    )


def make_runner(tmp_path, name, model=None, train_cfg=None, **kwargs):
    return Runner(
        model=model or Recorder(),
        work_dir=str(tmp_path),
        experiment_name=name,
        default_scope='ovmlv',
        train_dataloader=loader(Videos(TRAIN)),
        val_dataloader=loader(Videos(TEST)),
        test_dataloader=loader(Videos(TEST[::-1])),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_cfg=dict(),
        test_cfg=dict(),
        val_evaluator=[Nothing()],
        test_evaluator=[Nothing()],
        train_cfg=train_cfg or dict(by_epoch=True, max_epochs=2),
        default_hooks=dict(checkpoint=None, logger=None),
        log_level=logging.WARNING,
        custom_hooks=[dict(type='VocabularyHook'), *kwargs.pop('hooks', [])],
        **kwargs,
    )


@pytest.mark.parametrize(
    ('name', 'train_cfg'),
    [
        ('epochs', dict(by_epoch=True, max_epochs=2)),
        ('iterations', dict(by_epoch=False, max_iters=4, val_interval=2)),
    ],
)
def test_every_phase_has_the_labels_of_its_data(name, train_cfg, tmp_path):
    runner = make_runner(tmp_path, name, train_cfg=train_cfg)
    runner.train()
    train, val, test = (
        ('loss', tuple(TRAIN)),
        ('predict', tuple(TEST)),
        ('predict', tuple(TEST[::-1])),
    )
    assert runner.model.seen == 2 * (2 * [train] + 2 * [val])
    runner.test()
    assert runner.model.seen[-2:] == 2 * [test]


def test_with_an_averaged_model(tmp_path):
    runner = make_runner(tmp_path, 'ema', hooks=[dict(type='EMAHook')])
    runner.train()
    assert runner.model.seen[-1] == ('predict', tuple(TEST))


def test_inside_a_model_wrapper(tmp_path):
    from mmengine.model import ExponentialMovingAverage

    runner = make_runner(tmp_path, 'wrapped')
    recorder = runner.model
    runner.model = ExponentialMovingAverage(recorder)
    runner.call_hook('before_test')
    assert runner.model.module.vocabulary['classes'] == TEST[::-1]


def test_wrappers_of_data_sets():
    videos = Videos(TRAIN, prior=[0.1, 0.2, 0.3])
    expected = dict(classes=TRAIN, label_prior=[0.1, 0.2, 0.3])
    for dataset in (
        videos,
        RepeatDataset(videos, 3),
        Subset(videos, [0]),
        Subset(RepeatDataset(videos, 2), [0]),
    ):
        assert dataset_vocabulary(dataset) == expected


def test_lazy_data_sets_are_loaded():
    assert dataset_vocabulary(Videos(TRAIN, lazy_init=True)) == dict(classes=TRAIN)


def test_priors_of_concatenated_data_sets_are_pooled():
    parts = [
        Videos(TRAIN, [0.1, math.nan, math.nan], num=3),
        Videos(TRAIN, [0.5, 0.2, math.nan], num=1),
    ]
    found = dataset_vocabulary(ConcatDataset(parts, ignore_keys='label_prior'))
    assert found['classes'] == TRAIN
    assert found['label_prior'][:2] == pytest.approx([0.2, 0.2]) and math.isnan(
        found['label_prior'][2]
    )


def test_concatenated_data_sets_must_agree():
    dataset = ConcatDataset([Videos(TRAIN), Videos(TEST)], ignore_keys='classes')
    with pytest.raises(
        VocabularyError, match=r'data set 1 of the concatenation has other classes \(2\)'
    ):
        dataset_vocabulary(dataset)


def test_a_data_set_without_classes_is_named():
    with pytest.raises(VocabularyError, match='list has no metainfo'):
        dataset_vocabulary([1, 2])


def test_a_model_without_a_vocabulary_is_named(tmp_path):
    class Plain(Recorder):
        set_vocabulary = property(lambda self: getattr(self, 'none'))  # noqa: B009

    with pytest.raises(ConfigError, match='Plain has no set_vocabulary'):
        make_runner(tmp_path, 'plain', model=Plain()).train()


def test_the_hook_runs_before_those_that_use_the_model(tmp_path):
    runner = make_runner(tmp_path, 'order', hooks=[dict(type='EMAHook')])
    names = [type(hook).__name__ for hook in runner.hooks]
    assert names.index('VocabularyHook') < names.index('EMAHook')


class Checker(Recorder):
    """Refuses long labels, as a head does."""

    def check_labels(self, labels):
        self.checked = list(labels)
        bad = [label for label in labels if len(label) > 20]
        if bad:
            raise VocabularyError(f'too long: {bad}')


@pytest.mark.parametrize('where', ['train', 'val', 'test'])
def test_labels_of_every_phase_are_checked_before_the_first_step(where, tmp_path):
    """FAULTS F8"""
    long = [f'a label of {where} that is too long']
    sets = {name: Videos(TRAIN + long * (name == where)) for name in ('train', 'val', 'test')}
    model = Checker()
    runner = make_runner(tmp_path, where, model)
    runner._train_dataloader['dataset'] = sets['train']
    runner._val_dataloader['dataset'] = sets['val']
    runner._test_dataloader['dataset'] = sets['test']
    with pytest.raises(VocabularyError, match=f'too long.*{where}'):
        runner.train()
    assert model.seen == []


def test_a_test_set_that_is_not_here_does_not_stop_training(tmp_path, caplog):
    """FAULTS F8"""
    model = Checker()
    runner = make_runner(tmp_path, 'absent', model)
    missing = dict(type='MultilabelVideoDataset', ann_file=str(tmp_path / 'absent.json'))
    runner._test_dataloader['dataset'] = missing
    runner.train()
    assert model.checked == [*TRAIN, 'swimming'] and model.seen
