"""Label banks: labels encoded once and kept on disk, for any number of videos."""

from ovmlv.compat import apply as _apply

_apply()

from .bank import LabelBank
from .identity import EncoderIdentity
from .index import LabelIndex

__all__ = ['EncoderIdentity', 'LabelBank', 'LabelIndex']
