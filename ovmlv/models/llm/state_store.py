"""Tensors of labels in a folder, to which whole files are added."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ovmlv.errors import OutputError
from ovmlv.files import text_digest, whole_file

_PREFIX = 'label:'  # a label alone might be a name that safetensors keeps for itself
_MANY, _SMALL = 64, 2**24


class StateStore:
    """One tensor for each label, in files ``<name>*.safetensors`` of a folder.

    New tensors go into a file of their own, so that nothing is written twice and a kill leaves
    every file whole. If there are many small files, they become one when the store is next opened.
    Several processes may share the folder.

    Args:
        folder: Folder of the files; it is made when something is added.
        name: Beginning of the file names; it stands for everything that the tensors depend on.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._where: dict[str, Path] = {}
        self._writes = True
        small = [file for file in self._files() if file.stat().st_size < _SMALL]
        if len(small) > _MANY:
            self._merge(small)
        for file in self._files():
            self._where.update(dict.fromkeys(self._labels(file), file))

    def __contains__(self, label: str) -> bool:
        return label in self._where

    def get(self, labels: Sequence[str]) -> dict[str, Tensor]:
        """Tensors of those labels that are there."""
        from safetensors import safe_open

        wanted: dict[Path, list[str]] = {}
        for label in labels:
            if label in self._where:
                wanted.setdefault(self._where[label], []).append(label)
        found: dict[str, Tensor] = {}
        for file, members in wanted.items():
            try:
                with safe_open(file, 'pt') as opened:
                    found.update({m: opened.get_tensor(_PREFIX + m) for m in members})
            except FileNotFoundError:  # merged by another process
                for member in members:
                    self._where.pop(member)
        return found

    def add(self, states: Mapping[str, Tensor]) -> None:
        """Add tensors of labels that are not there yet."""
        new = {label: state for label, state in states.items() if label not in self._where}
        if not new or not self._writes:
            return
        try:
            self._write(new)
        except OutputError as error:  # what can be computed again must not end a training
            warnings.warn(f'{error}; going on without keeping states of labels', stacklevel=2)
            self._writes = False

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f'{self.name}*.safetensors'))

    def _labels(self, file: Path) -> list[str]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, 'pt') as opened:
                return [key.removeprefix(_PREFIX) for key in opened.keys()]  # noqa: SIM118
        except FileNotFoundError:
            return []
        except (SafetensorError, OSError) as error:
            warnings.warn(
                f'{file} is damaged ({error}) and its labels are computed again; delete it',
                stacklevel=2,
            )
            return []

    def _write(self, states: Mapping[str, Tensor]) -> None:
        from safetensors.torch import save_file

        labels = text_digest('\n'.join(sorted(states)))
        file = self.folder / f'{self.name}-{labels[:16]}.safetensors'
        with whole_file(file) as scratch:
            save_file({_PREFIX + k: v.cpu().contiguous() for k, v in states.items()}, scratch)
        self._where.update(dict.fromkeys(states, file))

    def _merge(self, files: Sequence[Path]) -> None:
        for file in files:
            self._where.update(dict.fromkeys(self._labels(file), file))
        try:
            self._write(self.get(list(self._where)))
        except OutputError:  # the many files serve as well
            return
        kept = set(self._where.values())
        for file in files:
            if file not in kept and self._labels(file):
                file.unlink(missing_ok=True)
