"""Some labels of a bank with their embeddings, in memory or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ovmlv.errors import DataError

TENSOR = 'embeddings'


@dataclass(frozen=True, eq=False)
class LabelBlock:
    """Labels and embeddings that are kept together.

    Attributes:
        labels: n labels.
        tensor: Embeddings ``(n, E)``, where they are in memory.
        path: The .safetensors file with them, where they are not.
        rows: Which rows of the file the labels are; None is all.
        digest: Checksum of the file.
    """

    labels: tuple[str, ...]
    tensor: Tensor | None = None
    path: Path | None = None
    rows: Tensor | None = None
    digest: str = ''

    def __len__(self) -> int:
        return len(self.labels)

    def embeddings(self) -> Tensor:
        """float32 ``(n, E)``; a file is mapped, not read, and only as long as the tensor lives."""
        if self.tensor is not None:
            return self.tensor
        try:
            with safe_open(self.path, 'pt') as file:
                found = file.get_tensor(TENSOR)
        except (OSError, SafetensorError) as error:
            raise DataError(
                f'{self.path} of a label bank is gone or changed ({type(error).__name__}); load '
                'the bank again'
            ) from error
        return found if self.rows is None else found[self.rows]

    def keep(self, rows: Sequence[int]) -> LabelBlock:
        """The block with only these of its rows."""
        labels = tuple(self.labels[i] for i in rows)
        index = torch.tensor(rows, dtype=torch.long)
        if self.tensor is not None:
            return LabelBlock(labels, self.tensor[index])
        return LabelBlock(
            labels, path=self.path, rows=index if self.rows is None else self.rows[index]
        )
