"""Losses on multi-label logits, and the terms that keep CLIP's open vocabulary."""

from .asymmetric_loss import AsymmetricLoss
from .base_criterion import BaseCriterion
from .multilabel_bce_loss import MultilabelBCELoss
from .multilabel_focal_loss import MultilabelFocalLoss
from .regularized_multilabel_loss import RegularizedMultilabelLoss
from .two_way_loss import TwoWayLoss

__all__ = [
    'AsymmetricLoss',
    'BaseCriterion',
    'MultilabelBCELoss',
    'MultilabelFocalLoss',
    'RegularizedMultilabelLoss',
    'TwoWayLoss',
]
