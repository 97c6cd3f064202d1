"""Ways to spread a training over processes."""

from .fully_shard_strategy import FullyShardStrategy

__all__ = ['FullyShardStrategy']
