"""What the parts of a recognizer are, for each other and for those who call them.

The protocols say in types what the docstrings of the base classes say in words. A part of another
project satisfies one by having its methods; it needs no base class of ours. Letters of shapes: B
videos, M views of each, C labels (of a picture: channels), T frames, E size of CLIP's joint space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

_PartT = TypeVar('_PartT', bound='Part')


class Part(Protocol):
    """What is used of :class:`torch.nn.Module` where any part will do."""

    training: bool

    def train(self: _PartT, mode: bool = True) -> _PartT:
        """Switch between training and evaluation."""

    def eval(self: _PartT) -> _PartT:
        """Switch to evaluation."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """All parameters."""

    def named_parameters(
        self, prefix: str = '', recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """All parameters, with names."""

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """All that a checkpoint keeps."""


class TemporalModule(Part, Protocol):
    """What joins the frames of a video: inside the blocks of the tower, or behind it.

    With ``level = 'frame'`` it is called with embeddings of frames ``(B, T, E)`` and returns those
    of videos ``(B, E)``. With ``level = 'block'`` it is called as ``module(x, num_frames, index,
    parts)`` with tokens ``(B * T, N, D)``, runs block ``index`` and returns tokens of that shape;
    ``blocks`` then names the blocks that it runs.
    """

    level: str

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Frames to videos ``(B, T, E) -> (B, E)``, or tokens to tokens."""


class VideoEncoder(Part, Protocol):
    """Videos to embeddings."""

    embed_dim: int
    num_frames: int
    image_size: tuple[int, int]
    mean: Sequence[float]
    std: Sequence[float]
    temporal: Any

    def __call__(self, x: Tensor) -> Tensor:
        """Encode normalised videos ``(B, C, T, H, W) -> (B, E)``; the vectors have any length."""

    def forward_with_reference(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``(B, C, T, H, W)`` by this and by the frozen model ``-> (B, E), (B, E)``."""

    def encode_frames(self, x: Tensor) -> Tensor:
        """Embeddings of frames ``(B, C, T, H, W) -> (B, T, E)``."""


class LabelEncoder(Part, Protocol):
    """Label strings to embeddings."""

    embed_dim: int
    logit_scale: float
    logit_bias: float | None
    unit_length: bool

    def __call__(self, labels: Sequence[str]) -> Tensor:
        """Encode C labels to ``(C, E)``, unit vectors where ``unit_length`` is true."""

    def check(self, labels: Sequence[str]) -> None:
        """Raise one :class:`~ovmlv.errors.VocabularyError` that names what cannot be encoded."""

    def reference(self, labels: Sequence[str]) -> Tensor:
        """Unit vectors ``(C, E)`` of the frozen CLIP, without gradient."""


class Scorer(Part, Protocol):
    """Similarities to logits."""

    label_bias: nn.Parameter | None

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by, ``(1,)``."""

    @property
    def bias(self) -> Tensor:
        """What is added to all of them, ``(1,)``."""

    @property
    def wants_calibration(self) -> bool:
        """Whether :meth:`calibrate` still has something to do."""

    def __call__(self, similarities: Tensor, text: Tensor | None = None) -> Tensor:
        """Logits ``(..., C)`` of similarities ``(..., C)``; ``text (C, E)`` for a label bias."""

    def calibrate(self, similarities: Tensor, weight: Tensor, prior: float) -> None:
        """Choose the bias so that the mean probability is ``prior``."""

    def start_from_clip(
        self, logit_scale: float | None, logit_bias: float | None, embed_dim: int | None = None
    ) -> None:
        """Take what the config leaves to the values of the CLIP weights."""


class Criterion(Part, Protocol):
    """The loss on logits ``(B, C)`` and targets ``(B, C)``.

    Attributes:
        needs: What it wants computed beside the logits, such as ``video_ref`` and ``drift``.
    """

    needs: frozenset[str]

    def __call__(self, logits: Tensor, targets: Tensor, **kwargs: Any) -> dict[str, Tensor]:
        """The losses by name; ``loss_cls`` is the one on the logits."""


class Recognizer(Part, Protocol):
    """A model that scores videos against any labels."""

    backbone: VideoEncoder
    head: LabelEncoder
    scorer: Scorer
    data_preprocessor: Any
    average_views: str
    cfg: Any

    def set_vocabulary(
        self, metainfo: Mapping[str, Any] | Sequence[str], embeddings: Tensor | None = None
    ) -> None:
        """Score these labels from now on; ``embeddings (C, E)`` where they are known."""

    def check_labels(self, labels: Sequence[str]) -> None:
        """Raise one :class:`~ovmlv.errors.VocabularyError` that names what cannot be encoded."""

    def encode_labels(self, labels: Sequence[str]) -> Tensor:
        """Embeddings ``(C, E)`` of labels."""

    def encode_videos(self, inputs: Tensor) -> Tensor:
        """Unit vectors ``(B, E)`` of videos ``(B, M, C, T, H, W)``."""

    def encode_views(self, inputs: Tensor) -> Tensor:
        """Unit vectors ``(B, M, E)`` of all views."""

    def view_logits(self, views: Tensor, text: Tensor) -> Tensor:
        """Logits ``(B, C)`` from views ``(B, M, E)`` and labels ``(C, E)``."""

    def score_views(self, views: Tensor, text: Tensor) -> Tensor:
        """Probabilities ``(B, C)`` from views ``(B, M, E)`` and labels ``(C, E)``."""

    def predict_labels(self, inputs: Tensor, labels: Sequence[str]) -> Tensor:
        """Probabilities ``(B, C)`` of labels for videos ``(B, M, C, T, H, W)``."""

    def to(self: _PartT, device: torch.device | str) -> _PartT:
        """Move to a device."""
