"""Frozen language models, ways to read them, and the transformer that prompts CLIP from them."""

from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.prompting_transformer import PromptingTransformer
from ovmlv.models.llm.readouts import (
    BaseReadout,
    GenerateReadout,
    PrefixReadout,
    StaticReadout,
    SuffixReadout,
)

__all__ = [
    'BaseReadout',
    'CausalLLM',
    'GenerateReadout',
    'PrefixReadout',
    'PromptingTransformer',
    'StaticReadout',
    'SuffixReadout',
]
