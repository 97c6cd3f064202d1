"""Helpers that the models share."""

from ovmlv.models.utils.frozen import (
    exclude_frozen_from_state_dict,
    fingerprint,
    freeze,
    freeze_tensors,
    is_frozen,
)
from ovmlv.models.utils.starting_weights import starting_weights

__all__ = [
    'exclude_frozen_from_state_dict',
    'fingerprint',
    'freeze',
    'freeze_tensors',
    'is_frozen',
    'starting_weights',
]
