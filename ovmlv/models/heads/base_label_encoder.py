"""What every label encoder has, whether it comes from CLIP or not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.labels import check_labels
from ovmlv.models.contracts import Noise


class BaseLabelEncoder(BaseModule):
    """Encodes label strings into CLIP's joint embedding space.

    Contract: :class:`~ovmlv.models.contracts.LabelEncoder`. A subclass gives ``embed_dim`` and
    :meth:`forward`; all else has a default, which is that of an encoder without CLIP's weights.

    Args:
        init_cfg: See mmengine's ``BaseModule``.

    Attributes:
        embed_dim: E.
        logit_scale: What CLIP multiplies cosines by; None where there is no such weight.
        logit_bias: What CLIP adds to them; None where there is no such weight.
        unit_length: Whether the embeddings are unit vectors. False is for encoders whose vectors'
            lengths matter; the recognizer then leaves them as they are.
        noise: What :meth:`forward_with_noise` disturbs labels by; None where nothing does.
        template: Text around the label; None where there is none.

    Examples:
        >>> import torch
        >>> from ovmlv.models.heads import BaseLabelEncoder
        >>> class Vowels(BaseLabelEncoder):
        ...     embed_dim = 2
        ...     def forward(self, labels):
        ...         rows = torch.tensor([[label.count(c) for c in 'ae'] for label in labels])
        ...         return torch.nn.functional.normalize(rows.float(), dim=-1)
        >>> Vowels()(['cat', 'cake'])
        tensor([[1.0000, 0.0000],
                [0.7071, 0.7071]])
    """

    embed_dim: int
    logit_scale: float | None = None
    logit_bias: float | None = None
    unit_length: bool = True
    noise: Noise | None = None
    template: str | None = None

    @abstractmethod
    def forward(self, labels: Sequence[str]) -> Tensor:
        """Encode C labels to ``(C, E)``, unit vectors where ``unit_length`` is true."""

    def check(self, labels: Sequence[str]) -> None:
        """Find out whether all labels can be encoded, without encoding them.

        Raises:
            VocabularyError: Some cannot: why the first one, and which are the others.
        """
        check_labels(labels)

    def reference(self, labels: Sequence[str]) -> Tensor:
        """Unit vectors ``(C, E)`` of the frozen CLIP for labels, without gradient.

        Raises:
            ConfigError: There is no frozen CLIP.
        """
        raise ConfigError(
            f'{type(self).__name__} has no frozen CLIP to compare with; set text_distill=0 and '
            'similarity_distill=0 in the loss'
        )

    def forward_with_noise(self, labels: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Encode labels, and some of them disturbed; called only where ``noise`` is not None.

        Args:
            labels: C different label strings.

        Returns:
            Unit vectors ``(C, E)``; the index ``(K,)`` of the disturbed labels; their unit vectors
            ``(K, E)``, which shall equal the undisturbed ones.
        """
        raise ConfigError(f'{type(self).__name__} knows no noise; set it to None')

    def learn_known(self, labels: Sequence[str], known: Tensor) -> None:
        """Hear, before training, how well the frozen CLIP tells each label of it.

        Args:
            labels: C label strings.
            known: ``(C,)`` from 0 (no better than chance) to 1 (without a fault); nan where the
                videos do not say. See :class:`~ovmlv.engine.hooks.LabelWeightHook`.
        """

    def pretrained_parameter_names(self) -> list[str]:
        """Names of the parameters that CLIP's weights filled, whether they train or not."""
        return []
