"""Export of models for programs without torch; see `ovmlv.runtime`."""

from ovmlv.compat import apply as _apply

_apply()

from .export_folder import export_model, make_label_set, model_fingerprint
from .exportable_encoder import ExportableEncoder, capture

__all__ = [
    'ExportableEncoder',
    'capture',
    'export_model',
    'make_label_set',
    'model_fingerprint',
]
