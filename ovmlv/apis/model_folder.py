"""Published models: folders with everything that tagging needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ovmlv.errors import DataError, OvmlvError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.files import file_digest, text_digest, write_json
from ovmlv.label_bank.bank import LabelBank
from ovmlv.models.contracts import Recognizer
from ovmlv.registry import registered_only
from ovmlv.schema import count, is_plain_path, read_object, text
from ovmlv.utils.config_options import merge_options
from ovmlv.utils.data_config import check_types
from ovmlv.utils.error_door import one_line

from .init_recognizer import init_recognizer
from .literal_config import FILE_KEYS, check_published, read_literal_config
from .safe_content import refuse_programs, refuse_unsafe_content

FORMAT = 'ovmlv model 1'
_MEND = 'perhaps cut short; publish the model again'
INDEX, CONFIG, WEIGHTS = 'ovmlv.json', 'config.py', 'model.safetensors'
CALIBRATION, BANK, CARD = 'calibration.json', 'bank', 'README.md'
#: What the index must have.
_FIELDS: dict[str, Any] = dict(
    format=text,
    checksum=text,
    paths={text: text},
    files={text: dict(bytes=count, sha256=text)},
)


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
            DataError: A file is missing or altered, is not in the folder, or would run code.
        """
        path = Path(path)
        index = read_index(path / INDEX)
        for name, known in index['files'].items():
            file = path / name
            if not file.is_file():
                raise DataError(f'{file} of the published model is missing; copy the whole folder')
            if not _is_inside(file, path):
                raise DataError(f'{file} leads out of the published model; copy the file itself')
            if file.stat().st_size != known['bytes'] or (
                verify and file_digest(file) != known['sha256']
            ):
                raise DataError(
                    f'{file} was altered since the model was published; copy it again, or publish '
                    'the model again'
                )
        there = [f.relative_to(path).as_posix() for f in path.rglob('*') if f.is_file()]
        # A system's and the hub's own files begin with a dot.
        refuse_programs(path, [name for name in there if '/.' not in f'/{name}'], index['files'])
        folder = cls(path, index)
        for name in index['paths'].values():
            folder._check_part(name)
        refuse_unsafe_content(path, [INDEX, *index['files']])
        return folder

    def model(
        self,
        device: str | torch.device | None = None,
        cfg_options: Mapping[str, Any] | None = None,
    ) -> Recognizer:
        """The recognizer.

        Raises:
            DataError: The config is none of a published model; see :func:`check_published`.
            ConfigError: An option does not fit, or a class is not registered.
        """
        where = self.path / CONFIG
        cfg = read_literal_config(where)
        own = {key: str(self.path / name) for key, name in self.index['paths'].items()}
        try:
            cfg.merge_from_dict(own)
            check_published(cfg, set(own.values()))
        except (KeyError, TypeError, AttributeError, AssertionError, IndexError, ValueError) as e:
            raise DataError(
                f'{where} is no config of a published model: {one_line(e)}; publish the model again'
            ) from None
        if cfg_options:
            merge_options(cfg, cfg_options, str(where))
        check_types(cfg, where)
        try:
            with registered_only():
                return init_recognizer(cfg, self.path / WEIGHTS, device)
        except (OvmlvError, FileNotFoundError):
            raise
        except Exception as error:  # of whatever a class does with such settings
            raise DataError(
                f'{where} builds no model ({type(error).__name__}: {one_line(error)[:200]}); '
                'publish the model again'
            ) from error

    def _check_part(self, name: str) -> None:
        """A file or folder that the config shall name must be of the checked files."""
        part = self.path / name
        found = [part] if part.is_file() else [file for file in part.rglob('*') if file.is_file()]
        names = [file.relative_to(self.path).as_posix() for file in found]
        # A system's and the hub's own files begin with a dot.
        strange = [n for n in names if n not in self.index['files'] and '/.' not in f'/{n}']
        if strange or not names:
            raise DataError(
                f'{self.path / (strange or [name])[0]} is none of the files of the published '
                'model; copy the folder again'
            )

    def calibration(self) -> Calibration | None:
        """The calibration that was published with the model."""
        path = self.path / CALIBRATION
        return Calibration.load(path) if CALIBRATION in self.index['files'] else None

    def bank(self) -> LabelBank | None:
        """The label bank that was published with the model."""
        if f'{BANK}/bank.json' not in self.index['files']:
            return None
        return LabelBank.load(self.path / BANK, verify=False)  # the index has its checksums


def write_index(folder: Path, content: dict[str, Any], names: list[str]) -> None:
    """Write ``ovmlv.json`` with the checksums of files; it comes last, and whole."""
    files = {
        name: dict(bytes=(folder / name).stat().st_size, sha256=file_digest(folder / name))
        for name in sorted(names)
    }
    content = dict(format=FORMAT, **content, files=files)
    content = dict(content, checksum=_checksum(content))
    write_json(folder / INDEX, content, indent=1, ensure_ascii=False)


def _is_inside(file: Path, folder: Path) -> bool:
    """Whether a file is in the folder itself, or where a cache of a model hub keeps its content."""
    real, root = file.resolve(), folder.resolve()
    # .../snapshots/REVISION/NAME is a link to .../blobs/DIGEST there.
    blobs = root.parent.parent / 'blobs' if root.parent.name == 'snapshots' else root
    return real.is_relative_to(root) or (file.is_symlink() and real.parent == blobs)


def read_index(path: Path) -> dict[str, Any]:
    """The content of ``ovmlv.json``, without its own checksum, which fits.

    Raises:
        FileNotFoundError: There is none.
        DataError: It was altered, or names what no published model has.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no published model in {path.parent} (no {path.name}); write one by '
            '"ovmlv publish"'
        )
    content = read_object(path, _FIELDS, 'no index of a published model', _MEND)
    checksum = content.pop('checksum')
    if content['format'] != FORMAT:
        raise DataError(f'{path} is of format {content["format"]!r}, not {FORMAT!r}')
    if checksum != _checksum(content):
        raise DataError(f'{path} was altered (its checksum differs); publish the model again')
    names = [*content['files'], *content['paths'].values()]
    if not all(is_plain_path(name) for name in names):
        raise DataError(f'{path} names files outside its folder; publish the model again')
    if CONFIG not in content['files'] or WEIGHTS not in content['files']:
        raise DataError(f'{path} lists no {CONFIG} or {WEIGHTS}; publish the model again')
    for key in content['paths']:
        if key.rpartition('.')[2] not in FILE_KEYS or not key.startswith('model.'):
            raise DataError(f'{path}: {key} is no setting that names a file; publish again')
    return content


def _checksum(content: dict[str, Any]) -> str:
    return text_digest(json.dumps(content, sort_keys=True))
