"""What the parts of a recognizer are, for each other and for those who call them.

The protocols say in types what the docstrings of the base classes say in words. A part of another
project satisfies one by having its members. The base classes (``BaseVideoEncoder``,
``BaseLabelEncoder``, ``BaseScorer``, ``BaseCriterion``) have a default for every member that not
every part has, so that a part which derives from one gives the rest alone. Letters of shapes: B
videos, M views of each, C labels (of a picture: channels), T frames, E size of CLIP's joint space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError

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

    def named_modules(
        self, memo: Any = None, prefix: str = '', remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """Itself and all modules in it, with names."""

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """All that a checkpoint keeps."""


class LayeredPart(Part, Protocol):
    """A part with layers that are large, and that nothing else takes apart."""

    def layers_to_shard(self) -> list[nn.Module]:
        """Layers whose weights are used only while they are called (``FullyShardStrategy``)."""


class TemporalModule(Part, Protocol):
    """What joins the frames of a video: inside the blocks of the tower, beside it, or behind it.

    With ``level = 'frame'`` it is called with embeddings of frames ``(B, T, E)`` and returns those
    of videos ``(B, E)``. With ``level = 'grid'`` it also gets what its ``cells`` made of the input
    of the tower's block ``block``, ``(B, T, K)``. With ``level = 'block'`` it is called as
    ``module(x, num_frames, index, parts)`` with tokens ``(B * T, N, D)``, runs block ``index`` and
    returns tokens of that shape; ``blocks`` then names the blocks that it runs.
    """

    level: str

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Frames to videos ``(B, T, E) -> (B, E)``, or tokens to tokens."""


class BlockTemporalModule(TemporalModule, Protocol):
    """A :class:`TemporalModule` inside blocks of the tower."""

    blocks: Sequence[int]

    def check(self, parts: Any) -> None:
        """Raise one :class:`~ovmlv.errors.ConfigError` where a block cannot take it."""


class Pretrained(Part, Protocol):
    """A part whose parameters may start as those of CLIP."""

    def pretrained_parameter_names(self) -> list[str]:
        """Names of the parameters that CLIP's weights filled, whether they train or not."""


