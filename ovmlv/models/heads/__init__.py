"""Label encoders."""

from .base_label_encoder import BaseLabelEncoder
from .base_prompt_head import BasePromptHead
from .coop_prompt_head import CoOpPromptHead
from .dual_coop_prompt_head import DualCoOpPromptHead
from .linear_probe_head import LinearProbeHead
from .llm_description_head import LLMDescriptionHead
from .llm_neighbor_head import LLMNeighborHead
from .llm_prompt_head import LLMPromptHead
from .template_prompt_head import TemplatePromptHead

__all__ = [
    'BaseLabelEncoder',
    'BasePromptHead',
    'CoOpPromptHead',
    'DualCoOpPromptHead',
    'LLMDescriptionHead',
    'LLMNeighborHead',
    'LLMPromptHead',
    'LinearProbeHead',
    'TemplatePromptHead',
]
