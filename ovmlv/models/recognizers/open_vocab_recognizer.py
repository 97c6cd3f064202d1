"""The model that joins video encoder, label encoder, scorer and loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import Tensor, nn

from ovmlv.labels import without_training_labels
from ovmlv.models.contracts import Criterion, LabelEncoder, Scorer, VideoEncoder
from ovmlv.models.losses.distances import embedding_distance
from ovmlv.models.utils.spare_directions import without_gaps
from ovmlv.registry import MODELS

from .batch import fold_views, unit, with_scores
from .building import build_criterion, build_part, check_settings, read_references
from .joining import join_parts
from .label_embedding_cache import LabelEmbeddingCache
from .label_parts import LabelParts
from .label_shares import LabelShares
from .start_weights import StartWeights
from .training_step import Encoded, TrainingLabels, calibrate
from .vocabulary import Vocabulary, required

_T = TypeVar('_T')


@MODELS.register_module()
class OpenVocabRecognizer(BaseModel):
    """Scores a video against any list of labels, each with its own probability.

    ``s(l, v) = f_t(l).f_v(v)`` of unit vectors, ``p(l | v) = sigmoid(s / tau + b)`` (arXiv
    2407.09073). The vocabulary is set from the data set's metainfo (:class:`VocabularyHook` does
    it), never by the config.

    Args:
        backbone: Video encoder ``(B, C, T, H, W) -> (B, E)``.
        head: Label encoder, C label strings -> unit vectors ``(C, E)``.
        loss: Loss on logits; a base loss alone will do.
        scorer: Similarities -> logits.
        data_preprocessor: Without mean and std it takes those of the backbone.
        reference_vocabulary: Labels (a list or a file of :func:`ovmlv.labels.load_labels`) that the
            loss compares videos with; training labels are left out. ``training``: these alone.
        labels_per_step: Encode that many labels in a training step: the batch's positives and
            random others, weighted so that the loss estimates that of the whole vocabulary; None is
            all.
        shard_labels: In distributed training, encode each label of a step on one of the processes
            and give all of them the embeddings, with the gradients of one process (see
            :mod:`~.label_shares`). All processes then train on the same labels of a step. In
            testing, the vocabulary is encoded in the same way.
        interpolation: Config of :class:`InterpolatedWeights`, which adds ``loss_interpolated``.
        average_views: What of a video's views is averaged in testing, ``score``, ``embedding`` or
            ``probability``.
        views_per_pass: Views that go through the backbone at once in testing; None is all.
        labels_per_pass: Labels that go through the head at once in testing.
        label_parts: Label -> labels that it consists of, a mapping or a JSON file of one; see
            :class:`~.label_parts.LabelParts`. Training does without it.
        init_cfg: See mmengine's ``BaseModule``.

    Attributes:
        cfg: The config that it was built from, where :func:`~ovmlv.apis.init_recognizer` did.

    Examples:
        >>> clip = dict(model_name='motionshapes', pretrained='motionshapes')
        >>> head = dict(type='CoOpPromptHead', **clip)
        >>> model = OpenVocabRecognizer(dict(type='TemporalCLIPBackbone', **clip), head).eval()
        >>> model.predict_labels(torch.rand(1, 3, 8, 64, 64), ['a circle', 'moving left']).shape
        torch.Size([1, 2])
    """

    cfg: Config | None = None

    def __init__(
        self,
        backbone: dict | nn.Module,
        head: dict | nn.Module,
        loss: dict | nn.Module | None = None,
        scorer: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        reference_vocabulary: str | Sequence[str] | None = None,
        labels_per_step: int | None = None,
        shard_labels: bool = False,
        interpolation: dict | None = None,
        average_views: str = 'score',
        views_per_pass: int | None = None,
        labels_per_pass: int = 256,
        label_parts: str | Mapping[str, Sequence[str]] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(build_part(data_preprocessor, 'VideoDataPreprocessor'), init_cfg)
        check_settings(
            average_views,
            labels_per_step=labels_per_step,
            views_per_pass=views_per_pass,
            labels_per_pass=labels_per_pass,
        )
        self.backbone: VideoEncoder = build_part(backbone)
        self.head: LabelEncoder = build_part(head)
        self.scorer: Scorer = build_part(scorer, 'SigmoidScorer')
        self.criterion: Criterion = build_criterion(loss)
        join_parts(self)
        self.labels_per_step, self.average_views = labels_per_step, average_views
        self.views_per_pass, self.labels_per_pass = views_per_pass, labels_per_pass
        self.vocabulary: Vocabulary | None = None
        self.label_parts = LabelParts(label_parts)
        self.label_cache, self.shares = LabelEmbeddingCache(), LabelShares(shard_labels)
        self._references: tuple[str, ...] | None = None
        self.known: Tensor | None = None
        self.reference_vocabulary = read_references(self.criterion, reference_vocabulary)
        if self.reference_vocabulary is not None:
            self.check_labels(self.reference_vocabulary)
        self._interpolation_config = interpolation
        self._remember_start()

    def _remember_start(self) -> None:
        """Keep copies of the weights that the loss compares with or goes back to."""
        drifts = 'drift' in self.criterion.needs
        self.start_weights = StartWeights.of(self.backbone) if drifts else None
        self.interpolation: Any = None  # InterpolatedWeights
        if self._interpolation_config is not None:
            config = {**self._interpolation_config, 'module': self.backbone}
            self.interpolation = build_part(config, 'InterpolatedWeights')

    def init_weights(self) -> None:
        """Initialise by ``init_cfg``; ``weight_l2`` measures from the weights after it."""
        first = not self.is_init  # mmengine calls this again in every train() of a Runner
        super().init_weights()
        if first:
            self._remember_start()

    def train(self, mode: bool = True) -> OpenVocabRecognizer:
        """Switch the mode; label embeddings are forgotten, since weights change in between."""
        self.label_cache.clear()
        self.shares.end_test()
        return super().train(mode)

    def set_vocabulary(
        self, metainfo: Mapping[str, Any] | Sequence[str], embeddings: Tensor | None = None
    ) -> None:
        """Set the labels to score from now on, in training and in testing; all are checked.

        Args:
            metainfo: A data set's metainfo with ``classes`` and perhaps ``label_prior``, or a list.
            embeddings: Unit vectors ``(C, E)`` of the labels, if they were computed before (testing
                only).
        """
        vocabulary = Vocabulary.of(metainfo, embeddings)
        if embeddings is None:
            self.check_labels(vocabulary.labels)
        self.vocabulary = vocabulary
        self._references = None

    def learn_known(self, known: Tensor) -> None:
        """Hear how well the frozen CLIP tells each label of training, ``(C,)``, nan if unknown."""
        labels, self.known = required(self.vocabulary).labels, without_gaps(known)
        self.head.learn_known(labels, known)
        self.backbone.learn_known(self.head.reference(labels), self.known)

    def check_labels(self, labels: Sequence[str]) -> None:
        """Raise one :class:`VocabularyError` that names the labels that cannot be encoded."""
        self.head.check(self.label_parts.complete(labels))

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[ActionDataSample]:
        """Run the model.

        Args:
            inputs: Normalised videos ``(B, M, C, T, H, W)`` or ``(B, C, T, H, W)``.
            data_samples: B samples with ``gt_label (C,)``.
            mode: ``tensor``: video embeddings ``(B, E)``; ``loss``: dict of losses; ``predict``:
                samples with ``pred_score (C,)``.
        """
        if mode == 'tensor':
            return self.encode_videos(inputs)
        if mode == 'loss':
            return self.loss(inputs, data_samples or ())
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode={mode!r} is not one of 'tensor', 'loss', 'predict'")

    def loss(self, inputs: Tensor, data_samples: Sequence[ActionDataSample]) -> dict[str, Tensor]:
        """Losses and what is logged beside them.

        Nothing here keeps state that a second call in the same step would disturb, so that the loss
        may be computed on other weights as well (``torch.func.functional_call``).

        Args:
            inputs: ``(B, M, C, T, H, W)`` or ``(B, C, T, H, W)``; views are trained on as videos.
            data_samples: B samples with ``gt_label (C,)``.
        """
        vocabulary = required(self.vocabulary)
        alike = self.shares.of(vocabulary.labels)
        videos, views = fold_views(self._pixels(inputs))
        labels = TrainingLabels.of(
            data_samples, vocabulary, self.labels_per_step, views, videos.device, alike
        )
        encoded = self._encode(videos, labels.names)
        references = self._compute_references(encoded, labels.names, vocabulary)
        return self._terms(encoded, labels, references, vocabulary.prior)

    def _encode(self, videos: Tensor, labels: list[str]) -> Encoded:
        """Videos ``(B * M, C, T, H, W)`` and labels, as the loss needs them."""
        video_ref = noisy = clean = None
        if 'video_ref' in self.criterion.needs:
            video, video_ref = self.backbone.forward_with_reference(videos)
        else:
            video = self.backbone(videos)
        if self.head.noise is None:
            text = self.shares.encode(self.head, labels)
        else:
            text, index, noisy = self.head.forward_with_noise(self.shares.mine(labels))
            clean = text[index].detach()
            text = self.shares.gather(text, len(labels))
        mixed = None if self.interpolation is None else self.interpolation(self.backbone, videos)
        return Encoded(video, text, video_ref, mixed, noisy, clean)

    def _compute_references(
        self, encoded: Encoded, labels: list[str], vocabulary: Vocabulary
    ) -> dict[str, Tensor]:
        """What the loss compares with, by the names of its arguments."""
        needs, found = self.criterion.needs, {}
        if encoded.video_ref is not None:
            found['video_ref'] = encoded.video_ref
        if 'text_ref' in needs:
            found['text_ref'] = self.head.reference(labels)
        if 'reference_vocab' in needs:
            found['reference_vocab'] = self.head.reference(self._reference_labels(vocabulary))
            if self.reference_vocabulary is None and self.known is not None:
                found['reference_known'] = self.known
        if 'drift' in needs and self.start_weights is not None:
            found['drift'] = self.start_weights.drift(cast(nn.Module, self.backbone))
        return found

    def _terms(
        self,
        encoded: Encoded,
        labels: TrainingLabels,
        references: dict[str, Tensor],
        prior: float | None,
    ) -> dict[str, Tensor]:
        """The losses, and scale and bias for the log."""
        # Cosines times a scale of 100 lose too much in half precision.
        with torch.autocast(encoded.video.device.type, enabled=False):
            video, text = unit(encoded.video), self._scaled(encoded.text)
            similarities = video @ text.T
            calibrate(self.scorer, similarities, labels, prior)
            given = dict(
                text=text,
                columns=labels.columns,
                column_weight=labels.column_weight,
                **references,
            )
            logits = self.scorer(similarities, text)
            losses = self.criterion(logits, labels.targets, video=video, **given)
            if encoded.noisy is not None and encoded.clean is not None:
                assert self.head.noise is not None  # it made them
                distance = embedding_distance(encoded.noisy, encoded.clean, 'cosine')
                losses['loss_label_consistency'] = self.head.noise.weight * distance
            if encoded.mixed is not None:
                mixed = unit(encoded.mixed)
                logits = self.scorer(mixed @ text.T, text)
                again = self.criterion(logits, labels.targets, video=mixed, **given)
                losses['loss_interpolated'] = self.interpolation.weight * again['loss_cls']
            if self.scorer.scale is not None and self.scorer.bias is not None:
                # A copy: a gathered parameter is gone behind the forward pass.
                bias = self.scorer.bias.detach().clone()
                losses.update(scale=self.scorer.scale.detach(), bias=bias)
        return losses

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: Sequence[ActionDataSample] | None = None
    ) -> list[ActionDataSample]:
        """Probabilities of the vocabulary's labels, as samples on the CPU with ``pred_score (C,)``.

        Args:
            inputs: ``(B, M, C, T, H, W)`` or ``(B, C, T, H, W)``.
            data_samples: B samples; what they hold is kept.
        """
        vocabulary, views = required(self.vocabulary), self.encode_views(inputs)
        given, shared = vocabulary.embeddings, False
        if given is None:
            shared = self.shares.of_test(vocabulary.labels)
        else:
            given = self._scaled(given.to(inputs.device))
        return with_scores(self._score(views, vocabulary.labels, shared, given), data_samples)

    def encode_videos(self, inputs: Tensor) -> Tensor:
        """Embeddings of videos, averaged over their views.

        Args:
            inputs: ``(B, M, C, T, H, W)`` or ``(B, C, T, H, W)``, normalised; bytes are normalised
                here.

        Returns:
            Unit vectors ``(B, E)``.
        """
        return unit(self.encode_views(inputs).mean(1))

    @torch.no_grad()
    def encode_labels(self, labels: Sequence[str], shared: bool = False) -> Tensor:
        """Unit vectors ``(C, E)`` of labels; cached in evaluation mode, while the head stays.

        With ``shared``, processes share the labels out, and all of them must call this.
        """

        def encode(labels: Sequence[str]) -> Tensor:
            step = self.labels_per_pass
            parts = [self.head(labels[i : i + step]) for i in range(0, len(labels), step)]
            return self._scaled(torch.cat(parts))

        def compute(labels: Sequence[str]) -> Tensor:
            return self.shares.encode(encode, labels) if shared else encode(labels)

        labels = list(Vocabulary.of(labels).labels)
        self.check_labels(labels)
        if self.head.training:
            return compute(labels)
        return self.label_cache.get(cast(nn.Module, self.head), labels, compute)

    @torch.no_grad()
    def predict_labels(self, inputs: Tensor, labels: Sequence[str]) -> Tensor:
        """Probabilities ``(B, C)`` of labels, whatever vocabulary is set.

        Args:
            inputs: See :meth:`encode_videos`.
            labels: C label strings.
        """
        return self.score_labels(self.encode_views(inputs), labels)

    @torch.no_grad()
    def score_labels(self, views: Tensor, labels: Sequence[str]) -> Tensor:
        """Probabilities ``(B, C)`` of labels for views ``(B, M, E)``, with ``label_parts``."""
        return self._score(views, labels, False, None)

    def _score(
        self, views: Tensor, labels: Sequence[str], shared: bool, given: Tensor | None
    ) -> Tensor:
        """As :meth:`score_labels`; ``given``: embeddings of the labels, computed before."""
        parts = self.label_parts
        text = parts.embed(labels, lambda names: self.encode_labels(names, shared), given)
        return parts.join(labels, self.score_views(views, text))

    def _scaled(self, text: Tensor) -> Tensor:
        """Label embeddings as the scorer takes them: unit vectors, unless the head says no."""
        return unit(text) if self.head.unit_length else text.float()

    def encode_views(self, inputs: Tensor) -> Tensor:
        """Unit vectors ``(B, M, E)`` of all views of videos; see :meth:`encode_videos`."""
        videos, views = fold_views(self._pixels(inputs))
        parts = videos.split(self.views_per_pass or len(videos))
        return torch.cat([unit(self.backbone(part)) for part in parts]).unflatten(0, (-1, views))

    def _pixels(self, inputs: Tensor) -> Tensor:
        """Pixels as the backbone takes them: bytes are normalised, unless it does so itself."""
        if inputs.dtype != torch.uint8 or self.backbone.takes_bytes:
            return inputs
        return self.data_preprocessor.normalize(inputs)

    def score_views(self, views: Tensor, text: Tensor) -> Tensor:
        """Probabilities ``(B, C)`` from views ``(B, M, E)`` and labels ``(C, E)``."""
        return self.view_logits(views, text).sigmoid()

    def view_logits(self, views: Tensor, text: Tensor) -> Tensor:
        """Logits ``(B, C)`` of :meth:`score_views`, which are told apart where those are all 1."""
        text = text.to(views)
        with torch.autocast(views.device.type, enabled=False):
            if self.average_views == 'probability':
                each = self.scorer(views @ text.T, text)
                # log(p / (1 - p)) of the mean p; the number of views cancels.
                return F.logsigmoid(each).logsumexp(1) - F.logsigmoid(-each).logsumexp(1)
            mean = unit(views.mean(1)) if self.average_views == 'embedding' else views.mean(1)
            return self.scorer(mean @ text.T, text)

    def _reference_labels(self, vocabulary: Vocabulary) -> tuple[str, ...]:
        """The reference vocabulary without training labels, found once for a vocabulary."""
        given = self.reference_vocabulary
        if given is None:
            return vocabulary.labels
        if self._references is None:
            self._references = without_training_labels(given, vocabulary.labels)
        return self._references

    def within(self, function: Callable[[], _T]) -> _T:
        """Call a function that uses parts of this model, where their weights can be used.

        Weights that are spread over processes are together only in here and in :meth:`forward`.
        """
        return function()
