"""The hook that gives the model the labels of the data set in use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ovmlv.errors import ConfigError, OvmlvError, VocabularyError
from ovmlv.models.contracts import VocabularyUser, lacking
from ovmlv.models.utils.scalars import give_states_a_dimension
from ovmlv.registry import DATASETS, HOOKS


@HOOKS.register_module()
class VocabularyHook(Hook):
    """Sets the vocabulary of the model from the data set before training, validation and testing.

    A config thus cannot disagree with its data about the number of classes or their order, and a
    test set may have other labels than the training set. Before training, the labels of validation
    and test data are checked with those of training, since a label that the model cannot encode
    would otherwise end a long run. It works through wrappers of models (DDP, averaged models) and
    of data sets (``ConcatDataset``, ``RepeatDataset``, ``torch.utils.data.Subset`` ...).
    """

    # Before hooks that use the model at the same point.
    priority = 'HIGH'

    def __init__(self) -> None:
        self._training: dict | None = None

    def before_train(self, runner: Runner) -> None:
        """Check all labels that the run will come to, and set the training labels."""
        if hasattr(runner.optim_wrapper, 'optimizer'):  # resumed by now
            give_states_a_dimension(runner.optim_wrapper.optimizer)
        labels = dict.fromkeys(dataset_vocabulary(runner.train_dataloader.dataset)['classes'])
        for dataset in _later_datasets(runner):
            labels.update(dict.fromkeys(dataset_vocabulary(dataset)['classes']))
        _recognizer(runner.model).check_labels(list(labels))
        self._training = self._set(runner, runner.train_dataloader.dataset, 'training')

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the training labels again, in case something else used the model."""
        if self._training is not None:
            _recognizer(runner.model).set_vocabulary(self._training)

    def before_val(self, runner: Runner) -> None:
        """Set the validation labels."""
        self._set(runner, runner.val_dataloader.dataset, 'validation')

    def after_val(self, runner: Runner) -> None:
        """Set the training labels again: iteration-based training goes on in the same epoch."""
        if self._training is not None:
            _recognizer(runner.model).set_vocabulary(self._training)

    def before_test(self, runner: Runner) -> None:
        """Set the test labels."""
        self._set(runner, runner.test_dataloader.dataset, 'test')

    def after_train(self, runner: Runner) -> None:
        """Note that training is over."""
        self._training = None

    @staticmethod
    def _set(runner: Runner, dataset: Any, what: str) -> dict:
        metainfo = dataset_vocabulary(dataset)
        model = _recognizer(runner.model)
        model.set_vocabulary(metainfo)
        runner.logger.info(f'VocabularyHook: {len(metainfo["classes"])} {what} labels')
        return metainfo


def _later_datasets(runner: Runner) -> Iterator[Any]:
    """The validation set, and the test set if it is another one and can be read.

    A Runner that trains has not built the test set, and training without its files is allowed.
    """
    if runner.val_loop is not None:
        yield runner.val_dataloader.dataset
    test, val = (
        loader.get('dataset') if isinstance(loader, Mapping) else getattr(loader, 'dataset', None)
        for loader in (runner._test_dataloader, runner._val_dataloader)
    )
    if test is None or test == val:
        return
    try:
        dataset = DATASETS.build(test) if isinstance(test, Mapping) else test
        dataset_vocabulary(dataset)
    except (OvmlvError, OSError) as error:
        runner.logger.warning(f'VocabularyHook: the test labels are not checked ({error})')
        return
    yield dataset


def dataset_vocabulary(dataset: Any) -> dict:
    """``classes``, and ``label_prior`` if known, of a data set or a wrapper of data sets."""
    while True:
        if hasattr(dataset, 'full_init'):
            dataset.full_init()  # a lazy data set does not know its classes before
        if hasattr(dataset, 'datasets'):
            return _joint_vocabulary(dataset.datasets)
        metainfo = getattr(dataset, 'metainfo', None)
        if isinstance(metainfo, Mapping) and metainfo.get('classes'):
            return {key: metainfo[key] for key in ('classes', 'label_prior') if key in metainfo}
        if not hasattr(dataset, 'dataset'):
            raise VocabularyError(
                f"VocabularyHook: {type(dataset).__name__} has no metainfo['classes']; use a data "
                'set with class names, or give its config metainfo=dict(classes=[...])'
            )
        dataset = dataset.dataset


def _joint_vocabulary(datasets: Sequence[Any]) -> dict:
    """The common vocabulary of concatenated data sets; priors are averaged by length."""
    parts = [dataset_vocabulary(dataset) for dataset in datasets]
    classes = list(parts[0]['classes'])
    for i, part in enumerate(parts):
        if list(part['classes']) != classes:
            raise VocabularyError(
                f'VocabularyHook: data set {i} of the concatenation has other classes '
                f'({len(part["classes"])}) than the first ({len(classes)}); give all the same '
                'classes='
            )
    if not all('label_prior' in part for part in parts):
        return {'classes': classes}
    prior = []
    for column in zip(*(part['label_prior'] for part in parts), strict=True):
        known = [
            (float(p), len(d))
            for p, d in zip(column, datasets, strict=True)
            if not math.isnan(float(p))
        ]
        total = sum(n for _, n in known)
        prior.append(sum(p * n for p, n in known) / total if total else math.nan)
    return {'classes': classes, 'label_prior': prior}


def _recognizer(model: nn.Module) -> VocabularyUser:
    """The module that takes labels, inside wrappers."""
    inner: Any = model
    while missing := lacking(inner, VocabularyUser):
        if not isinstance(getattr(inner, 'module', None), nn.Module):
            raise ConfigError(
                f'VocabularyHook: {type(inner).__name__} has no {" and no ".join(missing)}; use an '
                'OpenVocabRecognizer, or remove the hook'
            )
        inner = inner.module
    return inner
