"""The hook that weighs labels by how little the frozen CLIP knows of them."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.hooks import Hook
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.models.contracts import Recognizer, lacking
from ovmlv.models.recognizers.batch import fold_views, unit
from ovmlv.registry import HOOKS

from .bare_model import bare_model, within_model

_BATCH = 16


@HOOKS.register_module()
class LabelWeightHook(Hook):
    """Gives the labels that the frozen CLIP cannot tell apart more weight in the loss.

    Most labels of a video data set name things, which CLIP knows from images; the few that name
    motions are drowned by them. Before training, the frozen CLIP scores some training videos. Where
    the area under a label's ROC curve is A, its weight is ``1 + (max_weight - 1) (1 - k)`` with
    ``k = max(0, 2 A - 1)``: one for a label that CLIP ranks without a fault, and ``max_weight`` for
    one that it ranks no better than chance. A label with fewer than ``min_positives`` positives (or
    negatives) among these videos gets the mean weight of the others. The label encoder hears of k,
    too, see :class:`~ovmlv.models.heads.knowledge_gate.KnowledgeGate`. This is ours, not the
    paper's.

    Args:
        max_weight: Largest weight.
        num_videos: Number of training videos to score, evenly spread over the data set.
        min_positives: See above.

    Raises:
        ConfigError: A number cannot be used.

    Examples:
        >>> LabelWeightHook(max_weight=10.0).max_weight
        10.0
    """

    # Behind VocabularyHook, which sets the labels of training.
    priority = 'NORMAL'

    def __init__(
        self, max_weight: float = 10.0, num_videos: int = 1024, min_positives: int = 5
    ) -> None:
        if not max_weight >= 1:
            raise ConfigError(f'LabelWeightHook: max_weight={max_weight} must be at least 1')
        for name, value in (('num_videos', num_videos), ('min_positives', min_positives)):
            if value < 1:
                raise ConfigError(f'LabelWeightHook: {name}={value} must be at least 1')
        self.max_weight, self.num_videos = max_weight, num_videos
        self.min_positives = min_positives

    @torch.no_grad()
    def before_train(self, runner: Any) -> None:
        """Score videos, and weigh the labels."""
        model = bare_model(runner)
        if lacking(model, Recognizer):
            raise ConfigError(
                f'LabelWeightHook: {type(model).__name__} is no OpenVocabRecognizer; remove the '
                'hook'
            )
        dataset = runner.train_dataloader.dataset
        known, count = within_model(model, lambda: self._measure(model, dataset))
        weight = label_weights(known, self.max_weight)
        model.criterion.weigh_labels(weight)
        runner.logger.info(
            f'LabelWeightHook: {len(weight)} labels weigh {weight.min():.1f} to '
            f'{weight.max():.1f}, {weight.mean():.1f} on average, by {count} videos'
        )

    def _measure(self, model: Any, dataset: Any) -> tuple[Tensor, int]:
        """Tell the label encoder how well each label is known; that, and the number of videos."""
        similarities, targets = self._score(model, dataset)
        known = known_labels(similarities, targets, self.min_positives)
        model.learn_known(known)
        return known, len(targets)

    def _score(self, model: Any, dataset: Any) -> tuple[Tensor, Tensor]:
        """Cosines of the frozen CLIP and targets of some videos, both ``(N, C)``."""
        world = get_world_size()
        count = min(self.num_videos, len(dataset)) // world
        if not count:
            raise ConfigError(
                f'LabelWeightHook: {len(dataset)} training videos are too few for {world} '
                'processes; remove the hook'
            )
        chosen = torch.linspace(0, len(dataset) - 1, count * world).round().int().tolist()
        mine = chosen[get_rank() * count : (get_rank() + 1) * count]
        text = unit(model.head.reference(model.vocabulary.labels))
        training = model.training
        model.eval()
        model.backbone.train()  # what it keeps of these videos, it need not compute again
        scores, targets = [], []
        for start in range(0, count, _BATCH):
            batch = pseudo_collate([dataset[i] for i in mine[start : start + _BATCH]])
            data = model.data_preprocessor(batch, False)
            videos, views = fold_views(data['inputs'])
            _, video = model.backbone.forward_with_reference(videos)
            mean = unit(video).unflatten(0, (-1, views)).mean(1)
            scores.append(unit(mean) @ text.T)
            targets.append(torch.stack([s.gt_label for s in data['data_samples']]).to(text.device))
        model.train(training)
        return tuple(torch.cat(all_gather(torch.cat(part))) for part in (scores, targets))  # type: ignore[return-value]


def known_labels(scores: Tensor, targets: Tensor, min_positives: int) -> Tensor:
    """How well each label is known, ``(C,)`` in [0, 1], see :class:`LabelWeightHook`.

    Args:
        scores: ``(N, C)``.
        targets: ``(N, C)`` of {1, 0, -1 = unknown}.
        min_positives: Fewest positives, and negatives, of a label that is judged; others have nan.
    """
    known = torch.full((scores.shape[1],), torch.nan, device=scores.device)
    for c in range(scores.shape[1]):
        positive, negative = scores[targets[:, c] > 0, c], scores[targets[:, c] == 0, c]
        if min(len(positive), len(negative)) >= min_positives:
            above = (positive[:, None] > negative).float().mean()
            equal = (positive[:, None] == negative).float().mean()
            known[c] = (2 * (above + equal / 2) - 1).clamp(min=0)
    return known


def label_weights(known: Tensor, max_weight: float) -> Tensor:
    """Weights ``(C,)`` of labels that are known so well; nan gets the mean of the others."""
    weights = 1 + (max_weight - 1) * (1 - known)
    judged = ~weights.isnan()
    return torch.where(judged, weights, weights[judged].mean() if judged.any() else 1.0)
