"""Frozen language models, ways to read them, and the transformer that prompts CLIP from them."""

from .causal_llm import CausalLLM
from .prompting_transformer import PromptingTransformer
from .readouts import (
    BaseReadout,
    GenerateReadout,
    PrefixReadout,
    SequenceReadout,
    StaticReadout,
    SuffixReadout,
)

__all__ = [
    'BaseReadout',
    'CausalLLM',
    'GenerateReadout',
    'PrefixReadout',
    'PromptingTransformer',
    'SequenceReadout',
    'StaticReadout',
    'SuffixReadout',
]
