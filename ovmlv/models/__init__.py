"""Models: encoders of videos and labels, losses, scorers and the recognizer that joins them."""

from ovmlv.compat import apply as _apply

_apply()

from ovmlv.models import (
    backbones,
    clip,
    data_preprocessors,
    heads,
    llm,
    losses,
    recognizers,
    scorers,
    temporal,
    utils,
    vlm,
)

__all__ = [
    'backbones',
    'clip',
    'data_preprocessors',
    'heads',
    'llm',
    'losses',
    'recognizers',
    'scorers',
    'temporal',
    'utils',
    'vlm',
]
