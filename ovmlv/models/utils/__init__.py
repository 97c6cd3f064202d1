"""Helpers that the models share."""

from .frozen import (
    exclude_frozen_from_state_dict,
    fingerprint,
    freeze,
    freeze_tensors,
    is_frozen,
)
from .weight_patching import weights_from_clip

__all__ = [
    'exclude_frozen_from_state_dict',
    'fingerprint',
    'freeze',
    'freeze_tensors',
    'is_frozen',
    'weights_from_clip',
]
