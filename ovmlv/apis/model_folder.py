"""Published models: folders with everything that tagging needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.utils import import_modules_from_strings
from torch import nn

from ovmlv.errors import DataError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.files import write_text

from .label_bank import LabelBank
from .literal_config import read_literal_config
from .recognizer import init_recognizer

FORMAT = 'ovmlv model 1'
INDEX, CONFIG, WEIGHTS = 'ovmlv.json', 'config.py', 'model.safetensors'
CALIBRATION, BANK, CARD = 'calibration.json', 'bank', 'README.md'
_PIECE = 1 << 24


@dataclass(frozen=True)
class ModelFolder:
    """A published folder, checked.

    Attributes:
        path: Where it is.
        index: Content of ``ovmlv.json``.
    """

    path: Path
    index: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path, verify: bool = True) -> ModelFolder:
        """Read the index, and compare all files with it.

        Args:
            path: The folder.
            verify: Compare checksums too, 1 s a gigabyte.

        Raises:
            DataError: A file is missing or altered.
        """
        path = Path(path)
        index = _read_index(path / INDEX)
        for name, known in index['files'].items():
            file = path / name
            if not file.is_file():
                raise DataError(f'{file} of the published model is missing; copy the whole folder')
            if file.stat().st_size != known['bytes'] or (
                verify and file_digest(file) != known['sha256']
            ):
                raise DataError(
                    f'{file} was altered since the model was published; copy it again, or publish '
                    'the model again'
                )
        return cls(path, index)

    def model(
        self,
        device: str | torch.device | None = None,
        cfg_options: Mapping[str, Any] | None = None,
    ) -> nn.Module:
        """The recognizer, with this folder as ``model.published``."""
        cfg = read_literal_config(self.path / CONFIG)
        if cfg.get('custom_imports'):
            import_modules_from_strings(**cfg.custom_imports)
        cfg.merge_from_dict({key: str(self.path / v) for key, v in self.index['paths'].items()})
        model = init_recognizer(cfg, self.path / WEIGHTS, device, cfg_options)
        model.published = self
        return model

    def calibration(self) -> Calibration | None:
        """The calibration that was published with the model."""
        path = self.path / CALIBRATION
        return Calibration.load(path) if CALIBRATION in self.index['files'] else None

    def bank(self) -> LabelBank | None:
        """The label bank that was published with the model."""
        if f'{BANK}/bank.json' not in self.index['files']:
            return None
        return LabelBank.load(self.path / BANK, verify=False)  # the index has its checksums


def load_published(
    folder: str | Path,
    device: str | torch.device | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """The model of a published folder; see :func:`~ovmlv.apis.open_model`."""
    return ModelFolder.open(folder).model(device, cfg_options)


def write_index(folder: Path, content: dict[str, Any], names: list[str]) -> None:
    """Write ``ovmlv.json`` with the checksums of files; it comes last, and whole."""
    files = {
        name: dict(bytes=(folder / name).stat().st_size, sha256=file_digest(folder / name))
        for name in sorted(names)
    }
    content = dict(format=FORMAT, **content, files=files)
    text = json.dumps(dict(content, checksum=_checksum(content)), indent=1, ensure_ascii=False)
    write_text(folder / INDEX, text + '\n')


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _read_index(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no published model in {path.parent} (no {path.name}); write one by '
            '"ovmlv publish"'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        if content['format'] != FORMAT:
            raise DataError(f'{path} is of format {content["format"]!r}, not {FORMAT!r}')
        checksum = content.pop('checksum')
        if checksum != _checksum(content):
            raise DataError(f'{path} was altered (its checksum differs); publish the model again')
        names = [*content['files'], *content['paths'].values()]
        if any(Path(name).is_absolute() or '..' in Path(name).parts for name in names):
            raise DataError(f'{path} names files outside its folder; publish the model again')
        return content
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f'{path} is no index of a published model ({type(error).__name__}), perhaps cut short; '
            'publish the model again'
        ) from None


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
