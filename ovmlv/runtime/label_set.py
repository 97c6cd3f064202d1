"""Embeddings of labels, with the numbers that turn similarities into probabilities."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.errors import DataError, VocabularyError, reason_of
from ovmlv.files import file_digest, whole_file, write_json
from ovmlv.labels import unique_labels
from ovmlv.schema import label, misfit, read_object, text

_ARRAYS = ('embeddings', 'label_bias', 'scale', 'bias')
#: Of a calibration, where there is one.
_CALIBRATION = ('temperature', 'calibration_bias', 'thresholds')
_FIELDS = dict(labels=[label], fingerprint=text, sha256=text)
#: Of labels that consist of others, where there are any.
_OF_PARTS = dict(parts={text: [label]}, hidden=[label])


@dataclass(frozen=True, eq=False)
class LabelSet:
    """C labels, ready to score videos: ``p = sigmoid(scale * s + bias + label_bias)``.

    The probability of a label with parts is multiplied by that of each part. With a calibration,
    ``p' = sigmoid(logit(p) / temperature + calibration_bias)`` is applied after it.

    It is saved as a pair of files: ``NAME.json`` (labels, in order) and ``NAME.npz`` (numbers).

    Attributes:
        labels: C different texts.
        embeddings: float32 ``(C + H, E)``, those of ``hidden`` behind those of the labels.
        scale: ``1 / tau``.
        bias: Bias that is the same for all labels.
        label_bias: float32 ``(C + H,)``, which the scorer adds for each of them.
        fingerprint: Fingerprint of the model that made the embeddings.
        template: Text that labels were put into, for information.
        temperature: Temperature of the calibration; 1 without a calibration.
        calibration_bias: Bias of the calibration; 0 without a calibration.
        thresholds: float32 ``(C,)``, the least probability of each label that is present; None
            without a calibration.
        parts: Label -> all labels that it consists of (``OpenVocabRecognizer``'s ``label_parts``).
        hidden: H parts that are none of the labels, and whose probabilities are not told.

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
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, 'labels', unique_labels(self.labels, 'the label set'))
        rows = unique_labels((*self.labels, *self.hidden), 'the label set and its hidden parts')
        named = {v for whole, own in self.parts.items() for v in (whole, *own)}
        missing = sorted(named.difference(rows))
        if missing:
            raise VocabularyError(f'{missing[0]!r} belongs to parts, but has no embedding')
        count = len(rows)
        if self.embeddings.ndim != 2 or self.embeddings.shape[0] != count:
            raise VocabularyError(
                f'{count} labels and parts have embeddings of shape {self.embeddings.shape}; give '
                '(C, E)'
            )
        if self.label_bias.shape != (count,):
            raise VocabularyError(
                f'{count} labels and parts have label_bias of shape {self.label_bias.shape}; give '
                'one value for each'
            )
        if self.thresholds is not None and self.thresholds.shape != (len(self.labels),):
            raise VocabularyError(
                f'{len(self.labels)} labels have thresholds of shape {self.thresholds.shape}; '
                'give (C,)'
            )

    def select(self, labels: Sequence[str]) -> LabelSet:
        """Some of the labels, in the order given."""
        labels = unique_labels(labels)
        place, count = self._places(), len(self.labels)
        missing = [label for label in labels if place.get(label, count) >= count]
        if missing:
            raise VocabularyError(
                f'label {missing[0]!r} is not among the {count} embedded ones; export a label file '
                'with it (ovmlv export --labels-only)'
            )
        parts = {label: self.parts[label] for label in labels if label in self.parts}
        named = dict.fromkeys((*labels, *(v for own in parts.values() for v in own)))
        hidden = tuple(named)[len(labels) :]
        index = [place[label] for label in (*labels, *hidden)]
        return dataclasses.replace(
            self,
            labels=labels,
            embeddings=self.embeddings[index],
            label_bias=self.label_bias[index],
            thresholds=None if self.thresholds is None else self.thresholds[index[: len(labels)]],
            parts=parts,
            hidden=hidden,
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
            alone = _sigmoid(logits).mean(1)
            found = alone.copy()
            for column, own in self._columns():
                found[:, column] = alone[:, own].prod(1)
            return found[:, : len(self.labels)]
        # log p - log(1 - p) of the mean over views, without rounding p to 0 or 1.
        count = np.float32(np.log(logits.shape[1]))
        above, below = (
            np.logaddexp.reduce(-np.logaddexp(0, v), axis=1) - count for v in (-logits, logits)
        )
        whole = above.copy()
        for column, own in self._columns():
            whole[:, column] = above[:, own].sum(1)
            below[:, column] = np.log(-np.expm1(whole[:, column]))
        above, below = whole[:, : len(self.labels)], below[:, : len(self.labels)]
        return _sigmoid((above - below) / self.temperature + self.calibration_bias)

    def _columns(self) -> Iterator[tuple[int, list[int]]]:
        """The column of each label with parts, and that column with those of its parts."""
        place = self._places() if self.parts else {}
        for whole, own in self.parts.items():
            yield place[whole], [place[name] for name in (whole, *own)]

    def _places(self) -> dict[str, int]:
        return {name: i for i, name in enumerate((*self.labels, *self.hidden))}

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
        if self.parts:
            content.update(parts={k: list(v) for k, v in self.parts.items()}, hidden=self.hidden)
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
        if 'parts' in content and misfit(content, _OF_PARTS):
            raise DataError(
                f'{words} is no usable label file (parts is wrong), export the labels again'
            )
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
                {k: tuple(v) for k, v in content.get('parts', {}).items()},
                tuple(content.get('hidden', ())),
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
