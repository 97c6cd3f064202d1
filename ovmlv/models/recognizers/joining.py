"""Parts that fit each other, and that take from each other what CLIP's weights know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError
from ovmlv.models.contracts import Criterion, LabelEncoder, Scorer, VideoEncoder, require
from ovmlv.models.data_preprocessors import VideoDataPreprocessor

if TYPE_CHECKING:
    from .open_vocab_recognizer import OpenVocabRecognizer

_CONTRACTS = (
    ('backbone', VideoEncoder, 'ovmlv.models.backbones.BaseVideoEncoder'),
    ('head', LabelEncoder, 'ovmlv.models.heads.BaseLabelEncoder'),
    ('scorer', Scorer, 'ovmlv.models.scorers.BaseScorer'),
    ('criterion', Criterion, 'ovmlv.models.losses.BaseCriterion'),
)


def join_parts(model: OpenVocabRecognizer) -> None:
    """Check the parts of a recognizer, and let them take what the others' CLIP weights know.

    Raises:
        ConfigError: A part lacks members of its contract, or two parts do not fit each other.
    """
    for part, contract, base in _CONTRACTS:
        require(getattr(model, part), contract, f'OpenVocabRecognizer.{part}', base)
    size, other = model.backbone.embed_dim, model.head.embed_dim
    if size != other:
        raise ConfigError(
            f'OpenVocabRecognizer: the backbone has embeddings of {size} and the head of {other}; '
            'give both the same model_name'
        )
    preprocessor = model.data_preprocessor
    if isinstance(preprocessor, VideoDataPreprocessor) and preprocessor.needs_statistics:
        if model.backbone.mean is None or model.backbone.std is None:
            raise ConfigError(
                'OpenVocabRecognizer: the backbone names no mean and std; give them to the '
                'data_preprocessor'
            )
        preprocessor.set_statistics(model.backbone.mean, model.backbone.std)
        preprocessor.keep_bytes = model.backbone.takes_bytes
    model.scorer.start_from_clip(model.head.logit_scale, model.head.logit_bias, size)
    model.criterion.set_embed_dim(size)
