"""Label encoders."""

from ovmlv.models.heads.base_label_encoder import BaseLabelEncoder
from ovmlv.models.heads.base_prompt_head import BasePromptHead
from ovmlv.models.heads.coop_prompt_head import CoOpPromptHead
from ovmlv.models.heads.dual_coop_prompt_head import DualCoOpPromptHead
from ovmlv.models.heads.llm_description_head import LLMDescriptionHead
from ovmlv.models.heads.llm_prompt_head import LLMPromptHead
from ovmlv.models.heads.template_prompt_head import TemplatePromptHead

__all__ = [
    'BaseLabelEncoder',
    'BasePromptHead',
    'CoOpPromptHead',
    'DualCoOpPromptHead',
    'LLMDescriptionHead',
    'LLMPromptHead',
    'TemplatePromptHead',
]
