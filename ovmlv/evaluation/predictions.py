"""Predictions of a test set in one safe file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ovmlv.errors import DataError

_FORMAT = 'ovmlv predictions 1'


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores and targets of every sample, and the labels they are for.

    A sample has one row, or one for each of its time points. All rows stand in one matrix.

    Attributes:
        scores: ``(R, C)``, float32.
        targets: ``(R, C)`` of {1, 0, -1}, int8.
        lengths: Rows of each of N samples; 0 for a sample of one row without a time axis.
        video_ids: N identities; samples of one video share theirs.
        filenames: N files.
        broken: ``(N,)`` whether the video could not be read.
        unlabeled: ``(N,)`` whether the official file has no action for it (Charades).
        meta: ``classes`` and ``class_attributes`` of the data set.
    """

    scores: Tensor
    targets: Tensor
    lengths: Tensor
    video_ids: list[str]
    filenames: list[str]
    broken: Tensor
    unlabeled: Tensor
    meta: dict[str, Any]

    @classmethod
    def from_results(cls, results: Sequence[Mapping], meta: Mapping[str, Any]) -> Predictions:
        """From what :class:`BaseScoreMetric` collects.

        Args:
            results: One mapping a sample.
            meta: Metainfo of the data set.
        """
        flat = [r['scores'].ndim == 1 for r in results]
        return cls(
            torch.cat([torch.atleast_2d(r['scores']) for r in results]).float(),
            torch.cat([torch.atleast_2d(r['labels']) for r in results]).to(torch.int8),
            torch.tensor([0 if f else len(r['scores']) for f, r in zip(flat, results)]),
            [r['video_id'] for r in results],
            [r['filename'] for r in results],
            torch.tensor([r['broken'] for r in results]),
            torch.tensor([r['unlabeled'] for r in results]),
            {key: meta[key] for key in ('classes', 'class_attributes') if key in meta},
        )

    def save(self, path: str | Path) -> Path:
        """Write a ``.safetensors`` file; returns its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {
            name: getattr(self, name).contiguous()
            for name in ('scores', 'targets', 'lengths', 'broken', 'unlabeled')
        }
        words = {name: getattr(self, name) for name in ('video_ids', 'filenames', 'meta')}
        header = {name: json.dumps(value, ensure_ascii=False) for name, value in words.items()}
        save_file(tensors, path, {'format': _FORMAT, **header})
        return path

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Read such a file.

        Raises:
            FileNotFoundError: There is none.
            DataError: It holds something else.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f'there is no {path}; write it by tools/test.py --dump {path}')
        try:
            with safe_open(path, 'pt') as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            if header.pop('format', None) != _FORMAT:
                raise DataError(f'{path} holds no predictions; write it by tools/test.py --dump')
            return cls(**tensors, **{name: json.loads(text) for name, text in header.items()})
        except (SafetensorError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f'{path} holds no predictions ({error}); write it by tools/test.py --dump'
            ) from None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def num_videos(self) -> int:
        """Different videos."""
        return len(set(self._videos()))

    def row_videos(self) -> Tensor:
        """Number of its video, of each row ``(R,)``."""
        numbers: dict[str, int] = {}
        of_samples = [numbers.setdefault(video, len(numbers)) for video in self._videos()]
        return torch.tensor(of_samples).repeat_interleave(self._rows())

    def row_broken(self) -> Tensor:
        """Whether its video could not be read, of each row ``(R,)``."""
        return self.broken.repeat_interleave(self._rows())

    def samples(self) -> Iterator[dict[str, Any]]:
        """The samples as a model predicts them, for the metrics."""
        start = 0
        for i, (length, rows) in enumerate(
            zip(self.lengths.tolist(), self._rows().tolist(), strict=True)
        ):
            part = slice(start, start + rows) if length else start
            start += rows
            yield dict(
                sample_idx=i,
                pred_score=self.scores[part],
                gt_label=self.targets[part],
                video_id=self.video_ids[i],
                filename=self.filenames[i],
                broken=bool(self.broken[i]),
                official_unlabeled=bool(self.unlabeled[i]),
            )

    def _rows(self) -> Tensor:
        return self.lengths.clamp(min=1)

    def _videos(self) -> list[str]:
        return [v or f for v, f in zip(self.video_ids, self.filenames, strict=True)]
