"""Predictions written by ``tools/test.py --dump``."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DATASETS, DefaultScope
from torch import Tensor

from ovmlv.errors import DataError


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores and targets of a test set.

    Attributes:
        scores: Probabilities ``(N, C)``.
        targets: ``(N, C)`` of {1, 0, -1}; of a video that could not be read, all -1.
        classes: C labels.
        attributes: Axis -> value of each label.
    """

    scores: Tensor
    targets: Tensor
    classes: list[str]
    attributes: Mapping[str, list[str]]

    def columns(self, **values: str) -> list[int]:
        """Labels with these attribute values, ``split='seen'``."""
        return [
            i
            for i in range(len(self.classes))
            if all(self.attributes.get(axis, [None])[i] == v for axis, v in values.items())
        ]


def load_predictions(path: str | Path, metainfo: Mapping[str, Any]) -> Predictions:
    """Read a dump. It is a pickle: read none that you did not write.

    Args:
        path: The ``.pkl`` file.
        metainfo: Of the test set.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no {path}; write it by tools/test.py --dump {path}')
    try:
        with open(path, 'rb') as file:
            samples = pickle.load(file)
        scores = torch.stack([torch.as_tensor(s['pred_score']) for s in samples]).float()
        targets = torch.stack([torch.as_tensor(s['gt_label']) for s in samples])
        broken = torch.tensor([bool(s.get('broken', False)) for s in samples])
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f'{path} holds no predictions ({error}); write it by --dump') from None
    classes = list(metainfo['classes'])
    if scores.shape != targets.shape or scores.shape[1] != len(classes):
        raise DataError(
            f'{path} has {scores.shape[1]} labels, the test set of the config {len(classes)}; give '
            'the config that it was made with'
        )
    return Predictions(
        scores,
        targets.masked_fill(broken[:, None], -1),
        classes,
        dict(metainfo.get('class_attributes') or {}),
    )


def test_metainfo(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Metainfo of a config's test set; needs its annotations, but no videos."""
    dataset = {**cfg['test_dataloader']['dataset'], 'pipeline': []}
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'ovmlv'):
        built = DATASETS.build(dataset)
    built.full_init()
    return dict(built.metainfo)


test_metainfo.__test__ = False  # no test of pytest's
