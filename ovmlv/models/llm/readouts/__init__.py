"""Ways to read a frozen LLM's states about a label."""

from .base_readout import BaseReadout
from .generate_readout import GenerateReadout
from .prefix_readout import PrefixReadout
from .sequence_readout import SequenceReadout
from .static_readout import StaticReadout
from .suffix_readout import SuffixReadout

__all__ = [
    'BaseReadout',
    'GenerateReadout',
    'PrefixReadout',
    'SequenceReadout',
    'StaticReadout',
    'SuffixReadout',
]
