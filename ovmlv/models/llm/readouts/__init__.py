"""Ways to read a frozen LLM's states about a label."""

from .base_readout import BaseReadout
from .generate_readout import GenerateReadout
from .prefix_readout import PrefixReadout
from .static_readout import StaticReadout
from .suffix_readout import SuffixReadout

__all__ = ['BaseReadout', 'GenerateReadout', 'PrefixReadout', 'StaticReadout', 'SuffixReadout']
