"""CLIPs of open_clip: architectures, weights of every common format, and their text tower."""

from ovmlv.models.clip.loading import LoadedCLIP, load_clip
from ovmlv.models.clip.text_tower import FrozenTextTower

__all__ = ['FrozenTextTower', 'LoadedCLIP', 'load_clip']
