"""Answers about frames by a multimodal language model of transformers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ovmlv.errors import ConfigError

from .text_generator import check_sampling, derive_seed, generate


class FrameGenerator:
    """Answers a prompt about frames, with any model of ``AutoModelForImageTextToText``.

    Args:
        name: Hub name or local folder with model and processor.
        temperature: See :class:`TextGenerator`, as for the next three.
        top_p: See there.
        max_new_tokens: See there.
        seed: See there.
        device: Device such as ``cpu`` or ``cuda``.
        dtype: Number format of the weights, such as ``bfloat16``.
    """

    def __init__(
        self,
        name: str,
        temperature: float = 0.7,
        top_p: float = 0.9,
        max_new_tokens: int = 60,
        seed: int = 0,
        device: str = 'cpu',
        dtype: str = 'float32',
    ) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        check_sampling(temperature, top_p, max_new_tokens)
        self.temperature, self.top_p = temperature, top_p
        self.max_new_tokens, self.seed = max_new_tokens, seed
        try:
            self.processor = AutoProcessor.from_pretrained(name, trust_remote_code=False)
            model: Any = AutoModelForImageTextToText.from_pretrained(
                name, dtype=dtype, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            reason = ' '.join(str(error).split())[:200]
            raise ConfigError(
                f"cannot load '{name}' as an image-text-to-text model of transformers ({reason}); "
                'give a hub name or a folder with model and processor'
            ) from error
        self.model = model.to(device).eval()

    def __call__(self, frames: np.ndarray, prompt: str, draw: int = 0) -> str:
        """Answer a prompt about frames.

        Args:
            frames: RGB uint8 ``(T, H, W, 3)``.
            prompt: The question.
            draw: Number of the answer.
        """
        inputs = self.processor(
            images=list(frames), text=self._text(prompt, len(frames)), return_tensors='pt'
        )
        inputs = inputs.to(self.model.device, self.model.dtype)  # floats alone change their format
        seed = derive_seed(self.seed, draw, prompt, frames.tobytes().hex())
        out = generate(
            self.model, dict(inputs), seed, self.temperature, self.top_p, self.max_new_tokens
        )
        answer = out[inputs['input_ids'].shape[1] :]
        return self.processor.decode(answer, skip_special_tokens=True).strip()

    def _text(self, prompt: str, num_frames: int) -> str:
        """The prompt as the model wants it, with a place for each frame."""
        if getattr(self.processor, 'chat_template', None):
            content = [{'type': 'image'}] * num_frames + [{'type': 'text', 'text': prompt}]
            message = [{'role': 'user', 'content': content}]
            return self.processor.apply_chat_template(message, add_generation_prompt=True)
        token = getattr(self.processor, 'image_token', '<image>')
        return token * num_frames + '\n' + prompt
