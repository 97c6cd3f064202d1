"""A vision-language model that is asked about each label, as a tagger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.labels import check_labels
from ovmlv.models.contracts import Criterion, Scorer
from ovmlv.models.utils.frozen import exclude_frozen_from_state_dict
from ovmlv.models.vlm import AnswerWords, VisionLanguageModel, YesNoReader
from ovmlv.registry import MODELS

from .batch import fold_views, with_scores
from .building import build_criterion, build_part
from .training_step import TrainingLabels, calibrate
from .vocabulary import Vocabulary, required

QUESTION = 'These are frames of one video. Does the video show {}? Answer yes or no.'
#: The scorer sees log-odds over this: its scale is at least 1, and a model may be far too sure.
UNIT = 100.0
#: Probabilities of the model itself, before anything trains.
START = dict(type='SigmoidScorer', init_scale=UNIT, init_bias=0.0)


@MODELS.register_module()
class VisionLanguageTagger(BaseModel):
    """``p(l | v) = sigmoid(scale / 100 * (log p(yes) - log p(no)) + bias)``, a question a label.

    A baseline of ours. The model reads all frames for each label, so a label costs a pass through a
    language model, and there are no embeddings of labels or videos that could be kept: it is
    trained and tested by a config, and is no model for ``ovmlv tag``. It starts at ``scale`` 100
    and ``bias`` 0, where the probability is that of yes, given that the answer is yes or no. These
    two numbers are those of the scorer that all other models here have, and they alone train.

    Args:
        vlm: Hub name, or local folder with model and processor, of any image-text-to-text model of
            transformers.
        question: Text with one ``{}`` where the label goes.
        yes: Words that mean yes; each counts in all cases of letters, and with a space before it.
        no: Words that mean no.
        scorer: Config of the scorer, without a bias of labels.
        loss: Config of a loss on logits.
        data_preprocessor: Config; by default it leaves pixels as they are.
        vlm_dtype: Number format of the model's weights.
        questions_per_pass: Questions that the model reads at once.
        labels_per_step: See :class:`OpenVocabRecognizer`.
        init_cfg: See mmengine's ``BaseModule``.

    Raises:
        ConfigError: A part does not fit, or the model does not tell yes from no.

    Examples:
        >>> config = dict(type='VisionLanguageTagger', vlm='Qwen/Qwen3-VL-2B-Instruct')
        >>> model = MODELS.build(config)  # doctest: +SKIP
        >>> model.predict_labels(videos, ['a dog', 'running']).shape  # doctest: +SKIP
        torch.Size([2, 2])
    """

    def __init__(
        self,
        vlm: str,
        question: str = QUESTION,
        yes: Sequence[str] = ('yes',),
        no: Sequence[str] = ('no',),
        scorer: dict | nn.Module | None = None,
        loss: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        vlm_dtype: str = 'float32',
        questions_per_pass: int = 16,
        labels_per_step: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        plain = dict(type='VideoDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3)
        super().__init__(build_part(data_preprocessor or plain), init_cfg)
        if question.count('{}') != 1:
            raise ConfigError(
                f"question={question!r} must contain '{{}}' exactly once, where the label goes"
            )
        for name, value in (
            ('questions_per_pass', questions_per_pass),
            ('labels_per_step', labels_per_step),
        ):
            if value is not None and value < 1:
                raise ConfigError(f'VisionLanguageTagger: {name}={value} must be at least 1')
        self.question, self.labels_per_step = question, labels_per_step
        self.vlm = VisionLanguageModel(vlm, vlm_dtype, key='model.vlm')
        words = AnswerWords(self.vlm.processor.tokenizer, yes, no)
        self._reader = YesNoReader(self.vlm, words, questions_per_pass)
        if scorer is None or isinstance(scorer, dict):
            scorer = {**START, **(scorer or {})}
        self.scorer: Scorer = build_part(scorer)
        self.scorer.start_from_clip(None, None)
        self.criterion: Criterion = build_criterion(loss)
        if self.criterion.needs:
            raise ConfigError(
                f'VisionLanguageTagger: the loss needs {", ".join(sorted(self.criterion.needs))}, '
                'which are of CLIP; set its terms beside the base loss to 0'
            )
        self.vocabulary: Vocabulary | None = None
        exclude_frozen_from_state_dict(self)

    def set_vocabulary(
        self, metainfo: Mapping[str, Any] | Sequence[str], embeddings: Tensor | None = None
    ) -> None:
        """Set the labels to ask about from now on.

        Args:
            metainfo: A data set's metainfo with ``classes`` and perhaps ``label_prior``, or a list.
            embeddings: Has to be None.
        """
        if embeddings is not None:
            raise ConfigError('VisionLanguageTagger has no embeddings of labels; leave them out')
        self.vocabulary = Vocabulary.of(metainfo)

    def check_labels(self, labels: Sequence[str]) -> None:
        """Raise one :class:`VocabularyError` that names the labels that cannot be asked about."""
        check_labels(labels)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[ActionDataSample] | None = None,
        mode: str = 'predict',
    ) -> dict[str, Tensor] | list[ActionDataSample]:
        """Run the model.

        Args:
            inputs: Pixels in [0, 1] ``(B, M, C, T, H, W)`` or ``(B, C, T, H, W)``, or uint8.
            data_samples: B samples with ``gt_label (C,)``.
            mode: ``loss``: dict of losses; ``predict``: samples with ``pred_score (C,)``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples or ())
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise ConfigError(f"mode={mode!r} is not one of 'loss', 'predict'; there are no embeddings")

    def loss(self, inputs: Tensor, data_samples: Sequence[ActionDataSample]) -> dict[str, Tensor]:
        """The loss on the logits of the batch; scale and bias alone have a gradient."""
        vocabulary = required(self.vocabulary)
        videos, views = fold_views(inputs)
        labels = TrainingLabels.of(
            data_samples, vocabulary, self.labels_per_step, views, videos.device
        )
        odds = self.log_odds(videos, labels.names)
        calibrate(self.scorer, odds / UNIT, labels, vocabulary.prior)
        losses = self.criterion(
            self.scorer(odds / UNIT),
            labels.targets,
            columns=labels.columns,
            column_weight=labels.column_weight,
        )
        if self.scorer.scale is not None and self.scorer.bias is not None:
            losses.update(scale=self.scorer.scale.detach(), bias=self.scorer.bias.detach())
        return losses

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: Sequence[ActionDataSample] | None = None
    ) -> list[ActionDataSample]:
        """Probabilities of the vocabulary's labels, as samples on the CPU with ``pred_score``."""
        scores = self.predict_labels(inputs, required(self.vocabulary).labels)
        return with_scores(scores, data_samples)

    @torch.no_grad()
    def predict_labels(self, inputs: Tensor, labels: Sequence[str]) -> Tensor:
        """Probabilities ``(B, C)`` of labels; the log-odds of a video's views are averaged.

        Args:
            inputs: See :meth:`forward`.
            labels: C label strings.
        """
        videos, views = fold_views(inputs)
        odds = self.log_odds(videos, check_labels(labels)).unflatten(0, (-1, views)).mean(1)
        return self.scorer(odds / UNIT).sigmoid()

    @torch.no_grad()
    def log_odds(self, videos: Tensor, labels: Sequence[str]) -> Tensor:
        """``log p(yes) - log p(no)`` ``(N, C)`` of N videos; see :meth:`forward`."""
        questions = [self.question.replace('{}', label) for label in labels]
        rows = [self._reader(frames_of(video), questions) for video in videos]
        return torch.stack(rows).to(videos.device)


def frames_of(video: Tensor) -> np.ndarray:
    """RGB uint8 frames ``(T, H, W, 3)`` of pixels ``(3, T, H, W)`` in [0, 1] or uint8."""
    if video.is_floating_point():
        video = (video * 255).round().clamp(0, 255).to(torch.uint8)
    return video.permute(1, 2, 3, 0).cpu().numpy()
