"""Opening of media files, see :mod:`ovmlv.containers` (which the torch-free runtime needs too)."""

from ovmlv.containers import FORMATS, is_harmless, open_container

__all__ = ['FORMATS', 'UnreadableVideoError', 'is_harmless', 'open_container']
