"""The data sets of a config, for tools that read annotations but no frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from ovmlv.datasets.base_video_dataset import BaseVideoDataset
from ovmlv.errors import ConfigError
from ovmlv.utils.configs import leaf_datasets


def config_datasets(
    cfg: Config, loaders: Sequence[str], **changes: Any
) -> tuple[dict[str, BaseVideoDataset], int]:
    """Build the data sets that these loaders read.

    A data set that two loaders share (validation and test) is given once. Parts of wrapped data
    sets are numbered: ``train.0``, ``train.1``.

    Args:
        cfg: Config.
        loaders: Keys of loaders, such as ``train_dataloader``.
        changes: Arguments of the data sets to set, such as ``label_set='all'``.

    Returns:
        Split (``train``, ``val``, ``test``) -> data set without its pipeline, and the largest
        ``clip_len`` of the pipelines (1 if there is none).
    """
    found: dict[str, BaseVideoDataset] = {}
    known: list[dict] = []
    clip_len = 1
    scope = cfg.get('default_scope') or 'ovmlv'
    with DefaultScope.overwrite_default_scope(scope):
        for loader in loaders:
            parts = list(leaf_datasets((cfg.get(loader) or {}).get('dataset')))
            for number, part in enumerate(parts):
                steps = part.pop('pipeline', ())
                clip_len = max([clip_len, *(s.get('clip_len', 1) for s in steps)])
                if part in known:
                    continue
                known.append(dict(part))
                name = loader.removesuffix('_dataloader')
                dataset = DATASETS.build(dict(part, pipeline=[], **changes))
                if not isinstance(dataset, BaseVideoDataset):
                    raise ConfigError(
                        f'{loader}: {part["type"]} is no video data set of ovmlv; give another '
                        'config'
                    )
                found[name if len(parts) == 1 else f'{name}.{number}'] = dataset
    if not found:
        raise ConfigError(f'the config has no data set in {", ".join(loaders)}')
    return found, clip_len
