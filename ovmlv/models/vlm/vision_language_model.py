"""A frozen vision-language model with its processor."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.llm.llm_loading import refuse_programs
from ovmlv.models.utils.frozen import freeze

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class VisionLanguageModel(nn.Module):
    """Any model of transformers' ``AutoModelForImageTextToText`` (Qwen3-VL, SmolVLM, LLaVA ...).

    Each frame is an image of its own, in the order of time; size, normalisation, chat template and
    tokens come from the model's own processor. Texts of a batch are padded in front, so that all
    end at the same place.

    Args:
        name: Hub name, or local folder with model and processor.
        dtype: Number format of the weights: ``'float32'``, ``'bfloat16'`` or ``'float16'``.
        key: What the user named it by, for messages.

    Attributes:
        model: The model of transformers, frozen and in evaluation mode.
        processor: The processor of transformers.

    Raises:
        ConfigError: There is no such model, or it is of another kind.
        CheckpointError: The folder would make transformers load programs or other weights.

    Examples:
        >>> vlm = VisionLanguageModel('Qwen/Qwen3-VL-2B-Instruct')  # doctest: +SKIP
        >>> frames = np.zeros((4, 224, 224, 3), np.uint8)
        >>> inputs = vlm.inputs([frames], ['What is this?'])  # doctest: +SKIP
        >>> vlm.model(**inputs).logits.shape  # doctest: +SKIP
        torch.Size([1, 225, 151936])
    """

    def __init__(self, name: str, dtype: str = 'float32', key: str = 'vlm.name') -> None:
        super().__init__()
        if dtype not in DTYPES:
            raise ConfigError(f'vlm dtype {dtype!r} is unknown; choose one of {sorted(DTYPES)}')
        self.processor, model = _load(str(name), DTYPES[dtype], key)
        self.model: Any = freeze(model)  # of any family
        tokenizer = self.processor.tokenizer
        tokenizer.padding_side = 'left'
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._takes = set(inspect.signature(self.model.forward).parameters)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @property
    def pad_token_id(self) -> int | None:
        """The token that fills up rows."""
        return self.processor.tokenizer.pad_token_id

    def text(self, prompt: str, num_frames: int) -> str:
        """The prompt as the model wants it, with a place for each frame."""
        if self.processor.chat_template:
            content = [{'type': 'image'}] * num_frames + [{'type': 'text', 'text': prompt}]
            message = [{'role': 'user', 'content': content}]
            return self.processor.apply_chat_template(message, add_generation_prompt=True)
        token = getattr(self.processor, 'image_token', '<image>')  # of any family
        return token * num_frames + '\n' + prompt

    def inputs(self, videos: Sequence[np.ndarray], prompts: Sequence[str]) -> dict[str, Tensor]:
        """What the model's ``forward`` and ``generate`` take.

        Args:
            videos: B arrays of RGB uint8 frames ``(T, H, W, 3)``.
            prompts: A prompt for each.

        Returns:
            ``input_ids (B, L)``, ``attention_mask (B, L)``, pixels and what else the family has, on
            the model's device; floats in the model's number format.
        """
        texts = [self.text(p, len(v)) for p, v in zip(prompts, videos, strict=True)]
        bos = self.processor.tokenizer.bos_token
        # A template writes the first token itself.
        once = dict(add_special_tokens=False) if bos and texts[0].startswith(bos) else {}
        images = [[Image.fromarray(frame) for frame in video] for video in videos]
        found = self.processor(
            images=images, text=texts, padding=True, return_tensors='pt', **once
        ).to(self.device, self.model.dtype)
        return {name: value for name, value in found.items() if self._wants(name)}

    def _wants(self, name: str) -> bool:
        """Tokenizers give types of tokens to families that have none."""
        return name != 'token_type_ids' or name in self._takes


def _load(name: str, dtype: torch.dtype, key: str) -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor, ProcessorMixin
    from transformers.utils import logging

    refuse_programs(Path(name), key)
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        processor = AutoProcessor.from_pretrained(name, trust_remote_code=False)
        if not isinstance(processor, ProcessorMixin):
            raise ValueError('it has no processor of images and text')
        model = AutoModelForImageTextToText.from_pretrained(
            name, dtype=dtype, trust_remote_code=False
        )
    except Exception as error:  # of whatever the files of a folder lead transformers to
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise ConfigError(
            f"{key}: cannot load '{name}' as an image-text-to-text model of transformers "
            f'({reason}); give a hub name or a folder with model and processor'
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    return processor, model
