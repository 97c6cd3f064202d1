"""Open-vocabulary multi-label video classification, as plug-in parts for OpenMMLab projects."""

from .version import __version__

__all__ = ['__version__']
