"""Labels: the one place that reads, checks and compares them. Nothing here needs torch."""

from .checks import check_labels, clean_label, clean_labels, unique_labels, unlisted_label_error
from .files import (
    LabelAttributes,
    LabelVocabulary,
    load_label_attributes,
    load_labels,
    read_reference_vocabulary,
    without_training_labels,
)

__all__ = [
    'LabelAttributes',
    'LabelVocabulary',
    'check_labels',
    'clean_label',
    'clean_labels',
    'load_label_attributes',
    'load_labels',
    'read_reference_vocabulary',
    'unique_labels',
    'unlisted_label_error',
    'without_training_labels',
]
