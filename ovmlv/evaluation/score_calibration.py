"""Calibration: probabilities that agree with observed frequencies, and thresholds of labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import write_json
from ovmlv.schema import fits, number, read_object, text

from . import functional as F

FORMAT = 'ovmlv calibration 1'
_MEND = 'fit one by "ovmlv calibrate"'
_FIELDS = dict(
    temperature=number,
    bias=number,
    threshold=number,
    thresholds={text: number},
    fitted_on=dict,
)
_STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """``p' = sigmoid(logit(p) / temperature + bias)``, the same for all labels, and thresholds.

    The map is the same for all labels, so it also applies to labels that were not in the validation
    set, and it leaves every ranking as it is.

    Attributes:
        temperature: Divisor of logits, above 0; more than 1 moves probabilities towards one half.
        bias: Value that is added to logits.
        threshold: Least calibrated probability of a label that counts as present, for labels
            without a threshold of their own: the one of peak F1 over all pairs.
        thresholds: Label -> its own threshold, that of its peak F1.
        fitted_on: Text that says what it was fitted on, for people.

    Examples:
        The logit of 0.8 is log(4); its half is the logit of 2/3:

        >>> import torch
        >>> calibration = Calibration(temperature=2.0, thresholds={'a dog': 0.25})
        >>> [round(p, 4) for p in calibration.apply(torch.tensor([0.8, 0.5])).tolist()]
        [0.6667, 0.5]
        >>> calibration.thresholds_of(['a dog', 'running']).tolist()
        [0.25, 0.5]
    """

    temperature: float = 1.0
    bias: float = 0.0
    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    fitted_on: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = (self.temperature, self.bias, self.threshold, *self.thresholds.values())
        if not all(math.isfinite(v) for v in numbers) or self.temperature <= 0:
            raise DataError(
                f'temperature={self.temperature}, bias={self.bias} and threshold={self.threshold} '
                'make no calibration; the temperature must be above 0, and all must be finite'
            )

    def apply(self, probabilities: Tensor) -> Tensor:
        """Calibrated probabilities, float32; NaN and ``-inf`` (no prediction) stay."""
        known = torch.isfinite(probabilities)
        logits = _logits(probabilities.masked_fill(~known, 0.5))
        found = (logits / self.temperature + self.bias).sigmoid().float()
        return torch.where(known, found, probabilities.float())

    def thresholds_of(self, labels: Sequence[str]) -> np.ndarray:
        """Thresholds ``(C,)`` on calibrated probabilities."""
        return np.array([self.thresholds.get(v, self.threshold) for v in labels], np.float32)

    def save(self, path: str | Path) -> Path:
        """Write a .json file."""
        content = dict(format=FORMAT, **asdict(self))
        return write_json(path, content, indent=1, ensure_ascii=False)

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what :meth:`save` wrote."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'there is no calibration {path}; fit one by "ovmlv calibrate"')
        content = read_object(path, dict(format=text), 'no calibration', _MEND)
        known = content.pop('format') == FORMAT
        bad = [k for k, v in content.items() if k not in _FIELDS or not fits(v, _FIELDS[k])]
        if bad or not known:
            raise DataError(f'{path} is no calibration ({(bad or ["format"])[0]}), {_MEND}')
        try:
            return cls(**content)
        except DataError as error:
            raise DataError(f'{path}: {error}') from None


def fit_calibration(
    probabilities: Tensor,
    targets: Tensor,
    classes: Sequence[str],
    fitted_on: Mapping[str, Any] | None = None,
    min_positives: int = 10,
) -> Calibration:
    """Temperature and bias of least log loss over all known pairs; thresholds of peak F1.

    This is Platt's scaling (1999) on logits, with his targets ``(P + 1) / (P + 2)`` and
    ``1 / (N + 2)`` for P positive and N negative pairs, which keep it finite if scores separate
    them. A label with few positives gets no threshold of its own, since the place of its peak is a
    matter of chance and differs on other videos.

    Args:
        probabilities: ``(N, C)`` probabilities as the model gave them.
        targets: ``(N, C)`` of {1, 0, -1}.
        classes: C labels.
        fitted_on: Text that is kept in the result.
        min_positives: Number of positives that a label needs for its own threshold.

    Examples:
        Nine of ten pairs at 0.8 are positive, and one of ten at 0.2; Platt's targets make that
        10/12 and 2/12:

        >>> import torch
        >>> probabilities = torch.tensor([[0.8]] * 10 + [[0.2]] * 10)
        >>> targets = torch.tensor([[1]] * 9 + [[0]] * 10 + [[1]])
        >>> calibration = fit_calibration(probabilities, targets, ['a dog'])
        >>> [round(p, 4) for p in calibration.apply(torch.tensor([0.8, 0.2])).tolist()]
        [0.8333, 0.1667]
        >>> round(calibration.thresholds['a dog'], 4)
        0.8333
    """
    if min_positives < 1:
        raise ConfigError(f'min_positives={min_positives} must be at least 1')
    probabilities, targets = F.check_inputs(probabilities, targets)
    used = (targets >= 0) & torch.isfinite(probabilities)
    positive = targets[used] == 1
    count, total = int(positive.sum()), positive.numel()
    if count in (0, total):
        kind = 'positive' if count == 0 else 'negative'
        raise DataError(f'no {kind} pair among {total} known ones; calibrate on a larger set')
    low, high = probabilities[used].aminmax()
    if low < 0 or high > 1:
        raise DataError(
            f'scores reach from {float(low):.4g} to {float(high):.4g}; calibration needs '
            'probabilities in [0, 1]'
        )
    wanted = torch.where(positive, (count + 1) / (count + 2), 1 / (total - count + 2)).double()
    slope, bias = _line(_logits(probabilities[used]), wanted)
    if slope <= 0:
        raise DataError('scores are higher for negatives than for positives; check the model')
    found = Calibration(1 / slope, bias)
    scores = found.apply(probabilities)
    threshold = float(F.peak_f1(scores, targets)[1])
    own = F.peak_f1(scores, targets, 'class')[1].tolist()
    enough = ((targets == 1) & used).sum(0) >= min_positives
    thresholds = {c: v for c, v, kept in zip(classes, own, enough.tolist(), strict=True) if kept}
    about = dict(fitted_on or {}, pairs=total, positives=count)
    return Calibration(1 / slope, bias, threshold, thresholds, about)


def calibration_report(
    probabilities: Tensor, targets: Tensor, classes: Sequence[str], calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Metrics ``without`` and ``with`` a calibration.

    ``F1`` is over all pairs at the threshold 0.5, or at each label's own threshold; ``peak_F1`` is
    the best that one threshold reaches; ``F1_class`` and ``peak_F1_class`` are means over labels.

    Examples:
        Nine of ten pairs at 0.8 are positive, and one of ten at 0.2, so 0.9 and 0.1 are right:

        >>> import math
        >>> import torch
        >>> probabilities = torch.tensor([[0.8]] * 10 + [[0.2]] * 10)
        >>> targets = torch.tensor([[1]] * 9 + [[0]] * 10 + [[1]])
        >>> calibration = Calibration(temperature=math.log(4) / math.log(9))
        >>> report = calibration_report(probabilities, targets, ['a dog'], calibration)
        >>> round(report['without']['ECE'], 4), round(report['with']['ECE'], 4)
        (0.1, 0.0)
    """
    half = torch.full((len(classes),), 0.5)
    own = torch.from_numpy(calibration.thresholds_of(classes))
    pairs = {
        'without': (probabilities, half),
        'with': (calibration.apply(probabilities), own),
    }
    return {name: _metrics(p, targets, at) for name, (p, at) in pairs.items()}


