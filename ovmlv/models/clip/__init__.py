"""CLIPs of open_clip: architectures, weights of every common format, and their text tower."""

from .loading import LoadedCLIP, load_clip
from .text_tower import FrozenTextTower

__all__ = ['FrozenTextTower', 'LoadedCLIP', 'load_clip']