class VideoEncoder(Pretrained, Protocol):
    """Videos to embeddings.

    Attributes:
        embed_dim: E.
        num_frames: T of training.
        image_size: ``(H, W)`` of the pictures; None where it sees no pixels, or pictures of any
            size.
        mean: Of each channel of the pixels in [0, 1]; None where the encoder does not know it.
        std: The same for the standard deviation.
        takes_bytes: Whether it also takes pixels as bytes, and normalises them by mean and std.
        temporal: What joins the frames, such as a :class:`TemporalModule`.
    """

    embed_dim: int
    num_frames: int
    image_size: tuple[int, int] | None
    mean: Sequence[float] | None
    std: Sequence[float] | None
    takes_bytes: bool
    temporal: Any

    def __call__(self, x: Tensor) -> Tensor:
        """Encode normalised videos ``(B, C, T, H, W) -> (B, E)``; the vectors have any length."""

    def forward_with_reference(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``(B, C, T, H, W)`` by this and by the frozen model ``-> (B, E), (B, E)``."""

    def encode_frames(self, x: Tensor) -> Tensor:
        """Embeddings of frames ``(B, C, T, H, W) -> (B, T, E)``."""

    def learn_known(self, text: Tensor, known: Tensor) -> None:
        """Hear CLIP's embeddings of labels ``(C, E)``, and how well it tells each, ``(C,)``."""

    def drop_training_parts(self) -> None:
        """Let go of what only training needs, such as copies and caches."""


class Noise(Protocol):
    """What disturbs labels in training, such as :class:`~ovmlv.models.heads.label_noise`."""

    weight: float


class LabelEncoder(Pretrained, Protocol):
    """Label strings to embeddings.

    Attributes:
        embed_dim: E.
        logit_scale: What CLIP multiplies cosines by; None where there is no such weight.
        logit_bias: What CLIP adds to them; None where there is no such weight.
        unit_length: Whether the embeddings are unit vectors.
        noise: What :meth:`forward_with_noise` disturbs labels by; None where it cannot be called.
        template: Text around the label; None where there is none.
    """

    embed_dim: int
    logit_scale: float | None
    logit_bias: float | None
    unit_length: bool
    noise: Noise | None
    template: str | None

    def __call__(self, labels: Sequence[str]) -> Tensor:
        """Encode C labels to ``(C, E)``, unit vectors where ``unit_length`` is true."""

    def check(self, labels: Sequence[str]) -> None:
        """Raise one :class:`~ovmlv.errors.VocabularyError` that names what cannot be encoded."""

    def reference(self, labels: Sequence[str]) -> Tensor:
        """Unit vectors ``(C, E)`` of the frozen CLIP, without gradient."""

    def forward_with_noise(self, labels: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Encode labels, and K of them disturbed: ``(C, E)``, their index ``(K,)``, ``(K, E)``."""

    def learn_known(self, labels: Sequence[str], known: Tensor) -> None:
        """Hear how well the frozen CLIP tells each label of training, ``(C,)``."""


class Scorer(Part, Protocol):
    """Similarities to logits."""

    label_bias: nn.Parameter | None

    @property
    def scale(self) -> Tensor | None:
        """What similarities are multiplied by, ``(1,)``; None where the logits are not linear."""

    @property
    def bias(self) -> Tensor | None:
        """What is added to all of them, ``(1,)``; None where the logits are not linear."""

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
    """The loss on logits ``(B, C)`` and targets ``(B, C)``."""

    @property
    def needs(self) -> frozenset[str]:
        """What it wants computed beside the logits, such as ``video_ref`` and ``drift``."""

    def set_embed_dim(self, embed_dim: int) -> None:
        """Hear of E before training."""

    def weigh_labels(self, weight: Tensor) -> None:
        """Multiply the terms of each label of the vocabulary by ``weight (C,)``."""

    def __call__(self, logits: Tensor, targets: Tensor, **kwargs: Any) -> dict[str, Tensor]:
        """The losses by name; ``loss_cls`` is the one on the logits."""


class VocabularyUser(Part, Protocol):
    """A model whose labels can be changed at any time."""

    def set_vocabulary(
        self, metainfo: Mapping[str, Any] | Sequence[str], embeddings: Tensor | None = None
    ) -> None:
        """Score these labels from now on; ``embeddings (C, E)`` where they are known."""

    def check_labels(self, labels: Sequence[str]) -> None:
        """Raise one :class:`~ovmlv.errors.VocabularyError` that names what cannot be encoded."""


class Recognizer(VocabularyUser, Protocol):
    """A model that scores videos against any labels.

    Attributes:
        backbone: Encodes videos.
        head: Encodes labels.
        scorer: Turns similarities into logits.
        data_preprocessor: Stacks and normalises videos.
        average_views: What of a video's views is averaged.
        labels_per_pass: Labels that go through the head at once.
        label_parts: Which labels consist of which others.
        cfg: The config that it was built from; None where it was built by hand.
    """

    backbone: VideoEncoder
    head: LabelEncoder
    scorer: Scorer
    data_preprocessor: Any
    average_views: str
    labels_per_pass: int
    label_parts: Any
    cfg: Any

    def learn_known(self, known: Tensor) -> None:
        """Hear how well the frozen CLIP tells each label of training, ``(C,)``."""

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

    def score_labels(self, views: Tensor, labels: Sequence[str]) -> Tensor:
        """Probabilities ``(B, C)`` of labels for views ``(B, M, E)``."""

    def predict_labels(self, inputs: Tensor, labels: Sequence[str]) -> Tensor:
        """Probabilities ``(B, C)`` of labels for videos ``(B, M, C, T, H, W)``."""

    def to(self: _PartT, device: torch.device | str) -> _PartT:
        """Move to a device."""


def lacking(part: object, contract: type) -> list[str]:
    """Names of the members of a contract that a part has not, in alphabetical order.

    Args:
        part: Any object.
        contract: One of the protocols of this module.
    """
    names = {
        name
        for protocol in contract.__mro__
        if protocol.__module__ == __name__
        for name in (*vars(protocol), *vars(protocol).get('__annotations__', ()))
        if not name.startswith('_')
    }
    return sorted(name for name in names if not hasattr(part, name))


def require(part: object, contract: type, owner: str, base: str) -> None:
    """Refuse a part that lacks members of its contract.

    Args:
        part: The part.
        contract: One of the protocols of this module.
        owner: Whose part it is, and which: ``OpenVocabRecognizer.backbone``.
        base: The class to derive it from.

    Raises:
        ConfigError: The part lacks something; all of it is named.
    """
    missing = lacking(part, contract)
    if missing:
        raise ConfigError(
            f'{owner}: {type(part).__name__} lacks {", ".join(missing)}; derive it from {base}, '
            'which has what can be left out'
        )
