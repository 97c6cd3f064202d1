"""Embeddings of labels with what turns similarities into probabilities."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovmlv.errors import DataError, VocabularyError

from .encoder_meta import read_json

_ARRAYS = ('embeddings', 'label_bias', 'scale', 'bias')
#: Of a calibration, where there is one.
_CALIBRATION = ('temperature', 'calibration_bias', 'thresholds')


@dataclass(frozen=True, eq=False)
class LabelSet:
    """C labels, ready to score videos: ``p = sigmoid(scale * s + bias + label_bias)``.

    With a calibration, ``p' = sigmoid(logit(p) / temperature + calibration_bias)`` comes after it.

    In files it is a pair: ``NAME.json`` (labels, in order) and ``NAME.npz`` (numbers).

    Attributes:
        labels: C different texts.
        embeddings: float32 ``(C, E)``.
        scale: ``1 / tau``.
        bias: The same for all labels.
        label_bias: float32 ``(C,)``, what the scorer adds for each label.
        fingerprint: Of the model that made the embeddings.
        template: Text that labels were put into, for information.
        temperature: Of the calibration; 1 without.
        calibration_bias: Of the calibration; 0 without.
        thresholds: float32 ``(C,)``, from which probability on a label is present; None without a
            calibration.
    """

    labels: tuple[str, ...]
    embeddings: np.ndarray
    scale: float
    bias: float
    label_bias: np.ndarray
    fingerprint: str
    template: str | None = None
    temperature: float = 1.0
    calibration_bias: float = 0.0
    thresholds: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.labels)
        if not count or len(set(self.labels)) != count:
            raise VocabularyError('a label set needs labels, each of them once; remove duplicates')
        if self.embeddings.ndim != 2 or self.embeddings.shape[0] != count:
            raise VocabularyError(
                f'{count} labels have embeddings of shape {self.embeddings.shape}; give (C, E)'
            )
        if self.label_bias.shape != (count,):
            raise VocabularyError(
                f'{count} labels have label_bias of shape {self.label_bias.shape}; give (C,)'
            )
        if self.thresholds is not None and self.thresholds.shape != (count,):
            raise VocabularyError(
                f'{count} labels have thresholds of shape {self.thresholds.shape}; give (C,)'
            )

    def select(self, labels: Sequence[str]) -> LabelSet:
        """Some of the labels, in the order given."""
        place = {label: i for i, label in enumerate(self.labels)}
        missing = [label for label in labels if label not in place]
        if missing:
            raise VocabularyError(
                f'label {missing[0]!r} is not among the {len(place)} embedded ones; export a label '
                'file with it (ovmlv export --labels-only)'
            )
        index = [place[label] for label in labels]
        return dataclasses.replace(
            self,
            labels=tuple(labels),
            embeddings=self.embeddings[index],
            label_bias=self.label_bias[index],
            thresholds=None if self.thresholds is None else self.thresholds[index],
        )

    def probabilities(self, views: np.ndarray, average_views: str = 'score') -> np.ndarray:
        """Probabilities ``(B, C)`` from unit vectors of views ``(B, M, E)``.

        Args:
            views: Embeddings.
            average_views: See ``OpenVocabRecognizer``.
        """
        if average_views == 'embedding':
            views = views.mean(1, keepdims=True)
            views = views / np.maximum(np.linalg.norm(views, axis=-1, keepdims=True), 1e-12)
        similarities = views @ self.embeddings.T  # B M C
        if average_views != 'probability':
            similarities = similarities.mean(1, keepdims=True)
        logits = similarities * np.float32(self.scale) + np.float32(self.bias) + self.label_bias
        if self.temperature == 1.0 and self.calibration_bias == 0.0:
            return _sigmoid(logits).mean(1)
        # log p - log(1 - p) of the mean over views, without rounding p to 0 or 1.
        above, below = (np.logaddexp.reduce(-np.logaddexp(0, v), axis=1) for v in (-logits, logits))
        return _sigmoid((above - below) / self.temperature + self.calibration_bias)

    def save(self, path: str | Path) -> None:
        """Write ``NAME.json`` and ``NAME.npz`` for a path with or without either ending."""
        text, numbers = label_files(path)
        names = _ARRAYS + (() if self.thresholds is None else _CALIBRATION)
        values = {name: np.asarray(getattr(self, name), np.float32) for name in names}
        text.parent.mkdir(parents=True, exist_ok=True)
        np.savez(numbers, **values)
        content = dict(
            labels=self.labels,
            fingerprint=self.fingerprint,
            template=self.template,
            sha256=_digest(numbers),
        )
        text.write_text(json.dumps(content, ensure_ascii=False, indent=1) + '\n', encoding='utf-8')

    @classmethod
    def load(cls, path: str | Path) -> LabelSet:
        """Read the pair of files.

        Raises:
            FileNotFoundError: One of them is missing.
            DataError: One is damaged, or they are of different exports.
        """
        text, numbers = label_files(path)
        content = read_json(text)
        if not numbers.is_file():
            raise FileNotFoundError(f'{numbers} not found; it belongs to {text}: copy both')
        if content.get('sha256') != _digest(numbers):
            raise DataError(
                f'{numbers} is not the file that {text} was written with; export both again'
            )
        try:
            with np.load(numbers, allow_pickle=False) as file:
                values = {name: file[name] for name in _ARRAYS}
                calibration = {name: file[name] for name in _CALIBRATION if name in file}
            return cls(
                tuple(content['labels']),
                values['embeddings'],
                float(values['scale']),
                float(values['bias']),
                values['label_bias'],
                content['fingerprint'],
                content.get('template'),
                float(calibration.get('temperature', 1.0)),
                float(calibration.get('calibration_bias', 0.0)),
                calibration.get('thresholds'),
            )
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f'{text}: no usable label file ({error}); export it again') from None


def label_files(path: str | Path) -> tuple[Path, Path]:
    """``NAME.json`` and ``NAME.npz``."""
    path = Path(path)
    if path.suffix in ('.json', '.npz'):
        path = path.with_suffix('')
    return path.with_name(f'{path.name}.json'), path.with_name(f'{path.name}.npz')


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
