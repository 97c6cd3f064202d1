"""Embeddings of labels, with the numbers that turn similarities into probabilities."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.errors import DataError, VocabularyError, reason_of
from ovmlv.files import file_digest, whole_file, write_json
from ovmlv.labels import unique_labels
from ovmlv.schema import label, read_object, text

_ARRAYS = ('embeddings', 'label_bias', 'scale', 'bias')
#: Of a calibration, where there is one.
_CALIBRATION = ('temperature', 'calibration_bias', 'thresholds')
_FIELDS = dict(labels=[label], fingerprint=text, sha256=text)


@dataclass(frozen=True, eq=False)
class LabelSet:
    """C labels, ready to score videos: ``p = sigmoid(scale * s + bias + label_bias)``.

    With a calibration, ``p' = sigmoid(logit(p) / temperature + calibration_bias)`` is applied after
    it.

    It is saved as a pair of files: ``NAME.json`` (labels, in order) and ``NAME.npz`` (numbers).

    Attributes:
        labels: C different texts.
        embeddings: float32 ``(C, E)``.
        scale: ``1 / tau``.
        bias: Bias that is the same for all labels.
        label_bias: float32 ``(C,)``, which the scorer adds for each label.
        fingerprint: Fingerprint of the model that made the embeddings.
        template: Text that labels were put into, for information.
        temperature: Temperature of the calibration; 1 without a calibration.
        calibration_bias: Bias of the calibration; 0 without a calibration.
        thresholds: float32 ``(C,)``, the least probability of each label that is present; None
            without a calibration.

    Examples:
        The view is the first label's embedding, so its logits are 4 * 1 - 2 and 4 * 0 - 2:

        >>> import numpy as np
        >>> embeddings, zeros = np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
        >>> labels = LabelSet(('a dog', 'running'), embeddings, 4.0, -2.0, zeros, 'c7c71179')
        >>> [round(float(p), 4) for p in labels.probabilities(embeddings[None, :1])[0]]
        [0.8808, 0.1192]
        >>> labels.select(['running']).labels
        ('running',)
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
        object.__setattr__(self, 'labels', unique_labels(self.labels, 'the label set'))
        count = len(self.labels)
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
        labels = unique_labels(labels)
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
            labels=labels,
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
        words, numbers = label_files(path)
        names = _ARRAYS + (() if self.thresholds is None else _CALIBRATION)
        values: dict[str, Any] = {n: np.asarray(getattr(self, n), np.float32) for n in names}
        with whole_file(numbers) as scratch:
            np.savez(scratch, **values)
        content = dict(
            labels=self.labels,
            fingerprint=self.fingerprint,
            template=self.template,
            sha256=file_digest(numbers),
        )
        write_json(words, content, ensure_ascii=False, indent=1)

    @classmethod
    def load(cls, path: str | Path) -> LabelSet:
        """Read the pair of files.

        Raises:
            FileNotFoundError: A file is missing.
            DataError: A file is damaged, or the two are of different exports.
        """
        words, numbers = label_files(path)
        if not words.is_file():
            raise FileNotFoundError(f'{words} not found; make it by "ovmlv export --labels-only"')
        content = read_object(words, _FIELDS, 'no usable label file', 'export the labels again')
        if not numbers.is_file():
            raise FileNotFoundError(f'{numbers} not found; it belongs to {words}: copy both')
        if content['sha256'] != file_digest(numbers):
            raise DataError(
                f'{numbers} is not the file that {words} was written with; export both again'
            )
        try:
            values = _read_arrays(numbers)
            return cls(
                tuple(content['labels']),
                values['embeddings'],
                float(values['scale']),
                float(values['bias']),
                values['label_bias'],
                content['fingerprint'],
                content.get('template'),
                float(values.get('temperature', 1.0)),
                float(values.get('calibration_bias', 0.0)),
                values.get('thresholds'),
            )
        except Exception as error:  # of zipfile, zlib and numpy, whatever bytes lead them to
            raise DataError(
                f'{words}: no usable label file ({reason_of(error)}); export it again'
            ) from None


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of finite float32 numbers, none larger than the file; nothing is unpickled."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise ValueError('its arrays are larger than the file')
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in (*_ARRAYS, *_CALIBRATION) if name in file}
    missing = [name for name in _ARRAYS if name not in found]
    wrong = [k for k, v in found.items() if v.dtype != np.float32 or not np.isfinite(v).all()]
    if missing or wrong:
        raise ValueError(f'{(missing or wrong)[0]} is missing or no array of finite float32')
    return found


def label_files(path: str | Path) -> tuple[Path, Path]:
    """``NAME.json`` and ``NAME.npz``."""
    path = Path(path)
    if path.suffix in ('.json', '.npz'):
        path = path.with_suffix('')
    return path.with_name(f'{path.name}.json'), path.with_name(f'{path.name}.npz')


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))