def _metrics(scores: Tensor, targets: Tensor, thresholds: Tensor) -> dict[str, float]:
    present = (scores.float() >= thresholds).float()
    values = dict(
        ECE=F.expected_calibration_error(scores, targets),
        adaptive_ECE=F.expected_calibration_error(scores, targets, adaptive=True),
        Brier=F.brier_score(scores, targets),
        F1=F.f1_at_threshold(present, targets, 0.5),
        F1_class=F.f1_at_threshold(present, targets, 0.5, 'macro'),
        peak_F1=F.peak_f1(scores, targets)[0],
        peak_F1_class=F.peak_f1(scores, targets, 'class')[0].nanmean(),
    )
    return {name: float(value) for name, value in values.items()}


def _logits(probabilities: Tensor) -> Tensor:
    """Finite float64 logits; 0 and 1 stay below and above all other float32 probabilities."""
    p = probabilities.double().clamp(1e-46, 1 - 2.0**-25)
    return torch.log(p) - torch.log1p(-p)


def _line(x: Tensor, wanted: Tensor) -> tuple[float, float]:
    """``a`` and ``b`` of least log loss of ``sigmoid(a x + b)``, by Newton's method.

    The loss is convex; a step is halved until the loss falls.
    """
    features = torch.stack([x, torch.ones_like(x)])
    theta = torch.tensor([1.0, 0.0], dtype=torch.float64)

    def cost(at: Tensor) -> Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(at @ features, wanted)

    now = cost(theta)
    for _ in range(_STEPS):
        p = (theta @ features).sigmoid()
        gradient = features @ (p - wanted) / len(x)
        curvature = (features * (p * (1 - p))) @ features.T / len(x)
        # Scores that are all alike leave the slope open; a trace of damping keeps it.
        curvature += 1e-12 * torch.eye(2, dtype=torch.float64)
        step = torch.linalg.solve(curvature, gradient)
        scale = 1.0
        while (new := cost(theta - scale * step)) > now and scale > 1e-9:
            scale /= 2
        if not new < now:
            break
        theta, now = theta - scale * step, new
    return float(theta[0]), float(theta[1])
