"""A multi-label loss and the terms that keep what CLIP knows beyond the training labels."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .base_criterion import BaseCriterion
from .base_multilabel_loss import BaseMultilabelLoss
from .distances import (
    DISTANCES,
    SIMILARITIES,
    embedding_distance,
    random_anchors,
    ranking_distance,
    similarity_distance,
    structure_distance,
)
from .elementwise_loss import ElementwiseLoss
from .foreign_loss import foreign_loss

_NOT_GIVEN: Any = object()


@MODELS.register_module()
class RegularizedMultilabelLoss(BaseCriterion):
    """A base loss plus regularisers, each with a weight and absent at weight 0.

    ``loss_cls`` is the base loss; the others are distances from the frozen CLIP:
    ``loss_video_distill`` of the video embedding from CLIP's frame mean, ``loss_text_distill`` of
    label embeddings from CLIP's templated ones, ``loss_similarity_distill`` of the videos'
    similarities to a reference vocabulary, ``loss_ranking_distill`` of the order in which labels of
    that vocabulary put the videos of a batch (ours), ``loss_structure_distill`` of the places of
    videos and labels relative to each other, ``loss_weight_l2`` of the finetuned weights from their
    start. Beside each weighted term its plain value is logged (``video_distill`` ...), which does
    not count as a loss.

    Heads of other projects want a scalar. Those of mmpretrain and mmdet say so themselves: where
    one of ``weight``, ``avg_factor`` and ``reduction_override`` is passed, be it None, the sum of
    the weighted terms is returned. ``scalar=True`` is for those that pass logits and targets alone.

    Args:
        base: Config of the loss on logits, or a module; its ``forward(logits, targets)`` gives a
            scalar. Unknown labels are kept from losses of other projects, see
            :func:`~ovmlv.models.losses.foreign_loss.foreign_loss`.
        video_distill: Weight of that term.
        text_distill: Weight of that term.
        similarity_distill: Weight of that term.
        ranking_distill: Weight of that term. Labels count by how well CLIP knows them where that is
            known: by :class:`.LabelWeightHook`, with ``reference_vocabulary='training'``.
        structure_distill: Weight of that term (TACO, Zhu et al., arXiv 2606.25478; 0.4 there).
        weight_l2: Weight of that term.
        distance: Of the two embedding terms: ``cosine``, ``l2`` or ``l1``, see
            :func:`~ovmlv.models.losses.distances.embedding_distance`.
        similarity: ``kl``, ``mse`` or ``correlation``, see
            :func:`~ovmlv.models.losses.distances.similarity_distance`.
        temperature: Of the similarities, and of the relations of ``structure_distill``.
        num_anchors: Random directions of each step through which ``structure_distill`` compares,
            see :func:`~ovmlv.models.losses.distances.structure_distance`.
        loss_weight: Weight of the base loss.
        residual_adapter: Distil embeddings through a small residual network of their own, so that
            they may leave CLIP's as long as CLIP's can be read off them (FROSTER, Huang et al.,
            ICLR 2024). The networks train and are used here alone.
        scalar: Return the sum of the weighted terms rather than a dict; None: as the call asks.
        use_sigmoid: Always True, as of the base losses.

    Examples:
        >>> import torch
        >>> from ovmlv.models.losses import RegularizedMultilabelLoss
        >>> loss = RegularizedMultilabelLoss(video_distill=2.0)
        >>> sorted(loss.needs)
        ['video_ref']
        >>> video, clip = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])  # at right angles
        >>> terms = loss(torch.zeros(1, 2), torch.tensor([[1, 0]]), video=video, video_ref=clip)
        >>> {name: round(term.item(), 4) for name, term in terms.items()}
        {'loss_cls': 0.6931, 'loss_video_distill': 2.0, 'video_distill': 1.0}
    """

    #: Weighted terms -> the inputs of `forward` that they need beside `video` and `text`.
    INPUTS = {
        'video_distill': ('video_ref',),
        'text_distill': ('text_ref',),
        'similarity_distill': ('video_ref', 'reference_vocab'),
        'ranking_distill': ('video_ref', 'reference_vocab'),
        'structure_distill': ('video_ref', 'text_ref'),
        'weight_l2': ('drift',),
    }

    def __init__(
        self,
        base: dict | nn.Module | None = None,
        video_distill: float = 0.0,
        text_distill: float = 0.0,
        similarity_distill: float = 0.0,
        ranking_distill: float = 0.0,
        structure_distill: float = 0.0,
        weight_l2: float = 0.0,
        distance: str = 'cosine',
        similarity: str = 'kl',
        temperature: float = 0.01,
        num_anchors: int = 200,
        loss_weight: float = 1.0,
        residual_adapter: bool = False,
        scalar: bool | None = None,
        use_sigmoid: bool = True,
    ) -> None:
        super().__init__()
        if use_sigmoid is not True:
            raise ConfigError(
                f'RegularizedMultilabelLoss: use_sigmoid={use_sigmoid!r}, but its labels are '
                'independent of one another; set it to True'
            )
        weights = dict(
            video_distill=video_distill,
            text_distill=text_distill,
            similarity_distill=similarity_distill,
            ranking_distill=ranking_distill,
            structure_distill=structure_distill,
            weight_l2=weight_l2,
            loss_weight=loss_weight,
        )
        for name, value in weights.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise ConfigError(
                    f'RegularizedMultilabelLoss: {name}={value!r} must be a number >= 0; 0 '
                    'switches it off'
                )
        for name, chosen, allowed in (
            ('distance', distance, DISTANCES),
            ('similarity', similarity, SIMILARITIES),
        ):
            if chosen not in allowed:
                raise ConfigError(
                    f'RegularizedMultilabelLoss: {name}={chosen!r} is not one of '
                    f'{", ".join(allowed)}'
                )
        if not temperature > 0:
            raise ConfigError(
                f'RegularizedMultilabelLoss: temperature={temperature} must be positive'
            )
        if num_anchors < 1:
            raise ConfigError(
                f'RegularizedMultilabelLoss: num_anchors={num_anchors} must be at least 1'
            )
        if not isinstance(base, nn.Module):
            # `_scope_`: unprefixed names mean ours also where this is built inside another project.
            base = MODELS.build({'type': 'MultilabelBCELoss', '_scope_': 'ovmlv', **(base or {})})
        self.base: Any = base  # a loss of ours or of anybody else
        self.loss_weight = weights.pop('loss_weight')
        self.weights = {name: value for name, value in weights.items() if value > 0}
        self.distance, self.similarity, self.temperature = distance, similarity, temperature
        self.num_anchors = num_anchors
        self.residual_adapter = residual_adapter
        self.adapters = nn.ModuleDict()
        self.scalar, self.use_sigmoid = scalar, use_sigmoid
        self.label_weight: Tensor | None = None

    def weigh_labels(self, weight: Tensor) -> None:
        """Multiply the base loss's terms of each label by ``weight (C,)``, in the place of its
        ``class_weight``.
        """
        if not isinstance(self.base, ElementwiseLoss):
            raise ConfigError(
                f'{type(self.base).__name__} takes no weights of labels; use MultilabelBCELoss or '
                'remove LabelWeightHook'
            )
        # No buffer: an average of the model was copied before, and has no place for one.
        self.label_weight = weight.detach().float()

    def set_embed_dim(self, embed_dim: int) -> None:
        """Build the residual adapters, if any; the recognizer calls it with E."""
        for term in ('video_distill', 'text_distill'):
            if self.residual_adapter and term in self.weights:
                self.adapters[term] = ResidualAdapter(embed_dim)

    @property
    def needs(self) -> frozenset[str]:
        """Inputs that `forward` needs beside logits, targets, video and text."""
        return frozenset(name for term in self.weights for name in self.INPUTS[term])

    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        weight: Tensor | None = _NOT_GIVEN,
        avg_factor: float | Tensor | None = _NOT_GIVEN,
        reduction_override: str | None = _NOT_GIVEN,
        *,
        video: Tensor | None = None,
        video_ref: Tensor | None = None,
        text: Tensor | None = None,
        text_ref: Tensor | None = None,
        reference_vocab: Tensor | None = None,
        reference_known: Tensor | None = None,
        drift: Tensor | None = None,
        columns: Tensor | None = None,
        column_weight: Tensor | None = None,
    ) -> dict[str, Tensor] | Tensor:
        """Compute all terms.

        Args:
            logits: ``(B, C)``.
            targets: ``(B, C)`` of {1, 0, -1 = unknown}, or another form that
                :func:`~ovmlv.models.losses.reduction.multi_hot` knows.
            weight: Of the base loss, see :class:`BaseMultilabelLoss`.
            avg_factor: Of the base loss, see :class:`BaseMultilabelLoss`.
            reduction_override: Of the base loss, see :class:`BaseMultilabelLoss`.
            video: Video embeddings ``(B, E)``.
            video_ref: Those of the frozen CLIP ``(B, E)``.
            text: Label embeddings ``(C, E)``.
            text_ref: Those of the frozen CLIP ``(C, E)``.
            reference_vocab: The frozen CLIP's embeddings of the reference vocabulary ``(R, E)``.
            reference_known: How well CLIP knows each of it, ``(R,)`` in [0, 1]; None: all alike.
            drift: Squared distance of the finetuned weights from their start, a scalar.
            columns: See :class:`ElementwiseLoss`.
            column_weight: See :class:`ElementwiseLoss`.

        Returns:
            Scalars: ``loss_*`` are weighted and add up to the loss, the others are for the log; or
            that sum alone.
        """
        host = dict(weight=weight, avg_factor=avg_factor, reduction_override=reduction_override)
        asked = any(value is not _NOT_GIVEN for value in host.values())
        host = {k: v for k, v in host.items() if v is not _NOT_GIVEN and v is not None}
        given = {
            'video': video,
            'video_ref': video_ref,
            'text': text,
            'text_ref': text_ref,
            'reference_vocab': reference_vocab,
            'reference_known': reference_known,
            'drift': drift,
        }
        self._check(given)
        subset = {} if columns is None else {'columns': columns, 'column_weight': column_weight}
        out = {'loss_cls': self.loss_weight * self._base(logits, targets, host, subset)}
        for name, factor in self.weights.items():
            value = self._term(name, given)
            out[f'loss_{name}'] = factor * value
            out[name] = value.detach()
        if asked if self.scalar is None else self.scalar:
            return cast(Tensor, sum(v for name, v in out.items() if name.startswith('loss_')))
        return out

    def _base(
        self, logits: Tensor, targets: Tensor, host: dict[str, Any], subset: dict[str, Any]
    ) -> Tensor:
        own = isinstance(self.base, BaseMultilabelLoss)
        if subset and not (own and self.base.takes_label_subsets):
            raise ConfigError(
                f'{type(self.base).__name__} cannot train on label subsets; set '
                'labels_per_step=None or use a base loss of ovmlv'
            )
        if own:
            if self.label_weight is not None:
                subset['class_weight'] = self.label_weight
            return self.base(logits, targets, **host, **subset)
        return foreign_loss(self.base, logits, targets, **host)

    def _term(self, name: str, given: dict[str, Any]) -> Tensor:
        if name in ('video_distill', 'text_distill'):
            kind = name.split('_')[0]
            embeddings = given[kind]
            if self.residual_adapter:
                if name not in self.adapters:
                    raise ConfigError(
                        'RegularizedMultilabelLoss: residual_adapter=True needs the size of the '
                        'embeddings; call set_embed_dim(E)'
                    )
                embeddings = self.adapters[name](embeddings)
            return embedding_distance(embeddings, given[f'{kind}_ref'], self.distance)
        if name == 'similarity_distill':
            return similarity_distance(
                given['video'],
                given['video_ref'],
                given['reference_vocab'],
                self.similarity,
                self.temperature,
            )
        if name == 'ranking_distill':
            return ranking_distance(
                given['video'],
                given['video_ref'],
                given['reference_vocab'],
                given['reference_known'],
            )
        if name == 'structure_distill':
            return structure_distance(
                given['video'],
                given['video_ref'],
                given['text'],
                given['text_ref'],
                random_anchors(self.num_anchors, given['video']),
                self.temperature,
            )
        return torch.as_tensor(given['drift'])

    def _check(self, given: dict[str, Any]) -> None:
        own = {
            'video_distill': ('video',),
            'similarity_distill': ('video',),
            'ranking_distill': ('video',),
            'text_distill': ('text',),
            'structure_distill': ('video', 'text'),
        }
        for term in self.weights:
            for name in (*self.INPUTS[term], *own.get(term, ())):
                if given[name] is None:
                    raise ConfigError(
                        f'RegularizedMultilabelLoss: {term}={self.weights[term]} needs {name}=...; '
                        f'pass it to the loss or, as in heads of other projects, set {term}=0'
                    )


class ResidualAdapter(nn.Module):
    """``z + 0.1 * W_2 gelu(W_1 z)`` with ``W_2 = 0`` at the start (FROSTER).

    Args:
        embed_dim: E.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(embed_dim, embed_dim, bias=False)
        self.outer = nn.Linear(embed_dim, embed_dim, bias=False)
        nn.init.kaiming_normal_(self.inner.weight)
        nn.init.zeros_(self.outer.weight)

    def forward(self, z: Tensor) -> Tensor:
        """Unit vectors ``(N, E)`` to vectors of about that length."""
        return z + 0.1 * self.outer(F.gelu(self.inner(z)))
