"""Predictions on disk: scores, targets and all else that metrics need, in one safe file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ovmlv.errors import DataError
from ovmlv.files import whole_file

from .video_identity import video_identity

FORMAT = 'ovmlv predictions 1'


@dataclass
class Predictions:
    """What a model said about a data set, and what is true.

    Attributes:
        scores: ``(N, C)`` float32 as the model gave them (those of unreadable videos too).
        targets: ``(N, C)`` int8 of {1, 0, -1}.
        rows: ``(S,)`` int64, number of the N rows that belong to each sample; 0 stands for a sample
            that is one row ``(C,)`` rather than a table with one row.
        sample_idx: ``(S,)`` int64, index in the data set.
        broken: ``(S,)`` bool, whether the video could not be read.
        unlabeled: ``(S,)`` bool, see ``official_unlabeled`` of Charades.
        filenames: S paths; empty if the data set gave none.
        video_ids: S identities of videos, which may be empty, too. A sample that has neither is a
            video of its own.
        meta: ``classes`` and ``class_attributes`` of the data set.

    Examples:
        >>> import tempfile
        >>> import torch
        >>> from ovmlv.evaluation import DumpPredictions
        >>> sample = dict(pred_score=torch.tensor([0.75, 0.25]), gt_label=torch.tensor([1, 0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     metric = DumpPredictions(f'{folder}/test.safetensors')
        ...     metric.process(None, [dict(sample, sample_idx=0, filename='a.mp4')])
        ...     _ = metric.evaluate(size=1)
        ...     found = Predictions.load(metric.out_file)
        >>> found.filenames, found.scores.tolist()
        (['a.mp4'], [[0.75, 0.25]])
    """

    scores: Tensor
    targets: Tensor
    rows: Tensor
    sample_idx: Tensor
    broken: Tensor
    unlabeled: Tensor
    filenames: list[str]
    video_ids: list[str]
    meta: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_results(cls, results: Sequence[dict], meta: Mapping[str, Any]) -> Predictions:
        """Make them from what :class:`~ovmlv.evaluation.metrics.BaseScoreMetric` collects."""
        scores = [r['scores'] for r in results]
        return cls(
            scores=torch.cat([torch.atleast_2d(s) for s in scores]),
            targets=torch.cat([torch.atleast_2d(r['labels']) for r in results]),
            rows=torch.tensor([len(s) if s.ndim > 1 else 0 for s in scores]),
            sample_idx=torch.tensor([r['key'][0] for r in results]),
            broken=torch.tensor([r['broken'] for r in results]),
            unlabeled=torch.tensor([r['unlabeled'] for r in results]),
            filenames=[r['filename'] for r in results],
            video_ids=[r['video_id'] for r in results],
            meta={k: meta[k] for k in ('classes', 'class_attributes') if meta.get(k)},
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def num_videos(self) -> int:
        """Number of different videos; several samples may be of one video."""
        return len(set(self._identities()))

    def row_videos(self) -> Tensor:
        """Number of the video that each row belongs to, ``(N,)`` from 0."""
        numbers = {name: i for i, name in enumerate(dict.fromkeys(self._identities()))}
        of_sample = torch.tensor([numbers[name] for name in self._identities()])
        return of_sample.repeat_interleave(self.rows.clamp(min=1))

    def row_broken(self) -> Tensor:
        """Whether each row is of an unreadable video, ``(N,)`` bool."""
        return self.broken.repeat_interleave(self.rows.clamp(min=1))

    def _identities(self) -> list[str | int]:
        names = (self.video_ids, self.filenames, self.sample_idx.tolist())
        return [video_identity(*each) for each in zip(*names, strict=True)]

    def samples(self) -> Iterator[dict[str, Any]]:
        """The data samples, as a metric's ``process`` takes them."""
        start = 0
        for i, rows in enumerate(self.rows.tolist()):
            part: Any = start if rows == 0 else slice(start, start + rows)
            start += max(rows, 1)
            yield dict(
                pred_score=self.scores[part],
                gt_label=self.targets[part],
                sample_idx=int(self.sample_idx[i]),
                filename=self.filenames[i],
                video_id=self.video_ids[i],
                broken=bool(self.broken[i]),
                official_unlabeled=bool(self.unlabeled[i]),
            )

    def save(self, path: str | Path) -> Path:
        """Write a .safetensors file, whole or not at all."""
        path = Path(path)
        names = ('scores', 'targets', 'rows', 'sample_idx', 'broken', 'unlabeled')
        lists = dict(filenames=self.filenames, video_ids=self.video_ids, meta=self.meta)
        with whole_file(path) as scratch:
            save_file(
                {name: getattr(self, name).contiguous() for name in names},
                scratch,
                metadata=dict(format=FORMAT, **{k: json.dumps(v) for k, v in lists.items()}),
            )
        return path

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Read what :meth:`save` wrote. Nothing in the file is executed.

        Raises:
            FileNotFoundError: There is no such file.
            DataError: The file holds no predictions.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f'there is no {path}; write it by "ovmlv test --dump {path.stem}.safetensors"'
            )
        try:
            with safe_open(path, 'pt') as file:
                notes = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if notes.get('format') != FORMAT:
                raise DataError(f'{path} holds tensors but no predictions')
            lists = {k: json.loads(notes[k]) for k in ('filenames', 'video_ids', 'meta')}
            found = cls(**tensors, **lists)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f'{path} is no file of predictions ({type(error).__name__}); write it by '
                '"ovmlv test --dump FILE.safetensors"'
            ) from None
        found._check(path)
        return found

    def _check(self, path: Path) -> None:
        sizes = {len(x) for x in (self.sample_idx, self.broken, self.unlabeled)}
        sizes |= {len(self.filenames), len(self.video_ids)}
        rows = int(self.rows.clamp(min=1).sum())
        if sizes != {len(self.rows)} or self.scores.shape != self.targets.shape:
            raise DataError(f'{path}: its parts are of different lengths; write it again')
        if self.scores.ndim != 2 or rows != len(self.scores):
            raise DataError(
                f'{path}: scores {tuple(self.scores.shape)} are not of {rows} rows; write it again'
            )
