"""Open-vocabulary multi-label video classification, as plug-in parts for OpenMMLab projects."""

from .compat import watch_imports as _watch_imports
from .version import __version__

_watch_imports()

__all__ = ['__version__']
