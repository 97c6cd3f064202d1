"""Ways to read a frozen LLM's states about a label."""

from ovmlv.models.llm.readouts.base_readout import BaseReadout
from ovmlv.models.llm.readouts.generate_readout import GenerateReadout
from ovmlv.models.llm.readouts.prefix_readout import PrefixReadout
from ovmlv.models.llm.readouts.static_readout import StaticReadout
from ovmlv.models.llm.readouts.suffix_readout import SuffixReadout

__all__ = ['BaseReadout', 'GenerateReadout', 'PrefixReadout', 'StaticReadout', 'SuffixReadout']
